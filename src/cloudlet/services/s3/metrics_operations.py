"""The operations on configurations of request metrics."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from cloudlet.core.context import Call
from cloudlet.core.service import operation
from cloudlet.services.s3.base import S3Base
from cloudlet.services.s3.errors import invalid_argument, s3_error
from cloudlet.services.s3.metrics_configuration import MOST_CONFIGURATIONS, Configuration, checked

Params = dict[str, Any]
Output = dict[str, Any]
_PAGE = 100


class MetricsOperations(S3Base):
    @operation("PutBucketMetricsConfiguration")
    async def put_bucket_metrics_configuration(self, call: Call, params: Params) -> None:
        bucket = self.bucket_of(params)
        configuration = checked(params["Id"], params["MetricsConfiguration"])

        def put(current: dict[str, Configuration] | None) -> dict[str, Configuration]:
            found = {**(current or {}), configuration["Id"]: configuration}
            if len(found) > MOST_CONFIGURATIONS:
                raise s3_error("TooManyConfigurations")
            return found

        await self.buckets.change_setting(bucket, "metrics", put)

    @operation("GetBucketMetricsConfiguration")
    async def get_bucket_metrics_configuration(self, call: Call, params: Params) -> Output:
        configurations = self.bucket_of(params).settings.get("metrics", {})
        if params["Id"] not in configurations:
            raise s3_error("NoSuchConfiguration")
        return {"MetricsConfiguration": configurations[params["Id"]]}

    @operation("ListBucketMetricsConfigurations")
    async def list_bucket_metrics_configurations(self, call: Call, params: Params) -> Output:
        """By id, a hundred at a time."""
        configurations = self.bucket_of(params).settings.get("metrics", {})
        token = params.get("ContinuationToken")
        after = _id_of(token) if token else ""
        ids = sorted(id_ for id_ in configurations if id_ > after)
        page = ids[:_PAGE]
        output: Output = {
            "IsTruncated": len(ids) > _PAGE,
            "MetricsConfigurationList": [configurations[id_] for id_ in page],
        }
        if token:
            output["ContinuationToken"] = token
        if len(ids) > _PAGE:
            output["NextContinuationToken"] = urlsafe_b64encode(page[-1].encode()).decode()
        return output

    @operation("DeleteBucketMetricsConfiguration")
    async def delete_bucket_metrics_configuration(self, call: Call, params: Params) -> None:
        def delete(current: dict[str, Configuration] | None) -> dict[str, Configuration] | None:
            if current is None or params["Id"] not in current:
                raise s3_error("NoSuchConfiguration")
            return {id_: kept for id_, kept in current.items() if id_ != params["Id"]} or None

        await self.buckets.change_setting(self.bucket_of(params), "metrics", delete)


def _id_of(token: str) -> str:
    """Raises InvalidArgument."""
    try:
        return urlsafe_b64decode(token).decode()
    except ValueError:
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token) from None
