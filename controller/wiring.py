"""The one place where home, store, source, agents and loop are put together. Every surface starts here.

    with Workspace.open(Path("state"), Settings.from_environment(), read_only=True) as workspace:
        problems = workspace.load()
        preview = workspace.preview()

Opened read-only, no part of it can write: agents get clients that refuse, the database is opened for reading.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from types import TracebackType
from typing import Any, Self

from controller.agents.discovery import agent_of, client_module
from controller.engine.agent import Agent, AgentHealth, Context, Failure, ReportsHealth, Retry, Setup, Stalled
from controller.engine.board import Board
from controller.engine.clock import Clock
from controller.engine.diff import plain
from controller.engine.graph import in_order
from controller.engine.index import Index
from controller.engine.manager import Manager
from controller.engine.parts import Identity, Parts
from controller.engine.passes import Pass, Verdict
from controller.engine.prune import Pruning
from controller.engine.revision import Condition as SourceCondition
from controller.engine.stores import Hold, Listener, Silent, Stores
from controller.sources.files import FilesSource
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from controller.store.stores import open_stores
from resources.conditions import Reason, Status
from resources.kinds import model_of
from resources.meta import Declared, Key, Origin, Problem
from resources.plan import Action, Plan

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
        config = os.environ.get("PEGASUS2_AGENTS_CONFIG")
        return cls(
            home=Path(os.environ.get("PEGASUS2_HOME") or "~/.pegasus2").expanduser().absolute(),
            agent_timeout=_environment_float("PEGASUS2_AGENT_TIMEOUT", 60.0),
            agents_config=Path(config).expanduser() if config else None,
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """What `apply` would do, in the order it would do it. `digest` identifies it: a saved plan carries it."""

    plans: tuple[Plan, ...]
    unchanged: tuple[Key, ...]
    failures: Mapping[Key, Failure]  # keys whose plan can't be made or carried out, and why
    holds: tuple[Hold, ...]  # deletions that are held back
    digest: str
    reported: tuple[Plan, ...] = ()  # differences that are only shown (suspended, driftPolicy Report); a note says why


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
        return not (self.timed_out or self.cancelled) and all(settled(status) for status in self.statuses.values())


def settled(status: Status) -> bool:
    """Whether nothing more is wanted of this resource: it is Ready, or its user said to leave it alone."""
    return status.ready or status.reason == Reason.SUSPENDED


class Agents:
    """The agents of this process, made when first asked for; those of one system share one client."""

    def __init__(self, setup: Setup, home: Home) -> None:
        self._setup = setup
        self._home = home
        self._clients: dict[str, Any] = {}
        self._agents: dict[str, Agent[Any, Any] | None] = {}

    def find(self, kind: str) -> Agent[Any, Any] | None:
        if kind not in self._agents:
            found = agent_of(kind)
            self._agents[kind] = found(self._client(found), self._setup_of(found)) if found else None  # type: ignore[call-arg]
        return self._agents[kind]

    def _client(self, agent: type[Agent[Any, Any]]) -> Any:
        if agent.system not in self._clients:
            self._clients[agent.system] = client_module(agent).connect(self._setup_of(agent))
        return self._clients[agent.system]

    def _setup_of(self, agent: type[Agent[Any, Any]]) -> Setup:
        setup = self._setup
        config = self._home.agent_config(agent.system)
        return Setup(setup.installation, setup.home, setup.secrets, setup.read_only, setup.timeout, config)


class Workspace:
    """One source, opened for one command."""

    def __init__(self, parts: Parts, source: FilesSource, home: Home, only: Path | None, closing: ExitStack) -> None:
        self.stores: Stores = parts.stores
        self.source = source
        self._parts = parts
        self._home = home
        self._inside = only  # a path within the source that this command is confined to
        self._closing = closing
        self._manager = Manager(parts)
        self._looked: dict[Key, Pass] = {}

    @classmethod
    def open(
        cls, path: Path, settings: Settings, *, read_only: bool = False, listener: Listener | None = None
    ) -> Workspace:
        """Raises HomeError (controller/store/home.py) when the home can't be used or another process holds it."""
        home = Home(settings.home, settings.agents_config, read_only=read_only)
        closing = ExitStack()
        try:
            if not read_only:
                closing.enter_context(home.lock())
            stores = closing.enter_context(open_stores(home))
            root, inside = _source_of(path, stores.inventory.sources())
            source = FilesSource(root, cache=None if read_only and not home.path.exists() else home.path / "cache")
            return cls(_parts(home, stores, settings, source, listener or Silent()), source, home, inside, closing)
        except BaseException:
            closing.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._manager.stop()
        self._closing.close()

    # -- desired state -----------------------------------------------------------------------------------------

    def load(self, *, partly: bool = False) -> tuple[Problem, ...]:
        """Reads the whole source. Returns what is wrong with it, in files and across resources, in file order.

        With `partly`, good documents count although others in their file are wrong.
        """
        revision = self.source.read()
        self._parts.index.take(revision, partly=partly)
        return tuple(self._parts.index.problems())

    def declared(self) -> Mapping[Key, Declared]:
        """All resources in force, children of expanding ones included."""
        return {key: entry.declared for key, entry in self._parts.index.entries().items()}

    def generation(self, key: Key) -> int:
        """The generation of a declared resource; 0 when it is not declared."""
        entry = self._parts.index.find(key)
        return entry.generation if entry else 0

    def _selected(self, only: Collection[Key] | None) -> tuple[Collection[Key], bool]:
        """The keys a command is about, and whether they are the whole source."""
        entries = self._parts.index.entries()
        if only is not None:
            return only, False
        if self._inside is None:
            return entries.keys(), self.source.is_directory
        inside = str(self._inside)
        return [k for k, e in entries.items() if _within(e.declared.origin.file, inside)], False

    # -- one-off -----------------------------------------------------------------------------------------------

    def preview(self, only: Collection[Key] | None = None, *, prune: bool = True) -> Preview:
        """Looks at the world and plans. Changes nothing. With `only`: those keys and no pruning."""
        keys, whole = self._selected(only)
        pruning = self._prune(prune and whole)
        passes = self._manager.reconciler.look([*keys, *pruning.deletes], self._parts.context, preview=True)
        self._looked = {each.key: each for each in passes}
        failures = {each.key: _failure(each) for each in passes if each.verdict in (Verdict.STALLED, Verdict.RETRY)}
        planned = {each.key: each.plan for each in passes if not each.plan.empty and each.verdict is Verdict.WORK}
        shown = [
            each for each in passes if not each.plan.empty and each.verdict in (Verdict.SUSPENDED, Verdict.REPORTED)
        ]
        reported = tuple(replace(each.plan, notes=(*each.plan.notes, each.message)) for each in shown)
        unchanged = self._looked.keys() - planned.keys() - failures.keys() - {plan.key for plan in reported}
        plans = tuple(planned[key] for key in self._in_order(planned))
        return Preview(plans, tuple(sorted(unchanged)), failures, pruning.holds, _digest(plans), reported)

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
        cancelled = cancelled or Flag()
        keys, whole = self._selected(only)
        pruning = self._prune(prune and whole)
        if prune and whole:
            self._parts.stores.holds.replace(self._parts.identity.source, pruning.holds)
        wanted = {*keys, *pruning.deletes}
        held = {key for hold in pruning.holds for key in hold.keys}
        self._settle_unchanged(wanted)
        finished = self._manager.converge(wanted - self._looked.keys() | held, timeout, cancelled)
        board = self._parts.board
        statuses = {key: status for key in wanted if (status := board.status(key))}
        stopped = cancelled.is_set()
        return Summary(statuses, tuple(self._manager.done), pruning.holds, not finished and not stopped, stopped)

    def _settle_unchanged(self, wanted: Collection[Key]) -> None:
        """What a preview has just found as declared needs no second look."""
        fine = [each for each in self._looked.values() if each.verdict is Verdict.READY and each.key in wanted]
        self._manager.reconciler.keep(fine)
        self._parts.board.settle(fine)
        self._looked = {each.key: each for each in fine}

    def delete(
        self, keys: Collection[Key], *, timeout: float = DEFAULT_TIMEOUT, cancelled: Flag | None = None
    ) -> Summary:
        """Removes things that we own and nobody declares (retained, held, orphaned) and forgets them."""
        cancelled = cancelled or Flag()
        orphans = frozenset(key for key in keys if self._parts.index.find(key) is None)
        self._manager.reconciler.prune(Pruning(orphans, ()))
        finished = self._manager.converge(orphans, timeout, cancelled)
        statuses = {key: status for key in orphans if (status := self._parts.board.status(key))}
        stopped = cancelled.is_set()
        return Summary(statuses, tuple(self._manager.done), (), not finished and not stopped, stopped)

    def _prune(self, wanted: bool) -> Pruning:
        pruning = self._manager.pruner.decide()[0] if wanted else Pruning(frozenset(), ())
        self._manager.reconciler.prune(pruning)
        return pruning

    def _in_order(self, planned: Mapping[Key, Plan]) -> Sequence[Key]:
        """Dependencies first; deletes last, dependents first."""
        index, inventory = self._parts.index, self._parts.stores.inventory
        deletes = {key for key, plan in planned.items() if plan.action is Action.DELETE}

        def recorded(key: Key) -> Collection[Key]:
            record = inventory.find(key)
            return record.dependencies if record else ()

        return [*in_order(planned.keys() - deletes, index.dependencies), *reversed(in_order(deletes, recorded))]

    # -- for ever ----------------------------------------------------------------------------------------------

    def run(self, stop: Flag) -> None:
        """The controller: watches source and world and keeps them equal until `stop` is set."""
        with self._home.pokes() as pokes:
            self._manager.run(self.source, stop, pokes)

    def agents(self) -> Mapping[str, AgentHealth]:
        """Health of the system behind every declared kind, by the system's name (docker, environment)."""
        health: dict[str, AgentHealth] = {}
        for kind in sorted({key.kind for key in self._parts.index.entries()}):
            agent = self._parts.agent_of(kind)
            if agent and agent.system not in health and isinstance(agent, ReportsHealth):
                health[agent.system] = agent.health(self._parts.context)
        return health

    def queue_depth(self) -> int:
        return self._manager.depth()

    def died(self) -> str:
        """Which part of a running controller has died; empty while all live."""
        return self._manager.died()

    def reached(self) -> Mapping[str, bool]:
        """Whether each system that work was done on answered when last asked, by its name. Asks nobody."""
        return self._manager.reached()

    def source_trouble(self) -> str:
        """What is wrong with the source as a whole (missing, unreadable, empty); "" when nothing is."""
        index = self._parts.index
        return "" if index.condition is SourceCondition.OK else f"the source is {index.condition}: {index.message}"


def _parts(home: Home, stores: Stores, settings: Settings, source: FilesSource, listener: Listener) -> Parts:
    secrets = HomeSecrets(home)
    clock = Clock()
    setup = Setup(home.installation, home.path, secrets, home.read_only, settings.agent_timeout)
    return Parts(
        index=Index(_Generations(stores), _Recall(stores, source.name)),
        agent_of=Agents(setup, home).find,
        stores=stores,
        board=Board(stores.statuses, stores.events, listener, clock),
        listener=listener,
        clock=clock,
        context=Context(secrets, listener.progressed),
        identity=Identity(home.installation, source.name, lambda name: Path(name).exists()),
    )


class _Generations:
    """Counts generations on from what earlier runs have kept."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def __call__(self, key: Key, digest: str) -> int:
        record = self._stores.inventory.find(key)
        if record and record.digest == digest:
            return record.generation
        status = self._stores.statuses.find(key)
        if status and status.digest == digest:
            return status.generation
        return max(record.generation if record else 0, status.generation if status else 0) + 1


class _Recall:
    """The last good declarations of a file that can't be used now, as the inventory has them."""

    def __init__(self, stores: Stores, source: str) -> None:
        self._stores = stores
        self._source = source

    def __call__(self, file: str) -> Sequence[Declared]:
        recalled = []
        for record in self._stores.inventory.records(self._source).values():
            if record.file == file and record.owner is None and record.digest and (model := model_of(record.key.kind)):
                recalled.append(Declared(model.model_validate_json(record.applied), Origin(file), record.digest))
        return recalled


def _source_of(path: Path, known: Collection[str]) -> tuple[Path, Path | None]:
    """The source a path belongs to, and the path itself when it is only a part of that source."""
    real = path.resolve()
    for name in known:
        if _within(str(real), name) and str(real) != name and Path(name).is_dir():
            return Path(name), real
    return real, None


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _failure(each: Pass) -> Failure:
    if each.verdict is Verdict.STALLED:
        return Stalled(each.reason, each.message)
    return Retry(each.reason, each.message, each.after)


def _digest(plans: Sequence[Plan]) -> str:
    """Identifies what is to be done, field by field; the order in which plans were made does not count."""
    lines = sorted(
        json.dumps([str(plan.key), plan.action, [[c.path, plain(c.observed), plain(c.desired)] for c in plan.changes]])
        for plan in plans
    )
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _environment_float(name: str, default: float) -> float:
    """A number of seconds from the environment. Raises ValueError naming the variable."""
    text = os.environ.get(name, "")
    try:
        return float(text) if text else default
    except ValueError:
        raise ValueError(f'cannot read {name}="{text}": write a number of seconds') from None
