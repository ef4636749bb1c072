"""Names of the resources that a template leaves unnamed: stack, logical id and something random."""

import secrets
import string

_UPPER = string.ascii_uppercase + string.digits
_RANDOM = 12


def physical_name(stack: str, logical_id: str, *, longest: int, lower: bool = False, suffix: str = "") -> str:
    """`stack-logical-RANDOM` within `longest` characters, the stack's and the resource's part shortened alike."""
    tail = "".join(secrets.choice(_UPPER) for _ in range(_RANDOM)) + suffix
    room = longest - len(tail) - 2
    first, second = stack, logical_id
    if len(first) + len(second) > room:
        half = room // 2
        second = second[: max(half, room - len(first))]
        first = first[: room - len(second)]
    name = f"{first}-{second}-{tail}"
    return name.lower() if lower else name
