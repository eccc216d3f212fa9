"""The source that is a cluster: custom resources, listed once and then watched. `wiring/operator.py` makes one.

One object is one "file" of a revision. `watching.py` tells what changes; `publishing.py` writes back how things are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import Protocol

from controller.engine.revision import Revision
from controller.sources.kube.arrivals import DELETED, NOTHING, RELISTED, Arrival
from controller.sources.kube.catalogue import Catalogue, Taken
from controller.sources.kube.cluster import Cluster, ClusterError, Missing, Unreachable
from controller.sources.kube.deletions import Deletions
from controller.sources.kube.inputs import KubeInputs
from controller.sources.kube.objects import Object, collection, declared, is_later, read_object, says_the_same
from controller.sources.kube.watching import Watching
from resources import kinds
from resources.meta import Declared, DeletionPolicy, Key, Problem

log = logging.getLogger(__name__)

SURVEY = 600.0  # seconds between looks at all objects: finds what no watch told
SETTLING = 5.0  # seconds in which the watch begins: of what went between the first list and that it does not tell
AGAIN = 2.0  # seconds until a cluster that did not answer is asked again
SURVEY_AGAIN = 30.0  # seconds until a look at all objects that failed is tried again


@dataclass(slots=True)
class _Sorted:
    """What some objects amount to, that were asked for or told of since `at` (monotonic seconds)."""

    at: float
    documents: dict[str, tuple[Declared, ...]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    problems: dict[str, tuple[Problem, ...]] = field(default_factory=dict)
    orders: dict[Key, DeletionPolicy] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.documents or self.gone or self.problems or self.orders)


class Post(Protocol):
    """The operator's place among others, as the source asks and tells it."""

    def takes(self, found: Object) -> bool:
        """Whether an object is this machine's."""

    def owns(self, key: Key) -> bool:
        """Whether anything was made of a key here."""

    def parts(self, key: Key) -> Mapping[Key, bool]:
        """What was made here of all that `key` stands for, and whether each is retained."""

    def changed(self, keys: Iterable[Key]) -> None:
        """Their objects are others than before; the loop has taken that in."""

    def elsewhere(self, found: Object) -> None:
        """An object that is not for here."""

    def left(self) -> Iterable[Key]:
        """Objects that were let go while nobody was here, with their things to stay."""

    def leaving(self, found: Object, at: float) -> bool:
        """Whether an object goes, as was heard at `at`, with the definition of its kind: no order to delete what was made."""

    def keeps(self, key: Key) -> bool:
        """Whether what was made of a key that was not this machine's when it began is to stay."""

    def cluster_now(self) -> str:
        """The name of the cluster that answers now: one that comes back empty is another. Raises ClusterError."""


class KubeSource:
    """`name` as in the inventory. `namespaces`: all if empty."""

    def __init__(
        self, cluster: Cluster, name: str, catalogue: Catalogue, post: Post, namespaces: Sequence[str] = ()
    ) -> None:
        self.name = name
        self._cluster = cluster
        self._catalogue = catalogue
        self._post = post
        self._namespaces = namespaces
        self._inputs = KubeInputs()
        self._arrivals: SimpleQueue[Arrival | None] = SimpleQueue()
        self._deletions = Deletions(self._is_new_deletion)
        self._survey_due = 0.0  # monotonic seconds
        self.watching: Watching | None = None
        self.trouble = ""  # why the objects can't be looked through, for people

    def read(self) -> Revision:
        """All objects. Raises ClusterError."""
        at = time.monotonic()
        return _revision(self._sort(self._listed(), at), whole=True)

    def watch(self, stop: Flag) -> Iterator[Revision]:
        """What changes, as it changes. Waits for a cluster that does not answer."""
        first = self._first(stop)
        if first is None:
            return
        yield first
        self._post.changed(self._catalogue.keys())
        self.watching = Watching(self._cluster, self._namespaces, self._arrivals.put)
        Thread(target=self._end, args=(stop,), name="kube-end", daemon=True).start()
        self.watching.start(stop)
        self._inputs.start(stop, lambda: self._arrivals.put(("", NOTHING)))
        self._survey_due = time.monotonic() + SETTLING
        while not stop.is_set():
            arrivals = self._next(min(self._survey_due, self._deletions.due) - time.monotonic())
            at, whole = time.monotonic(), False
            if any(what == RELISTED for what, _ in arrivals):
                self._survey_due = min(self._survey_due, at + AGAIN)  # the other kinds have lost it, too
            if at >= self._survey_due:
                arrivals, whole = self._surveyed(arrivals)
                self._survey_due = at + (SURVEY if whole else SURVEY_AGAIN)
            if not whole:
                arrivals = self._deletions.sift(arrivals, at)
            keys = {found.key for _, found in arrivals if found is not NOTHING}
            revision = self._revised(arrivals, at, whole=whole)
            if revision:
                yield revision
            self._post.changed(keys)

    def _first(self, stop: Flag) -> Revision | None:
        told = ""
        while not stop.is_set():
            try:
                return self.read()
            except ClusterError as error:
                if str(error) != told:
                    log.warning("the cluster can't be read yet", extra={"cause": str(error)})
                told = str(error)
                stop.wait(AGAIN)
        return None

    def _end(self, stop: Flag) -> None:
        stop.wait()
        self._arrivals.put(None)
        if self.watching:
            self.watching.begin_again()  # which it does not, once `stop` is set

    def _next(self, seconds: float) -> list[Arrival]:
        """What arrives within this time, and all that has arrived with it. The newest of an object counts."""
        found: list[Arrival] = []
        try:
            arrival = self._arrivals.get(timeout=max(0.0, seconds))
            while True:
                if arrival is not None:
                    found.append(arrival)
                arrival = self._arrivals.get_nowait()
        except Empty:
            return found

    # -- what objects amount to ------------------------------------------------------------------------------------

    def _listed(self) -> list[Object]:
        """All objects, the oldest first: of two that claim one thing the younger has to wait."""
        found: list[Object] = []
        for kind in kinds.names():
            for namespace in self._namespaces or ("",):
                try:
                    bodies = self._cluster.list(collection(kind, namespace))
                except Missing as error:
                    raise Unreachable(
                        f"cannot find the resource definition of {kind} at {self._cluster.server}: "
                        "install it with 'p2 operator manifest | kubectl apply -f -'"
                    ) from error
                found += (read_object({"kind": kind, **body}) for body in bodies)
        return sorted(found, key=lambda each: (each.created, each.key))

    def _surveyed(self, arrivals: list[Arrival]) -> tuple[list[Arrival], bool]:
        """All objects in place of what the watch has told. Whether that worked."""
        try:
            self._refuse_another()
            listed = self._listed()
        except ClusterError as error:
            if str(error) != self.trouble:
                log.warning("the objects could not be looked through", extra={"cause": str(error)})
            self.trouble = str(error)
            return arrivals, False
        self.trouble = ""
        vanished = set(self._catalogue.keys()) - {each.key for each in listed}
        missed = vanished | {each.key for each in listed if self._is_news(each)} - {key.key for _, key in arrivals}
        if missed:
            log.warning("the watch has missed changes, and is begun again", extra={"keys": sorted(map(str, missed))})
            if self.watching:
                self.watching.begin_again()
        for key in vanished:
            self._catalogue.drop(key)
        self._deletions.forget()
        return [("", each) for each in listed], True

    def _refuse_another(self) -> None:
        """Raises ClusterError where another cluster answers than at first, or the same one with nothing in it any more."""
        if (now := self._post.cluster_now()) != self.name:
            raise ClusterError(
                f"cannot go on with the objects of {self._cluster.server}: it was {self.name} and is {now} now, as when its "
                "data was lost; nothing is deleted for what it lacks; apply the objects again, and start p2 operator again"
            )

    def _is_new_deletion(self, found: Object) -> bool:
        known = self._catalogue.find(found.key)
        return known is not None and known.object.uid == found.uid and not known.object.deleting

    def _is_news(self, found: Object) -> bool:
        known = self._catalogue.find(found.key)
        if known is None:
            return self._post.takes(found)
        return known.object.generation < found.generation

    def _revised(self, arrivals: Sequence[Arrival], at: float, *, whole: bool) -> Revision | None:
        newest = {found.key: (what, found) for what, found in arrivals if found is not NOTHING}
        result = _Sorted(at)
        for what, found in newest.values():
            if what == DELETED:
                self._deleted(found, result)
            else:
                self._take(found, result, anew=whole)
        for key in self._inputs.changed():
            if (known := self._catalogue.find(key)) and (known.digest or known.problem):
                self._take(known.object, result, anew=True)
        return _revision(result, whole=whole) if result or whole else None

    def _sort(self, objects: Iterable[Object], at: float) -> _Sorted:
        result = _Sorted(at)
        for found in objects:
            self._take(found, result, anew=True)
        there = {declared.key for documents in result.documents.values() for declared in documents}
        left = {*self._post.left()}
        left |= {part for key in left for part in self._post.parts(key)}
        result.orders |= dict.fromkeys(left - there - result.orders.keys(), DeletionPolicy.RETAIN)
        return result

    def _take(self, found: Object, result: _Sorted, *, anew: bool) -> None:
        """Adds to `result` what `found` declares, or that it is to go. With `anew` also what is as it was."""
        known = self._catalogue.find(found.key)
        if known and not anew and known.object.uid == found.uid and is_later(known.object, found):
            return  # a look at all objects has overtaken the watch, which tells of what is newer in its turn
        mine = self._post.takes(found)
        if not mine:
            self._post.elsewhere(found)
        if found.deleting or not mine:
            self._leave(found, known, result, mine=mine)
            return
        if known and not anew and says_the_same(known.object, found):
            self._catalogue.put(Taken(found, known.digest, known.problem))
            return
        usable = declared(found)
        if isinstance(usable, Declared):
            folded = self._inputs.fold(usable)
            if not folded.problems:
                result.documents[found.file] = folded.documents
                self._order_parts(folded.documents, result)
                self._catalogue.put(Taken(found, folded.documents[0].digest), looked=anew)
                return
            usable = folded.problems
        result.problems[found.file] = usable
        self._catalogue.put(Taken(found, problem="; ".join(_said(each) for each in usable)), looked=anew)

    def _leave(self, found: Object, known: Taken | None, result: _Sorted, *, mine: bool) -> None:
        """Deleted, or another machine's: what was made of it here goes, as the object says it should."""
        held = mine and found.deleting and found.held
        if held:
            self._catalogue.put(Taken(found))
        else:
            self._catalogue.drop(found.key)
        self._inputs.forget(found.key)
        if known or self._post.owns(found.key):
            result.gone.add(found.file)
        if known or held or self._post.owns(found.key):
            self._order(found, result, ours=mine or known is not None)

    def _order(self, found: Object, result: _Sorted, *, ours: bool) -> None:
        """What was made of it is to go; of what it stands for, that which does not say of itself that it is to stay."""
        policy = self._policy(found, result.at, ours=ours)
        result.orders[found.key] = policy
        for part, retained in self._post.parts(found.key).items():
            result.orders[part] = DeletionPolicy.RETAIN if retained else policy

    def _order_parts(self, documents: Sequence[Declared], result: _Sorted) -> None:
        """What an object stands for no longer by its own words alone is deleted by an order, too, as by fewer replicas."""
        owner, there = documents[0], {declared.key for declared in documents}
        if owner.resource.expands and not owner.read:
            for part, retained in self._post.parts(owner.key).items():
                if part not in there:
                    result.orders[part] = DeletionPolicy.RETAIN if retained else DeletionPolicy.DELETE

    def _policy(self, found: Object, at: float, *, ours: bool) -> DeletionPolicy:
        """What is to become of the thing of an object that is to go. `ours`: it was this machine's until now.

        What another machine's object says now is of the thing there, not of one that was left here.
        """
        stays = found.retains or (not ours and self._post.keeps(found.key)) or self._post.leaving(found, at)
        return DeletionPolicy.RETAIN if stays else DeletionPolicy.DELETE

    def _deleted(self, found: Object, result: _Sorted) -> None:
        """There is no such object any more. Mostly that comes as no surprise."""
        known = self._catalogue.find(found.key)
        if known and known.object.uid != found.uid:
            return  # one of the same name has come since
        self._catalogue.drop(found.key)
        self._inputs.forget(found.key)
        if self._post.owns(found.key) or (known and known.digest):
            result.gone.add(found.file)
            self._order(found, result, ours=known is not None)


def _revision(found: _Sorted, *, whole: bool) -> Revision:
    return Revision(
        found.documents,
        frozenset(found.gone),
        found.problems,
        whole=whole,
        at=found.at,
        orders=found.orders,
    )


def _said(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message
