"""How a plain (unquoted) YAML scalar is read: exactly as kubectl reads it. `documents.py` calls it for every one.

kubectl reads YAML by goyaml.v2 and hands on JSON (https://github.com/kubernetes-sigs/yaml, goyaml.v2/resolve.go). That is
neither YAML 1.1 as PyYAML has it (`22:22` is text here, not 1342) nor YAML 1.2 (`yes` is true here, `017` is 15). One file
must mean one thing in both modes; tests/unit/test_load_scalars.py compares the two.
"""

from __future__ import annotations

import math
import re

Scalar = None | bool | int | float | str

# What Go's YAML reads alike in all its versions; `compose/scalars.py` builds on it, too.
COMMON_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
BASES = (
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]+"), 16),
    (re.compile(r"[-+]?0[bB][01]+"), 2),
    (re.compile(r"[-+]?0[oO]?[0-7]+"), 8),
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), 10),
)
PREFIX = re.compile(r"0[xXbBoO]")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_WORDS: dict[str, Scalar] = {
    **COMMON_WORDS,
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_FIRST = frozenset("+-.0123456789yYnNtTfFoO~")  # what begins with anything else is text
_DOTTED_FLOAT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")

_SMALLEST, _LARGEST, _LARGEST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
_EXACT = 2**53  # up to here a float holds every integer


def resolve(text: str) -> Scalar:
    """The value of a plain scalar. Infinite and NaN come back as such: JSON has none, so the caller refuses them."""
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _float(text.replace("_", ""), text) if _DOTTED_FLOAT.fullmatch(text) else text
    if text[0] not in "+-0123456789":
        return text
    return _number(text)


def _number(text: str) -> Scalar:
    plain = text.replace("_", "")
    for pattern, base in BASES:
        if pattern.fullmatch(plain):
            value = int(PREFIX.sub("", plain, count=1), base)
            if _SMALLEST <= value <= _LARGEST:
                return value
            if 0 < value <= _LARGEST_UNSIGNED and plain[0] != "+":
                return float(value)  # an unsigned 64-bit integer, which JSON hands on as a float
            break
    return _float(plain, text) if FLOAT.fullmatch(plain) else text


def _float(plain: str, text: str) -> Scalar:
    value = float(plain)
    if math.isinf(value):
        return text  # out of range, and so no number at all
    return whole(value)


def whole(value: float) -> int | float:
    """`value` as Go's JSON carries it: an integer where it has no fraction and 64 bits hold it."""
    if not value.is_integer() or abs(value) > _LARGEST:
        return value
    if abs(value) <= _EXACT:
        return int(value)
    from decimal import Decimal

    written = int(Decimal(repr(value)))  # the shortest digits that stand for the value, then zeros
    return written if _SMALLEST <= written <= _LARGEST else value
