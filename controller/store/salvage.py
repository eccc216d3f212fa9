"""What can still be read from a damaged database. `mending.py` calls it, and puts what it finds into a new one.

Rows are read from both ends of each table up to where it is damaged. A record counts when its seal is right; in a database
from before there were seals, when it says the same of its resource in both places. Works on a copy: the damaged files
stay as they are, for whoever wants to look at them.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from controller.engine.stores import Event, Record
from controller.store.errors import told
from controller.store.events import COLUMNS as EVENT_COLUMNS
from controller.store.events import event_in
from controller.store.identity import INSTALLATION
from controller.store.inventory import COLUMNS, record_in, record_of
from controller.store.keys import read
from controller.store.seals import NAME as SEAL
from controller.store.statuses import status_from_json
from resources.conditions import Status
from resources.kinds import names as kinds
from resources.meta import Key

Row = Mapping[str, Any]
Found = TypeVar("Found")

_LARGEST = 1 << 34  # bytes; a header that says more is damaged itself

# What a column says in rows from before there was one.
_BEFORE: Row = {"recovered": 0, "tried_at": 0.0}


@dataclass(frozen=True, slots=True)
class Salvaged:
    installation: str = ""
    records: Mapping[Key, Record] = field(default_factory=dict)
    statuses: Mapping[Key, Status] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    suspended: frozenset[Key] = frozenset()


def salvage(path: Path, installation: str = "") -> Salvaged:
    """Reads with the database's log, and without it where nothing comes of that: it may be the log that is damaged.

    What belongs to another installation than `installation` is left. Raises HomeError when there is no room for a copy.
    """
    found = [_salvage(path, logs) for logs in (("-wal",), ())]
    ours = [each for each in found if installation in ("", each.installation) or not each.installation]
    return max(ours, key=lambda each: (bool(each.installation), len(each.records)), default=Salvaged(installation))


def _salvage(path: Path, logs: Iterable[str]) -> Salvaged:
    with told(path, "copy"), TemporaryDirectory(prefix=".p2.db.", dir=path.parent) as directory:
        copy = Path(directory) / "p2.db"
        for suffix in ("", *logs):
            with suppress(FileNotFoundError):
                shutil.copyfile(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
        _complete(copy)
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA writable_schema = ON")  # one table that makes no sense must not hide the others
            connection.text_factory = lambda text: text.decode(errors="replace")
            return _read(connection)


def _complete(copy: Path) -> None:
    """Makes a file that was cut as long as it says it is; SQLite would not read a page of a shorter one.

    Page size and number of pages stand in the header: https://www.sqlite.org/fileformat.html#the_database_header
    """
    with copy.open("r+b") as file:
        header = file.read(32)
        size = (int.from_bytes(header[16:18]) or 1) * int.from_bytes(header[28:32])
        if len(header) == 32 and copy.stat().st_size < size < _LARGEST:
            file.truncate(size)


def _read(connection: sqlite3.Connection) -> Salvaged:
    meta = {row.get("name"): str(row.get("value")) for row in _rows(connection, "meta", "name")}
    seal = meta.get(SEAL, "")
    records = _each(_rows(connection, "inventory"), lambda row: _record(row, seal))
    statuses = _each(_rows(connection, "status"), lambda row: (_key(row), status_from_json(row["body"])))
    events = _each(_rows(connection, "event"), lambda row: (row["number"], _event(row)))
    return Salvaged(
        _id(meta.get(INSTALLATION, "")),
        {record.key: record for record in records},
        dict(statuses),
        tuple(event for _, event in sorted(dict(events).items())),
        frozenset(_each(_rows(connection, "suspended", "key"), _key)),
    )


def _rows(connection: sqlite3.Connection, table: str, order: str = "rowid") -> Iterator[Row]:
    """From both ends; those that both reach come twice."""
    for direction in ("ASC", "DESC"):
        with suppress(sqlite3.Error, UnicodeDecodeError):
            cursor = connection.execute(f"SELECT * FROM {table} ORDER BY {order} {direction}")
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(columns, row, strict=True))


def _each(rows: Iterable[Row], read_row: Callable[[Row], Found]) -> list[Found]:
    """What reads well."""
    found = []
    for row in rows:
        with suppress(ValueError, TypeError, LookupError, AttributeError, OverflowError):
            found.append(read_row(row))
    return found


def _record(row: Row, seal: str) -> Record:
    values = [row.get(column, _BEFORE.get(column, "")) for column in COLUMNS]
    if seal:
        return record_in((row["seal"], *values), seal)
    record = record_of(values)
    if record.applied:
        written = json.loads(record.applied)
        metadata = written["metadata"]
        if (written["kind"], metadata.get("namespace", "default"), metadata["name"]) != record.key:
            raise ValueError("it is about two resources")
    return record


def _event(row: Row) -> Event:
    event = event_in(tuple(row[column] for column in EVENT_COLUMNS))
    if "\ufffd" in event.message:
        raise ValueError("its text is damaged")
    return event


def _key(row: Row) -> Key:
    key = read(row["key"])
    if key.kind not in kinds():
        raise ValueError(f"there is no kind {key.kind}")
    return key


def _id(text: str) -> str:
    return text if len(text) == 16 and set(text) <= set("0123456789abcdef") else ""
