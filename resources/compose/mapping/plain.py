"""How values of Compose files are written in specs. All pure."""

from __future__ import annotations

from typing import Any


def text(value: Any) -> str:
    """A scalar as text: what YAML took for a number or truth is one in no spec."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def texts(values: Any) -> list[str]:
    return [text(value) for value in ([values] if isinstance(values, str) else values)]


def size(value: Any) -> str | None:
    """Bytes, or a text with a unit; 0 is no limit."""
    return None if str(value) in ("0", "") else str(value)


def positive(value: Any) -> Any:
    """A number; 0 and less are no limit."""
    return value if float(value) > 0 else None


def swap(value: Any) -> str | None:
    return "unlimited" if str(value) == "-1" else size(value)


def ulimits(limits: dict[str, Any]) -> Any:
    """A number is both the soft and the hard limit."""
    return {
        name: {"soft": limit, "hard": limit} if isinstance(limit, int) else dict(limit)
        for name, limit in limits.items()
    }


def camel(name: str) -> str:
    """`device_read_bps` -> `deviceReadBps`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
