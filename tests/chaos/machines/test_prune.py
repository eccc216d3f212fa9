"""Prune over a real index and inventory, whatever is declared, dropped, broken, protected and confirmed before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from controller.engine.prune import LARGE_PART, MANY, Pruning, SourceHealth, decide
from controller.engine.pruner import Pruner
from controller.engine.revision import Condition, Revision
from controller.engine.stores import Record
from resources.conditions import Reason
from resources.meta import Declared, DeletionPolicy, Key, Origin, Problem
from resources.parsed import digest_of
from tests.chaos.machines.machine import Machine, endure
from tests.unit.world import SOURCE, Loop, gadget

FILES = [f"{SOURCE}/{name}.yaml" for name in "abc"]
NAMES = {file: [f"{file[-6]}{number}" for number in range(6)] for file in FILES}
ANY = st.sampled_from([Key("Gadget", "default", name) for names in NAMES.values() for name in names])


@st.composite
def contents(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A file with some of its names, some of them protected, some in need of a name of another file."""
    file = draw(st.sampled_from(FILES))
    names = draw(st.lists(st.sampled_from(NAMES[file]), unique=True))
    found = []
    for name in names:
        spec: dict[str, Any] = {}
        if draw(st.integers(0, 4)) == 0:
            spec["deletionPolicy"] = DeletionPolicy.RETAIN
        if draw(st.integers(0, 3)) == 0:
            spec["dependsOn"] = (f"Gadget/{draw(st.sampled_from(NAMES[FILES[0]]))}",)
        found.append(gadget(name, **spec))
    return file, found


class PruneMachine(Machine):
    """A thing goes only if nothing whatever speaks for keeping it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.stores, self.index = self.loop.stores, self.loop.index
        self.pruner = Pruner(self.loop.parts)
        self.protected: set[Key] = set()  # its last declaration that was applied said Retain
        self.broken: set[str] = set()
        self.too_many: set[Key] = set()
        self.pruning = Pruning(frozenset(), ())

    def teardown(self) -> None:
        self.stores.close()

    # -- what may happen -------------------------------------------------------------------------------------------

    @rule(file=contents())
    def write(self, file: tuple[str, list[Any]]) -> None:
        name, found = file
        self.broken.discard(name)
        documents = tuple(Declared(each, Origin(name, n), digest_of(each)) for n, each in enumerate(found))
        self._take(Revision({name: documents}, whole=False))

    @rule(file=st.sampled_from(FILES))
    def spoil(self, file: str) -> None:
        self.broken.add(file)
        self._take(Revision({}, problems={file: (Problem(file, "cannot read it"),)}, whole=False))

    @rule(condition=st.sampled_from([Condition.EMPTY, Condition.MISSING]))
    def lose_the_source(self, condition: Condition) -> None:
        self._take(Revision({}, condition=condition, message="nothing in it"))

    @rule()
    def apply(self) -> None:
        """What is declared is made; what may be deleted is."""
        for key, entry in self.index.entries().items():
            retain = entry.resource.spec.deletionPolicy is DeletionPolicy.RETAIN
            self.stores.inventory.confirm(
                [Record(key, SOURCE, entry.generation, entry.digest, retain=retain, dependencies=entry.dependencies)]
            )
            (self.protected.add if retain else self.protected.discard)(key)
        self._decide()
        self.stores.inventory.forget(self.pruning.deletes)
        self.stores.overrides.use(self.pruning.deletes)

    @rule(key=ANY)
    def confirm(self, key: Key) -> None:
        self.stores.overrides.confirm([key])

    @rule(key=ANY)
    def suspend(self, key: Key) -> None:
        self.stores.overrides.suspend([key])

    @rule(key=ANY)
    def resume(self, key: Key) -> None:
        self.stores.overrides.resume([key])

    @rule()
    def restart(self) -> None:
        """Another process goes on, with what is kept and the files as they are."""
        self.pruner = Pruner(self.loop.parts)

    def _take(self, revision: Revision) -> None:
        self.pruner.note(self.index.take(revision), revision.orders)

    def _decide(self) -> None:
        self.pruning, _ = self.pruner.decide()
        self.stores.holds.replace(SOURCE, self.pruning.holds)
        self.too_many = {
            key for hold in self.pruning.holds if hold.reason == Reason.TOO_MANY_DELETES for key in hold.keys
        }

    # -- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def nothing_goes_that_anything_speaks_for(self) -> None:
        was_too_many = set(self.too_many)
        self._decide()
        deletes, inventory = self.pruning.deletes, self.stores.inventory.records(SOURCE)
        stale = inventory.keys() - self.index.entries().keys()
        confirmed, suspended = self.stores.overrides.confirmed(), self.stores.overrides.suspended()
        held = [key for hold in self.pruning.holds for key in hold.keys]
        assert deletes | set(held) == stale, "each is deleted or held"
        assert len(held) == len(set(held)) and not deletes & set(held), "never both, never twice"
        assert not deletes & self.index.entries().keys(), "what is declared stays"
        assert not deletes & self.protected, "what was protected stays, even if the protection was dropped with it"
        assert not deletes & suspended
        assert not any(self.index.dependents(key) for key in deletes), "what is needed stays"
        unconfirmed = deletes - confirmed
        assert not unconfirmed or not (self.broken or self.index.condition is not Condition.OK)
        assert not unconfirmed & was_too_many, "what was held as one of many waits for its own confirmation"
        assert not (len(unconfirmed) > MANY and len(unconfirmed) > len(inventory) * LARGE_PART)

        self._asked_again_it_says_the_same()

    def _asked_again_it_says_the_same(self) -> None:
        before = self.pruning
        self._decide()
        assert self.pruning == before
        fresh, _ = Pruner(self.loop.parts).decide()
        assert fresh == before

    @invariant()
    def one_more_reason_to_keep_deletes_nothing_more(self) -> None:
        records = self.stores.inventory.records(SOURCE)
        stale = {key: record for key, record in records.items() if key not in self.index.entries()}
        plain = self._decided(stale, len(records))
        for key in stale:
            for more in ({"suspended": {key}}, {"needed": {key}}, {"confirmed": {key}}):
                assert self._decided(stale, len(records), **more).deletes <= plain.deletes
        assert self._decided(stale, len(records), broken=["/desired/new.yaml"]).deletes <= plain.deletes
        assert self._decided(stale, len(records), condition=Condition.MISSING).deletes <= plain.deletes

    def _decided(
        self,
        stale: Mapping[Key, Record],
        owned: int,
        suspended: Collection[Key] = (),
        needed: Collection[Key] = (),
        confirmed: Collection[Key] = (),
        broken: Collection[str] = (),
        condition: Condition | None = None,
    ) -> Pruning:
        """With more that is suspended, needed, broken; and with fewer confirmations."""
        return decide(
            stale,
            owned,
            SourceHealth(condition or self.index.condition, "", [*self.broken, *broken]),
            confirmed=self.stores.overrides.confirmed() - set(confirmed),
            suspended=self.stores.overrides.suspended() | set(suspended),
            too_many=self.too_many,
            needed_by=lambda key: [key] if key in needed else self.index.dependents(key),
        )


def test_prune_deletes_nothing_that_anything_speaks_for(capsys: pytest.CaptureFixture[str]) -> None:
    endure(PruneMachine, capsys)
