"""HTTP to registries: one request, its time limits, and what goes wrong on the way. Over `requests`, which the SDK brings.

`registry.py` says what is asked; nothing here knows of images. Imported when a registry is first asked.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from controller.engine.agent import Retry, Stalled

CONNECT = 8.0  # seconds until a registry must have accepted a connection
MOST = 16 << 20  # bytes of an answer; manifests have at most 4 MB
CERTIFICATES = Path("/etc/docker/certs.d")  # where engines look for authorities, too


@dataclass(frozen=True, slots=True)
class Reply:
    """Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe to be the registry: the system's authorities and `ca`, or with `insecure` anybody."""

    ca: str = ""
    insecure: bool = False


class Caller:
    """Sends requests to one registry, and to who gives out its tokens. Thread-safe."""

    def __init__(self, host: str, trust: Trust, timeout: float) -> None:
        self._host, self._trust, self._timeout = host, trust, timeout
        self._local = local()

    def call(self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Reply:
        """Raises Retry or Stalled where there is no answer; any status is one."""
        options: dict[str, Any] = {"headers": dict(headers), "data": form, "timeout": (CONNECT, self._timeout)}
        if self._trust.insecure:
            options["verify"] = (
                False  # said here, for what the environment says of authorities counts more than a session's
            )
        try:
            answer = self._session().request(method, url, stream=True, **options)
            with answer:
                return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, self._body(answer))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise self._failure(url, error) from None

    def _body(self, answer: requests.Response) -> bytes:
        """The time limit is for the whole of it."""
        until, parts, size = time.monotonic() + self._timeout, [], 0
        for part in answer.iter_content(1 << 16):
            parts.append(part)
            size += len(part)
            if size > MOST or time.monotonic() > until:
                raise self._unavailable("its answer is too long, or takes too long")
        return b"".join(parts)

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = _session(self._host, self._trust)
        found: requests.Session = self._local.session
        return found

    def _failure(self, url: str, error: Exception) -> Retry | Stalled:
        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return untrusted(self._host, _certificate_trouble(text))
        if isinstance(error, requests.exceptions.SSLError):
            return self._unavailable(
                "it does not speak TLS; if it is plain HTTP, set insecure: true for it under registries in agents/docker.yaml"
            )
        if isinstance(error, requests.Timeout):
            return self._unavailable("it does not answer in time")
        place = urlsplit(url).hostname
        return self._unavailable(f"no connection to {place}: {_cause(error)}")

    def _unavailable(self, why: str) -> Retry:
        return unavailable(self._host, why)


def unavailable(host: str, why: str) -> Retry:
    return Retry("RegistryUnavailable", f"cannot reach the registry {host}: {why}")


def untrusted(host: str, why: str) -> Stalled:
    """Whatever speaks there could not prove to be the registry."""
    return Stalled(
        "RegistryUntrusted",
        f"cannot trust the registry {host}: {why}; put the certificate of its authority at {CERTIFICATES}/{host}/ca.crt, "
        "or, where nobody can come between, name it in insecure-registries of /etc/docker/daemon.json "
        "and set insecure: true for it under registries in agents/docker.yaml",
    )


def is_loopback(host: str) -> bool:
    """Whether an engine takes it for safe without TLS: https://docs.docker.com/reference/cli/dockerd/#insecure-registries."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    try:
        return name == "localhost" or ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _session(host: str, trust: Trust) -> requests.Session:
    session = requests.Session()
    session.auth = _as_it_is  # else `requests` would look into ~/.netrc
    session.headers["User-Agent"] = "pegasus2"
    if trust.insecure:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return session
    authorities = [trust.ca] if trust.ca else sorted(map(str, (CERTIFICATES / host).glob("*.crt")))
    if authorities:
        session.mount("https://", _Trusting(host, authorities))
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Trusting(HTTPAdapter):
    """Trusts some authorities beside those of the system."""

    def __init__(self, host: str, authorities: list[str]) -> None:
        self._context = ssl.create_default_context()
        for path in authorities:
            try:
                self._context.load_verify_locations(path)
            except (OSError, ssl.SSLError) as error:
                why = error.strerror if not isinstance(error, ssl.SSLError) else "it is no certificate"
                message = f"cannot use {path} as the authority of the registry {host}: {why}; correct it or its path"
                raise Stalled("RegistryUntrusted", message) from None
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)


def _certificate_trouble(text: str) -> str:
    if "expired" in text:
        return "its certificate has expired"
    if "mismatch" in text or "doesn't match" in text:
        return "its certificate is that of another host"
    return "its certificate was signed by an unknown authority"


def _cause(error: BaseException) -> str:
    """What lies at the bottom, without the objects' addresses that `urllib3` puts before it."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    return getattr(error, "strerror", None) or str(error).rpartition(">: ")[2] or type(error).__name__
