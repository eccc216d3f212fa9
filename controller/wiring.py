"""The one place where home, store, source, agents and loop are put together. Every surface starts here.

    with Workspace.open(Path("state"), Settings.from_environment(), read_only=True) as workspace:
        problems = workspace.load()
        preview = workspace.preview()

Opened read-only, no part of it can write: agents get clients that refuse, the database is opened for reading.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from types import TracebackType
from typing import Self

from controller.engine.agent import AgentHealth, Failure
from controller.engine.stores import Hold, Listener, Stores
from resources.conditions import Status
from resources.meta import Declared, Key, Problem
from resources.plan import Plan

DEFAULT_TIMEOUT = 300.0  # seconds that `p2 apply` waits for convergence


@dataclass(frozen=True)
class Settings:
    """What the environment says: `PEGASUS2_HOME`, `PEGASUS2_AGENT_TIMEOUT` (seconds), `PEGASUS2_AGENTS_CONFIG`."""

    home: Path
    agent_timeout: float = 60.0
    agents_config: Path | None = None

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises ValueError naming the variable that can't be read."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Preview:
    """What `apply` would do, in the order it would do it. `digest` identifies it: a saved plan carries it."""

    plans: tuple[Plan, ...]  # non-empty ones first in order of execution; the empty ones are in `unchanged`
    unchanged: tuple[Key, ...]
    failures: Mapping[Key, Failure]  # keys whose plan can't be made, and why
    holds: tuple[Hold, ...]  # deletions that are held back
    digest: str


@dataclass(frozen=True, slots=True)
class Summary:
    """How an apply ended."""

    statuses: Mapping[Key, Status]  # of every key that was to converge
    done: tuple[Plan, ...]  # carried out, in order
    holds: tuple[Hold, ...]
    timed_out: bool = False
    cancelled: bool = False

    @property
    def converged(self) -> bool:
        """Everything is Ready, suspended, or only reported (driftPolicy: Report)."""
        raise NotImplementedError


class Workspace:
    """One source, opened for one command."""

    stores: Stores

    @classmethod
    def open(
        cls, path: Path, settings: Settings, *, read_only: bool = False, listener: Listener | None = None
    ) -> Workspace:
        """Raises HomeError (controller/store/home.py) when the home can't be used or another process holds it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None: ...

    def load(self) -> tuple[Problem, ...]:
        """Reads the whole source. Returns what is wrong with it, in files and across resources, in file order."""
        raise NotImplementedError

    def declared(self) -> Mapping[Key, Declared]:
        """All resources in force, children of expanding ones included."""
        raise NotImplementedError

    def preview(self, only: Collection[Key] | None = None, *, prune: bool = True) -> Preview:
        """Looks at the world and plans. Changes nothing. With `only`: those keys and no pruning."""
        raise NotImplementedError

    def converge(
        self,
        only: Collection[Key] | None = None,
        *,
        prune: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
        cancelled: Flag | None = None,
    ) -> Summary:
        """Works until everything is settled, `timeout` seconds have passed, or `cancelled` is set.

        What is under way when it is cancelled is finished, nothing new is begun.
        """
        raise NotImplementedError

    def run(self, stop: Flag) -> None:
        """The controller: watches source and world and keeps them equal until `stop` is set."""
        raise NotImplementedError

    def delete(self, keys: Collection[Key], *, timeout: float = DEFAULT_TIMEOUT) -> Summary:
        """Removes things that we own and nobody declares (retained, held, orphaned) and forgets them."""
        raise NotImplementedError

    def agents(self) -> Mapping[str, AgentHealth]:
        """Health of every agent's system by its name (docker, environment)."""
        raise NotImplementedError

    def queue_depth(self) -> int:
        raise NotImplementedError


def environment_float(name: str, default: float) -> float:
    """A number of seconds from the environment. Raises ValueError naming the variable."""
    text = os.environ.get(name, "")
    try:
        return float(text) if text else default
    except ValueError:
        raise ValueError(f'cannot read {name}="{text}": write a number of seconds') from None
