"""A small registry that can be told what to answer: limits, tokens, and what is broken. For what a real one can't be
brought to say; it speaks the same protocol, over HTTP on the loopback interface, and keeps what it was asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

DIGEST = "sha256:" + "1" * 64
USER, PASSWORD, IDENTITY = "robot", "hush-hush-1", "hush-identity-1"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: str = ""


@dataclass(frozen=True)
class Say:
    """One answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class SpeakingRegistry:
    """It has one repository, `team/app`, whose tags come three a page. `next` is said before anything else is."""

    def __init__(self) -> None:
        self.tags = [f"1.{number}" for number in range(7)]
        self.digests = dict.fromkeys(self.tags, DIGEST)
        self.next: list[Say] = []
        self.asked: list[Asked] = []
        self.tokens: set[str] = set()
        self.bearer = False  # whether it wants a token
        self.open = True  # whether tokens are given to anybody
        self.token_life: int | None = 300
        self.head = True  # whether it knows HEAD, and tells digests in headers
        self.host = ""
        self._lock = Lock()

    def asked_for(self, part: str) -> list[Asked]:
        return [each for each in self.asked if part in each.path]

    def answer(self, asked: Asked) -> Say:
        with self._lock:
            self.asked.append(asked)
            if self.next:
                return self.next.pop(0)
            if asked.path == "/token":
                return self._token(asked)
            if self.bearer and asked.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
                scope = "repository:team/app:pull"
                challenge = f'Bearer realm="http://{self.host}/token",service="speaking",scope="{scope}"'
                return Say(401, {"WWW-Authenticate": challenge})
            if asked.path.startswith("/v2/team/app/manifests/"):
                return self._manifest(asked, asked.path.rpartition("/")[2])
            if asked.path == "/v2/team/app/tags/list":
                return self._page(asked)
            return Say(404)

    def _token(self, asked: Asked) -> Say:
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        form = parse_qs(asked.body)
        known = asked.headers.get("Authorization") == basic or form.get("refresh_token") == [IDENTITY]
        if not known and (not self.open or "Authorization" in asked.headers):
            return Say(401)
        token = f"token-{len(self.tokens)}"
        self.tokens.add(token)
        life = {} if self.token_life is None else {"expires_in": self.token_life}
        return _json({"access_token" if form else "token": token, **life})

    def _manifest(self, asked: Asked, name: str) -> Say:
        if name not in self.digests:
            return Say(404)
        if not self.head:
            return (
                Say(405)
                if asked.method == "HEAD"
                else Say(200, body=f'{{"schemaVersion": 2, "tag": "{name}"}}'.encode())
            )
        return Say(200, {"Docker-Content-Digest": self.digests[name]})

    def _page(self, asked: Asked) -> Say:
        last = asked.query.get("last", [""])[0]
        start = self.tags.index(last) + 1 if last in self.tags else 0
        page = self.tags[start : start + 3]
        more = start + 3 < len(self.tags)
        link = {"Link": f'</v2/team/app/tags/list?last={page[-1]}&n=3>; rel="next"'} if more else {}
        return _json({"name": "team/app", "tags": page}, link)


def _json(content: Any, headers: Mapping[str, str] | None = None) -> Say:
    return Say(200, {"Content-Type": "application/json", **(headers or {})}, json.dumps(content).encode())


@contextmanager
def speaking_registry() -> Iterator[SpeakingRegistry]:
    registry = SpeakingRegistry()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            parts = urlsplit(self.path)
            said = registry.answer(Asked(self.command, parts.path, parse_qs(parts.query), dict(self.headers), body))
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said.body)

        do_GET = do_HEAD = do_POST = _serve

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        registry.host = f"127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()
