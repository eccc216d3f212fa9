"""Registries that said "too many requests", and for how long each is left alone. `registries.py` keeps one for all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock

from controller.engine.agent import Retry

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0  # seconds, where the registry does not say how long to wait
LONGEST_ASKED = 6 * 3600.0  # the longest pause that a registry may ask for: the window of Docker Hub
_EPOCH = 1_000_000_000  # numbers above are moments, those below are seconds to wait


class Limits:
    """`clock` gives monotonic seconds, `now` seconds since the epoch. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self._clock, self._now = clock, now
        self._until: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._lock = Lock()

    def respect(self, host: str) -> None:
        """Raises Retry while this registry is to be left alone."""
        left = self._until.get(host, 0.0) - self._clock()
        if left > 0:
            raise _limited(host, left)

    def exceeded(self, host: str, headers: Mapping[str, str]) -> Retry:
        """The registry has refused with status 429 and these headers; names are in lower case."""
        with self._lock:
            pause = self._asked(headers)
            if pause is None:
                pause = min(self._pauses.get(host, FIRST_PAUSE / 2) * 2, LONGEST_PAUSE)
                self._pauses[host] = pause
            self._until[host] = max(self._until.get(host, 0.0), self._clock() + pause)
            return _limited(host, pause)

    def answered(self, host: str) -> None:
        """It has answered: the next pause is a short one again."""
        if host in self._pauses:
            with self._lock:
                self._pauses.pop(host, None)

    def _asked(self, headers: Mapping[str, str]) -> float | None:
        """Seconds: https://datatracker.ietf.org/doc/html/rfc9110#name-retry-after, and what registries say beside it."""
        for name in ("retry-after", "x-retry-after", "ratelimit-reset", "x-ratelimit-reset"):
            if (seconds := self._seconds(headers.get(name, ""))) is not None:
                return min(max(seconds, 1.0), LONGEST_ASKED)
        return None

    def _seconds(self, text: str) -> float | None:
        number = text.partition(";")[0].strip()
        if number.isdigit():
            return float(number) - (self._now() if int(number) > _EPOCH else 0.0)
        from email.utils import parsedate_to_datetime

        try:
            return parsedate_to_datetime(text).timestamp() - self._now() if text else None
        except ValueError:
            return None


def _limited(host: str, seconds: float) -> Retry:
    message = (
        f"cannot ask the registry {host} for now: it limits how often; asked again in {seconds:.0f} s, "
        "or log in ('docker login', or registries in agents/docker.yaml), for which limits are wider"
    )
    return Retry("RateLimited", message, after=seconds)
