"""Takes secrets out of what agents say: systems quote in their errors what they were given. `asking.py` calls agents through it.

What an agent reveals is remembered for the time of one call, and no longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from controller.engine.agent import Context, Done, Failure, Outcome, Retry, Secrets, Seen, Stalled, Started
from resources.meta import Key, SecretRef

HIDDEN = "(secret)"

# Shorter values are no secrets, and would be found in every other word.
_SHORTEST = 4
_SHORTEST_LINE = 8


class Discretion:
    """What one call of an agent has revealed. Implements `agent.Secrets` for that call."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._revealed: set[str] = set()

    def reveal(self, ref: SecretRef, namespace: str) -> str:
        value = self._secrets.reveal(ref, namespace)
        self._revealed.add(value)
        return value

    def digest(self, value: str) -> str:
        return self._secrets.digest(value)

    def context(self, ctx: Context) -> Context:
        """`ctx` for the call: its secrets are remembered, and what it says of its progress is cleaned."""

        def progress(key: Key, fraction: float | None, message: str) -> None:
            ctx.progress(key, fraction, self.cleaned(message))

        return replace(ctx, secrets=self, progress=progress)

    def cleaned(self, text: str) -> str:
        """`text` without anything that was revealed."""
        if not self._revealed or not text:
            return text
        for part in sorted(set(self._parts()), key=len, reverse=True):
            text = text.replace(part, HIDDEN)
        return text

    def _parts(self) -> Iterator[str]:
        """As they are, as they look between quotes, and line by line."""
        for value in list(self._revealed):
            if len(value) >= _SHORTEST:
                yield from (value, repr(value)[1:-1], value.encode("unicode_escape").decode())
                yield from (line for line in value.splitlines() if len(line) >= _SHORTEST_LINE)

    def outcome(self, found: Outcome) -> Outcome:
        """`found` with a message that can be kept and shown."""
        match found:
            case Done() | Started():
                message = self.cleaned(found.message)
                return found if message == found.message else replace(found, message=message)
            case _:
                return self.failure(found)

    def failure(self, found: Failure) -> Failure:
        message = self.cleaned(found.message)
        if message == found.message:
            return found
        if isinstance(found, Stalled):
            return Stalled(found.reason, message)
        return Retry(found.reason, message, found.after)

    def seen(self, found: Seen[Any] | Failure) -> Seen[Any] | Failure:
        """`found`, whose health may quote something."""
        if isinstance(found, Retry | Stalled):
            return self.failure(found)
        message = self.cleaned(found.health.message)
        if message == found.health.message:
            return found
        return replace(found, health=replace(found.health, message=message))
