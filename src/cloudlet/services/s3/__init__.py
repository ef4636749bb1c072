"""Amazon S3: buckets, objects and what follows from them."""

from cloudlet.services.s3.service import S3

__all__ = ["S3"]
