"""What the registries have now, and who we are to them. `Engine.registries` is one; `Image` and pulling ask it.

Answers count for a short while, so that ten resources of one image ask once. Mirrors are asked first, and the registry
itself where none of them knows. A mirror may be late: what it says is believed where that changes nothing (`newest.py`,
`mirrors.py`), and else the registry itself has the last word.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from controller.agents.docker.references import Reference, Repository
from controller.agents.docker.registry_limits import Limits
from controller.engine.agent import Failure, Retry, Secrets, Stalled

if TYPE_CHECKING:
    from controller.agents.docker.credentials import Credentials, Keyring
    from controller.agents.docker.registry import Registry
    from controller.agents.docker.registry_settings import Mirror, RegistrySettings

GOOD_FOR = 30.0  # seconds for which an answer counts, at most
BAD_FOR = 5.0  # seconds for which a failure does
KEPT = 1000  # answers in memory

T = TypeVar("T")


class Registries:
    """Thread-safe. Nothing is asked, read or imported before the first question."""

    def __init__(
        self,
        settings: Mapping[str, RegistrySettings],
        secrets: Secrets,
        timeout: float = 30.0,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._timeout, self._clock = settings, timeout, clock
        self._secrets, self._environment = secrets, environment
        self._limits = Limits(clock)
        self._known: dict[tuple[str, str], Registry] = {}
        self._answers = Answers(clock)
        self._settled: dict[Reference, str] = {}
        self._lock = Lock()
        self.asked = False  # whether anything was learned from a registry

    def header(self, reference: str) -> str:
        """X-Registry-Auth for the engine, empty without credentials. Secret: it goes to the engine and nowhere else."""
        host = Reference.parse(reference).host
        found = self._credentials(host)
        return _encoded(found.auth_config(host)) if found else ""

    def build_header(self) -> str:
        """X-Registry-Config for the engine: credentials for all registries that a build may pull from. Secret, likewise.

        Those that can't be had are left out, for a build may well do without; what FROM names was pulled before, and told of.
        """
        configs = []
        for host in self._keyring().hosts():
            with suppress(Retry, Stalled):
                configs += [found.auth_config(host)] if (found := self._credentials(host)) else []
        return _encoded({config["serveraddress"]: config for config in configs})

    def digest(self, reference: str, good_for: float = GOOD_FOR, *, itself: bool = False) -> str:
        """What the tag names at its registry now (`sha256:…`): a list of platforms where there is one.

        `good_for`: seconds that the answer may be old; `itself`: mirrors are not asked.
        Raises Stalled ImageNotFound or Unauthorized, Retry RegistryUnavailable or RateLimited.
        """
        wanted = Reference.parse(reference)

        def ask(registry: Registry, path: str) -> str:
            return _digest(registry, path, wanted.name)

        def find() -> str:
            return self._from_any(wanted.repository, ask, itself=itself)

        return wanted.digest or self._answers.once(("digest", wanted, itself), find, good_for)

    def tags(self, repository: str, good_for: float = GOOD_FOR, *, itself: bool = False) -> list[str]:
        """All tags of a repository (nginx, registry.example.org/team/app). Raises as `digest` does."""
        wanted = Repository.parse(repository)

        def find() -> list[str]:
            return self._from_any(wanted, _tags, itself=itself)

        return list(self._answers.once(("tags", wanted, itself), find, good_for))

    def settle(self, reference: str, digest: str) -> None:
        """`digest` is what the tag names, whatever a mirror says of it later."""
        self._settled[Reference.parse(reference)] = digest

    def settled(self, wanted: Reference) -> str:
        """Empty where nobody has found out yet."""
        return self._settled.get(wanted, "")

    def mirrored(self, reference: str) -> bool:
        return bool(self.mirrors(Repository.parse(reference).host))

    def respect(self, reference: str) -> None:
        """Raises Retry RateLimited while the registry of this image is to be left alone."""
        self._limits.respect(Reference.parse(reference).host)

    def exceeded(self, reference: str) -> Retry:
        """The registry of this image has told the engine that it was asked too often; this is what to raise."""
        return self._limits.exceeded(Reference.parse(reference).host, {})

    def credentials(self, reference: str) -> Credentials | None:
        """What `header` is made of, for messages."""
        return self._credentials(Reference.parse(reference).host)

    def mirrors(self, host: str) -> list[Mirror]:
        from controller.agents.docker.registry_settings import Mirror

        given = self._settings.get(host)
        return [Mirror.parse(text) for text in given.mirrors] if given else []

    def at_mirror(self, mirror: Mirror, wanted: Reference) -> str:
        """The digest that a mirror has for an image, without asking anybody else."""
        return _digest(self._registry(mirror.host, mirror.scheme), mirror.path(wanted.repository.path), wanted.name)

    def _from_any(self, wanted: Repository, ask: Callable[[Registry, str], T], *, itself: bool) -> T:
        self.asked = True
        for mirror in () if itself else self.mirrors(wanted.host):
            try:
                return ask(self._registry(mirror.host, mirror.scheme), mirror.path(wanted.path))
            except (Retry, Stalled):
                continue
        return ask(self._registry(wanted.host), wanted.path)

    def _registry(self, host: str, scheme: str = "") -> Registry:
        from controller.agents.docker.registry import Registry
        from controller.agents.docker.registry_http import Trust

        with self._lock:
            if (host, scheme) not in self._known:
                given = self._settings.get(host)
                trust = Trust(given.ca or "", given.insecure) if given else Trust()
                self._known[host, scheme] = Registry(
                    host, trust, lambda: self._credentials(host), self._limits, self._timeout, scheme, self._clock
                )
            return self._known[host, scheme]

    def _keyring(self) -> Keyring:
        from controller.agents.docker.credentials import Keyring

        return Keyring(self._settings, self._secrets, self._environment)

    def _credentials(self, host: str) -> Credentials | None:
        """Remembered for a moment, for a helper may be slow; that there are none is not: a login counts at once."""
        question = ("credentials", host)
        found = self._answers.once(question, lambda: self._keyring().find(host), BAD_FOR)
        if found is None:
            self._answers.forget(question)
        return found


class Answers:
    """Asks each question once in a while, however many threads want to know; what failed is asked again sooner."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._found: dict[Hashable, tuple[object, float]] = {}  # answers, and since when they are known
        self._asking: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def once(self, question: Hashable, ask: Callable[[], T], good_for: float = GOOD_FOR) -> T:
        """`good_for`: how old an answer may be. For a failure that does not count: who is asked too often must have peace."""
        with self._lock:
            asking = self._asking.setdefault(question, Lock())
        with asking:
            answer, since = self._found.get(question, (None, 0.0))
            if answer is None or self._clock() - since >= (
                BAD_FOR if isinstance(answer, Failure) else min(good_for, GOOD_FOR)
            ):
                answer = self._asked(ask)
                self._keep(question, answer, self._clock())
        if isinstance(answer, Retry):  # a copy: each thread that raises it adds its own traceback
            raise Retry(answer.reason, answer.message, answer.after)
        if isinstance(answer, Stalled):
            raise Stalled(answer.reason, answer.message)
        return answer  # type: ignore[return-value]  # what `ask` returned

    def forget(self, question: Hashable) -> None:
        with self._lock:
            self._found.pop(question, None)

    def _asked(self, ask: Callable[[], T]) -> T | Failure:
        try:
            return ask()
        except (Retry, Stalled) as failure:
            return failure

    def _keep(self, question: Hashable, answer: object, since: float) -> None:
        with self._lock:
            if len(self._found) >= KEPT:
                now = self._clock()
                self._found = {each: found for each, found in self._found.items() if found[1] + GOOD_FOR > now}
                self._asking = {
                    each: lock for each, lock in self._asking.items() if lock.locked() or each in self._found
                }
            self._found[question] = (answer, since)


def _digest(registry: Registry, path: str, name: str) -> str:
    reply = registry.manifest(path, name)
    if reply.status == 405 or not reply.headers.get("docker-content-digest"):  # some registries know GET alone
        reply = registry.manifest(path, name, "GET")
    return reply.headers.get("docker-content-digest") or f"sha256:{hashlib.sha256(reply.body).hexdigest()}"


def _tags(registry: Registry, path: str) -> list[str]:
    return list(registry.tags(path))


def _encoded(config: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(config).encode()).decode()
