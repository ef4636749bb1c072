"""The S3 service: its operations, by what they are about."""

from cloudlet.services.s3.acl_operations import AclOperations
from cloudlet.services.s3.bucket_operations import BucketOperations
from cloudlet.services.s3.configuration_operations import ConfigurationOperations, DefaultsOperations
from cloudlet.services.s3.copying import CopyOperations
from cloudlet.services.s3.hosting import Hosting
from cloudlet.services.s3.listing_operations import ListingOperations
from cloudlet.services.s3.metrics_operations import MetricsOperations
from cloudlet.services.s3.notification_operations import NotificationOperations
from cloudlet.services.s3.object_details import ObjectAttributesOperations, ObjectTaggingOperations
from cloudlet.services.s3.removing import RemovalOperations
from cloudlet.services.s3.sweeping import LifecycleSweeping


class S3(
    LifecycleSweeping,
    CopyOperations,
    ObjectTaggingOperations,
    ObjectAttributesOperations,
    AclOperations,
    RemovalOperations,
    ListingOperations,
    BucketOperations,
    ConfigurationOperations,
    DefaultsOperations,
    MetricsOperations,
    NotificationOperations,
    Hosting,
):
    """Owns s3.db and the files in s3/. Buckets are global; what is in them belongs to the bucket's region."""
