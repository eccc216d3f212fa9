"""Writes back to the cluster how its objects are: status, finalizer, Events. A listener of the loop, which never waits for it.

A status is written when it says something else than the object has, so one that was edited by hand is put right, and an
operator that starts anew writes nothing. Only our own part of an object is written: the finalizer, and the status.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from threading import Lock, Thread

from controller.engine.queue import Priority, Queue
from controller.engine.stores import Event, Silent
from controller.sources.kube.catalogue import Catalogue, Taken
from controller.sources.kube.cluster import Cluster, ClusterError, Conflict, Forbidden, Json, Missing
from controller.sources.kube.events import KubeEvents
from controller.sources.kube.objects import FINALIZER, Object, place, read_object, says_the_same
from controller.sources.kube.status_document import FIELDS, alike, status_document
from resources.conditions import Reason, Status
from resources.meta import Key

log = logging.getLogger(__name__)

WRITERS = 4  # requests in flight
TRIES = 5  # in a row, at an object that others are writing, too
LAST_WORDS = 3.0  # seconds for writing what is left when it ends
REFUSED = 60.0  # seconds until what was forbidden is tried again
_LANE = "cluster"
_KEPT = frozenset({Reason.RETAINED, Reason.SUSPENDED, Reason.RECOVERED})  # why a thing stays when its object goes


class Overtaken(Exception):
    """Others have changed the object since; it is written to when that is known."""


class Publisher(Silent):
    """`kept` has the status of a key as an earlier run left it; `owns` says whether anything was made of a key."""

    def __init__(
        self,
        cluster: Cluster,
        catalogue: Catalogue,
        node: str,
        kept: Callable[[Key], Status | None],
        owns: Callable[[Key], bool],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._catalogue = catalogue
        self._node = node
        self._kept = kept
        self._owns = owns
        self._wall = wall
        self._queue = Queue(clock)
        self._events = KubeEvents(cluster, node)
        self._lock = Lock()
        self._said: dict[Key, Status] = {}
        self._released: dict[Key, str] = {}  # whose thing is gone or stays, with the uid of the object that may go
        self._threads = [Thread(target=self._write, name=f"publish-{n}", daemon=True) for n in range(WRITERS)]
        self._troubles: dict[Key, str] = {}  # why writing to an object fails

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self._events.start()

    def close(self) -> None:
        """Writes what is left, for a moment at most."""
        give_up = time.monotonic() + LAST_WORDS
        while self._queue.depth() and time.monotonic() < give_up:
            time.sleep(0.02)
        self._queue.close()
        self._events.close(max(0.0, give_up - time.monotonic()))

    @property
    def trouble(self) -> str:
        """Why statuses can't be written; empty while they can."""
        return next(iter(list(self._troubles.values())), "")

    @property
    def alive(self) -> bool:
        """Whether everything of it that should run does."""
        return self._events.alive and all(thread.is_alive() for thread in self._threads)

    # -- what is told ----------------------------------------------------------------------------------------------

    def changed(self, keys: Iterable[Key]) -> None:
        """Their objects are others than before: whatever is to be written to them may be another, too."""
        for key in keys:
            self._queue.reset(key)
            self._queue.add(_LANE, key, Priority.EDIT)

    def settled(self, key: Key, status: Status) -> None:
        taken = self._catalogue.find(key)
        if taken is None:
            return
        self._said[key] = status
        if taken.object.deleting and self._may_go(taken.object, status):
            self._release(taken.object)
        self._queue.add(_LANE, key, Priority.DRIFT)

    def gone(self, key: Key) -> None:
        self._said.pop(key, None)
        taken = self._catalogue.find(key)
        if taken and taken.object.deleting:
            self._release(taken.object)
            self._queue.add(_LANE, key, Priority.EDIT)

    def recorded(self, event: Event) -> None:
        if event.key and (taken := self._catalogue.find(event.key)):
            self._events.add(event, taken.object)

    def _release(self, found: Object) -> None:
        with self._lock:
            self._released[found.key] = found.uid

    def _may_go(self, found: Object, status: Status) -> bool:
        """Whether the thing stays although its object goes."""
        if _kept_without_object(status):
            return True
        return status.reason == Reason.UNKNOWN_KIND and (found.retains or not self._owns(found.key))

    # -- what is written -------------------------------------------------------------------------------------------

    def _write(self) -> None:
        while taken := self._queue.take(_LANE, 1):
            for key, _ in taken:
                try:
                    self._write_one(key)
                    self._queue.reset(key)
                    self._succeed(key)
                except (Missing, Overtaken):
                    # It has gone, as the watch will say. Or its kind is not served (yet), by an API server that has just started.
                    self._queue.add(_LANE, key, Priority.RETRY, self._queue.back_off(key))
                except Forbidden as error:
                    self._fail(key, error, REFUSED)
                except ClusterError as error:
                    self._fail(key, error, self._queue.back_off(key))
                except Exception:  # a writer that ends silently would leave statuses as they are for ever
                    log.exception("a status could not be written", extra={"key": key})
                    self._queue.add(_LANE, key, Priority.RETRY, self._queue.back_off(key))
                finally:
                    self._queue.done(_LANE, key)

    def _fail(self, key: Key, error: ClusterError, after: float) -> None:
        with self._lock:
            is_news = str(error) not in self._troubles.values()
            self._troubles[key] = str(error)
        if is_news:
            log.warning("statuses can't be written", extra={"cause": str(error)})
        self._queue.add(_LANE, key, Priority.RETRY, after)

    def _succeed(self, key: Key) -> None:
        """Nothing is left to be written to this object, or it is there no more."""
        with self._lock:
            was_last = self._troubles.pop(key, "") and not self._troubles
        if was_last:
            log.info("statuses are written again")

    def _write_one(self, key: Key) -> None:
        for _ in range(TRIES):
            taken = self._catalogue.find(key)
            if taken is None:
                return
            try:
                self._bring_up_to_date(taken)
                return
            except Conflict:
                self._look_again(taken)
        raise Overtaken

    def _look_again(self, taken: Taken) -> None:
        body = self._cluster.request("GET", place(taken.object.key))
        found = read_object({"kind": taken.object.key.kind, **body})
        if not says_the_same(found, taken.object):
            raise Overtaken  # by an edit, of which the watch will tell
        self._catalogue.wrote(found)

    def _bring_up_to_date(self, taken: Taken) -> None:
        found = taken.object
        if found.deleting and self._released.get(found.key) == found.uid:
            self._let_go(found)
            return
        if not found.deleting and not found.held:
            found = self._patch(found, {"finalizers": [*found.finalizers, FINALIZER]})
        status = self._said.get(found.key) or self._kept(found.key)
        if status and _kept_without_object(status) and not found.deleting:
            status = None  # it is of an object of the same name that has gone
        wanted = status_document(taken, status, self._node, self._wall())
        if wanted and not alike(found.status, wanted):
            body: Json = {"metadata": {"resourceVersion": found.version}}
            body["status"] = {name: wanted.get(name) for name in FIELDS}
            self._wrote(found, self._cluster.patch(place(found.key, "status"), body))

    def _let_go(self, found: Object) -> None:
        if found.held:
            self._patch(found, {"finalizers": [each for each in found.finalizers if each != FINALIZER]})
        with self._lock:
            self._released.pop(found.key, None)

    def _patch(self, found: Object, metadata: Json) -> Object:
        body = {"metadata": {"resourceVersion": found.version, **metadata}}
        return self._wrote(found, self._cluster.patch(place(found.key), body))

    def _wrote(self, found: Object, body: Json) -> Object:
        now = read_object({"kind": found.key.kind, **body})
        self._catalogue.wrote(now)
        return now


def _kept_without_object(status: Status) -> bool:
    """Whether it is of a thing that stays although nobody desires it. A pass over what is desired has a generation."""
    return status.generation == 0 and status.reason in _KEPT
