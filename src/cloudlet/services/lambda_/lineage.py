"""The trace header of invocations, and the lineage in it, by which recursive loops are seen.

`Root=1-5759e988-bd86…;Parent=53995c3f…;Sampled=0;Lineage=1:a87bd80c:3` says that the third invocation of the function
`a87bd80c` led to this one. The AWS SDKs send the header of the invocation in which they run with each of their calls.
"""

import hashlib
import re

from cloudlet.core.ids import request_id
from cloudlet.core.remembering import remembered

# Invocations of one function in one chain of events; the next one is refused.
MOST_INVOCATIONS = 16
# Functions that are counted in one chain; those that were called longest ago are forgotten.
_MOST_FUNCTIONS = 12
_LONGEST_HEADER = 1024
_ROOT = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_COUNT = re.compile(r"1:([0-9a-f]{8}):(\d{1,4})")


def invocations_before(header: str | None, function_arn: str) -> int:
    """How often the function was invoked in the chain of events that the header tells of."""
    if header is None:
        return 0
    return _lineage(_fields(header)).get(_name(function_arn), 0)


def header_of_invocation(header: str | None, function_arn: str, now: float, *, sampled: bool = False) -> str:
    """What the function is given, and sends on: the caller's trace, with this invocation counted.

    Where the caller has not decided whether the trace is `sampled`, the function does.
    """
    decision = "1" if sampled else "0"
    name = _name(function_arn)
    if header is None:
        return f"Root={_new_root(now)};Parent={_new_parent()};Sampled={decision};Lineage=1:{name}:1"
    fields = _fields(header)
    counts = _lineage(fields)
    count = counts.pop(name, 0) + 1
    lineage = [*list(counts.items())[1 - _MOST_FUNCTIONS :], (name, count)]
    root = fields.get("Root", "")
    if not _ROOT.fullmatch(root):
        root = _new_root(now)
    if fields.get("Sampled") in ("0", "1"):
        decision = fields["Sampled"]
    counted = "|".join(f"1:{function}:{times}" for function, times in lineage)
    return f"Root={root};Parent={_new_parent()};Sampled={decision};Lineage={counted}"


def header_of_request(header: str | None, now: float) -> str:
    """The trace of an HTTP request to a function: the client's own, or a new one."""
    fields = _fields(header)
    if _ROOT.fullmatch(fields.get("Root", "")):
        return header or ""
    return f"Root={_new_root(now)}"


def _new_root(now: float) -> str:
    return f"1-{int(now):08x}-{request_id().replace('-', '')[:24]}"


def _new_parent() -> str:
    return request_id().replace("-", "")[:16]


def _fields(header: str | None) -> dict[str, str]:
    """Anything may be sent as a header: what is not understood is left out."""
    if header is None or len(header) > _LONGEST_HEADER:
        return {}
    pairs = (field.strip().partition("=") for field in header.split(";"))
    return {name: value for name, _, value in pairs if value}


def _lineage(fields: dict[str, str]) -> dict[str, int]:
    matches = (_COUNT.fullmatch(entry) for entry in fields.get("Lineage", "").split("|"))
    return {match[1]: int(match[2]) for match in matches if match is not None}


@remembered(1024)
def _name(function_arn: str) -> str:
    return hashlib.blake2b(function_arn.encode(), digest_size=4).hexdigest()
