"""How a plain scalar is read in a Compose file, and how a number becomes text: as Docker Compose's YAML (go-yaml v3) does.

That is nearly YAML 1.2: `yes`, `no`, `on`, `off`, `y` and `n` are text, and so is `22:22`; but `0644` is octal as `0o644` is,
and digits may be grouped by `_`. Dates stay the text they are written as.
"""

from __future__ import annotations

from decimal import Decimal

from resources.scalars import BASES, COMMON_WORDS, FLOAT, PREFIX, Scalar

_FIRST = frozenset("+-.0123456789tTfFnN~")  # what begins with anything else is text
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


def resolve(text: str) -> Scalar:
    """The value of a plain scalar. Infinite and NaN come back as such: the caller refuses them."""
    if text and text[0] not in _FIRST:
        return text
    if text in COMMON_WORDS:
        return COMMON_WORDS[text]
    plain = text.replace("_", "")
    for pattern, base in BASES:
        if pattern.fullmatch(plain):
            value = int(PREFIX.sub("", plain, count=1), base)
            if _SMALLEST <= value <= _LARGEST:
                return value
            break
    return float(plain) if FLOAT.fullmatch(plain) else text


def written(value: Scalar) -> str:
    """A number or truth where text is wanted, as Go prints it: 1.0 is `1`, a million as a fraction is `1e+06`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int) or value == 0:
        return "0" if value == 0 else str(value)
    power = len(digits) - 1 + exponent
    if -4 <= power < 6:
        return str(int(value)) if value.is_integer() else repr(value)
    mantissa = str(digits[0]) + ("." + "".join(map(str, digits[1:])) if len(digits) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
