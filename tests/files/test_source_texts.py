"""Which files of a source the history keeps, and what it reads for that."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from controller.engine.history import Kept, Text
from controller.engine.revision import Revision
from controller.sources import texts as module
from controller.sources.files import FilesSource
from controller.sources.texts import FilesTexts
from tests.files.sheets import sheet, write

CONTAINER = (
    "apiVersion: pegasus2.dev/v1\nkind: Container\nmetadata: {name: web}\nspec: {image: web, envFile: [web.env]}\n"
)


def keyed(content: bytes) -> bytes:
    return blake2b(content, key=b"key", digest_size=16).digest()


class Recorder:
    """The tree as it would be recorded."""

    def __init__(self, root: Path) -> None:
        self.source = FilesSource(root)
        self.texts = FilesTexts(root, keyed)
        self.tree: dict[str, Kept] = {}

    def read(self) -> Mapping[str, bytes | None]:
        """What is recorded of a fresh reading; None is gone or not kept."""
        return self.take(self.source.read())

    def take(self, revision: Revision) -> Mapping[str, bytes | None]:
        found = self.texts.changed(revision, self.tree)
        for text in found:
            if text.digest:
                self.tree[text.path] = Kept(text.digest, text.content is not None)
            else:
                del self.tree[text.path]
        assert len({text.path for text in found}) == len(found)
        return {text.path: text.content for text in found}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_only_what_differs_from_the_recorded_tree_is_read_and_kept(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(state / "a.yaml", sheet("a"))
    write(state / "sub/b.yaml", sheet("b"))
    recorder = Recorder(state)
    assert recorder.read().keys() == {"a.yaml", "sub/b.yaml"}
    read: list[str] = []
    real = module._read

    def noting(file: str, path: str) -> Text | None:
        read.append(path)
        return real(file, path)

    monkeypatch.setattr(module, "_read", noting)
    assert recorder.read() == {}
    assert read == []
    write(state / "a.yaml", sheet("a2"))
    (state / "sub/b.yaml").unlink()
    assert recorder.read() == {"a.yaml": sheet("a2").encode(), "sub/b.yaml": None}
    assert read == ["a.yaml"]


def test_files_that_specs_refer_to_count_while_they_are_referred_to(state: Path) -> None:
    write(state / "a.yaml", sheet("a", source="text.txt"))
    write(state / "text.txt", "first")
    write(state / "bystander.txt", "nobody refers to this")
    recorder = Recorder(state)
    assert recorder.read() == {"a.yaml": sheet("a", source="text.txt").encode(), "text.txt": b"first"}
    write(state / "text.txt", "second")
    assert recorder.read() == {"text.txt": b"second"}
    write(state / "a.yaml", sheet("a", source="bystander.txt"))
    found = recorder.read()
    assert (found["text.txt"], found["bystander.txt"]) == (None, b"nobody refers to this")


def test_of_what_lies_outside_of_the_source_a_digest_is_kept(state: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside.txt", "not ours")
    write(tmp_path / "linked.yaml", sheet("linked"))
    write(state / "a.yaml", sheet("a", source="../outside.txt"))
    write(state / "b.yaml", sheet("b", source="link.txt"))
    (state / "link.txt").symlink_to(tmp_path / "outside.txt")
    (state / "link.yaml").symlink_to(tmp_path / "linked.yaml")
    recorder = Recorder(state)
    assert recorder.read().keys() == {"a.yaml", "b.yaml", "../outside.txt", "../linked.yaml"}
    assert recorder.tree["../outside.txt"] == Kept(keyed(_plain(b"not ours")), False)
    assert not recorder.tree["../linked.yaml"].whole
    assert recorder.read() == {}
    write(tmp_path / "outside.txt", "edited")
    assert recorder.read() == {"../outside.txt": None}


def test_compose_files_outside_of_the_source_are_kept_and_their_variables_are_not(state: Path, tmp_path: Path) -> None:
    write(tmp_path / "shop/compose.yaml", 'services: {a: {image: "b:$TAG", profiles: [c]}}\n')
    write(tmp_path / "shop/.env", "TAG=1\n")
    head = "apiVersion: pegasus2.dev/v1\nkind: Compose\nmetadata: {name: shop}\n"
    write(state / "a.yaml", f"{head}spec: {{directory: ../shop}}\n")
    recorder = Recorder(state)
    found = recorder.read()
    assert found.keys() == {"a.yaml", "../shop/compose.yaml", "../shop/.env"}
    assert (found["../shop/.env"], found["../shop/compose.yaml"] is None) == (None, False)
    assert recorder.read() == {}
    (state / "a.yaml").unlink()
    write(state / "b.yaml", sheet("b"))
    assert recorder.read().keys() == {"a.yaml", "b.yaml", "../shop/compose.yaml", "../shop/.env"}
    assert recorder.tree.keys() == {"b.yaml"}


def test_of_what_may_hold_secrets_a_digest_with_our_key_is_kept(state: Path) -> None:
    write(state / "a.yaml", CONTAINER)
    write(state / "web.env", "PASSWORD=hunter2")
    recorder = Recorder(state)
    found = recorder.read()
    assert (found["web.env"], recorder.tree["web.env"]) == (None, Kept(keyed(_plain(b"PASSWORD=hunter2")), False))
    assert recorder.read() == {}
    write(state / "web.env", "PASSWORD=hunter3")
    assert recorder.read() == {"web.env": None}


def _plain(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def test_a_broken_file_stays_recorded_as_it_was_and_hides_nothing(state: Path) -> None:
    write(state / "a.yaml", sheet("a", source="text.txt"))
    write(state / "text.txt", "first")
    before = Recorder(state)
    before.read()
    write(state / "a.yaml", "this: [is no YAML")
    again = Recorder(state)
    again.tree = before.tree
    assert again.read() == {}
    assert again.tree.keys() == {"a.yaml", "text.txt"}


def test_a_partial_revision_is_compared_by_what_it_names(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(state / "a.yaml", sheet("a", source="text.txt"))
    write(state / "text.txt", "first")
    write(state / "b.yaml", sheet("b"))
    recorder = Recorder(state)
    first = recorder.source.read()
    recorder.take(first)
    gone = Revision({}, gone=frozenset({str(state / "a.yaml")}), whole=False)
    assert recorder.take(gone) == {"a.yaml": None, "text.txt": None}
    b = str(state / "b.yaml")
    write(state / "b.yaml", sheet("b2"))
    edited: Any = Revision({b: first.documents[b]}, whole=False)
    opened: list[str] = []
    real = builtins.open
    monkeypatch.setattr(builtins, "open", lambda file, *rest: opened.append(str(file)) or real(file, *rest))
    assert recorder.take(edited) == {"b.yaml": sheet("b2").encode()}
    assert opened == [b]


def test_a_source_that_is_one_file_has_its_inputs_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "only.yaml", sheet("a", source="text.txt"))
    write(tmp_path / "text.txt", "first")
    write(tmp_path / "other.yaml", sheet("other"))
    assert Recorder(tmp_path / "only.yaml").read().keys() == {"only.yaml", "text.txt"}
