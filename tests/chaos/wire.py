"""A wire between p2 and an API server that can be cut, be down, or go silent: a TCP proxy of the test's own."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import urlsplit

from tests.apiserver import Kubernetes


class Wire:
    """To the API server of `cluster`; `kubeconfig` leads through it."""

    def __init__(self, cluster: Kubernetes, directory: Path) -> None:
        there = urlsplit(cluster.server)
        self._there = (there.hostname or "", there.port or 443)
        self._ends: set[socket.socket] = set()
        self._lock = Lock()
        self._mute: set[socket.socket] = set()
        self._takes = True
        self.connections = 0  # that were made, in all
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.kubeconfig = directory / "kubeconfig-through-the-wire"
        said = cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json").json
        said["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.kubeconfig.write_text(json.dumps(said))
        Thread(target=self._accept, name="wire", daemon=True).start()

    def cut(self) -> None:
        """Ends all connections there are, at once. New ones are taken unless it is `down`."""
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def down(self) -> None:
        """Cut, and every new connection is ended as soon as it is made."""
        self._takes = False
        self.cut()

    def up(self) -> None:
        self._takes = True

    def silence(self) -> None:
        """Nothing comes through the connections there are, and nobody is told, as when a router forgets them. New ones work."""
        with self._lock:
            self._mute |= self._ends

    def close(self) -> None:
        self._takes = False
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._takes:
                near.close()
                continue
            self.connections += 1
            try:
                far = socket.create_connection(self._there, timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._ends |= {near, far}
            for one, other in ((near, far), (far, near)):
                Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while read := one.recv(65536):
                if one not in self._mute:
                    other.sendall(read)
        with self._lock:
            self._ends -= {one, other}
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
