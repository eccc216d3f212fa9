"""Who deletes a definition deletes no things: how that is told from deleting objects."""

from __future__ import annotations

import time
from typing import Any

import pytest

from controller.sources.kube.leaving import Leaving
from controller.sources.kube.objects import Object, read_object

MADE = "2026-01-02T00:00:00Z"


class Definitions:
    """A cluster that has this definition of Files."""

    def __init__(self, **metadata: str) -> None:
        self.found: dict[str, Any] | None = {"metadata": {"creationTimestamp": MADE, **metadata}}

    def find(self, path: str) -> dict[str, Any] | None:
        assert path.endswith("/files.pegasus2.dev")
        return self.found


def file(created: str = "2026-01-03T00:00:00Z") -> Object:
    return read_object({"kind": "File", "metadata": {"name": "a", "creationTimestamp": created}})


def leaves(definitions: Definitions, found: Object) -> bool:
    return Leaving(definitions).leaving(found, time.monotonic())  # type: ignore[arg-type]


def test_object_that_is_deleted_alone_does_not_go_with_its_definition() -> None:
    assert not leaves(Definitions(), file())


def test_object_goes_with_a_definition_that_is_going() -> None:
    assert leaves(Definitions(deletionTimestamp="2026-01-04T00:00:00Z"), file())


def test_object_that_is_older_than_its_definition_went_with_one_that_was_replaced() -> None:
    assert leaves(Definitions(), file(created="2026-01-01T00:00:00Z"))


def test_definition_that_was_there_before_the_deletion_was_heard_of_is_looked_at_again() -> None:
    definitions = Definitions()
    leaving = Leaving(definitions)  # type: ignore[arg-type]
    assert not leaving.leaving(file(), time.monotonic())
    definitions.found = None
    assert leaving.leaving(file(), time.monotonic())


@pytest.mark.parametrize("objects", [1, 500])
def test_definition_is_looked_at_once_for_objects_that_go_together(
    objects: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions, asked = Definitions(), []
    monkeypatch.setattr(definitions, "find", lambda path: asked.append(path) or definitions.found)
    leaving, at = Leaving(definitions), time.monotonic()  # type: ignore[arg-type]
    assert not any(leaving.leaving(file(), at) for _ in range(objects))
    assert len(asked) == 1
