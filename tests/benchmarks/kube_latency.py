"""A controller on Kubernetes beside one over files: edit to Ready, and removed by hand to running again, in the same rounds.

Both run at once, each with a fleet of its own on one engine. An edit is a file saved, or an object patched; kubectl's own time
is shown apart, since a process starts for it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import yaml
from controller_latency import Edits
from fleet import Fleet
from kube import Watch, cluster, is_ready, missing
from pegasus import Pegasus
from raw_docker import Clock, fleet_gone_after, need_image, removed_by_hand
from timing import Contestant, Goal, Report, Samples, comparison, interleave
from workbench import Bench

from controller.sources.cluster import Cluster
from controller.sources.objects import place
from resources.meta import DEFAULT_NAMESPACE, Key
from tests.apiserver import Kubernetes

ALLOWED = 1.5  # times what it takes in files mode
EDIT, NEW, HEAL = "files: saved -> Ready", "files: new -> Ready", "files: removed by hand -> running"
KUBE_EDIT, KUBE_NEW = "kube: patched -> Ready", "kube: new -> Ready"
KUBE_HEAL = "kube: removed by hand -> running"
APPLY, WAIT = "kubectl apply -> Ready", "kubectl apply, kubectl wait"
NOTHING = "kubectl apply, nothing to do"
KIND = "containers.pegasus2.dev"


def run(bench: Bench) -> Report:
    if why := missing():
        return Report("Files and Kubernetes, side by side", [], notes=[f"not measured here: {why}"])
    if bench.baselines_only:
        return Report("Files and Kubernetes, side by side", [], notes=["only p2 is measured here"])
    need_image()
    size = 5 if bench.quick else 50
    files, objects = Fleet("files", size), Fleet("kube", size)
    with ExitStack() as stack:
        stack.enter_context(fleet_gone_after(files))
        stack.enter_context(fleet_gone_after(objects))
        ours = stack.enter_context(_files(bench, files))
        theirs = stack.enter_context(_kube(bench, objects))
        seen = interleave([*ours, *theirs], bench.rounds(40, 5), pause=0.3)
    return Report(
        "Files and Kubernetes, side by side",
        [
            _table(seen, f"one of {size} containers edited", EDIT, KUBE_EDIT, APPLY, WAIT, NOTHING),
            _table(seen, "one container more", NEW, KUBE_NEW),
            _table(seen, f"one of {size} containers removed by hand", HEAL, KUBE_HEAL),
        ],
        [
            _within(seen, KUBE_EDIT, EDIT),
            _within(seen, APPLY, EDIT),
            _within(seen, KUBE_NEW, NEW),
            _within(seen, KUBE_HEAL, HEAL),
        ],
    )


def _table(seen: Mapping[str, Samples], heading: str, *names: str) -> Any:
    return comparison(heading, {name: seen[name] for name in names}, names[0])


def _within(seen: Mapping[str, Samples], kube: str, files: str) -> Goal:
    return Goal(f"{kube}, median, to {files}", ALLOWED, seen[kube].median / seen[files].median, "x")


@contextmanager
def _files(bench: Bench, fleet: Fleet) -> Iterator[list[Contestant]]:
    source, p2 = fleet.write_manifests(bench.place("p2")), Pegasus.fresh(bench)
    p2.converge(source)
    with p2.controller(source) as controller, controller.watching() as find:
        controller.wait_until_settled([Key("Container", DEFAULT_NAMESPACE, name) for name in fleet.names])
        edits, clock = Edits(fleet, source, controller, find), Clock(fleet)
        removed, made = itertools.cycle(reversed(fleet.names)), _more(fleet)

        def new() -> float:
            name = next(made)
            draft = source.with_suffix(".draft")
            draft.write_text(fleet.manifest(name))
            start = time.time()
            draft.replace(source / f"{name}.yaml")

            def ready() -> bool:
                status = find(Key("Container", DEFAULT_NAMESPACE, name))
                return status is not None and status.ready

            return controller.wait_for(ready) - start

        yield [
            Contestant(EDIT, edits.once),
            Contestant(NEW, new),
            Contestant(HEAL, lambda: removed_by_hand(next(removed), clock)),
        ]


@contextmanager
def _kube(bench: Bench, fleet: Fleet) -> Iterator[list[Contestant]]:
    with cluster(bench) as (found, _), closing(found.client()) as client:
        p2 = Pegasus.fresh(bench, KUBECONFIG=str(found.kubeconfig))
        found.kubectl("apply", "-f", str(fleet.write_manifests(bench.place("objects"))))
        watch = Watch(client, "Container", DEFAULT_NAMESPACE)
        with p2.operator("--node", "bench", "--default") as operator:
            watch.wait(lambda seen: all(name in seen and is_ready(seen[name]) for name in fleet.names), "the fleet")
            while not operator.is_at_rest():
                pass
            yield KubeEdits(fleet, found, client, watch, bench.place("draft") / "edit.yaml").contestants()


class KubeEdits:
    """Gives one object after another a new value in its environment: by the API, and with kubectl."""

    def __init__(self, fleet: Fleet, found: Kubernetes, client: Cluster, watch: Watch, draft: Path) -> None:
        self._fleet = fleet
        self._kubernetes = found
        self._client = client
        self._watch = watch
        self._draft = draft
        self._names = itertools.cycle(fleet.names)
        self._removed, self._made = itertools.cycle(reversed(fleet.names)), _more(fleet)
        self._clock = Clock(fleet)

    def contestants(self) -> list[Contestant]:
        return [
            Contestant(KUBE_EDIT, lambda: self._edited(self._patch)),
            Contestant(APPLY, lambda: self._edited(lambda name, edition: self._apply())),
            Contestant(WAIT, lambda: self._edited(self._apply_and_wait)),
            Contestant(NOTHING, self._applied_again),
            Contestant(KUBE_NEW, self._new),
            Contestant(KUBE_HEAL, lambda: removed_by_hand(next(self._removed), self._clock)),
        ]

    def _edited(self, edit: Callable[[str, str], object]) -> float:
        """Seconds from the beginning of `edit` until the object is Ready, and `edit` is over."""
        name, edition = next(self._names), str(time.time_ns())
        self._draft.write_text(self._fleet.manifest(name, edition))
        start = time.time()
        waited = edit(name, edition)
        ready = self._watch.ready(name, lambda spec: spec["env"]["EDITION"] == edition)
        return (time.time() if waited else ready) - start

    def _patch(self, name: str, edition: str) -> None:
        self._client.patch(_path(name), {"spec": {"env": {"EDITION": edition}}})

    def _apply(self) -> None:
        self._kubernetes.kubectl("apply", "-f", str(self._draft))

    def _apply_and_wait(self, name: str, edition: str) -> bool:
        self._apply()
        self._kubernetes.kubectl("wait", KIND, name, "--for=condition=Ready", "--timeout=60s")
        return True

    def _applied_again(self) -> float:
        """What kubectl takes by itself, with nothing to change."""
        start = time.time()
        self._apply()
        return time.time() - start

    def _new(self) -> float:
        name = next(self._made)
        body = yaml.safe_load(self._fleet.manifest(name))
        start = time.time()
        self._client.request("POST", _path(name).rpartition("/")[0], body)
        return self._watch.ready(name, bool) - start


def _path(name: str) -> str:
    return place(Key("Container", DEFAULT_NAMESPACE, name))


def _more(fleet: Fleet) -> Iterator[str]:
    """Names of containers that the fleet does not have yet."""
    return (f"{fleet.prefix}-more-{number:03}" for number in itertools.count())
