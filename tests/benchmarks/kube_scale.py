"""500 objects on an API server and one operator: to all Ready, memory, a minute at rest, an edit, restarts, a look at all.

Kind `File`, so that no engine is in it. What the API server was asked is read from its audit log.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from kube import Requests, Watch, cluster, is_ready, missing
from pegasus import Controller, Pegasus
from scale import Files
from timing import Goal, Report, Samples, Table, clocked, say, shown
from workbench import Bench

from controller.sources.kube.catalogue import Catalogue
from controller.sources.kube.cluster import Cluster
from controller.sources.kube.objects import Object, place
from controller.sources.kube.source import KubeSource
from resources.meta import DEFAULT_NAMESPACE, Key
from tests.apiserver import Kubernetes

TITLE = "Five hundred objects on Kubernetes"
SIZE = 500
MINUTE = 60.0
QUIET = 2.0  # seconds of next to no work after which it has come to rest
STEP = 0.1  # seconds between looks at the CPU it has used
BUSY = 0.1  # of a core
STARTED = 0.3  # seconds of CPU that it takes at the least to start


def run(bench: Bench) -> Report:
    if why := missing():
        return Report(TITLE, [], notes=[f"not measured here: {why}"])
    if bench.baselines_only:
        return Report(TITLE, [], notes=["only p2 is measured here"])
    with cluster(bench) as (found, requests), closing(found.client()) as client:
        p2 = Pegasus.fresh(bench, KUBECONFIG=str(found.kubeconfig))
        files = Files(bench.place("files"), p2.home, 50 if bench.quick else SIZE)
        files.write()
        return _Run(bench, p2, files, found, client, requests).report()


@dataclass
class _Run:
    bench: Bench
    p2: Pegasus
    files: Files
    kubernetes: Kubernetes
    client: Cluster
    requests: Requests
    rows: list[tuple[str, str]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def report(self) -> Report:
        with self.p2.operator("--node", "bench", "--default") as operator:
            _to_rest(operator)  # a first start would compile the program, and count the compiler's memory
        with self.p2.operator("--node", "bench", "--default") as operator:
            _to_rest(operator)
            self._row("memory with no objects", _megabytes(operator.resident_bytes()))
            watch = self._created(operator)
            self._at_rest(operator)
            self._edited(operator, watch)
            self._remember(operator, "memory, peak since the start")
        self._restarted("restart, nothing has changed")
        self._restarted_after_changes(watch)
        self._looked_through()
        return Report(TITLE, [Table(f"{self.files.size} Files, one operator", ("", "seen"), self.rows)], self.goals)

    def _row(self, what: str, seen: str) -> None:
        say(f"{what}: {seen}")
        self.rows.append((what, seen))

    def _remember(self, operator: Controller, what: str) -> None:
        peak = operator.peak_bytes()
        self._row(what, _megabytes(peak))
        self.goals.append(Goal(what, 150, peak / 1e6, "MB"))

    def _asked(self, since: float) -> str:
        if self.requests.path is None:
            return "not known: the API server is not ours"
        return _shown(self.requests.between(since, time.time()))

    def _created(self, operator: Controller) -> Watch:
        start = time.time()
        self.kubernetes.kubectl("apply", "-f", str(self.files.source))
        applied = time.time()
        watch = Watch(self.client, self.files.name, DEFAULT_NAMESPACE)
        names = [key.name for key in self.files.keys]
        ready = watch.wait(lambda seen: all(name in seen and is_ready(seen[name]) for name in names), "all Ready")
        _to_rest(operator)
        self._row("kubectl apply by itself", shown(applied - start))
        self._row("kubectl apply -> all Ready", f"{shown(ready - start)} ({shown(max(0.0, ready - applied))} after it)")
        self._row("requests for that", self._asked(start))
        return watch

    def _at_rest(self, operator: Controller) -> None:
        seconds = 10.0 if self.bench.quick else MINUTE
        time.sleep(5)
        say(f"watching for {seconds:g} s")
        start, used = time.time(), operator.cpu_seconds()
        time.sleep(seconds)
        used = operator.cpu_seconds() - used
        self._row("memory at rest", _megabytes(operator.resident_bytes()))
        self._row("CPU at rest", f"{used / seconds * 100:.3f} % of a core")
        self._row(f"requests in {seconds:g} s at rest", self._asked(start))
        if self.requests.path:
            asked = self.requests.between(start, time.time())
            # A watch of a kind that has no objects ends every 70 s, and begins anew where it was.
            others = sum(n for what, n in asked.items() if not what.startswith("watch ") and "leases" not in what)
            self.goals.append(Goal("requests at rest, but for Lease and watches", 2, others, "requests"))
        self.goals.append(Goal("CPU at rest", 1, used / seconds * 100, "% of a core"))

    def _edited(self, operator: Controller, watch: Watch) -> None:
        rounds = self.bench.rounds(30, 5)
        start, used, taken = time.time(), operator.cpu_seconds(), []
        for number, edition in zip(_some(self.files.size), range(rounds), strict=False):
            taken.append(self._edit(watch, number, f"edition {edition}"))
            time.sleep(0.2)
        _to_rest(operator)
        seen = Samples("", tuple(taken))
        self._row("one patched -> Ready, p50 / p99", f"{shown(seen.median)} / {shown(seen.p99)}")
        self._row("CPU an edit", shown((operator.cpu_seconds() - used) / rounds))
        self._row(f"requests for {rounds} edits, one of each is ours", self._asked(start))

    def _edit(self, watch: Watch, number: int, text: str) -> float:
        """Seconds until it is Ready with this text."""
        start = time.time()
        self._patch(number, text)
        return watch.ready(self.files.keys[number].name, lambda spec: spec["content"] == text) - start

    def _patch(self, number: int, text: str) -> None:
        self.client.patch(place(self.files.keys[number]), {"spec": {"content": text}})

    def _restarted(self, what: str) -> None:
        start = time.time()
        with self.p2.operator("--node", "bench", "--default") as operator:
            rest = _to_rest(operator)
            self._row(what, f"at rest after {shown(rest - start)}")
            self._row("requests for that", self._asked(start))
            self._remember(operator, "memory, peak of a restart")

    def _restarted_after_changes(self, watch: Watch) -> None:
        """One thing is removed by hand, and one object edited, while no operator runs."""
        numbers = _some(self.files.size)
        removed, edited = next(numbers), next(numbers)
        text = (path := self.files.path(removed)).read_text()
        path.unlink()
        self._patch(edited, "edited meanwhile")
        start = time.time()
        with self.p2.operator("--node", "bench", "--default") as operator:
            healed = operator.wait_for(lambda: self.files.shows(removed, text))
            name = self.files.keys[edited].name
            ready = watch.ready(name, lambda spec: spec["content"] == "edited meanwhile")
            self._row("restart -> removed by hand meanwhile, back", shown(healed - start))
            self._row("restart -> edited meanwhile, Ready", shown(ready - start))

    def _looked_through(self) -> None:
        """What the operator does at its start and every ten minutes: all objects read and understood."""
        source = KubeSource(self.client, "", Catalogue(), _Bystander())
        start = time.time()
        seen = Samples("", tuple(clocked(source.read) for _ in range(self.bench.rounds(7, 2))))
        self._row("all objects read", shown(seen.median))
        self._row(f"requests for {len(seen.seconds)} times that", self._asked(start))


class _Bystander:
    """The place of an operator that takes all objects and does nothing about them."""

    def takes(self, found: Object) -> bool:
        return True

    def owns(self, key: Key) -> bool:
        return False

    def parts(self, key: Key) -> Mapping[Key, bool]:
        return {}

    def changed(self, keys: Iterable[Key]) -> None:
        pass

    def elsewhere(self, found: Object) -> None:
        pass

    def left(self) -> Iterable[Key]:
        return ()

    def cluster_now(self) -> str:
        return ""


def _to_rest(operator: Controller) -> float:
    """Waits until it does next to nothing. Seconds since the epoch when that began."""
    last = time.time()
    used = operator.cpu_seconds()
    while time.time() - last < QUIET or used < STARTED:
        time.sleep(STEP)
        before, used = used, operator.cpu_seconds()
        if abs(used - before) > BUSY * STEP:
            last = time.time()
    return last


def _some(size: int) -> Iterator[int]:
    return itertools.cycle(range(0, size, max(1, size // 7)))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _shown(asked: Counter[str]) -> str:
    return ", ".join(f"{n} x {what}" for what, n in asked.most_common()) or "none"
