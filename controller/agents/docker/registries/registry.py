"""One registry: its API v2, with the two ways to prove who one is. Made and asked by `registries.py`.

https://distribution.github.io/distribution/spec/api/ and …/spec/auth/token/. Everything that is answered comes back as a
`Reply`, or as Retry (later) or Stalled (somebody must do something).
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from controller.agents.docker.registries.credentials import Credentials
from controller.agents.docker.registries.http import Caller, Reply, Trust, is_loopback, unavailable
from controller.agents.docker.registries.limits import Limits
from controller.agents.docker.registries.references import HUB_SERVER
from controller.engine.agent import Retry, Stalled
from resources.notation import HUB

# Every form that a manifest has: lists for several platforms first, for theirs is the digest that a tag means.
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
TOKEN_LIFE = 60.0  # seconds, where its giver does not say
TOKEN_MARGIN = 5.0  # seconds before its end in which a token is not used any more
PAGES = 1000  # of one list of tags

_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*rel="?next"?')


@dataclass(frozen=True, slots=True)
class _Challenge:
    """What a registry asks for in WWW-Authenticate."""

    scheme: str
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, header: str) -> _Challenge:
        scheme, _, rest = header.strip().partition(" ")
        found = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        return cls(scheme.lower(), found)


class Registry:
    """`find` gives our credentials for it, or None. Thread-safe."""

    def __init__(
        self,
        host: str,
        trust: Trust,
        find: Callable[[], Credentials | None],
        limits: Limits,
        timeout: float,
        scheme: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`scheme`: the one to use; without it https, and http where the registry may be without."""
        self.host = host
        lax = trust.insecure or is_loopback(host)
        self._schemes = (scheme,) if scheme else ("https", "http") if lax else ("https",)
        self._caller = Caller(host, Trust(trust.ca, lax and not trust.ca), timeout)
        self._find, self._limits, self._clock = find, limits, clock
        self._tokens: dict[str, tuple[SecretStr, float]] = {}
        self._basic: SecretStr | None = None  # what it accepted when it asked for a password
        self._lock = Lock()

    def manifest(self, path: str, name: str, method: str = "HEAD") -> Reply:
        """Of the image `path:name`. HEAD counts for nobody's limit."""
        return self._ask(method, path, f"/v2/{path}/manifests/{name}", f"{path}:{name}", MANIFESTS)

    def tags(self, path: str) -> Iterator[str]:
        """All tags of a repository, page by page."""
        page: str | None = f"/v2/{path}/tags/list?n=1000"
        seen: set[str] = set()
        while page and page not in seen and len(seen) < PAGES:
            seen.add(page)
            reply = self._ask("GET", path, page, path, "application/json")
            yield from self._tags_in(reply)
            page = _following(reply.headers.get("link", ""), page)

    def _tags_in(self, reply: Reply) -> list[str]:
        try:
            return [str(tag) for tag in json.loads(reply.body)["tags"] or ()]
        except (ValueError, KeyError, TypeError):
            raise unavailable(self.host, "it does not answer as a registry does") from None

    def _ask(self, method: str, path: str, target: str, about: str, accept: str) -> Reply:
        self._limits.respect(self.host)
        scope = f"repository:{path}:pull"
        reply = self._send(method, target, accept, self._known(scope))
        if reply.status == 401:
            reply = self._send(method, target, accept, self._authorise(reply, scope, about))
        self._refuse(reply, about)
        self._limits.answered(self.host)
        return reply

    def _send(self, method: str, target: str, accept: str, authorization: SecretStr | None) -> Reply:
        """By the first scheme that gets an answer, which is kept to."""
        headers = {"Accept": accept}
        if authorization:
            headers["Authorization"] = authorization.get_secret_value()
        *others, last = self._schemes
        for scheme in others:
            try:
                reply = self._caller.call(method, self._url(scheme, target), headers)
            except Retry:
                continue
            self._schemes = (scheme,)
            return reply
        return self._caller.call(method, self._url(last, target), headers)

    def _url(self, scheme: str, target: str) -> str:
        return f"{scheme}://{HUB_SERVER if self.host == HUB else self.host}{target}"

    def _known(self, scope: str) -> SecretStr | None:
        token, until = self._tokens.get(scope, (None, 0.0))
        return token if token and until > self._clock() else self._basic

    def _authorise(self, refused: Reply, scope: str, about: str) -> SecretStr:
        """The header that may answer what `refused` asks for."""
        challenge = _Challenge.parse(refused.headers.get("www-authenticate", ""))
        credentials = self._find()
        if challenge.scheme == "basic":
            if credentials is None or credentials.password is None:
                raise self._unauthorized(about, credentials)
            self._basic = _basic(credentials)
            return self._basic
        if challenge.scheme != "bearer" or not challenge.parameters.get("realm"):
            raise self._unauthorized(about, credentials)
        with self._lock:
            reply = self._fetch_token(challenge, credentials, scope)
            if reply.status in (400, 401, 403):
                raise self._unauthorized(about, credentials)
            self._refuse(reply, about)
            token, life = self._token_in(reply)
            header = SecretStr(f"Bearer {token}")
            self._tokens[scope] = (header, self._clock() + life - TOKEN_MARGIN)
            return header

    def _fetch_token(self, challenge: _Challenge, credentials: Credentials | None, scope: str) -> Reply:
        realm, service = challenge.parameters["realm"], challenge.parameters.get("service", "")
        if urlsplit(realm).scheme != "https" and self._schemes != ("http",) and not is_loopback(urlsplit(realm).netloc):
            raise Stalled(
                "RegistryUntrusted", f"cannot log in to the registry {self.host}: it wants that done without TLS"
            )
        asked = {"service": service, "scope": challenge.parameters.get("scope") or scope}
        if credentials and credentials.identity_token:
            form = {
                "grant_type": "refresh_token",
                "client_id": "pegasus2",
                "refresh_token": credentials.identity_token.get_secret_value(),
            }
            return self._caller.call("POST", realm, {"Accept": "application/json"}, {**asked, **form})
        headers = {"Accept": "application/json"}
        if credentials:
            headers["Authorization"] = _basic(credentials).get_secret_value()
            asked["account"] = credentials.username
        return self._caller.call("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}", headers)

    def _token_in(self, reply: Reply) -> tuple[str, float]:
        try:
            found: dict[str, Any] = json.loads(reply.body)
            token, life = found.get("token") or found["access_token"], float(found.get("expires_in") or TOKEN_LIFE)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise unavailable(self.host, "what gives out its tokens does not answer as it should") from None
        return str(token), life

    def _refuse(self, reply: Reply, about: str) -> None:
        if reply.status == 429:
            raise self._limits.exceeded(self.host, reply.headers)
        if reply.status in (401, 403):
            self._basic = None
            raise self._unauthorized(about, self._find())
        if reply.status == 404:
            raise not_found(f"{self.host}/{about}", self.host)
        if reply.status >= 400 and reply.status != 405:
            raise unavailable(self.host, f"it answers with status {reply.status}")

    def _unauthorized(self, about: str, credentials: Credentials | None) -> Stalled:
        return unauthorized(f"{self.host}/{about}", self.host, credentials)


def not_found(image: str, host: str) -> Stalled:
    return Stalled("ImageNotFound", f"cannot find the image {image}: the registry {host} has none; correct image")


def unauthorized(image: str, host: str, credentials: Credentials | None) -> Stalled:
    """Registries that hide what one may not see say this of what is not there, too."""
    login = "docker login" if host == HUB else f"docker login {host}"
    if credentials is None:
        why = f"the registry {host} wants a login, or has no such image"
    else:
        who = f" of {credentials.username}" if credentials.username else ""
        why = (
            f"the registry {host} does not accept the credentials{who} from {credentials.source}, or has no such image"
        )
    return Stalled(
        "Unauthorized",
        f"cannot read the image {image}: {why}; correct image, run '{login}' as the user that runs p2, "
        "or give username and password under registries in agents/docker.yaml",
    )


def _basic(credentials: Credentials) -> SecretStr:
    password = credentials.password.get_secret_value() if credentials.password else ""
    return SecretStr("Basic " + base64.b64encode(f"{credentials.username}:{password}".encode()).decode())


def _following(link: str, page: str) -> str | None:
    """The next page: on this registry, wherever the link says that it is."""
    found = _NEXT.search(link)
    if not found:
        return None
    parts = urlsplit(found[1])
    path = parts.path if parts.path.startswith("/") else f"{page.rpartition('/')[0]}/{parts.path}"
    return f"{path}?{parts.query}" if parts.query else path
