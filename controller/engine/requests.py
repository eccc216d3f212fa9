"""Who asked for what is being done, and why it is done. History and audit ask when they write something down.

A process has one request of its own (`p2 apply` by ada, or the controller by itself). A controller that works for somebody
who has sent it a command lends them the keys in question for as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from resources.meta import Key

CONTROLLER = "controller"


class Cause(StrEnum):
    """Why a thing is changed."""

    EDIT = "edit"  # the files say otherwise than before
    DRIFT = "drift"  # somebody else changed the world
    ROLLBACK = "rollback"  # an earlier state was asked for, or gone back to
    DELETE = "delete"  # p2 delete
    DEPLOY = "deploy"  # p2 deploy: an entry of the history about the whole of it


@dataclass(frozen=True, slots=True)
class Request:
    """A person with a command, or the controller by itself."""

    user: str = CONTROLLER  # a login name
    command: str = ""  # as typed, "p2 apply state"; empty for what the controller does by itself
    cause: Cause | None = None  # where the command itself is the reason, whatever the files say
    revision: int = 0  # that a rollback goes back to


class Requests:
    """Thread-safe."""

    def __init__(self, own: Request) -> None:
        self.own = own
        self._lock = Lock()
        self._lent: dict[Key, Request] = {}
        self._all: tuple[Request, ...] = ()  # who asked for whatever is done, the last one first

    def of(self, key: Key) -> Request:
        """Who asked for what is done to `key` now."""
        return self._lent.get(key) or next(iter(self._all), self.own)

    @contextmanager
    def lent(self, request: Request, keys: Iterable[Key]) -> Iterator[None]:
        """What is done to `keys` while the body runs is done for `request`."""
        mine = frozenset(keys)
        with self._lock:
            self._lent = {**self._lent, **dict.fromkeys(mine, request)}
        try:
            yield
        finally:
            with self._lock:
                self._lent = {key: r for key, r in self._lent.items() if r is not request or key not in mine}

    @contextmanager
    def given(self, request: Request) -> Iterator[None]:
        """Whatever is done while the body runs is done for `request`."""
        with self._lock:
            self._all = (request, *self._all)
        try:
            yield
        finally:
            with self._lock:
                self._all = tuple(each for each in self._all if each is not request)
