"""The engine's own time for the work that Pegasus2 does: its HTTP API, called with nothing in between.

The other Docker benchmarks take their baselines from here; run by itself it shows what the engine allows.
"""

from __future__ import annotations

import http.client
import io
import itertools
import json
import os
import shutil
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fleet import IMAGE, Fleet
from timing import Contestant, Report, clocked, comparison, interleave
from workbench import Bench

SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
IN_FLIGHT = 4  # creates under way at once: more do not help, see the report of `run`


class _UnixConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


class Engine:
    """One kept-alive connection to the engine. For one thread."""

    def __init__(self) -> None:
        self._connection = _UnixConnection("localhost")

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer. Raises RuntimeError with the engine's own words, but takes "not modified" for success."""
        encoded = None if body is None else json.dumps(body)
        self._connection.request(method, path, encoded, {"Content-Type": "application/json"} if encoded else {})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text and "json" in answer.headers.get("Content-Type", "") else None

    def containers(self, label: str) -> list[dict[str, Any]]:
        filters = quote(json.dumps({"label": [label]}))
        listed: list[dict[str, Any]] = self.call("GET", f"/containers/json?all=1&filters={filters}")
        return listed

    def start_new(self, name: str, spec: object) -> str:
        identity: str = self.call("POST", f"/containers/create?name={name}", spec)["Id"]
        self.call("POST", f"/containers/{identity}/start")
        return identity

    def remove(self, name: str) -> None:
        self.call("DELETE", f"/containers/{name}?force=1&v=1")

    def events(self, label: str, types: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The engine's events of the containers with a label, as they come. Blocks; takes the connection for itself."""
        filters = quote(json.dumps({"label": [label], "type": ["container"], "event": list(types)}))
        self._connection.request("GET", f"/events?filters={filters}")
        for line in self._connection.getresponse():
            yield json.loads(line)


@contextmanager
def fleet_gone_after(fleet: Fleet) -> Iterator[None]:
    """Removes all containers that carry the fleet's label, whoever made them."""
    try:
        yield
    finally:
        remove_fleet(fleet)


def remove_fleet(fleet: Fleet) -> None:
    in_parallel(lambda engine, name: engine.remove(name), [c["Id"] for c in Engine().containers(fleet.label)])


def create_fleet(fleet: Fleet, in_flight: int = IN_FLIGHT) -> None:
    in_parallel(lambda engine, name: engine.start_new(name, fleet.raw(name)), fleet.names, in_flight)


def in_parallel(work: Callable[[Engine, str], object], names: Sequence[str], in_flight: int = IN_FLIGHT) -> None:
    """Calls `work` for each name from so many threads, each with a connection of its own."""
    own = threading.local()

    def connect() -> None:
        own.engine = Engine()

    with ThreadPoolExecutor(in_flight, initializer=connect) as pool:
        list(pool.map(lambda name: work(own.engine, name), names))


def list_and_inspect(engine: Engine, fleet: Fleet) -> None:
    """What a comparison of every field needs at the least."""
    for found in engine.containers(fleet.label):
        engine.call("GET", f"/containers/{found['Id']}/json")


def replace_quickly(engine: Engine, name: str, spec: object) -> None:
    """The shortest way to a changed container. It has nothing to go back to when the new one does not start."""
    engine.remove(name)
    engine.start_new(name, spec)


def replace_safely(engine: Engine, name: str, spec: object) -> None:
    """The requests of a replacement that can be undone until the new container runs. Returns when it runs."""
    old: str = engine.call("GET", f"/containers/{name}/json")["Id"]
    new: str = engine.call("POST", f"/containers/create?name={name}-new", spec)["Id"]
    engine.call("POST", f"/containers/{old}/update", {"RestartPolicy": {"Name": "no"}})
    engine.call("POST", f"/containers/{old}/stop")
    engine.call("POST", f"/containers/{old}/rename?name={name}-old")
    engine.call("POST", f"/containers/{new}/rename?name={name}")
    engine.call("POST", f"/containers/{new}/start")


@contextmanager
def restorer(fleet: Fleet) -> Iterator[None]:
    """Makes a container anew as soon as the engine says that it was destroyed: drift correction with nothing around it.

    It is over before the fleet is removed, or it would bring that back.
    """
    over = threading.Event()

    def restore() -> None:
        engine = Engine()
        for event in Engine().events(fleet.label, ["destroy"]):
            if over.is_set():
                return
            if (name := event["Actor"]["Attributes"]["name"]) in fleet.names:
                engine.start_new(name, fleet.raw(name))

    threading.Thread(target=restore, daemon=True).start()
    try:
        yield
    finally:
        over.set()


class Clock:
    """Knows when each container of a fleet was last destroyed and started, in the engine's own time."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._at: dict[tuple[str, str], float] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for event in Engine().events(self._fleet.label, ["destroy", "start"]):
            with self._changed:
                self._at[event["Action"], event["Actor"]["Attributes"]["name"]] = event["timeNano"] / 1e9
                self._changed.notify_all()

    def after(self, action: str, name: str, since: float, patience: float = 30.0) -> float:
        """When (seconds since the epoch) `name` was destroyed or started next after `since`. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._at.get((action, name), 0) > since, patience):
                raise TimeoutError(f"no {action} of {name} within {patience:g} s")
            return self._at[action, name]


def need_image() -> None:
    """Imports an image that holds a static busybox and nothing else, unless it is there already."""
    engine = Engine()
    try:
        engine.call("GET", f"/images/{IMAGE}/json")
    except RuntimeError:
        repository, _, tag = IMAGE.rpartition(":")
        path = f"/images/create?fromSrc=-&repo={quote(repository)}&tag={tag}"
        connection = _UnixConnection("localhost")
        connection.request("POST", path, _busybox_layer(), {"Content-Type": "application/x-tar"})
        answer = connection.getresponse()
        if answer.status >= 400:
            raise RuntimeError(f"cannot import {IMAGE}: {answer.read().decode()}") from None


def _busybox_layer() -> bytes:
    found = shutil.which("busybox")
    if found is None:
        raise SystemExit("cannot make a test image without busybox: install the package busybox-static")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(Path(found).resolve(), "bin/busybox")
        for applet in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return layer.getvalue()


def run(bench: Bench) -> Report:
    """List, inspect, create, replace and restore, with nothing but the engine at work."""
    need_image()
    watched, healed, made = Fleet("raw", 50 if bench.quick else 200), Fleet("healed", 10), Fleet("made", 50)
    with fleet_gone_after(watched), fleet_gone_after(healed), fleet_gone_after(made):
        create_fleet(watched)
        create_fleet(healed)
        reading = interleave(_reading(watched), bench.rounds(30, 10))
        with restorer(healed):
            changing = interleave([*replacing(watched), restoring(healed)], bench.rounds(100, 10))
        making = interleave(_making(made), bench.rounds(3, 1))
    return Report(
        "The Docker engine by itself",
        [
            comparison(f"{watched.size} containers there: reading", reading, "list"),
            comparison(f"{watched.size} containers there: changing one", changing, SHORTEST),
            comparison(f"create and start {made.size}", making, f"{IN_FLIGHT} in flight"),
        ],
    )


def _reading(fleet: Fleet) -> list[Contestant]:
    engine = Engine()
    return [
        Contestant("list", lambda: clocked(lambda: engine.containers(fleet.label))),
        Contestant(f"list and {fleet.size} inspects", lambda: clocked(lambda: list_and_inspect(engine, fleet))),
    ]


SHORTEST, UNDOABLE, RESTORE = "raw replace, shortest", "raw replace, undoable", "raw restore"


def replacing(fleet: Fleet) -> list[Contestant]:
    """Seconds until a changed container runs in place of one of `fleet`, which must exist."""
    engine, names = Engine(), itertools.cycle(fleet.names)

    def replaced(way: Callable[[Engine, str, object], None]) -> float:
        name = next(names)
        spec = fleet.raw(name, edition=str(time.time_ns()))
        seconds = clocked(lambda: way(engine, name, spec))
        for found in engine.containers(fleet.label):
            if found["Names"] == [f"/{name}-old"]:
                engine.remove(found["Id"])
        return seconds

    return [
        Contestant(SHORTEST, partial(replaced, replace_quickly)),
        Contestant(UNDOABLE, partial(replaced, replace_safely)),
    ]


def restoring(fleet: Fleet) -> Contestant:
    """Seconds from the engine's `destroy` event for one of `fleet`, which has a `restorer`, to its `start` event."""
    clock, names = Clock(fleet), itertools.cycle(fleet.names)
    return Contestant(RESTORE, lambda: removed_by_hand(next(names), clock))


def removed_by_hand(name: str, clock: Clock) -> float:
    """Removes a container that somebody watches over. Returns the seconds until it runs again, by the engine's events."""
    before = time.time()
    Engine().remove(name)
    destroyed = clock.after("destroy", name, before)
    return clock.after("start", name, destroyed) - destroyed


def _making(fleet: Fleet) -> list[Contestant]:
    def made(in_flight: int) -> float:
        seconds = clocked(lambda: create_fleet(fleet, in_flight))
        remove_fleet(fleet)
        return seconds

    return [Contestant(f"{n} in flight", partial(made, n)) for n in (1, 2, IN_FLIGHT, 8)]
