"""Kinds that stand for others and are nothing themselves: they are as their parts are, and what they are read from is watched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from controller.engine.agent import Agent, Health
from controller.engine.groups import Groups
from controller.engine.revision import Revision
from controller.sources.cache import ParseCache
from controller.sources.contents import Contents
from controller.sources.inputs import Inputs, together
from resources import kinds
from resources.conditions import Reason
from resources.meta import About, Declared, Key, Origin, Problem, Read, Resource, Spec, Unexpandable
from resources.parsed import digest_of
from tests.unit.world import Gadget, Loop, gadget

BAND = Key("Band", "default", "band")


class BandSpec(Spec):
    list: str
    slot: str | None = None


class Band(Resource):
    """Stands for a gadget for each line of a file: its name and color."""

    about: ClassVar[About] = About(plural="bands")
    expands: ClassVar[bool] = True
    kind: Literal["Band"] = "Band"
    spec: BandSpec

    def expand(self, read: Read) -> Iterable[Resource]:
        return list(self._gadgets(read))

    def _gadgets(self, read: Read) -> Iterator[Gadget]:
        for number, line in enumerate(read(Path(self.spec.list)).decode().splitlines(), 1):
            if " " not in line:
                raise Unexpandable((Problem(self.spec.list, "cannot read this: write a name and a color", number),))
            name, color = line.split()
            yield gadget(name, color=color)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {"Band": Band, "Gadget": Gadget}
    for module in ("controller.engine.groups", "controller.engine.ledger"):
        monkeypatch.setattr(f"{module}.model_of", models.get)


@pytest.fixture
def loop() -> Loop:
    found = Loop()
    groups = Groups(found.index, found.parts.board, "installation")
    agents: dict[str, Agent[Any, Any]] = {"Band": groups, "Gadget": found.agent}
    object.__setattr__(found.parts, "agent_of", agents.get)
    return found


def band(path: Path) -> Declared:
    written = {
        "apiVersion": "pegasus2.dev/v1",
        "kind": "Band",
        "metadata": {"name": "band"},
        "spec": {"list": str(path)},
    }
    resource = Band.model_validate(written)
    return Declared(resource, Origin("/desired/band.yaml"), digest_of(resource))


def declare(path: Path) -> Revision:
    return Revision({"/desired/band.yaml": Inputs().fold(band(path)).documents})


def apply(loop: Loop, path: Path) -> bool:
    loop.index.take(declare(path))
    return loop.converge()


def ready(loop: Loop) -> bool:
    status = loop.parts.board.status(BAND)
    return status is not None and status.ready


def test_group_is_ready_when_all_its_parts_are(loop: Loop, tmp_path: Path) -> None:
    (names := tmp_path / "names").write_text("a red\nb blue\n")
    assert apply(loop, names)
    assert ready(loop)
    assert {name: thing.color for name, thing in loop.agent.world.items()} == {"a": "red", "b": "blue"}
    record = loop.stores.inventory.find(Key("Gadget", "default", "a"))
    assert record and record.owner == BAND


def test_group_is_stalled_with_the_reason_of_its_part_that_is(loop: Loop, tmp_path: Path) -> None:
    (names := tmp_path / "names").write_text("a red\nb blue\n")
    loop.agent.refused["b"] = "cannot make b: it is Monday"
    assert apply(loop, names)
    assert not ready(loop)
    assert (loop.reason("band", "Band"), loop.message("band", "Band")) == (
        "Refused",
        "Gadget/b: cannot make b: it is Monday",
    )


def test_group_with_a_part_that_never_becomes_ready_keeps_nobody_waiting(loop: Loop, tmp_path: Path) -> None:
    (names := tmp_path / "names").write_text("a red\nb blue\n")
    loop.agent.unhealthy["b"] = Health(False, "Sulking", "it sulks", stalled=True)
    assert apply(loop, names)
    assert loop.reason("band", "Band") == "Sulking"
    del loop.agent.unhealthy["b"]
    assert apply(loop, names)
    assert ready(loop)


def test_line_that_goes_takes_its_part_along_and_the_group_goes_last(loop: Loop, tmp_path: Path) -> None:
    (names := tmp_path / "names").write_text("a red\nb blue\n")
    apply(loop, names)
    names.write_text("a green\n")
    apply(loop, names)
    assert {name: thing.color for name, thing in loop.agent.world.items()} == {"a": "green"}
    loop.index.take(Revision({"/desired/other.yaml": together([Inputs().fold(_bare(gadget("c")))]).documents}))
    loop.converge()
    assert set(loop.agent.world) == {"c"}
    assert loop.stores.inventory.find(BAND) is None


def _bare(one: Gadget) -> Declared:
    return Declared(one, Origin("/desired/other.yaml"), digest_of(one))


def test_suspended_group_leaves_its_parts_as_they_are(loop: Loop, tmp_path: Path) -> None:
    (names := tmp_path / "names").write_text("a red\n")
    apply(loop, names)
    loop.stores.overrides.suspend([BAND])
    names.write_text("a green\n")
    apply(loop, names)
    assert loop.agent.world["a"].color == "red"
    assert loop.reason("a") == Reason.SUSPENDED
    loop.stores.overrides.resume([BAND])
    apply(loop, names)
    assert loop.agent.world["a"].color == "green"


def test_two_groups_with_one_part_are_a_problem_that_names_both(loop: Loop, tmp_path: Path) -> None:
    (names := tmp_path / "names").write_text("a red\n")
    again = Declared(gadget("a"), Origin("/desired/other.yaml"), "digest")
    revision = Revision({"/desired/band.yaml": Inputs().fold(band(names)).documents, "/desired/other.yaml": (again,)})
    loop.index.take(revision)
    assert [problem.message for problem in loop.index.problems()] == [
        "cannot declare Gadget/a twice: /desired/band.yaml declares it already; rename or remove one"
    ]


class Desk:
    """A source of one band, read again and again."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kinds, "model_of", {"Band": Band, "Gadget": Gadget}.get)
        self.names = root / "lists" / "names"
        self.names.parent.mkdir()
        self.manifest = root / "state" / "band.yaml"
        self.manifest.parent.mkdir()
        self.manifest.write_text(
            "apiVersion: pegasus2.dev/v1\nkind: Band\nmetadata: {name: band}\nspec: {list: " + str(self.names) + "}\n"
        )
        self.contents = Contents(str(self.manifest.parent))

    def write(self, text: str) -> None:
        self.contents.directories()  # as a watch asks before it waits
        self.names.write_text(text)

    def look(self) -> tuple[dict[str, str | None], list[str]]:
        """What a look has found: the colors by name, and the problems."""
        found = self.contents.look([str(self.names)])
        documents = [declared for of_file in found.documents.values() for declared in of_file or ()]
        colors = {d.key.name: d.resource.spec.color for d in documents if isinstance(d.resource, Gadget)}
        return colors, [str(problem) for problems in found.problems.values() for problem in problems]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_edit_of_what_a_group_is_read_from_is_an_edit_of_its_parts(desk: Desk) -> None:
    desk.write("a red\nb blue\n")
    desk.contents.survey()
    assert desk.look() == ({}, [])
    desk.write("a red\nb green\n")
    assert desk.look() == ({"a": "red", "b": "green"}, [])
    assert str(desk.names.parent) in desk.contents.directories()


def test_mistake_in_what_a_group_is_read_from_keeps_what_was_and_names_the_place(desk: Desk) -> None:
    desk.write("a red\n")
    desk.contents.survey()
    desk.write("a red\nb\n")
    colors, problems = desk.look()
    assert (colors, problems) == ({}, [f"{desk.names}:2: cannot read this: write a name and a color"])
    everything = desk.contents.all()
    assert [d.key.name for d in desk.contents._sheets[str(desk.manifest)].documents] == ["band", "a"]
    assert everything.problems and not everything.documents
    desk.write("a red\nb green\n")
    assert desk.look() == ({"a": "red", "b": "green"}, [])


def test_group_that_was_wrong_from_the_start_is_taken_in_when_it_is_put_right(desk: Desk) -> None:
    desk.write("a\n")
    assert desk.contents.survey().problems
    desk.write("a red\n")
    assert desk.look() == ({"a": "red"}, [])


def test_what_a_group_stands_for_is_kept_until_what_says_so_changes(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "built_in", lambda: {"Band": "", "Gadget": ""})
    desk.write("a red\nb blue\n")

    def survey() -> dict[str, str | None]:
        cache, contents = ParseCache(tmp_path / "cache", "source"), Contents(str(desk.manifest.parent))
        found = contents.survey(cache).documents[str(desk.manifest)] or ()
        cache.save()
        assert [d.owner for d in found] == [None, *[BAND] * (len(found) - 1)]
        assert found[0].read == (str(desk.names),)
        return {d.key.name: d.resource.spec.color for d in found if isinstance(d.resource, Gadget)}

    first, worked_out = survey(), Band.expand
    monkeypatch.setattr(Band, "expand", lambda self, read: pytest.fail("it is known what it stands for"))
    assert survey() == first == {"a": "red", "b": "blue"}
    monkeypatch.setattr(Band, "expand", worked_out)
    desk.write("a green\n")
    assert survey() == {"a": "green"}
