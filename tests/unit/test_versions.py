"""Versions in the tags of images, and ranges of them."""

from __future__ import annotations

import re

import pytest

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
