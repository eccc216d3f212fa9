"""The loop: takes what sources and watches say, keeps the queue, and settles what the lanes have done.

`converge` works a set of keys until nothing more can be done about them (`p2 apply`); `run` goes on until it is told to stop
(`p2 run`). Both are the same lanes over the same queue; they differ in who adds keys and when it ends. A running one can be
asked to `converge`, too: then it goes on afterwards.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from threading import Condition, Lock, Thread
from threading import Event as Flag
from typing import Any

from controller.engine.agent import Agent, Done, Failure, Retry, Seen, Watches, lane_of
from controller.engine.asking import observe
from controller.engine.brakes import put_on, released
from controller.engine.chronicle import Chronicle
from controller.engine.errand import Errand
from controller.engine.history import Ending
from controller.engine.index import Edits
from controller.engine.lane import Lane
from controller.engine.latencies import Latencies
from controller.engine.ledger import recorded
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Subject, Verdict, ended, subject_of
from controller.engine.pruner import Pruner
from controller.engine.queue import Priority, Queue
from controller.engine.reconcile import Reconciler
from controller.engine.requests import Request
from controller.engine.revision import QUIET, Revision, Source
from controller.engine.schedule import Schedule
from controller.engine.scope import LiveScope
from controller.engine.stores import Brake, Level, NotKept
from controller.engine.telling import Teller
from controller.engine.watching import watch
from resources.conditions import Reason
from resources.meta import DeletionPolicy, Key, Resource
from resources.plan import Action

log = logging.getLogger(__name__)

RESTART_WAITS = 60.0  # seconds for a change that is under way
TRIES = 5  # failures of one key before who waits for it gives it up


class Manager:
    """One per process. Implements the lanes' `Desk`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._index = parts.index
        self._agent_of = parts.agent_of
        self._overrides = parts.stores.overrides
        self._board = parts.board
        self._listener = parts.listener
        self._clock = parts.clock
        self._queue = Queue(parts.clock.monotonic)
        self.chronicle = Chronicle(parts, tired=lambda key: self._queue.failures(key) >= TRIES)
        self.reconciler = Reconciler(parts, self.chronicle)
        self.pruner = Pruner(parts)
        self._schedule = Schedule(self._queue, parts.index)
        self._lanes: dict[str, Lane] = {}
        self._lock = Condition()
        self._taking = Lock()  # one at a time changes what is desired: the source, or the user
        self._patient = True  # whether keys are tried for ever: not in a one-off run
        self._cancel = Flag()  # of a one-off run
        self._errands: list[Errand] = []
        self._blocked: set[Key] = set()
        self._ended = False
        self._latencies = Latencies(parts.listener)
        self._settling_in: Flag | None = None  # of a controller that has just come: set when it is over
        self._taken_at = 0.0  # monotonic seconds, when the last revision was taken in
        self.begun = Flag()  # the first revision, which says what was applied before, is taken in
        self._threads: list[Thread] = []
        self._teller = Teller(parts)

    # -- until it is done --------------------------------------------------------------------------------------

    def converge(self, errand: Errand, timeout: float) -> bool:
        """Works until the keys of `errand` are settled. Returns whether they were, within `timeout` seconds and uncancelled.

        When a system was lost meanwhile, all that it has is looked at again, what was settled before included: it may have
        come back as another one. Raises NotKept when what was done can't be kept: going on would only make it worse.
        """
        self._patient, self._cancel = False, errand.cancelled
        self._schedule.resyncs = False
        with self._minding(errand):  # of what is finished while it stops, too
            settled = self._attend(errand, timeout)
            if not settled:
                self._parts.context.cancelled.set()  # what can be broken off half-way (a pull) is
            self.stop()
        self._close_history(settled, errand.cancelled.is_set())
        if errand.not_kept:
            raise errand.not_kept
        return settled

    def _close_history(self, settled: bool, cancelled: bool) -> None:
        if settled:
            self.chronicle.end(Ending.FAILED, "not all is as declared")
        elif cancelled:
            self.chronicle.end(Ending.INTERRUPTED, "stopped before all was done")
        else:
            self.chronicle.end(Ending.FAILED, "not all was Ready in the time given")

    def attend(self, errand: Errand, timeout: float) -> bool:
        """As `converge`, beside whatever else is done: the loop goes on. What failed before is tried anew, and at once.

        Ends when the loop does.
        """
        with self._minding(errand):
            return self._attend(errand, timeout)

    @contextmanager
    def _minding(self, errand: Errand) -> Iterator[None]:
        with self._lock:
            self._errands.append(errand)
        try:
            yield
        finally:
            with self._lock:
                self._errands.remove(errand)

    def _attend(self, errand: Errand, timeout: float) -> bool:
        give_up = self._clock.monotonic() + timeout
        for key in errand.everything:
            self._queue.reset(key)
            self.reconciler.forgive(key)
        self._add(errand.begun(), Priority.EDIT)
        with self._lock:
            while self._unsettled(errand) and not (
                self._ended or errand.not_kept or errand.cancelled.is_set() or self._clock.monotonic() >= give_up
            ):
                # The cancelling flag is set by a signal, which does not notify; so look at it now and then.
                self._lock.wait(min(0.2, max(0.0, give_up - self._clock.monotonic())))
            return not self._unsettled(errand)

    def _unsettled(self, errand: Errand) -> bool:
        if not errand.unsettled(self._blocked) and (shaken := errand.shaken()):
            again = {key for key in errand.everything if (lane := self._lane_of(key)) and lane.name in shaken}
            errand.reopen(again)
            self._add(again, Priority.DRIFT)
        return errand.unsettled(self._blocked)

    # -- for ever ----------------------------------------------------------------------------------------------

    def run(self, source: Source, stop: Flag, pokes: Iterable[None]) -> None:
        """Watches `source` and the world until `stop` is set. `pokes` yields whenever the user has said something."""
        self._start("pokes", self._obey, pokes)
        self._cancel = stop  # begins nothing new, though it takes a moment until all have ended
        self._settling_in = Flag()
        Thread(target=self._settle_in, args=(self._settling_in, stop), name="settling-in", daemon=True).start()
        watched: set[str] = set()
        for revision in source.watch(stop):
            edits = self.take(revision)
            self.begun.set()
            if not watched:  # the first reading stays: the collector need not visit it again and again
                gc.collect()
                gc.freeze()
            for kind in {key.kind for key in edits.edited} - watched:
                watched.add(kind)
                if (agent := self._agent_of(kind)) and isinstance(agent, Watches):
                    scope = LiveScope(self._index, kind)
                    self._start(f"{kind}-watch", watch, kind, agent, scope, stop, self._hint, self._relist)
        self.stop()
        self.chronicle.end(Ending.INTERRUPTED, "the controller was stopped")

    def _settle_in(self, over: Flag, stop: Flag) -> None:
        """What had left before we came goes when it has been quiet: the first reading may have met a file half written."""
        while not stop.wait(QUIET / 8) and not over.is_set():
            if self.begun.is_set() and self._clock.monotonic() - self._taken_at >= QUIET:
                self.let_go()

    def let_go(self) -> None:
        """Lets go now what had left before this controller came, without waiting for quiet."""
        if self._settling_in and not self._settling_in.is_set():
            self._settling_in.set()
            self.prune_again()

    def _write_down(self, revision: Revision, edits: Edits) -> None:
        """The history knows of a revision before anybody works on it."""
        new = edits.edited if self.begun.is_set() else {key for key in edits.edited if not self._applied(key)}
        try:
            self.chronicle.read(revision)
            self.chronicle.take(new | edits.removed)
        except NotKept as error:  # written with the first change, which is not made without
            log.warning("a revision could not be kept", extra={"cause": str(error)})

    def _start(self, name: str, work: Callable[..., None], *arguments: Any) -> None:
        thread = Thread(target=work, args=arguments, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def died(self) -> str:
        """Which part of the loop has ended although it should not have; empty while all are alive."""
        parts = {thread.name: thread.is_alive() for thread in self._threads}
        with self._lock:
            parts |= {f"{lane.name}-look": lane.alive for lane in self._lanes.values()}
        return ", ".join(sorted(name for name, alive in parts.items() if not alive))

    def stuck(self, seconds: float) -> str:
        """Which lanes have looked at the same keys, or left due ones lying, for longer than this; empty while all move."""
        with self._lock:
            looking = {lane.name for lane in self._lanes.values() if lane.looking() > seconds}
        return ", ".join(sorted(looking | set(self._queue.stuck(seconds))))

    def take(self, revision: Revision, *, partly: bool = False) -> Edits:
        """Makes `revision` what is desired, and queues what that changes; `partly` as in `Index.take`."""
        with self._taking:
            edits = self._index.take(revision, partly=partly)
            self._taken_at = self._clock.monotonic()
            self._write_down(revision, edits)
            self._take(edits, revision.at, revision.orders)
        return edits

    def unchanging(self) -> AbstractContextManager[Any]:
        """What is desired stays as it is while the body runs."""
        return self._taking

    def prune_again(self) -> None:
        """Decides anew what may go: something was removed by other hands."""
        with self._taking:
            self.prune()

    def _take(self, edits: Edits, at: float, orders: Mapping[Key, DeletionPolicy]) -> None:
        self.pruner.note(edits, orders)
        self.prune()
        for key in edits.edited:
            self._queue.reset(key)
            if self.begun.is_set() or not self._applied(key):
                self._latencies.edited(key, at)
        self._add(edits.edited, Priority.EDIT)
        self._add(edits.touched, Priority.EDIT)
        self._add(edits.moved | edits.removed | orders.keys(), Priority.RESYNC)

    def _applied(self, key: Key) -> bool:
        """Whether what is desired of `key` was applied before, by an earlier run: then it is no edit to be measured."""
        entry, record = self._index.find(key), self._parts.stores.inventory.find(key)
        return entry is not None and record is not None and record.digest == entry.digest

    def prune(self) -> None:
        """Decides again what may be deleted, and tells what is held."""
        pruning, news = self.pruner.decide()
        self.pruner.protect(pruning)
        if self._settling_in and not self._settling_in.is_set():
            # An order need not wait, unless something goes with it that does: that may be what has to go first.
            ordered = pruning.deletes <= self.pruner.ordered
            pruning = replace(pruning, deletes=pruning.deletes if ordered else frozenset())
        self.reconciler.prune(pruning)
        self._add(pruning.deletes, Priority.EDIT)
        for hold in news:
            self._add(hold.keys, Priority.RESYNC)
        self._teller.tell(pruning.holds, news)

    def _obey(self, pokes: Iterable[None]) -> None:
        """What the user says (suspend, resume, confirm, pause, unpause) while the controller runs."""
        before, braked = self._overrides.suspended(), self._parts.stores.brakes.all()
        for _ in pokes:
            try:
                before = self._take_overrides(before)
                braked = self._take_brakes(braked)
            except NotKept as error:
                log.warning("what the user said could not be read", extra={"cause": str(error)})

    def _take_overrides(self, before: frozenset[Key]) -> frozenset[Key]:
        confirmed = self._overrides.confirmed(self._parts.identity.source)
        suspended = self._overrides.suspended()
        with self._taking:
            self._take(self._index.give_up(confirmed), self._clock.monotonic(), {})
            self._add(self._index.with_children(before ^ suspended) | confirmed, Priority.EDIT)
        return suspended

    def _take_brakes(self, before: Sequence[Brake]) -> Sequence[Brake]:
        """Looks at everything again when a brake was put on or taken off. Who did it has recorded the event."""
        now = self._parts.stores.brakes.all()
        if now != before:
            for brake in now:
                if brake not in before:
                    self._listener.recorded(put_on(brake))
            if not now:
                self._listener.recorded(released(before, "", self._clock.wall()))
            with self._taking:
                self.prune()
                everything = list(self._index.entries())
                for key in everything:
                    self._queue.reset(key)
                self._add(everything, Priority.EDIT)
        return now

    def _relist(self, keys: Sequence[Key]) -> None:
        """A watch has (again) connected: what happened meanwhile is unknown, and the system is there."""
        for key in keys[:1]:
            if lane := self._lane_of(key):
                lane.nudge()
        for key in keys:
            self._queue.reset(key)  # what failed because the system was away need not wait any longer
        self._hint(keys)

    def _hint(self, keys: Sequence[Key]) -> None:
        now = self._clock.monotonic()
        for key in keys:
            self._latencies.hinted(key, now)
        self._add(keys, Priority.DRIFT)

    # -- queue and lanes ---------------------------------------------------------------------------------------

    def _add(self, keys: Iterable[Key], priority: Priority) -> None:
        by_lane: dict[str, list[Key]] = {}
        for key in keys:
            if lane := self._lane_of(key):
                by_lane.setdefault(lane.name, []).append(key)
        for name, own in by_lane.items():
            self._listener.queued(own)
            self._queue.add_all(name, own, priority)

    def _lane_of(self, key: Key) -> Lane | None:
        agent = self._agent_of(key.kind)
        if agent is None:
            message = f"cannot find an agent for the kind {key.kind}: install the package that brings it"
            self.settle("", [ended(key, Verdict.STALLED, Reason.UNKNOWN_KIND, message)])
            return None
        name = self._lane_name(agent, key)
        with self._lock:
            lane = self._lanes.get(name)
            if lane is None:
                lane = Lane(name, agent, self._queue, self.reconciler, self, self._parts)
                self._lanes[name] = lane
                lane.start()
        return lane

    def _lane_name(self, agent: Agent[Any, Any], key: Key) -> str:
        """By what is desired; of what is declared no more, by what was applied last."""
        if type(agent).place is Agent.place:
            return agent.system
        if entry := self._index.find(key):
            return lane_of(agent, entry.resource)
        record = self._parts.stores.inventory.find(key)
        return lane_of(agent, recorded(record) if record else None)

    def _lane_for(self, key: Key) -> str:
        """Where a key belongs by now: its resource may have moved to another of its agent's systems."""
        agent = self._agent_of(key.kind)
        return self._lane_name(agent, key) if agent else ""

    def stop(self) -> None:
        """Finishes what is in flight, begins nothing new."""
        self._queue.close()
        with self._lock:
            self._ended = True
            self._lock.notify_all()
        stopped: list[Lane] = []
        while left := [lane for lane in list(self._lanes.values()) if lane not in stopped]:
            for lane in left:  # what ends in one of them may just have opened another
                lane.stop()
            stopped += left

    @property
    def ended(self) -> bool:
        """Whether it was stopped."""
        return self._ended

    def depth(self) -> int:
        return self._queue.depth()

    def reached(self) -> dict[str, bool]:
        """Whether each lane's system answered when it was last asked."""
        return {name: lane.breaker.reached for name, lane in list(self._lanes.items())}

    # -- by order ----------------------------------------------------------------------------------------------

    def restart(self, key: Key, resource: Resource, request: Request) -> Done | Failure:
        """Restarts a thing as it is, between two passes over its key; what that stirs up is no drift. Raises NotKept."""
        from controller.engine.restarting import restarted

        agent = self._agent_of(key.kind)
        assert agent is not None
        lane = self._lane_name(agent, key)
        if not self._queue.hold(lane, key, RESTART_WAITS):
            return Retry(
                Reason.TIMEOUT, f"cannot restart {key.short}: it is being changed; try again when that is done"
            )
        try:
            with self.reconciler.changing_by_hand(key):
                return restarted(self._parts, agent, key, resource, request)
        finally:
            self._queue.done(lane, key)

    # -- the lanes' desk ---------------------------------------------------------------------------------------

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def starting(self, each: Pass) -> None:
        self._listener.started(each.plan)

    def carried(self, each: Pass, seconds: float) -> None:
        failed = {Verdict.RETRY: "retry", Verdict.STALLED: "stalled"}.get(each.verdict, "done")
        outcome = failed if each.carried_out is Action.NONE else "done"  # done it is, whatever a second look says of it
        done = each.done or each.plan
        self._listener.finished(done, outcome, seconds)
        if outcome == "done":
            with self._lock:
                for errand in self._errands:
                    errand.carried(done)

    def not_kept(self, lane: str, error: NotKept) -> None:
        if self._patient:
            log.warning("a pass could not be kept", extra={"agent": lane, "cause": str(error)})
        with self._lock:
            for errand in self._errands:
                errand.not_kept = error
            self._lock.notify_all()

    def lost(self, lane: str, message: str) -> None:
        self._board.record(None, Level.WARNING, Reason.AGENT_UNAVAILABLE, message)
        mine = self._keys_of(lane)
        self._board.unknown(mine, message)
        self._add(self._owners(mine), Priority.DRIFT)

    def regained(self, lane: str) -> None:
        self._board.record(None, Level.NORMAL, "AgentAvailable", f"the {lane} agent reaches its system again")
        mine = self._keys_of(lane)
        for key in mine:
            self._queue.reset(key)
        self._add(mine, Priority.DRIFT)

    def _keys_of(self, lane: str) -> list[Key]:
        kinds = {key.kind for key in list(self._index.entries())}
        system = lane.partition("/")[0]
        own = {kind: agent for kind in kinds if (agent := self._agent_of(kind)) and agent.system == system}
        entries = list(self._index.entries().items())
        return [key for key, entry in entries if key.kind in own and lane_of(own[key.kind], entry.resource) == lane]

    def settle(self, lane: str, passes: Sequence[Pass]) -> None:
        """Keeps the statuses, says when each key comes next, and wakes those that waited for it."""
        if not passes:
            return
        turned = self._board.settle(passes)
        self.pruner.gone(each.key for each in passes if each.verdict is Verdict.GONE)
        self.chronicle.settled(passes)
        for each in passes:
            self._latencies.settled(each, self._clock.monotonic())
            if lane:
                self._schedule.settle(lane, each, self._lane_for(each.key) or lane)
        with self._lock:
            for each in passes:
                for errand in self._errands:
                    errand.settle(each, lane, given_up=self._given_up(each, lane))
                if each.verdict is Verdict.AWAITING or (each.verdict is Verdict.BLOCKED and each.after is None):
                    self._blocked.add(each.key)
                else:
                    self._blocked.discard(each.key)
            woken, owners = self._woken(turned, passes), self._owners(each.key for each in passes)
            self._blocked -= woken | owners
            for errand in self._errands:
                errand.reopen(owners)
            self._add(woken, Priority.EDIT)
            self._roll_out(passes)
            self._add(owners, Priority.DRIFT)
            self._lock.notify_all()
        if self._patient and any(self._left_meanwhile(each) for each in passes):
            with self._taking:
                self.prune()

    def _left_meanwhile(self, each: Pass) -> bool:
        """Whether a thing was made or changed while its resource left the desired state."""
        return each.carried_out not in (Action.NONE, Action.DELETE) and self._index.find(each.key) is None

    def _given_up(self, each: Pass, lane: str) -> bool:
        """Whether a failure is one that nobody should wait to see the end of."""
        if each.verdict is not Verdict.RETRY:
            return False
        if each.reason == Reason.AGENT_UNAVAILABLE:
            return lane not in self._lanes or not self._lanes[lane].breaker.answered
        return self._queue.failures(each.key) >= TRIES

    def _woken(self, turned: Sequence[Key], passes: Sequence[Pass]) -> set[Key]:
        """Keys that waited for what turned Ready or was deleted; and those whose dependency did while they were looked at."""
        woken = {dependent for key in turned for dependent in self._index.dependents(key)}
        for each in passes:
            if each.verdict is Verdict.GONE and each.subject and each.subject.record:
                woken |= each.subject.record.dependencies
                woken |= {owner} if (owner := each.subject.record.owner) else set()
            elif self._waits_in_vain(each):
                woken.add(each.key)
        return woken & self._blocked

    def _roll_out(self, passes: Sequence[Pass]) -> None:
        """Has everything looked at again that is made from what was changed, by whoever waits for it, too.

        And what a thing is made from that was made anew: what it was made from before may be kept for it no longer.
        """
        changed = [each for each in passes if each.carried_out not in (Action.NONE, Action.DELETE) and each.subject]
        made = {key for each in changed for key in self._made_from(subject_of(each))}
        anew = (each.key for each in changed if each.carried_out is Action.REPLACE)
        made |= {key for each in anew for key in self._index.dependencies(each) if self._rolls_out(key)}
        for errand in self._errands if made else ():
            errand.reopen(made & errand.everything)
        if not self._patient:  # a command changes nothing but what it is about
            made &= {key for errand in self._errands for key in errand.everything}
        self._add(made, Priority.DRIFT)

    def _rolls_out(self, key: Key) -> bool:
        agent = self._agent_of(key.kind)
        return agent is not None and agent.rolls_out

    def _made_from(self, subject: Subject) -> Iterator[Key]:
        """What needs it, and is another one when it has changed; what is read may have been written just now."""
        for key in self._index.dependents(subject.key):
            entry = self._index.find(key)
            if subject.agent.rolls_out or (entry and any(True for _ in entry.declared.contents())):
                yield key

    def _owners(self, keys: Iterable[Key]) -> set[Key]:
        """What stands for any of `keys`: how they are is how it is."""
        found = (self._index.find(key) for key in keys)
        return {entry.owner for entry in found if entry and entry.owner}

    def _waits_in_vain(self, each: Pass) -> bool:
        """Whether what this pass found to wait for has come about meanwhile."""
        if each.verdict is Verdict.AWAITING and each.subject:
            seen = observe(each.subject.agent, [each.subject.resource], self._parts.context)[each.key]
            return isinstance(seen, Seen) and not seen.health.awaits
        if each.reason == Reason.DEPENDENCY_NOT_READY:
            return self.reconciler.waits_for(each.key) is None
        return each.reason == Reason.DELETING and self.reconciler.deletion_waits_for(each.key) is None
