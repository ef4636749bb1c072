"""Lifecycle rules carried out, with a clock that the test moves."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.clock import ManualClock
from cloudlet.core.context import FIRST_ACCOUNT, Principal
from cloudlet.core.http import Body
from cloudlet.core.service import Cloud
from cloudlet.core.settings import Settings
from cloudlet.services.s3 import S3

DAY = 86400.0


class Lab:
    """S3 in this process, with one bucket."""

    def __init__(self, data: Path) -> None:
        self.clock = ManualClock()
        self.cloud = Cloud(Settings(data=data), self.clock)
        self.s3 = S3(self.cloud)
        self.cloud.add(self.s3)

    async def call(self, name: str, **params: Any) -> Any:
        root = Principal.root(FIRST_ACCOUNT)
        return await self.cloud.call("s3", name, {"Bucket": "lab", **params}, as_=root, region="us-east-1")

    async def put(self, key: str) -> None:
        await self.call("PutObject", Key=key, Body=Body.of(b"x"))

    async def rule(self, **rule: Any) -> None:
        rules = [{"ID": "rule", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, **rule}]
        await self.call("PutBucketLifecycleConfiguration", LifecycleConfiguration={"Rules": rules})

    async def after(self, days: float) -> list[str]:
        """Lets time go by and rules act; returns the keys that are left."""
        self.clock.advance(days * DAY)
        await self.s3.sweep(self.clock.now())
        return [entry["Key"] for entry in (await self.call("ListObjectsV2"))["Contents"]]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    lab = Lab(tmp_path)
    await lab.s3.start()
    await lab.call("CreateBucket")
    yield lab
    await lab.s3.stop()


async def test_objects_expire(lab: Lab) -> None:
    await lab.put("tmp/a")
    await lab.put("kept")
    await lab.rule(Expiration={"Days": 2})
    assert await lab.after(1) == ["kept", "tmp/a"]
    assert await lab.after(2) == ["kept"]


async def test_with_versioning_a_delete_marker_is_put(lab: Lab) -> None:
    await lab.call("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    await lab.put("tmp/a")
    await lab.rule(Expiration={"Days": 1}, NoncurrentVersionExpiration={"NoncurrentDays": 1})
    assert await lab.after(2) == []
    versions = await lab.call("ListObjectVersions")
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (1, 1)
    await lab.after(2)
    assert (await lab.call("ListObjectVersions"))["Versions"] == []


async def test_a_marker_that_hides_nothing_goes(lab: Lab) -> None:
    await lab.call("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    await lab.call("DeleteObject", Key="tmp/a")
    await lab.rule(Expiration={"ExpiredObjectDeleteMarker": True})
    await lab.after(1)
    assert (await lab.call("ListObjectVersions"))["DeleteMarkers"] == []


async def test_unfinished_uploads_are_aborted(lab: Lab) -> None:
    await lab.call("CreateMultipartUpload", Key="tmp/big")
    await lab.rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 3})
    await lab.after(1)
    assert len((await lab.call("ListMultipartUploads"))["Uploads"]) == 1
    await lab.after(4)
    assert (await lab.call("ListMultipartUploads"))["Uploads"] == []
