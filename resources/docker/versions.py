"""Versions in the tags of images, and ranges of them: `~1.27`, `^2`, `>=1 <3`, `1.x || 2.x`. Pure.

The rules are those of https://semver.org and of the ranges that npm made usual (https://github.com/npm/node-semver#ranges).
Tags are looser than versions: `v1.2`, `1.27-alpine`. What follows the first hyphen is a variant; a range finds tags of its
own variant only, so that `~1.27` is never answered with `1.27.3-alpine`, nor with a release candidate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import total_ordering
from typing import NamedTuple, Self

_NUMBER = "(?:0|[1-9][0-9]{0,8})"
_PART = f"(?:{_NUMBER}|[xX*])"
_VARIANT = "(?:-[0-9A-Za-z.-]{1,64})?"
_TERM = rf"(?:[~^=]|[<>]=?)? ?v?{_PART}(?:[.]{_PART}){{0,2}}{_VARIANT}"
_ALTERNATIVE = f"{_TERM}(?: {_TERM})*"
RANGE = rf"^{_ALTERNATIVE}(?: ?[|][|] ?{_ALTERNATIVE})*$"
RANGE_FORM = 'cannot read the range: write it like ~1.27, ^2, 1.x or ">=1 <3"'

_TAG = re.compile(rf"v?({_NUMBER})(?:[.]({_NUMBER}))?(?:[.]({_NUMBER}))?(?:-([0-9A-Za-z.-]+))?")

_Numbers = tuple[int, int, int]


@total_ordering
class Version(NamedTuple):
    """What a tag says. `parts` counts the numbers that are written: 1.27 and 1.27.0 are equal, and the second says more."""

    numbers: _Numbers
    variant: str
    parts: int
    tag: str

    @classmethod
    def parse(cls, tag: str) -> Self | None:
        """None for a tag that is no version."""
        found = _TAG.fullmatch(tag)
        if not found:
            return None
        written = [int(each) for each in found.groups()[:3] if each is not None]
        major, minor, patch = (*written, 0, 0, 0)[:3]
        return cls((major, minor, patch), found[4] or "", len(written), tag)

    def __lt__(self, other: tuple[object, ...]) -> bool:
        assert isinstance(other, Version)
        return (self.numbers, self.parts) < (other.numbers, other.parts)


class _Span(NamedTuple):
    """From `low` on, up to and without `high`; one variant."""

    low: _Numbers
    high: _Numbers
    variant: str


_NO_END: _Numbers = (2**31, 0, 0)


class Range:
    """A range that was read from its text."""

    def __init__(self, text: str) -> None:
        """Raises ValueError."""
        if not re.fullmatch(RANGE, text):
            raise ValueError(f'cannot read the range "{text}": write it like ~1.27, ^2, 1.x or ">=1 <3"')
        self._alternatives = [_spans(part) for part in text.split("||")]

    def holds(self, version: Version) -> bool:
        return any(all(_within(version, span) for span in spans) for spans in self._alternatives)

    def highest(self, tags: Iterable[str]) -> str | None:
        """The tag of the highest version in this range, or None. Of equal ones the one that says more."""
        versions = [version for tag in tags if (version := Version.parse(tag)) and self.holds(version)]
        return max(versions).tag if versions else None


def valid_range(text: str) -> str:
    """Raises ValueError."""
    Range(text)
    return text


def _within(version: Version, span: _Span) -> bool:
    return span.low <= version.numbers < span.high and version.variant == span.variant


def _spans(alternative: str) -> list[_Span]:
    terms = re.findall(rf"([~^=]|[<>]=?)? ?v?({_PART}(?:[.]{_PART}){{0,2}})({_VARIANT})", alternative)
    spans = [_span(operator, number.split("."), variant[1:]) for operator, number, variant in terms]
    variants = {span.variant for span in spans} - {""}
    variant = min(variants, default="")  # written once, it holds for the whole: ">=1-alpine <3"
    return [span._replace(variant=variant if not span.variant else span.variant) for span in spans]


def _span(operator: str, written: list[str], variant: str) -> _Span:
    numbers = [int(part) for part in written[: _first_wild(written)]]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    low = (major, minor, patch)
    after = _NO_END if not numbers else _next(numbers)
    match operator:
        case ">":
            return _Span(after, _NO_END, variant)
        case ">=":
            return _Span(low, _NO_END, variant)
        case "<":
            return _Span((0, 0, 0), low, variant)
        case "<=":
            return _Span((0, 0, 0), after, variant)
        case "~":
            return _Span(low, _next(numbers[:2]) if numbers else _NO_END, variant)
        case "^":
            return _Span(low, _next(_up_to_first_that_counts(numbers)) if numbers else _NO_END, variant)
        case _:
            return _Span(low, after, variant)


def _first_wild(written: list[str]) -> int:
    return next((at for at, part in enumerate(written) if part in "xX*"), len(written))


def _next(numbers: list[int]) -> _Numbers:
    """The first version behind all that begin with `numbers`."""
    major, minor, patch = (*numbers[:-1], numbers[-1] + 1, 0, 0, 0)[:3]
    return major, minor, patch


def _up_to_first_that_counts(numbers: list[int]) -> list[int]:
    """A caret keeps the first number that is not zero: ^1.2 below 2, ^0.2 below 0.3, ^0.0.3 below 0.0.4."""
    at = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)
    return numbers[: at + 1]
