"""Answers of an engine that are compared later: what of them counts."""

from __future__ import annotations

import json

import pytest

from controller.agents.docker.paths import container, temporary_containers
from controller.agents.docker.standing import digests
from controller.agents.docker.wire import Answer


def answered(*passing: str) -> dict[str, Answer]:
    """Two containers were asked for, one with a name as if it were there for a time; and those with such names."""
    listed = [{"Id": name, "Names": [f"/{name}"], "Status": "Up 3 minutes"} for name in passing]
    found = [Answer(200, b"{}"), Answer(404, b""), Answer(200, json.dumps(listed).encode())]
    return dict(zip((container("web"), container("a.p2-b"), temporary_containers()), found, strict=True))


@pytest.mark.parametrize("theirs", ["other.p2-old", "webs.p2-new", "a.p2-new", "a.p2-b"])
def test_what_others_replace_does_not_count(theirs: str) -> None:
    assert digests(answered(theirs)) == digests(answered())


@pytest.mark.parametrize("ours", ["web.p2-old", "web.p2-new", "a.p2-b.p2-old"])
def test_what_is_left_beside_one_that_was_asked_for_counts(ours: str) -> None:
    assert digests(answered("other.p2-old", ours)) != digests(answered())
