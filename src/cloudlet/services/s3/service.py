"""The S3 service: its operations, by what they are about."""

from cloudlet.services.s3.bucket_operations import BucketOperations
from cloudlet.services.s3.hosting import Hosting
from cloudlet.services.s3.listing_operations import ListingOperations
from cloudlet.services.s3.object_operations import ObjectOperations
from cloudlet.services.s3.removing import RemovalOperations


class S3(
    BucketOperations,
    ObjectOperations,
    RemovalOperations,
    ListingOperations,
    Hosting,
):
    """Owns s3.db and the files in s3/."""
