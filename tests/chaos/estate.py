"""Fifty resources of every kind that depend on one another, and a seeded generator of edits to them.

`Estate` remembers what is wished for each of them, writes the files that say so, and says what must then be in the world.
The crash tests edit it, kill p2 at it, and compare.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.chaos.yard import Yard
from tests.cli.story import Story

COLORS = ["red", "green", "blue", "white"]
MOST_ABSENT = 10  # of fifty: more that leave at once would be held back until they are confirmed
THEIRS = "written by somebody else\n"


@dataclass(frozen=True)
class Wish:
    """What is wanted of one resource. `color` is changed by replacing (files: in place), `size` always in place."""

    declared: bool = True
    color: int = 0
    size: int = 0
    place: int = 0


@dataclass(frozen=True)
class Thing:
    """One of the fifty. What stays for good, others depend on."""

    short: str
    kind: str
    form: str
    needs: tuple[str, ...] = ()
    stays: bool = False
    careful: bool = False  # comes and goes only when no interrupted change of it is open


def _things() -> Iterator[Thing]:
    yield Thing("r0", "Container", "running", stays=True)
    yield Thing("r1", "Container", "running", needs=("Container/r0", "File/p0"))
    yield Thing("r2", "Container", "connected", needs=("Network/n0",))
    yield Thing("r3", "Container", "mounting", needs=("Volume/v0",))
    yield Thing("r4", "Container", "running")
    for number in range(6):
        yield Thing(f"s{number}", "Container", "stopped", needs=("Container/r0",) if number == 5 else ())
    yield Thing("a0", "Container", "adopted", careful=True)
    for number in range(4):
        yield Thing(f"n{number}", "Network", "network", stays=number == 0)
        yield Thing(f"v{number}", "Volume", "retained" if number < 2 else "volume", stays=number == 0)
    for number in range(6):
        yield Thing(f"p{number}", "File", "plain", stays=number == 0)
    for number in range(4):
        yield Thing(f"t{number}", "File", "templated")
        yield Thing(f"d{number}", "File", "directory", stays=number < 2)
        yield Thing(f"i{number}", "File", "inner")
    for number in range(3):
        yield Thing(f"l{number}", "File", "symlink")
        yield Thing(f"o{number}", "File", "adopted")
    for number in range(4):
        yield Thing(f"m{number}", "File", "moving")
    for number in range(2):
        yield Thing(f"k{number}", "File", "retained")


THINGS = {thing.short: thing for thing in _things()}


class Estate:
    """All that is wished, in one source."""

    def __init__(self, story: Story, yard: Yard, chance: random.Random) -> None:
        self._story, self._yard, self._chance = story, yard, chance
        self.wishes = {short: Wish(declared=thing.form != "adopted") for short, thing in THINGS.items()}
        self.ever: set[str] = set()  # declared at some time
        self.kept: set[str] = set()  # seen in the world at some time
        for short, thing in THINGS.items():
            if thing.kind == "File" and thing.form == "adopted":
                (story.world / short).write_text(THEIRS)
        yard.make_strangers("a0")

    # -- editing ---------------------------------------------------------------------------------------------------

    def edit(self, *, carefully: bool) -> None:
        """Changes the wishes for about a third of the fifty. `carefully`: while interrupted changes may be open."""
        for short in self._chance.sample(sorted(THINGS), 16):
            wish, thing = self.wishes[short], THINGS[short]
            match self._chance.choice(["color", "size", "presence", "presence"]):
                case "color":
                    wish = replace(wish, color=(wish.color + self._chance.randint(1, 3)) % len(COLORS))
                case "size":
                    wish = replace(wish, size=(wish.size + 1) % 4)
                case _ if not thing.stays and not (carefully and thing.careful):
                    wish = replace(wish, declared=not wish.declared)
            if thing.form == "moving":
                wish = replace(wish, place=self._chance.randrange(3))
            self.wishes[short] = wish
        self._keep_whole()
        self.write()

    def _keep_whole(self) -> None:
        """A directory stays while something is in it, and few enough are absent."""
        for number in range(4):
            if self.wishes[f"i{number}"].declared:
                self._declare(f"d{number}")
        absent = sorted(short for short, wish in self.wishes.items() if not wish.declared and short in self.ever)
        self._chance.shuffle(absent)
        for short in absent[MOST_ABSENT:]:
            self._declare(short)
            if short.startswith("i"):
                self._declare(short.replace("i", "d"))

    def _declare(self, short: str) -> None:
        self.wishes[short] = replace(self.wishes[short], declared=True)

    def write(self) -> None:
        """Everything in three files; which one a resource stands in depends on its color, so that many move between them."""
        files: dict[str, list[str]] = {f"{name}.yaml": [] for name in "abc"}
        for short, wish in self.wishes.items():
            if wish.declared:
                self.ever.add(short)
                files["abc"[wish.color % 3] + ".yaml"].append(self._document(THINGS[short], wish))
        for file, documents in files.items():
            self._story.write(file, *documents)

    def _document(self, thing: Thing, wish: Wish) -> str:
        needs = [f"{kind}/{self._yard.name(short)}" for kind, short in (need.split("/") for need in thing.needs)]
        spec = {"dependsOn": needs} if needs else {}
        if thing.kind == "Container":
            return self._yard.container(thing.short, **spec, **self._container(thing, wish))
        return self._yard.document(thing.kind, thing.short, **spec, **self._other(thing, wish))

    def _container(self, thing: Thing, wish: Wish) -> dict[str, Any]:
        memory = {"memory": f"{32 + wish.size}m"}
        colored = {**memory, "env": {"COLOR": COLORS[wish.color]}}
        match thing.form:
            case "stopped":
                return {**colored, "state": "stopped"}
            case "adopted":
                return {**memory, "command": ["sleep", "2000"], "adopt": True}
            case "connected":
                return {**colored, "networks": [{"name": self._yard.name("n0")}]}
            case "mounting":
                mount = {"type": "volume", "source": self._yard.name("v0"), "target": "/kept"}
                return {**colored, "volumes": [mount]}
        return colored

    def _other(self, thing: Thing, wish: Wish) -> dict[str, Any]:
        color, path = COLORS[wish.color], str(self._story.world / self.path(thing.short))
        match thing.form:
            case "network":
                return {"labels": {"color": color}}
            case "retained" if thing.kind == "Volume":
                return {}
            case "volume":
                return {"deletionPolicy": "Delete"}
            case "directory":
                return {"path": path, "type": "directory", "mode": f"07{wish.size}5"}
            case "symlink":
                return {"path": path, "type": "symlink", "target": f"/nowhere/{color}"}
            case "templated":
                text = "{{ color }} and {{ size }}\n"
                return {
                    "path": path,
                    "content": text,
                    "template": True,
                    "variables": {"color": color, "size": f"{wish.size}"},
                }
        more = {"adopted": {"adopt": True}, "retained": {"deletionPolicy": "Retain"}}.get(thing.form, {})
        return {"path": path, "content": self.content(wish), **more}

    # -- what must be there ----------------------------------------------------------------------------------------

    @staticmethod
    def content(wish: Wish) -> str:
        return f"{COLORS[wish.color]} and {wish.size}\n"

    def path(self, short: str) -> str:
        """Below the story's world."""
        if THINGS[short].form == "inner":
            return f"{short.replace('i', 'd')}/inner"
        return f"at-{self.wishes[short].place}-{short}" if THINGS[short].form == "moving" else short

    def must(self, kind: str) -> set[str]:
        """Short names of what must exist of a kind: what is declared, was retained, or was never ours."""
        return {short for short in self._of(kind) if self.wishes[short].declared or self._outlives(short)}

    def may(self, kind: str) -> set[str]:
        """What may exist beside that: it was to be retained, and nobody knows whether it was made in time."""
        undecided = {short for short in self._of(kind) if THINGS[short].form == "retained" and short in self.ever}
        return undecided - self.must(kind)

    def _outlives(self, short: str) -> bool:
        thing = THINGS[short]
        if thing.form == "adopted":
            return thing.kind == "File" or short not in self.ever
        return thing.form == "retained" and short in self.kept

    @staticmethod
    def _of(kind: str) -> set[str]:
        return {short for short, thing in THINGS.items() if thing.kind == kind}
