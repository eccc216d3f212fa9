"""Durations and amounts of memory as Compose writes them. `short.py` calls it.

Durations are Go's (https://pkg.go.dev/time#ParseDuration), amounts those of https://pkg.go.dev/github.com/docker/go-units.
"""

from __future__ import annotations

import re

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 24 * 3600 * 10**9,
    "w": 7 * 24 * 3600 * 10**9,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)")
_AMOUNT = re.compile(r"(-?\d+(?:\.\d+)?) ?([kmgtp])?i?b?", re.IGNORECASE)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def nanoseconds(text: str) -> int:
    """Raises ValueError."""
    sign = -1 if text.startswith("-") else 1
    rest = text.lstrip("+-") if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total, at = 0, 0
    while found := _PART.match(rest, at):
        number, unit = found.groups()
        whole, _, fraction = number.partition(".")
        total += int(whole or "0") * _NANOSECONDS[unit]
        if fraction:
            total += int(fraction) * _NANOSECONDS[unit] // 10 ** len(fraction)
        at = found.end()
    if at != len(rest) or not rest:
        raise ValueError(text)
    return sign * total


def duration(total: int) -> str:
    """So many nanoseconds as Go prints them: `1h0m0s`, `1m30s`, `500ms`."""
    sign, total = ("-" if total < 0 else ""), abs(total)
    if total == 0:
        return "0s"
    if total < 10**9:
        unit, size = next((unit, size) for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)) if total >= size)
        return f"{sign}{_fraction(total, size)}{unit}"
    minutes, rest = divmod(total, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    before = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{before}{_fraction(rest, 10**9)}s"


def _fraction(total: int, size: int) -> str:
    whole, rest = divmod(total, size)
    digits = f"{rest:0{len(str(size)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def amount(text: str) -> int:
    """Bytes. Raises ValueError."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    number, unit = found.groups()
    return int(float(number) * 1024 ** (_POWERS[unit.lower()] if unit else 0))
