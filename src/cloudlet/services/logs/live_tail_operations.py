"""StartLiveTail."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.logs.base import LogsBase, find_group, group_arn, name_in
from cloudlet.services.logs.faults import invalid_parameter
from cloudlet.services.logs.live_tail import Session

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import StartLiveTailRequestTypeDef

_MOST_SESSIONS = 15


class LiveTailOperations(LogsBase):
    @operation("StartLiveTail")
    async def start_live_tail(self, call: Call, params: "StartLiveTailRequestTypeDef") -> dict[str, Any]:
        identifiers = params["logGroupIdentifiers"]
        for identifier in identifiers:
            if identifier.endswith("*"):
                raise invalid_parameter("The ARN of a log group must not end with an asterisk (*).")
        by_stream = [member for member in ("logStreamNames", "logStreamNamePrefixes") if params.get(member)]
        if len(by_stream) == 2:
            raise invalid_parameter("logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.")
        if by_stream and len(identifiers) > 1:
            raise invalid_parameter(f"{by_stream[0]} can be specified with one log group only.")
        names = [name_in(identifier) for identifier in identifiers]
        groups = {find_group(self.store.reader, call, name).id: group_arn(call, name) for name in names}
        if self.live_tail.count(call.account) >= _MOST_SESSIONS:
            raise AwsError("LimitExceededException", "There are too many Live Tail sessions.")
        return {"responseStream": self.live_tail.stream(Session(call, groups, params))}
