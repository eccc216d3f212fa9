"""Versions in the tags of images, and ranges of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.docker.versions import RANGE, Range, valid_range

TAGS = [
    "latest",
    "stable-alpine",
    "0.0.3",
    "0.0.4",
    "0.2.3",
    "0.2.9",
    "0.3.0",
    "1",
    "1.2",
    "1.2.3",
    "1.2.10",
    "v1.3.0",
    "1.27",
    "1.27.0",
    "1.27.3-alpine",
    "1.27.4-rc1",
    "2.0.0",
    "2.9.1",
    "3",
    "10.1",
    "2024.01.02",
    "1.2.3.4",
]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("1.2.3", "1.2.3"),
        ("=1.2.3", "1.2.3"),
        ("v1.2.3", "1.2.3"),
        ("~1.2.3", "1.2.10"),
        ("~1.2", "1.2.10"),
        ("~1", "1.27.0"),
        ("^1.2.3", "1.27.0"),
        ("^0.2", "0.2.9"),
        ("^0.0.3", "0.0.3"),
        ("^0", "0.3.0"),
        ("^2", "2.9.1"),
        ("1.x", "1.27.0"),
        ("1.2.*", "1.2.10"),
        ("*", "10.1"),
        (">=1 <3", "2.9.1"),
        (">=1.2 <1.3", "1.2.10"),
        (">1.2 <2", "1.27.0"),
        ("<=1.2", "1.2.10"),
        ("<1.2.3", "1.2"),
        ("> 2.9.1 < 4", "3"),
        ("~1.2 || ^2", "2.9.1"),
        ("^2||~1.2", "2.9.1"),
        ("~1.27-alpine", "1.27.3-alpine"),
        (">=1.27-alpine <2", "1.27.3-alpine"),
        ("1.27.4-rc1", "1.27.4-rc1"),
        ("^4", None),
        (">10.1", None),
    ],
)
def test_the_highest_version_within_the_range_is_found(text: str, tag: str | None) -> None:
    assert Range(text).highest(TAGS) == tag


def test_no_tags_hold_no_version() -> None:
    assert Range("*").highest([]) is None


@pytest.mark.parametrize("text", ["", "latest", "1.2.3.4", "~", "1 -", ">=<1", "^1 ||", "1,2", "01.2", "~1.2\n"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^cannot read the range"):
        valid_range(text)
    assert not re.search(RANGE.replace("$", r"\Z"), text)


NUMBERS = st.tuples(*[st.integers(0, 30)] * 3)
VERSIONS = NUMBERS.map(lambda numbers: ".".join(map(str, numbers)))


@given(st.lists(VERSIONS, min_size=1), st.sampled_from(["", "-alpine", "-rc1"]))
def test_highest_of_all_is_the_greatest_number(versions: list[str], variant: str) -> None:
    found = Range(f">=0.0.0{variant}").highest(version + variant for version in versions)
    assert found is not None
    assert _numbers(found.removesuffix(variant)) == max(map(_numbers, versions))


@given(VERSIONS, st.lists(VERSIONS))
def test_tilde_stays_within_the_minor_version_and_caret_within_the_major(base: str, others: list[str]) -> None:
    major, minor, _ = _numbers(base)
    tilde, caret = Range(f"~{base}").highest([base, *others]), Range(f"^{base}").highest([base, *others])
    assert tilde is not None and _numbers(tilde) >= _numbers(base) and _numbers(tilde)[:2] == (major, minor)
    assert caret is not None and _numbers(caret) >= _numbers(base) and _numbers(caret)[0] == major


@given(VERSIONS, VERSIONS, VERSIONS)
def test_what_is_within_two_bounds_is_between_them(low: str, high: str, tag: str) -> None:
    inside = Range(f">={low} <{high}").highest([tag]) is not None
    assert inside == (_numbers(low) <= _numbers(tag) < _numbers(high))


@given(st.lists(VERSIONS), VERSIONS, st.sampled_from(["~", "^", ">=", "<=", "<", ">", ""]))
def test_order_of_the_tags_does_not_matter(tags: list[str], base: str, operator: str) -> None:
    asked = Range(f"{operator}{base}")
    assert asked.highest(tags) == asked.highest(reversed(tags)) == asked.highest(sorted(tags))


@given(st.text(max_size=20))
def test_range_is_read_or_refused_in_plain_words(text: str) -> None:
    try:
        Range(text).highest(TAGS)
    except ValueError as error:
        assert str(error).startswith("cannot read the range")


@given(st.lists(st.text(max_size=12)))
def test_tag_that_is_no_version_is_passed_over(tags: list[str]) -> None:
    found = Range("*").highest(tags)
    assert found is None or found in tags


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
