"""A workspace that holds what a test says, and a console that keeps what was shown: for commands without an engine."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event as Flag
from types import SimpleNamespace
from typing import Any, Self

from controller.store.stores import open_stores
from controller.surfaces.cli.app import App, Kept
from controller.surfaces.cli.console import Console
from controller.surfaces.cli.main import run
from controller.wiring.outcome import Preview, Summary
from resources.conditions import Condition, Reason, Status, Truth, Type
from resources.meta import Key, Problem
from resources.plan import Action, Change, Disruption, Plan, Why

NOW = 1_800_000_000.0


def key(name: str, kind: str = "Container") -> Key:
    return Key(kind, "default", name)


def plan(name: str, action: Action, *changes: Change, **rest: Any) -> Plan:
    return Plan(key(name), action, changes, **rest)


def change(path: str, observed: Any, desired: Any, why: Why = Why.EDITED) -> Change:
    return Change(path, observed, desired, why)


def preview(*plans: Plan, unchanged: int = 0, **rest: Any) -> Preview:
    return Preview(
        plans,
        tuple(key(f"same{number}") for number in range(unchanged)),
        **({"failures": {}, "holds": (), "digest": "d1"} | rest),
    )


def status(reason: str = Reason.CONVERGED, message: str = "", *, ready: bool | None = None) -> Status:
    truth = Truth.TRUE if (ready if ready is not None else reason == Reason.CONVERGED) else Truth.FALSE
    condition = Condition(Type.READY, truth, reason, message, 1, NOW - 90)
    return Status(1, 1, (condition,), at=NOW - 5)


UPDATE = plan("web", Action.UPDATE, change("env.TZ", "UTC", "Europe/Berlin"), disruption=Disruption.RESTART)
CREATE = plan("db", Action.CREATE)
DELETE = plan("old", Action.DELETE, disruption=Disruption.DELETE)


@dataclass
class SmallWorkspace:
    """Stands in for `wiring.Workspace`: answers as it was told, and notes what was asked of it."""

    found: Preview = field(default_factory=preview)
    problems: tuple[Problem, ...] = ()
    ends: Mapping[Key, Status] = field(default_factory=dict)
    carries_out: int | None = None  # how many plans a converge gets to, None for all
    cancelled: bool = False
    asked: list[tuple[str, Any]] = field(default_factory=list)
    news: tuple[str, ...] = ()
    database: None = None  # of which a look says something

    def seen(self) -> Mapping[str, Any]:
        """No system was asked."""
        return {}

    def __post_init__(self) -> None:
        self.stores = open_stores(None)

    def open(self, path: Path, *, read_only: bool, listener: object = None, request: object = None) -> Self:
        self.asked.append(("open", "reading" if read_only else "writing"))
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    def load(self, *, partly: bool = False) -> tuple[Problem, ...]:
        return self.problems

    def elsewhere(self) -> list[tuple[Key, str]]:
        return []

    @property
    def parts(self) -> Any:
        """Nothing in it stands for others."""
        return SimpleNamespace(index=SimpleNamespace(with_children=frozenset))

    def declared(self) -> Mapping[Key, Any]:
        return {}

    def preview(self, only: Collection[Key] | None = None, *, prune: bool = True) -> Preview:
        self.asked.append(("preview", (only, prune)))
        return self.found

    def source_trouble(self) -> str:
        return ""

    def converge(self, only: Collection[Key] | None, *, prune: bool, timeout: float, cancelled: Flag) -> Summary:
        self.asked.append(("converge", (only, prune)))
        return Summary(self.ends, self.found.plans[: self.carries_out], (), cancelled=self.cancelled)

    @property
    def changed_the_world(self) -> bool:
        return any(what == "converge" for what, _ in self.asked)


@dataclass
class Shown:
    code: int
    out: str
    err: str


def p2(workspace: SmallWorkspace, *arguments: str, answer: bool | None = None) -> Shown:
    """Runs a command line on `workspace`. With `answer` there is a person, who gives it to every question."""
    out, err = io.StringIO(), io.StringIO()
    console = _Answering(out, err, asks=answer is not None)
    console.answers.append(bool(answer))
    kept = Kept(_NoHome(), workspace.stores)  # type: ignore[arg-type]
    app = App(console, open=workspace.open, kept=lambda read_only: nullcontext(kept), now=lambda: NOW)  # type: ignore[arg-type]
    code = run(arguments, app)
    return Shown(code, out.getvalue(), err.getvalue())


class _Answering(Console):
    @property
    def answers(self) -> list[bool]:
        return self.__dict__.setdefault("_answers", [])

    def ask(self, question: str) -> bool:
        self.note(f"{question} [y/N]")
        return self.answers[-1]


class _NoHome:
    database = Path("/nowhere/p2.db")
    lacks_database = False

    def poke(self) -> None: ...

    def holder(self) -> None: ...


__all__ = [
    "CREATE",
    "DELETE",
    "NOW",
    "UPDATE",
    "Shown",
    "SmallWorkspace",
    "change",
    "key",
    "p2",
    "plan",
    "preview",
    "replace",
    "status",
]
