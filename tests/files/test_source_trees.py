"""The context of an image is desired state, as deep as it goes: a change there is an edit of the image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from controller.engine.revision import Revision
from controller.sources.files import FilesSource
from controller.sources.inputs import Inputs
from resources.load import load_text
from tests.files.test_source_watch import Watching

IMAGE = """\
apiVersion: pegasus2.dev/v1
kind: Image
metadata: {name: web}
spec:
  image: shop/web:1
  build: {context: ../context}
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    for path in ("context/Dockerfile", "context/src/deep/a", "context/node_modules/x/y"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "context/.dockerignore").write_text("node_modules\n")
    (tmp_path / "state").mkdir()
    (tmp_path / "state/web.yaml").write_text(IMAGE)
    return tmp_path / "state"


@pytest.fixture
def watching(state: Path) -> Iterator[Watching]:
    made = Watching(state)
    yield made
    made.end()


def digest(revision: Revision, state: Path) -> str:
    (declared,) = revision.documents[str(state / "web.yaml")]
    return declared.digest


CHANGES: dict[str, Callable[[Path], object]] = {
    "file": lambda context: (context / "src/deep/a").write_text("other"),
    "new directory": lambda context: (context / "src/new").mkdir(),
    "file in the new directory": lambda context: (context / "src/new/b").write_text("new"),
    "removed": lambda context: (context / "src/new/b").unlink(),
    "ignore file": lambda context: (context / ".dockerignore").write_text("node_modules\nnew\n"),
    "Dockerfile": lambda context: (context / "Dockerfile").write_text("FROM scratch"),
}


def test_each_change_of_the_context_is_an_edit(state: Path, watching: Watching) -> None:
    context = state.parent / "context"
    seen = [digest(watching.next(), state)]
    assert watching.nothing(0.3)
    for what, change in CHANGES.items():
        change(context)
        # What is written in two steps may be seen in two.
        revisions = [watching.next(), *watching.settle()]
        assert all(each.documents.keys() == {str(state / "web.yaml")} for each in revisions), what
        seen.append(digest(revisions[-1], state))
    assert all(before != after for before, after in pairwise(seen))


def test_what_is_ignored_changes_nothing_and_is_not_watched(state: Path, watching: Watching) -> None:
    watching.next()
    assert watching.nothing(0.3)
    (state.parent / "context/node_modules/x/z").write_text("new")
    (state.parent / "context/node_modules/x/y").write_text("other")
    assert watching.nothing(0.5)


def test_the_same_content_at_another_time_is_no_edit(state: Path, watching: Watching) -> None:
    watching.next()
    assert watching.nothing(0.3)
    (state.parent / "context/src/deep/a").touch()
    assert watching.nothing(0.5)


def test_a_fresh_reading_comes_to_the_same(state: Path) -> None:
    before = digest(FilesSource(state).read(), state)
    assert digest(FilesSource(state).read(), state) == before
    (state.parent / "context/src/deep/a").write_text("other")
    assert digest(FilesSource(state).read(), state) != before


def test_context_that_comes_later_is_seen(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/web.yaml").write_text(IMAGE)
    watching = Watching(tmp_path / "state")
    try:
        before = digest(watching.next(), tmp_path / "state")
        assert watching.nothing(0.3)
        (tmp_path / "context").mkdir()
        (tmp_path / "context/Dockerfile").write_text("FROM scratch")
        assert digest([watching.next(), *watching.settle()][-1], tmp_path / "state") != before
    finally:
        watching.end()


def test_a_tree_that_nobody_uses_any_more_is_forgotten(state: Path) -> None:
    (bare,) = load_text(IMAGE.encode(), str(state / "web.yaml"), state).documents
    inputs = Inputs()
    inputs.use("web.yaml", inputs.fold(bare).inputs)
    assert str(state.parent / "context/src/deep") in inputs.directories()
    inputs.use("web.yaml", ())
    assert inputs.directories() == set()


def test_a_look_has_looked_at_all_of_the_context(state: Path) -> None:
    source = FilesSource(state)
    source.read()
    context = state.parent / "context"
    wanted = {".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "src", "src/deep", "src/deep/a"}
    assert {str(context), *(str(context / path) for path in wanted)} <= {
        os.path.realpath(path) for path in source.looked_at()
    }
    assert str(context / "node_modules/x/y") not in source.looked_at()
