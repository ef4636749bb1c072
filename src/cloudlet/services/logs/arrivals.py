"""What one PutLogEvents added to a log stream, as those see it who follow the log group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudlet.services.logs.log_group import LogGroup

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import InputLogEventTypeDef


@dataclass(frozen=True, slots=True)
class Arrival:
    """`events` have consecutive ids from `first_id` on; `ingested` is in milliseconds."""

    account: str
    region: str
    group: "LogGroup"
    stream: str
    ingested: int
    first_id: int
    events: "Sequence[InputLogEventTypeDef]"
