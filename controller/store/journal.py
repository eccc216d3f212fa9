"""The system's journal: what the audit is told goes there, too, where root keeps it. `store/audit.py` calls it.

Speaks the journal's own protocol over its datagram socket, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. An entry that can't be
sent at once (no journal, or one that is busy) is dropped: the audit in the database has it, and no work waits for a log.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

from controller.engine.audit import AuditEntry, Ending

IDENTIFIER = "pegasus2"

# As syslog counts: https://man7.org/linux/man-pages/man3/syslog.3.html
_NOTICE, _WARNING, _INFO = 5, 4, 6
_PRIORITIES = {Ending.FAILED: _WARNING, Ending.REFUSED: _NOTICE, Ending.INTERRUPTED: _WARNING}

_LONGEST = (
    16 * 1024
)  # bytes of one value; with all fields at their longest a datagram still fits into a socket's buffer
_CUT = "… (cut)"


class Journal:
    """Thread-safe. Connects when it has something to say; a journal that is restarted is found again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._socket: socket.socket | None = None

    def record(self, entry: AuditEntry) -> None:
        """Sends an entry, or gives up at once."""
        datagram = b"".join(_encoded(name, value) for name, value in _fields(entry))
        with self._lock, suppress(OSError):
            try:
                self._connected().send(datagram)
            except ConnectionError:  # it was restarted: the old socket leads nowhere
                self._disconnect()
                self._connected().send(datagram)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            try:
                made.setblocking(False)
                made.connect(str(self._path))
            except BaseException:
                made.close()
                raise
            self._socket = made
        return self._socket

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        with self._lock:
            self._disconnect()


def _fields(entry: AuditEntry) -> Iterator[tuple[str, str]]:
    """Names and values; what an entry does not have is left out."""
    yield "MESSAGE", summary(entry)
    yield "PRIORITY", str(_PRIORITIES.get(entry.outcome, _INFO))
    yield "SYSLOG_IDENTIFIER", IDENTIFIER
    own = {
        "KEY": str(entry.key) if entry.key else "",
        "ACTION": entry.action,
        "OUTCOME": entry.outcome,
        "USER": entry.user,
        "COMMAND": entry.command,
        "CAUSE": entry.cause,
        "FIELDS": "\n".join(entry.fields),
        "GENERATION": str(entry.generation) if entry.generation else "",
        "FILE": entry.file,
        "REASON": entry.reason,
        "DETAIL": entry.message,
        "CODE": "" if entry.code is None else str(entry.code),
        "SECONDS": f"{entry.seconds:g}",
    }
    yield from ((f"PEGASUS2_{name}", value) for name, value in own.items() if value)


def summary(entry: AuditEntry) -> str:
    """An entry in a line: `update Container/web: done (edit of env.TZ) for ada`."""
    what = f"{entry.action} {entry.key.short}" if entry.key else entry.command or entry.action
    why = f" ({entry.cause}{' of ' + ', '.join(entry.fields) if entry.fields else ''})" if entry.cause else ""
    whom = f" for {entry.user}" if entry.user else ""
    said = f": {entry.message}" if entry.message else ""
    return f"{what}: {entry.outcome}{why}{whom}{said}"


def _encoded(name: str, value: str) -> bytes:
    """One field: on a line, or where the value has lines of its own with its length before it."""
    content = value.encode(errors="replace")
    if len(content) > _LONGEST:
        content = content[:_LONGEST].decode(errors="ignore").encode() + _CUT.encode()
    if b"\n" not in content:
        return b"%s=%s\n" % (name.encode(), content)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(content)), content)
