"""A controller at rest over converged containers: memory, CPU, and what it asks of the engine.

The controller reaches the engine through a proxy that counts its requests.
"""

from __future__ import annotations

import re
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fleet import Fleet
from pegasus import Controller, Pegasus
from raw_docker import SOCKET, fleet_gone_after, need_image
from timing import Goal, Report, Table, say
from workbench import Bench

from resources.meta import DEFAULT_NAMESPACE, Key

SETTLE = 15.0  # seconds between convergence and the first look


class Proxy(socketserver.ThreadingUnixStreamServer):
    """Passes everything on to the engine, and counts requests by method and path with the ids taken out."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Passage)
        self.requests: Counter[str] = Counter()

    def count(self, chunk: bytes) -> None:
        if found := re.match(rb"([A-Z]+) (?:/v[\d.]+)?(/[^ ?]*)", chunk):
            path = re.sub(r"/(containers|images|networks|volumes)/(?!json|create)[^/]+", r"/\1/...", found[2].decode())
            self.requests[f"{found[1].decode()} {path}"] += 1


class _Passage(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(SOCKET)
            threading.Thread(target=self._answers, args=(engine,), daemon=True).start()
            with suppress(OSError):
                while chunk := self.request.recv(65536):
                    self.server.count(chunk)
                    engine.sendall(chunk)

    def _answers(self, engine: socket.socket) -> None:
        with suppress(OSError):
            while chunk := engine.recv(65536):
                self.request.sendall(chunk)
            self.request.shutdown(socket.SHUT_RDWR)


@contextmanager
def counting_proxy(path: Path) -> Iterator[Proxy]:
    with Proxy(path) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy
        proxy.shutdown()


def run(bench: Bench) -> Report:
    if bench.baselines_only:
        return Report("The controller at rest", [], notes=["only p2 is measured here"])
    need_image()
    fleet = Fleet("rest", 20 if bench.quick else 200)
    seconds = min(bench.seconds_at_rest, 20.0) if bench.quick else bench.seconds_at_rest
    door = bench.place("proxy") / "docker.sock"
    with fleet_gone_after(fleet), counting_proxy(door) as proxy:
        source, p2 = fleet.write_manifests(bench.place("p2")), Pegasus.fresh(bench, DOCKER_HOST=f"unix://{door}")
        p2.converge(source)
        with p2.controller(source) as controller:
            controller.wait_until_settled([Key("Container", DEFAULT_NAMESPACE, name) for name in fleet.names])
            return _watched(controller, proxy, fleet.size, seconds)


def _watched(controller: Controller, proxy: Proxy, size: int, seconds: float) -> Report:
    time.sleep(SETTLE)
    proxy.requests.clear()
    used = controller.cpu_seconds()
    say(f"watching for {seconds:g} s")
    time.sleep(seconds)
    used = controller.cpu_seconds() - used
    megabytes = controller.resident_bytes() / 1e6
    share = used / seconds * 100
    rows = [
        ("resident memory", f"{megabytes:.1f} MB"),
        ("CPU", f"{share:.3f} % of a core ({used * 1e3:.0f} ms)"),
        ("requests to the engine", ", ".join(f"{n} x {what}" for what, n in proxy.requests.most_common()) or "none"),
    ]
    inspects = proxy.requests["GET /containers/.../json"]
    return Report(
        "The controller at rest",
        [Table(f"{size} converged containers, {seconds:g} s", ("", "seen"), rows)],
        [
            Goal("resident memory", 90, megabytes, "MB"),
            Goal("CPU", 0.3, share, "% of a core"),
            Goal("inspects, no resync being due", 0, inspects, "requests"),
        ],
    )
