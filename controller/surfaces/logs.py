"""Logs on stderr: JSON lines for machines, short lines on a terminal. Every command that logs calls `configure` once.

Code logs a constant message with fields beside it, `log.info("watch lost", extra={"kind": kind})`; whatever is in `extra`
becomes a field. Events are logged by `EventLog`, a listener, so that telling the user and logging it are one call.
Values of fields, desired or observed, are never logged, only their paths: so no secret can be.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TextIO

from controller.engine.stores import Event, Level, Silent
from resources.meta import Key
from resources.plan import Plan

LEVELS = ("debug", "info", "warning", "error")

# Our own code; libraries are heard from warnings up.
_OURS = ("controller", "resources")
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

EVENT = "event"  # the message of every event's line

log = logging.getLogger(__name__)


def level_from(environment: Mapping[str, str]) -> str:
    """`PEGASUS2_LOG_LEVEL`: debug, info (the default), warning or error. Raises ValueError naming the variable."""
    text = environment.get("PEGASUS2_LOG_LEVEL", "") or "info"
    if text.lower() not in LEVELS:
        raise ValueError(f'cannot read PEGASUS2_LOG_LEVEL="{text}": write one of {", ".join(LEVELS)}')
    return text.lower()


def configure(stream: TextIO, level: str) -> None:
    """Sends this process's logs to `stream`, in the form that fits it. Called again, it replaces what it set before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ForPeople() if stream.isatty() else ForMachines())
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each.formatter, ForPeople | ForMachines)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())


class ForMachines(logging.Formatter):
    """One JSON object a line: `ts` (RFC 3339, UTC, milliseconds), `level`, `message`, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"ts": _timestamp(record), "level": record.levelname.lower(), "message": record.getMessage()}
        line |= {name: _plain(value) for name, value in _fields(record).items()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class ForPeople(logging.Formatter):
    """`12:30:05 warning  Container/web  ImageNotFound  cannot find the image ...`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        if record.msg == EVENT:
            words = [_short(fields.get("key")), fields["reason"], fields["detail"]]
        else:
            words = [record.getMessage(), *(f"{name}={_quoted(value)}" for name, value in fields.items())]
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        line = "  ".join((f"{clock} {record.levelname.lower():7}", *filter(None, words)))
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class EventLog(Silent):
    """A listener that logs events, and at debug level the course of each change."""

    def recorded(self, event: Event) -> None:
        level = logging.WARNING if event.level is Level.WARNING else logging.INFO
        about = {"key": event.key, "kind": event.key.kind} if event.key else {}
        log.log(level, EVENT, extra={**about, "reason": event.reason, "detail": event.message})

    def queued(self, keys: Sequence[Key]) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("queued", extra={"count": len(keys), "keys": [str(key) for key in keys[:10]]})

    def started(self, plan: Plan) -> None:
        log.debug("started", extra=_about(plan))

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None:
        log.debug("finished", extra={**_about(plan), "outcome": outcome, "seconds": round(seconds, 4)})

    def converged(self, key: Key, seconds: float) -> None:
        log.debug("converged", extra={"key": key, "seconds": round(seconds, 4)})

    def corrected(self, key: Key, seconds: float) -> None:
        log.debug("corrected", extra={"key": key, "seconds": round(seconds, 4)})


def _about(plan: Plan) -> dict[str, Any]:
    return {"key": plan.key, "action": plan.action, "changes": [change.path for change in plan.changes]}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _KNOWN}


def _timestamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    """As JSON holds it; a Key, which is a tuple, is written as people write it."""
    if isinstance(value, Key):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)


def _short(key: Any) -> str:
    return key.short if isinstance(key, Key) else ""


def _quoted(value: Any) -> str:
    plain = _short(value) or _plain(value)
    simple = isinstance(plain, str) and plain.isprintable() and plain and " " not in plain
    return plain if simple else json.dumps(plain, ensure_ascii=False)
