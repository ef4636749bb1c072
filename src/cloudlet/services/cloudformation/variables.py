"""The `${Name}` variables in the texts of Fn::Sub."""

import re
from collections.abc import Iterator

VARIABLE = re.compile(r"\$\{([^{}]*)\}")


def variables_of(text: str) -> Iterator[str]:
    """The names in order; `${!Literal}` is none."""
    for match in VARIABLE.finditer(text):
        if not match[1].startswith("!"):
            yield match[1]
