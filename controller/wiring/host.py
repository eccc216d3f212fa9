"""Workspaces within a running controller: what a command that was sent to it works with. `p2 run` makes one host.

They share the controller's stores and clients. Looking is their own; what they want changed in the controller's source the
loop does, and they wait for it. Another source of the same home is worked by a loop of its own, for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Event as Flag
from threading import Lock

from controller.engine.errand import Errand
from controller.engine.index import Entry
from controller.engine.manager import Manager
from controller.engine.parts import Parts
from controller.engine.passes import Verdict
from controller.engine.prune import Pruning
from controller.engine.requests import Request, Requests
from controller.engine.revision import Condition, Revision
from controller.engine.stores import Listener, Silent, Stores
from controller.sources.files import FilesSource
from controller.store.errors import HomeError
from controller.store.home import Home
from controller.wiring.agents import Agents
from controller.wiring.listeners import About, Listeners
from controller.wiring.opened import Opened
from controller.wiring.outcome import Summary
from controller.wiring.revisions import Instead
from controller.wiring.settings import Settings
from controller.wiring.workspace import DEFAULT_TIMEOUT, Workspace, located, parts_of, setup_of, source_of
from resources.meta import Key, Problem
from resources.plan import Plan

ANSWER = 5.0  # seconds in which the watch of a source should say whether it has handed out everything
AGAIN = 0.2  # seconds until it is asked once more


class Host:
    """`live` is the controller's workspace, or what an operator has opened; its listener is `listeners`."""

    def __init__(self, live: Opened, listeners: Listeners, settings: Settings) -> None:
        self._live = live
        self._listeners = listeners
        self._settings = settings
        self._lock = Lock()
        self._at_work: list[Workspace] = []  # opened by commands that may change something

    @property
    def home(self) -> Home:
        return self._live.home

    @property
    def stores(self) -> Stores:
        return self._live.stores

    def open(
        self, path: Path, *, read_only: bool, listener: Listener | None = None, request: Request | None = None
    ) -> Workspace:
        """As `Workspace.open`. With `read_only` no agent has a client that could write.

        Raises HomeError when another command is changing something of the same source, if that is not the controller's.
        """
        live = self._live
        own = live if isinstance(live, Workspace) else None  # an operator's source is no directory
        root, inside = source_of(path, {live.parts.identity.source, *self.stores.inventory.sources()})
        source = own.source if own and str(root) == own.source.name else _read_once(root, self.home)
        agents = self._reading.find if read_only else live.parts.agent_of
        requests, instead = Requests(request or Request()), Instead()
        parts = parts_of(
            self.home, self.stores, source, listener or Silent(), agents, requests, instead, self._settings.node
        )
        closing = ExitStack()
        if own and source is own.source:
            parts = replace(parts, board=live.parts.board)
            workspace: Workspace = Guest(parts, own, self._listeners, inside, instead, closing)
        else:
            workspace = Workspace(parts, source, self.home, inside, instead, closing)
        workspace.beside = live
        if not read_only:
            if not own:  # what an operator holds back may have been removed
                closing.callback(live.manager.prune_again)
            closing.enter_context(self._working(workspace))
        return workspace

    def cancel(self) -> None:
        """As `Workspace.cancel`, of all that commands have under way beside the loop."""
        for workspace in tuple(self._at_work):
            workspace.cancel()

    def changing(self) -> frozenset[Key]:
        """What commands are changing just now beside the loop."""
        return frozenset().union(*(workspace.changing() for workspace in tuple(self._at_work)))

    @contextmanager
    def _working(self, workspace: Workspace) -> Iterator[None]:
        """One command at a time changes another source, as the home's lock has it where no controller runs."""
        source = workspace.source
        with self._lock:
            if not isinstance(workspace, Guest) and any(each.source.name == source.name for each in self._at_work):
                raise HomeError(
                    f"cannot start: another command is at work on {source.name} in the controller; "
                    "try again when it has ended"
                )
            self._at_work.append(workspace)
        try:
            yield
        finally:
            with self._lock:
                self._at_work.remove(workspace)

    @cached_property
    def _reading(self) -> Agents:
        return Agents(replace(setup_of(self.home, self._settings), read_only=True), self.home, {})


def _read_once(path: Path, home: Home) -> FilesSource:
    """A source that is read for one command."""
    return FilesSource(path, cache=home.path / "cache", lasts=False)


class Deeds(Silent):
    """What the controller has carried out since a command came to it: much of it is done before the command asks."""

    def __init__(self) -> None:
        self._plans: list[Plan] = []

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None:
        if outcome == "done":
            self._plans.append(plan)

    def about(self, keys: Collection[Key]) -> tuple[Plan, ...]:
        return tuple(plan for plan in self._plans if plan.key in keys)


class Guest(Workspace):
    """The controller's own source, opened for one command."""

    attended = True

    def __init__(
        self,
        parts: Parts,
        live: Workspace,
        listeners: Listeners,
        only: Path | None,
        instead: Instead,
        closing: ExitStack,
    ) -> None:
        super().__init__(parts, live.source, live.home, only, instead, closing)
        self._live = live
        self._seen_done = Deeds()
        closing.enter_context(listeners.joined(self._seen_done))
        self._listeners = listeners
        self._partly = Revision({}, whole=False)  # what is good of files with problems, if that is to count

    def load(self, *, partly: bool = False) -> tuple[Problem, ...]:
        """What the controller has read already, if that is all there is in the files; else it is read here."""
        if self.source.current(ANSWER):
            with self._live.manager.unchanging():
                problems = self._live.parts.index.problems()
            if not (problems and partly):
                self.parts = replace(self.parts, index=self._live.parts.index)
                self.manager = Manager(self.parts)
                return tuple(located(problems))
        revision = _read_once(Path(self.source.name), self.home).read()
        self._partly = Revision({}, problems=revision.problems, partial=revision.partial, whole=False)
        return self.take(revision, partly=partly)

    def asking(self) -> AbstractContextManager[None]:
        return self._live.parts.requests.given(self.parts.requests.own)

    def entries(self) -> Mapping[Key, Entry]:
        with self._live.manager.unchanging():
            return dict(super().entries())

    def decide(self, wanted: bool) -> Pruning:
        with self._live.manager.unchanging():
            return super().decide(wanted)

    def converge(
        self,
        only: Collection[Key] | None = None,
        *,
        prune: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
        cancelled: Flag | None = None,
    ) -> Summary:
        """Waits until the controller has settled everything. What it does besides, it does all the same."""
        cancelled = cancelled or Flag()
        keys, whole = self.selected(only)
        pruning = self.decide(prune and whole)
        held = {key for hold in pruning.holds for key in hold.keys}
        wanted = {*keys, *pruning.deletes}
        fine = self._fine()
        errand = Errand((wanted | held) - fine, cancelled, wanted & fine)
        finished = self._attend(errand, wanted, timeout, prune=prune and whole)
        if errand.not_kept:
            raise errand.not_kept
        statuses = {key: status for key in wanted if (status := self.parts.board.status(key))}
        stopped = cancelled.is_set() or self._live.manager.ended
        done = self._seen_done.about(wanted)
        goes_on = not finished and not self._live.manager.ended
        return Summary(statuses, done, pruning.holds, not finished and not stopped, stopped, goes_on)

    def _attend(self, errand: Errand, wanted: Collection[Key], timeout: float, *, prune: bool) -> bool:
        live, clock = self._live, self.parts.clock
        # Whoever asks for a part of it has not said that what has left meanwhile is meant to go.
        handed_out = self.source.hurry if prune else self.source.current
        give_up = clock.monotonic() + timeout
        with (
            About(errand.everything, self.parts.listener).passed_on() as about,
            live.parts.requests.lent(self.parts.requests.own, wanted),
            self._listeners.joined(about),
        ):
            if self._partly.partial:
                live.manager.take(self._partly, partly=True)
            while live.parts.index.condition is Condition.OK and not handed_out(min(ANSWER, timeout)):
                if live.manager.ended or clock.monotonic() >= give_up or errand.cancelled.wait(AGAIN):
                    return False
            if prune:
                live.manager.let_go()
            return live.manager.attend(errand, max(0.0, give_up - clock.monotonic()))

    def _fine(self) -> set[Key]:
        """What a preview has just found as declared, and the controller reports as such."""
        if not self.still_true:
            return set()
        ready = {key for key, each in self.looked.items() if each.verdict is Verdict.READY}
        return {key for key in ready if (status := self.parts.board.status(key)) and status.ready}

    def delete(
        self, keys: Collection[Key], *, timeout: float = DEFAULT_TIMEOUT, cancelled: Flag | None = None
    ) -> Summary:
        """By a loop of its own: the controller's has no business with what is not declared."""
        try:
            return super().delete(keys, timeout=timeout, cancelled=cancelled)
        finally:
            self._live.manager.prune_again()
