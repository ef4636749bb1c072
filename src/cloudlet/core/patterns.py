"""The models' regular expressions, written for Java and ECMAScript, for Python."""

import re
import warnings
from functools import cache

# `\w` is `\p{L}`, `\p{N}` and `_` to Python; every pattern of the models that names one of the first two allows all.
_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": r"\x20\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{Zs}": r"\x20\xa0\u1680\u2000-\u200a\u202f\u205f\u3000",
    r"\p{Print}": r"\x20-\x7e",
    r"\p{ASCII}": r"\x00-\x7f",
    r"\p{Graph}": r"\x21-\x7e",
    r"\p{Alnum}": r"A-Za-z0-9",
    r"\p{Alpha}": r"A-Za-z",
    r"\p{Digit}": r"0-9",
}
# Java writes what is beyond the basic plane as surrogates.
_SURROGATES = (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")


@cache
def compiled_pattern(text: str) -> re.Pattern[str] | None:
    """To be used with `fullmatch`. None for the few that Python cannot express (`\\p{P}`): those are not checked."""
    java_surrogates, python_surrogates = _SURROGATES
    translated = text.replace(java_surrogates, python_surrogates)
    for java, python in _CLASSES.items():
        translated = _replaced(translated, java, python)
    translated = re.sub(r"(\\[wds])-(?=[^\]])", r"\1\\-", translated)
    flags = 0 if r"\p{" in text else re.ASCII
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "[[" is a literal bracket in all three languages
            return re.compile(translated, flags)
    except re.error:
        return None


def _replaced(text: str, java: str, python: str) -> str:
    """Inside a character class as it is, outside as a class of its own."""
    parts: list[str] = []
    inside = False
    position = 0
    while position < len(text):
        if text.startswith(java, position):
            parts.append(python if inside else f"[{python}]")
            position += len(java)
            continue
        character = text[position]
        if character == "\\":
            parts.append(text[position : position + 2])
            position += 2
            continue
        inside = character == "[" or (inside and character != "]")
        parts.append(character)
        position += 1
    return "".join(parts)
