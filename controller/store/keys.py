"""Keys as the database holds them: text, and sets of them one a line."""

from __future__ import annotations

from collections.abc import Iterable

from resources.meta import Key


def read(text: str) -> Key:
    """The key that `str(key)` wrote."""
    return Key(*text.split("/"))


def join(keys: Iterable[Key]) -> str:
    return "\n".join(sorted(map(str, keys)))


def split(text: str) -> frozenset[Key]:
    return frozenset(map(read, text.splitlines()))
