"""Durable data: SQLite files with group commit, the outbox, files for large bodies."""

from cloudlet.store.blobs import BlobFiles, BlobWriter
from cloudlet.store.database import Store
from cloudlet.store.expiry import Expiry
from cloudlet.store.migration import NewerSchemaError
from cloudlet.store.outbox import Completion, Delivery, Outbox, Retry
from cloudlet.store.transaction import Reader, Transaction

__all__ = [
    "BlobFiles",
    "BlobWriter",
    "Completion",
    "Delivery",
    "Expiry",
    "NewerSchemaError",
    "Outbox",
    "Reader",
    "Retry",
    "Store",
    "Transaction",
]
