"""A small HTTP server on loopback: /metrics for Prometheus, /healthz and /readyz for whoever supervises. `p2 run` starts it.

It waits for requests and for nothing else: no polling, so a controller at rest stays at rest.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event as Flag
from threading import Thread

log = logging.getLogger(__name__)

DEFAULT_PORT = 9460
REQUEST_TIMEOUT = 10.0  # seconds for a client to send its request

Page = Callable[[], bytes]
Probe = Callable[[], str]  # empty when all is well, else what is not


def port_from(environment: Mapping[str, str]) -> int:
    """`PEGASUS2_METRICS_PORT`: the port on loopback, 0 for none. Raises ValueError naming the variable."""
    text = environment.get("PEGASUS2_METRICS_PORT", "")
    if not text:
        return DEFAULT_PORT
    if not text.isdecimal() or int(text) > 65535:
        raise ValueError(f'cannot read PEGASUS2_METRICS_PORT="{text}": write a port from 1 to 65535, or 0 for none')
    return int(text)


class ProbeServer:
    """Serves `metrics`, `alive` (/healthz) and `ready` (/readyz). `port` is the one it listens on."""

    def __init__(self, port: int, metrics: Page, alive: Probe, ready: Probe) -> None:
        """Raises OSError when the port can't be had. Port 0 takes a free one."""
        answers = {"/metrics": _metrics_answer(metrics), "/healthz": _answer(alive), "/readyz": _answer(ready)}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(answers))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._stopped = Flag()
        self._thread = Thread(target=self._serve, name="probes", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        # Not serve_forever, which wakes up twice a second to see whether it should end.
        while not self._stopped.is_set():
            self._server.handle_request()

    def stop(self) -> None:
        self._stopped.set()
        # Shutting a listening socket down wakes whoever waits on it.
        self._server.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.server_close()


def serve(port: int, metrics: Page, alive: Probe, ready: Probe) -> ProbeServer | None:
    """A running server; None when `port` is 0 or taken, which is worth a warning but not the controller's life."""
    if port == 0:
        return None
    try:
        return ProbeServer(port, metrics, alive, ready)
    except OSError as error:
        cause = "another process listens there" if error.errno == errno.EADDRINUSE else str(error.strerror)
        log.warning(
            "cannot serve metrics: set PEGASUS2_METRICS_PORT to a free port, or to 0 for none",
            extra={"address": f"127.0.0.1:{port}", "cause": cause},
        )
        return None


_Answer = Callable[[], tuple[int, str, bytes]]


def _metrics_answer(metrics: Page) -> _Answer:
    # https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
    return lambda: (200, "text/plain; version=0.0.4; charset=utf-8", metrics())


def _answer(probe: Probe) -> _Answer:
    def ask() -> tuple[int, str, bytes]:
        wrong = probe()
        return 503 if wrong else 200, "text/plain; charset=utf-8", f"{wrong or 'ok'}\n".encode()

    return ask


def _handler(answers: Mapping[str, _Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT

        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            if answer is None:
                self.send_error(404, explain=f"cannot find {self.path}: there are {', '.join(answers)}")
                return
            try:
                code, kind, body = answer()
            except Exception:
                log.exception("a probe failed", extra={"path": self.path})
                self.send_error(500, explain="cannot answer: the controller's log says why")
                return
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent: a scrape every few seconds is no news."""

    return Handler
