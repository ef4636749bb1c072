"""DynamoDB's numbers: exact decimals of up to 38 digits, their canonical text, arithmetic, and sortable bytes.

Magnitudes reach from 1E-130 to 9.9…E+125, and zero. A number is kept as its canonical text: plain decimal notation
without superfluous zeros or signs, so that equal numbers are equal texts.
"""

import re
from decimal import Context, Decimal

from cloudlet.services.dynamodb.errors import validation

_CANONICAL_INTEGER = re.compile(r"-?[1-9][0-9]{0,37}|0")
_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?", re.ASCII)
_DIGITS = 38
_SMALLEST_EXPONENT = -130
_LARGEST_EXPONENT = 125
# Wide enough for the exact sum of the largest and the smallest number.
_EXACT = Context(prec=400, Emax=999_999, Emin=-999_999)

_OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"

_NEGATIVE, _ZERO, _POSITIVE = b"\x00", b"\x01", b"\x02"


def canonical(text: str) -> str:
    """The number's canonical text. Raises ValidationException for what is no number, or none that fits."""
    if _CANONICAL_INTEGER.fullmatch(text):
        return text
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        shown = f": {text}" if text else ""
        raise validation(f"The parameter cannot be converted to a numeric value{shown}")
    sign, whole, fraction, exponent = match[1], match[2], match[3] or "", match[4]
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    scale = (int(exponent) if exponent else 0) - len(fraction)
    significant = digits.rstrip("0")
    scale += len(digits) - len(significant)
    _check_range(significant, scale)
    return ("-" if sign == "-" else "") + _plain(significant, scale)


def _check_range(digits: str, scale: int) -> None:
    magnitude = len(digits) - 1 + scale
    if magnitude > _LARGEST_EXPONENT:
        raise validation(_OVERFLOW)
    if magnitude < _SMALLEST_EXPONENT:
        raise validation("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    if len(digits) > _DIGITS:
        raise validation("Attempting to store more than 38 significant digits in a Number")


def _plain(digits: str, scale: int) -> str:
    if scale >= 0:
        return digits + "0" * scale
    point = len(digits) + scale
    return f"{digits[:point]}.{digits[point:]}" if point > 0 else f"0.{'0' * -point}{digits}"


def added(one: str, other: str) -> str:
    """Raises ValidationException where the exact sum does not fit."""
    return _result(_EXACT.add(Decimal(one), Decimal(other)))


def subtracted(one: str, other: str) -> str:
    return _result(_EXACT.subtract(Decimal(one), Decimal(other)))


def _result(number: Decimal) -> str:
    """A sum of too many digits is an overflow to AWS."""
    if len(number.normalize(_EXACT).as_tuple().digits) > _DIGITS:
        raise validation(_OVERFLOW)
    return canonical(str(number))


def size(text: str) -> int:
    """Bytes that a canonical number counts: one for two significant digits, one more, and one for a minus sign."""
    if text.isdecimal():
        return (len(text.rstrip("0")) + 1) // 2 + 1
    digits = len(text.replace(".", "").strip("-0"))
    return (digits + 1) // 2 + 1 + (text[0] == "-")


def encoded(text: str) -> bytes:
    """Bytes that sort as the canonical numbers do, and none of which is the beginning of another's.

    A sign; the exponent in one byte; the digits in pairs (1 to 100), closed by 0. For negative numbers all but the
    sign is inverted.
    """
    if text == "0":
        return _ZERO
    negative = text[0] == "-"
    whole, _, fraction = text.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole) + len(fraction) - len(digits)
    exponent = len(whole) - leading - 1
    digits = digits.rstrip("0")
    if len(digits) % 2:
        digits += "0"
    pairs = bytes(int(digits[at : at + 2]) + 1 for at in range(0, len(digits), 2))
    magnitude = bytes((exponent - _SMALLEST_EXPONENT,)) + pairs + b"\x00"
    return _NEGATIVE + bytes(255 - byte for byte in magnitude) if negative else _POSITIVE + magnitude
