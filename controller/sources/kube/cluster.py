"""The API server of a cluster: one request at a time, as plain JSON. The only `import kubernetes_asyncio`.

`source.py`, `publishing.py` and `nodes.py` work through one; so do the commands with `--context`. Calls block, from any thread;
the requests run in an event loop of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TypeVar

from controller.sources.kube.lean import import_lean

Json = dict[str, Any]
T = TypeVar("T")

TIMEOUT = 30.0  # seconds for one request
WATCH = 60  # seconds after which a watch ends: so long at most a connection that is dead goes unnoticed
CHUNK = 500  # objects in one answer of a list
K3S = Path("/etc/rancher/k3s/k3s.yaml")
FIELD_MANAGER = "pegasus2"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ClusterError(Exception):
    """The cluster can't be used, or refused. The message begins "cannot" and says what to do."""


class Unreachable(ClusterError):
    """No answer, or none that makes sense: try again."""


class Refusal(ClusterError):
    """The API server said no. `status` is the HTTP status, `reason` the API's own CamelCase word for it."""

    def __init__(self, message: str, status: int, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class Missing(Refusal):
    """There is no such thing (404)."""


class Conflict(Refusal):
    """It has changed since it was read, or is there already (409)."""


class Forbidden(Refusal):
    """Not allowed (403). The message has the rule that is missing."""


_REFUSALS: Mapping[int, type[Refusal]] = {403: Forbidden, 404: Missing, 409: Conflict}


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the API server, for who must talk to it otherwise (kopf). Paths are files."""

    server: str
    insecure: bool
    ca_path: str | None
    certificate_path: str | None
    private_key_path: str | None
    token: str | None


class Cluster:
    """A connection to one API server, to be closed."""

    def __init__(self, context: str = "", kubeconfig: Path | None = None) -> None:
        """`context` of the kubeconfig, its current one if empty. Raises ClusterError when there is no such thing."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="cluster", daemon=True)
        self._lock, self._ended = Lock(), False
        self._thread.start()
        self.context = context
        try:
            self._client, self._configuration = self._call(_connect(context, kubeconfig))
        except BaseException:
            self._end()
            raise

    @property
    def server(self) -> str:
        """Its address."""
        return str(self._configuration.host)

    def access(self) -> Access:
        """As the kubeconfig says now: a token may be renewed."""
        found = self._configuration
        key = self._call(found.get_api_key_with_prefix("BearerToken")) or ""
        return Access(
            server=found.host,
            insecure=not found.verify_ssl,
            ca_path=found.ssl_ca_cert,
            certificate_path=found.cert_file,
            private_key_path=found.key_file,
            token=key.removeprefix("Bearer ") or None,
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str | int] | None = None,
        *,
        content: str = "application/json",
        timeout: float = TIMEOUT,
    ) -> Json:
        """The JSON that the API server answers `path` with. Raises Unreachable and Refusal."""
        return self._call(self._request(method, path, body, query or {}, content, timeout))

    def find(self, path: str) -> Json | None:
        """The object at `path`; None when there is none."""
        try:
            return self.request("GET", path)
        except Missing:
            return None

    def list(self, path: str, query: Mapping[str, str | int] | None = None) -> Sequence[Json]:
        """All objects of a collection, in pieces."""
        return self.list_at(path, query)[0]

    def list_at(self, path: str, query: Mapping[str, str | int] | None = None) -> tuple[Sequence[Json], str]:
        """As `list`, with the resourceVersion from which to `follow` what changes."""
        found: list[Json] = []
        asked: dict[str, str | int] = {"limit": CHUNK, **(query or {})}
        while True:
            answer = self.request("GET", path, query=asked)
            found += answer.get("items") or ()
            metadata = answer.get("metadata", {})
            if not (rest := metadata.get("continue")):
                return found, str(metadata.get("resourceVersion", ""))
            asked["continue"] = rest

    def follow(self, path: str, version: str, told: Callable[[Json], None]) -> Future[None]:
        """Tells of each watch event of a collection since `version`, from a thread of its own, until cancelled.

        It ends by itself from time to time, and with Unreachable or a Refusal when the API server does: begin again.
        """
        return self._begin(self._follow(path, version, told))

    def patch(self, path: str, body: Json) -> Json:
        """Merges `body` into the object. With its resourceVersion in it, raises Conflict where that has changed."""
        return self.request("PATCH", path, body, {"fieldManager": FIELD_MANAGER}, content=MERGE_PATCH)

    def close(self) -> None:
        """Harmless when it is closed already."""
        self._end(self._client.close)

    def _end(self, closing: Callable[[], Awaitable[None]] | None = None) -> None:
        """From now on every call fails, those under way included: nobody is to wait for a loop that runs no more."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        asyncio.run_coroutine_threadsafe(_break_off(closing), self._loop)
        self._thread.join(5)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._begin(work).result()
        except CancelledError as error:
            raise Unreachable("cannot ask the API server: the connection to it was closed meanwhile") from error

    def _begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            if not self._ended:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise Unreachable("cannot ask the API server: the connection to it was closed")

    async def _follow(self, path: str, version: str, told: Callable[[Json], None]) -> None:
        import aiohttp

        query: dict[str, str | int] = {
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": WATCH,
            "allowWatchBookmarks": "true",
        }
        try:
            answer = await self._answer("GET", path, None, query, "application/json", WATCH + TIMEOUT)
            async with answer:
                if answer.status >= 300:
                    _read(answer.status, await answer.read(), self.server)
                rest = b""
                async for piece in answer.content.iter_any():
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in lines:
                        told(json.loads(line))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(_unreachable(self.server, error)) from error

    async def _request(
        self, method: str, path: str, body: Any, query: Mapping[str, str | int], content: str, timeout: float
    ) -> Json:
        import aiohttp

        try:
            answer = await self._answer(method, path, body, query, content, timeout)
            async with answer:
                text = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(_unreachable(self.server, error)) from error
        return _read(answer.status, text, self.server)

    async def _answer(
        self, method: str, path: str, body: Any, query: Mapping[str, str | int], content: str, timeout: float
    ) -> Any:
        return await self._client.call_api(
            path,
            method,
            query_params=list(query.items()),
            header_params={"Content-Type": content, "Accept": "application/json"},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=timeout,
        )


async def _break_off(closing: Callable[[], Awaitable[None]] | None) -> None:
    """Ends all that is under way in the loop that it runs in, and then the loop.

    The client is closed last: a request that loses it before it is told to end may never do so.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    with suppress(Exception):
        if closing:
            await closing()
    asyncio.get_running_loop().stop()


async def _connect(context: str, kubeconfig: Path | None) -> tuple[Any, Any]:
    import_lean()
    try:
        import yaml
        from kubernetes_asyncio import client, config
    except ImportError as error:
        raise ClusterError(
            f"cannot talk to a cluster without {error.name}: install the extra kube (in a checkout: pip install '.[kube]')"
        ) from error
    place = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or ""
    if not place and not (Path.home() / ".kube" / "config").exists() and K3S.exists():
        place = str(K3S)
    configuration = client.Configuration()
    if absent := _absent(place or "~/.kube/config"):
        raise ClusterError(absent)
    try:
        await config.load_kube_config(place or None, context or None, configuration)
    except config.ConfigException as error:
        raise ClusterError(_unusable(place or "~/.kube/config", context, error)) from error
    except OSError as error:
        raise ClusterError(f"cannot read the kubeconfig {place}: {error.strerror}; make it readable") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        # The library takes it for granted that it is YAML, and a mapping. What it says may have a credential in it.
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1} is not YAML" if mark else "it is not of the form that kubectl config view shows"
        raise ClusterError(_unusable(place or "~/.kube/config", context, where)) from None
    return client.ApiClient(configuration), configuration


def _absent(place: str) -> str:
    """Why there is no kubeconfig; empty when there is one."""
    if any(Path(each).expanduser().exists() for each in place.split(os.pathsep)):
        return ""
    return f"cannot find a kubeconfig: there is no {place}; set KUBECONFIG to the one of your cluster (k3s has it in {K3S})"


def _unusable(place: str, context: str, error: Exception | str) -> str:
    if context:
        return f'cannot use the context "{context}" of {place}: {error}; kubectl config get-contexts lists them'
    return f"cannot use the kubeconfig {place}: {error}; correct it, or set KUBECONFIG to another"


def _unreachable(server: str, error: Exception) -> str:
    why = str(error) or type(error).__name__
    return f"cannot reach the API server at {server}: {why}; is it running, and is it this cluster that you mean?"


def _read(status: int, text: bytes, server: str) -> Json:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = {"message": text.decode(errors="replace")[:200]}
    if not isinstance(found, dict):
        raise Unreachable(f"cannot understand the API server at {server}: it answered with no object")
    if status < 300:
        return found
    message = str(found.get("message") or f"HTTP status {status}")
    reason = str(found.get("reason") or "")
    if status == 401:
        raise Refusal(f"cannot log in to {server}: {message}; renew the credentials in the kubeconfig", status, reason)
    if status >= 500 or status == 429:
        raise Unreachable(f"cannot get an answer from {server}: {message}")
    raise _REFUSALS.get(status, Refusal)(f"cannot do that at {server}: {message}", status, reason)
