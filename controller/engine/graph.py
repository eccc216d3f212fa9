"""Order and cycles among keys. Pure; the index asks for cycles, the preview and the prune for an order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from resources.meta import Key

Neighbours = Callable[[Key], Collection[Key]]


def cycle_through(start: Key, dependencies: Neighbours) -> tuple[Key, ...] | None:
    """A shortest way from `start` along its dependencies back to it (start, ..., start), or None."""
    came_from: dict[Key, Key] = {}
    frontier = [start]
    while frontier:
        following: list[Key] = []
        for key in frontier:
            for dependency in sorted(dependencies(key)):
                if dependency == start:
                    return (*_way_back(key, start, came_from), start)
                if dependency not in came_from:
                    came_from[dependency] = key
                    following.append(dependency)
        frontier = following
    return None


def _way_back(key: Key, start: Key, came_from: dict[Key, Key]) -> tuple[Key, ...]:
    way = [key]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return tuple(reversed(way))


def in_order(keys: Iterable[Key], dependencies: Neighbours) -> list[Key]:
    """`keys`, every one after those of its dependencies that are among them; otherwise sorted. Cycles are cut anywhere."""
    wanted = set(keys)
    ordered: dict[Key, None] = {}
    for root in sorted(wanted):
        # An explicit stack: chains of thousands of dependencies are legal, and Python's own stack is not made for them.
        stack = [(root, False)]
        entered: set[Key] = set()
        while stack:
            key, expanded = stack.pop()
            if expanded:
                ordered.setdefault(key)
            elif key not in ordered and key not in entered:
                entered.add(key)
                stack.append((key, True))
                stack.extend((d, False) for d in sorted(dependencies(key), reverse=True) if d in wanted)
    return list(ordered)
