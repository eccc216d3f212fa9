"""The index, fed revision by revision, against one that is made from scratch of what is in force."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from controller.engine.index import Edits, Index
from controller.engine.revision import Condition, Revision
from resources.conditions import Reason
from resources.meta import Declared, Key, Origin, Problem
from resources.parsed import digest_of
from tests.chaos.machines.machine import Machine, endure
from tests.unit.world import gadget

FILES = ["/desired/a.yaml", "/desired/b.yaml", "/desired/c.yaml"]
NAMES = list("vwxyz")
CHILDREN = [f"{name}-{part}" for name in NAMES for part in "12"]


@st.composite
def gadgets(draw: st.DrawFn) -> Any:
    spec: dict[str, Any] = {"color": draw(st.sampled_from(["red", "blue"]))}
    if draw(st.booleans()):
        spec["slot"] = draw(st.sampled_from(["left", "right"]))
    if draw(st.integers(0, 3)) == 0:
        spec["parts"] = tuple(draw(st.lists(st.sampled_from("12"), unique=True, max_size=2)))
    if needs := draw(st.lists(st.sampled_from([*NAMES, *CHILDREN[:2]]), unique=True, max_size=2)):
        spec["dependsOn"] = tuple(f"Gadget/{name}" for name in needs)
    return gadget(draw(st.sampled_from(NAMES)), **spec)


def declared(file: str, resources: Iterable[Any]) -> tuple[Declared, ...]:
    return tuple(Declared(each, Origin(file, number), digest_of(each)) for number, each in enumerate(resources))


class Counting:
    """Generations as the stores count them on: from the last that was seen of a key."""

    def __init__(self) -> None:
        self.seen: dict[Key, tuple[str, int]] = {}

    def __call__(self, key: Key, digest: str) -> int:
        was, generation = self.seen.get(key, ("", 0))
        return generation if was == digest else generation + 1


class IndexMachine(Machine):
    """Work in proportion to the revision must come to the same as beginning anew."""

    def __init__(self) -> None:
        super().__init__()
        self.counting = Counting()
        self.index = Index(self.counting)
        self.files: dict[str, tuple[Declared, ...]] = {}  # as in force
        self.broken: dict[str, tuple[Problem, ...]] = {}
        self.digests: dict[Key, str] = {}
        self.listened: dict[Key, str] = {}
        self.index.subscribe("Gadget", self._listen)

    def _listen(self, arrived: Any, left: Any) -> None:
        for each in left:
            del self.listened[each.key]
        for each in arrived:
            self.listened[each.key] = digest_of(each)

    # -- revisions -------------------------------------------------------------------------------------------------

    @rule(file=st.sampled_from(FILES), found=st.lists(gadgets(), max_size=4))
    def write(self, file: str, found: list[Any]) -> None:
        documents = declared(file, found)
        self._check(self.index.take(Revision({file: documents}, whole=False)))
        self.files[file] = documents
        self.broken.pop(file, None)

    @rule(file=st.sampled_from(FILES))
    def write_the_same_again(self, file: str) -> None:
        documents = declared(file, [each.resource for each in self.files.get(file, ())])
        edits = self.index.take(Revision({file: documents}, whole=False))
        assert not edits.removed
        self._check(edits)
        self.files[file] = documents
        self.broken.pop(file, None)

    @rule(file=st.sampled_from(FILES))
    def remove(self, file: str) -> None:
        self._check(self.index.take(Revision({}, gone=frozenset({file}), whole=False)))
        self.files.pop(file, None)
        self.broken.pop(file, None)

    @rule(found=st.dictionaries(st.sampled_from(FILES), st.lists(gadgets(), max_size=3), max_size=3))
    def read_all_anew(self, found: dict[str, list[Any]]) -> None:
        documents = {file: declared(file, each) for file, each in found.items()}
        self._check(self.index.take(Revision(documents)))
        self.files, self.broken = documents, {}

    @rule(file=st.sampled_from(FILES), good=st.lists(gadgets(), max_size=2), partly=st.booleans())
    def spoil(self, file: str, good: list[Any], partly: bool) -> None:
        """A file with a mistake in it: what it said last stays, or with `partly` only what is not said again."""
        problems = (Problem(file, "cannot read it"),)
        documents = declared(file, good)
        revision = Revision({}, problems={file: problems}, partial={file: documents}, whole=False)
        self._check(self.index.take(revision, partly=partly))
        said_again = {each.key for each in documents} if partly else set()
        last = tuple(each for each in self.files.get(file, ()) if each.key not in said_again)
        self.files[file] = (*documents, *last) if partly else last
        self.broken[file] = problems

    @rule(condition=st.sampled_from([each for each in Condition if each is not Condition.OK]))
    def lose_the_source(self, condition: Condition) -> None:
        edits = self.index.take(Revision({}, condition=condition, message="it has gone"))
        assert not edits.edited | edits.removed | edits.moved, "what was in force stays so"
        self._check(edits)

    def _check(self, edits: Edits) -> None:
        """What it says of a revision is what has changed, and generations only rise."""
        now = {key: entry.digest for key, entry in self.index.entries().items()}
        assert edits.edited == {key for key, digest in now.items() if self.digests.get(key) != digest}
        assert edits.removed == self.digests.keys() - now.keys()
        assert not edits.touched & (edits.edited | edits.removed)
        for key, entry in self.index.entries().items():
            was, generation = self.counting.seen.get(key, ("", 0))
            assert entry.generation == generation if was == entry.digest else entry.generation > generation
            self.counting.seen[key] = (entry.digest, entry.generation)
        self.digests = now

    # -- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def it_is_as_if_made_from_scratch(self) -> None:
        roots: dict[str, list[Declared]] = {}
        for entry in self.index.entries().values():
            if entry.owner is None:
                roots.setdefault(entry.declared.origin.file, []).append(entry.declared)
        fresh = Index(lambda key, digest: 1)
        fresh.take(Revision({file: tuple(found) for file, found in roots.items()}))
        assert shape(self.index) == shape(fresh)
        assert self.listened == {key: entry.digest for key, entry in self.index.entries().items()}

    @invariant()
    def what_is_in_force_is_what_the_files_say(self) -> None:
        said: dict[Key, list[Declared]] = {}
        for documents in self.files.values():
            for each in documents:
                said.setdefault(each.key, []).append(each)
        in_force = {key: entry.declared for key, entry in self.index.entries().items() if entry.owner is None}
        assert in_force.keys() == said.keys()
        assert all(each in said[key] for key, each in in_force.items())
        twice = [problem.key for problem in self.index.problems() if "twice" in problem.message]
        assert sorted(twice) == sorted(key for key, each in said.items() for _ in each[1:])
        assert self.index.broken() == self.broken

    @invariant()
    def conflicts_tell_the_truth(self) -> None:
        for key, entry in self.index.entries().items():
            conflict = self.index.conflict(key)
            missing = entry.dependencies - self.index.entries().keys()
            assert (conflict is not None and conflict.reason is Reason.DEPENDENCY_MISSING) is bool(missing)
            if conflict and conflict.reason is Reason.CLAIMED:
                (claim,) = entry.resource.claims()
                assert self.index.claimant(claim) not in (None, key)


def shape(index: Index) -> dict[str, Any]:
    """All that can be asked of an index, but for what depends on who came first."""
    entries = index.entries()
    names = [Key("Gadget", "default", name) for name in (*NAMES, *CHILDREN)]
    claims = [claim for entry in entries.values() for claim in entry.resource.claims()]
    ordered = {key: found for key in entries if (found := index.conflict(key)) and found.reason is not Reason.CLAIMED}
    return {
        "entries": {key: (entry.digest, entry.dependencies, entry.owner) for key, entry in entries.items()},
        "dependents": {key: index.dependents(key) for key in names},
        "dependencies": {key: index.dependencies(key) for key in names},
        "claimed": {claim: index.claimant(claim) is not None for claim in claims},
        "conflicts": ordered,
        "of kind": sorted(resource.key for resource in index.of_kind("Gadget")),
    }


def test_index_that_grew_is_like_one_made_from_scratch(capsys: pytest.CaptureFixture[str]) -> None:
    endure(IndexMachine, capsys)
