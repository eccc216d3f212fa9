"""What changed is acted on at once; what would leave waits until it has been quiet, and what belongs to it waits along."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controller.engine.revision import QUIET
from controller.sources.settling import AT_MOST, Settling
from resources.load import load_text
from resources.meta import Declared

Documents = tuple[Declared, ...]


def declare(file: str, *names: str, edition: int = 1) -> Documents:
    text = "---\n".join(
        f"apiVersion: pegasus2.dev/v1\nkind: File\nmetadata: {{name: {name}}}\nspec: {{path: /{name}, content: '{edition}'}}\n"
        for name in names
    )
    return load_text(text.encode(), file, None).documents


A, B = declare("a", "one", "two"), declare("b", "three")


def settling() -> Settling:
    return Settling({"a": A, "b": B})


def test_an_edit_acts_at_once() -> None:
    edited = declare("a", "one", "two", edition=2)
    release = settling().settle({"a": edited}, now=10, since=9.9)
    assert release and (release.documents, release.gone, release.at) == ({"a": edited}, frozenset(), 9.9)


def test_a_new_file_acts_at_once() -> None:
    new = declare("c", "four")
    release = settling().settle({"c": new}, now=10, since=10)
    assert release and release.documents == {"c": new}


def test_a_deleted_file_waits_for_quiet() -> None:
    watch = settling()
    assert watch.settle({"b": None}, now=10, since=10) is None
    assert watch.due == 10 + QUIET
    assert watch.settle({}, now=11.9, since=11.9) is None
    release = watch.settle({}, now=12, since=12)
    assert release and (release.documents, release.gone, release.at) == ({}, {"b"}, 10)
    assert watch.due is None


def test_a_document_removed_from_a_file_waits_for_quiet_with_the_rest_of_the_file() -> None:
    watch = settling()
    rest = declare("a", "one", edition=2)
    assert watch.settle({"a": rest}, now=10, since=10) is None
    release = watch.settle({}, now=12, since=12)
    assert release and release.documents == {"a": rest}


def test_half_a_file_that_is_then_complete_removes_nothing() -> None:
    watch = settling()
    assert watch.settle({"a": A[:1]}, now=10, since=10) is None
    complete = declare("a", "one", "two", edition=2)
    release = watch.settle({"a": complete}, now=10.2, since=10.2)
    assert release and release.documents == {"a": complete} and release.at == 10
    assert watch.due is None


def test_a_file_that_was_empty_for_a_moment_and_then_has_a_mistake_removes_nothing() -> None:
    """As an editor writes it in place, and is read in between."""
    watch = settling()
    assert watch.settle({"a": ()}, now=10, since=10) is None
    watch.spoil(["a"], now=10.1)
    assert watch.settle({}, now=12, since=12) is None
    assert watch.settle({}, now=60, since=60) is None
    assert watch.due is None and not watch.leaving
    corrected = declare("a", "one", "two", edition=2)
    release = watch.settle({"a": corrected}, now=61, since=61)
    assert release and release.documents == {"a": corrected}


def test_a_file_replaced_by_an_editor_is_edited_once() -> None:
    watch = settling()
    assert watch.settle({"a": None}, now=10, since=10) is None
    edited = declare("a", "one", "two", edition=2)
    release = watch.settle({"a": edited}, now=10.1, since=10.1)
    assert release and (release.documents, release.gone) == ({"a": edited}, frozenset())


def test_a_renamed_resource_is_never_two() -> None:
    watch = settling()
    renamed = declare("a", "one", "zwei")
    assert watch.settle({"a": renamed}, now=10, since=10) is None
    release = watch.settle({}, now=12, since=12)
    assert release and release.documents == {"a": renamed}


def test_a_move_between_files_acts_at_once() -> None:
    moved = declare("c", "three")
    release = settling().settle({"b": None, "c": moved}, now=10, since=10)
    assert release and (release.documents, release.gone) == ({"c": moved}, {"b"})


def test_a_move_whose_halves_are_seen_apart_acts_when_it_is_whole() -> None:
    watch = settling()
    assert watch.settle({"a": None}, now=10, since=10) is None
    first, second = declare("c", "one"), declare("d", "two")
    assert watch.settle({"c": first}, now=10.5, since=10.5) is None
    release = watch.settle({"d": second}, now=11, since=11)
    assert release and (release.documents, release.gone) == ({"c": first, "d": second}, {"a"})


def test_other_files_do_not_wait_for_one_that_leaves_nor_hold_it_up() -> None:
    watch = settling()
    assert watch.settle({"b": None}, now=10, since=10) is None
    edited = declare("a", "one", "two", edition=2)
    release = watch.settle({"a": edited}, now=11, since=11)
    assert release and (release.documents, release.gone) == ({"a": edited}, frozenset())
    assert watch.due == 10 + QUIET


def test_a_branch_switch_is_one_change() -> None:
    before = {f"old{n}": declare(f"old{n}", f"old{n}") for n in range(200)}
    after = {f"new{n}": declare(f"new{n}", f"new{n}") for n in range(200)}
    watch = Settling(before)
    assert watch.settle({**dict.fromkeys(before), **after}, now=10, since=10) is None
    release = watch.settle({}, now=12, since=12)
    assert release and (release.documents, release.gone) == (after, before.keys())


def test_what_never_is_quiet_leaves_in_the_end() -> None:
    watch, now = settling(), 10.0
    while (release := watch.settle({"b": () if int(now) % 2 else None}, now, now)) is None:
        now += 1
    assert now == 10 + AT_MOST
    assert release.gone | release.documents.keys() == {"b"}


def test_all_that_there_is_never_leaves() -> None:
    watch = settling()
    assert watch.settle({"a": None, "b": None}, now=10, since=10) is None
    assert watch.settle({}, now=1_000, since=1_000) is None
    # What is put back slowly afterwards is not taken for all that is wanted.
    assert watch.settle({"a": A}, now=2_000, since=2_000) is None
    release = watch.settle({"b": B}, now=2_001, since=2_001)
    assert release and (release.documents, release.gone) == ({"a": A, "b": B}, frozenset())


def test_a_broken_file_that_goes_is_told_though_it_declared_nothing() -> None:
    release = settling().settle({"broken": None}, now=10, since=10)
    assert release and release.gone == {"broken"}


FILES = ["f0", "f1", "f2"]
SETS = [None, *({f"r{n}" for n in range(4) if bits >> n & 1} for bits in range(16))]
SHEETS = {
    (file, number, edition): None if names is None else declare(file, *sorted(names), edition=edition)
    for file in FILES
    for number, names in enumerate(SETS)
    for edition in (1, 2)
}


class Settles(RuleBasedStateMachine):
    """Whatever happens to files: what was told is what is there once it was quiet, and nothing left without quiet."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.disk: dict[str, Documents] = {"f0": declare("f0", "r0")}
        self.told = dict(self.disk)
        self.changed_at = 0.0
        self.watch = Settling(self.disk)

    @rule(
        sheet=st.sampled_from(sorted(SHEETS)),
        passed=st.sampled_from([0.1, 1.0, 5.0]),
    )
    def change(self, sheet: tuple[str, int, int], passed: float) -> None:
        self.now += passed
        self.changed_at = self.now
        file, documents = sheet[0], SHEETS[sheet]
        if documents is None:
            self.disk.pop(file, None)
        else:
            self.disk[file] = documents
        self.settle({file: documents})

    @rule(file=st.sampled_from(sorted({file for file, _, _ in SHEETS})), passed=st.sampled_from([0.1, 5.0]))
    def spoil(self, file: str, passed: float) -> None:
        """A mistake in a file leaves in force what was told of it."""
        self.now += passed
        if not any(self.disk.values()):
            self.changed_at = self.now
        self.watch.spoil([file], self.now)
        if file in self.told:
            self.disk[file] = self.told[file]
        else:
            self.disk.pop(file, None)
        self.settle({})
        assert self.told.get(file) == self.disk.get(file)

    @rule(passed=st.sampled_from([0.5, 2.0]))
    def wait(self, passed: float) -> None:
        self.now += passed
        self.settle({})

    def settle(self, changed: dict[str, Documents | None]) -> None:
        keys_before = {d.key for documents in self.told.values() for d in documents}
        if release := self.watch.settle(changed, self.now, self.now):
            self.told |= release.documents
            for file in release.gone:
                self.told.pop(file, None)
        lost = keys_before - {d.key for documents in self.told.values() for d in documents}
        if lost:
            assert not lost & {d.key for documents in self.disk.values() for d in documents}
            assert any(self.disk.values())

    @invariant()
    def what_is_told_is_known(self) -> None:
        assert self.watch.told == self.told

    @invariant()
    def quiet_leads_to_what_is_there(self) -> None:
        if self.now - self.changed_at >= QUIET and any(self.disk.values()):
            assert self.told == self.disk


TestSettles = Settles.TestCase
