"""What the journal is told, over a real datagram socket, read as the protocol says."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from controller.engine.audit import AuditEntry, AuditQuery, Ending
from controller.store.home import Home
from controller.store.journal import Journal
from controller.store.stores import open_stores
from resources.meta import Key

ENTRY = AuditEntry(
    at=1000.0,
    action="update",
    key=Key("Container", "default", "web"),
    user="ada",
    command="p2 apply state",
    cause="edit",
    fields=("env.TZ", "image"),
    generation=3,
    seconds=0.25,
)


def listening(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(path))
    made.settimeout(10)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"


@pytest.fixture
def journald(path: Path) -> Iterator[socket.socket]:
    with closing(listening(path)) as made:
        yield made


def parsed(datagram: bytes) -> dict[str, str]:
    """Fields of a datagram: NAME=value, or NAME, a newline, a length of 64 bits and that many bytes."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[8 + length :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


def received(journald: socket.socket) -> dict[str, str]:
    return parsed(journald.recv(1 << 20))


def test_an_action_arrives_with_its_fields(path: Path, journald: socket.socket) -> None:
    Journal(path).record(ENTRY)
    assert received(journald) == {
        "MESSAGE": "update Container/web: done (edit of env.TZ, image) for ada",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "pegasus2",
        "PEGASUS2_KEY": "Container/default/web",
        "PEGASUS2_ACTION": "update",
        "PEGASUS2_OUTCOME": "done",
        "PEGASUS2_USER": "ada",
        "PEGASUS2_COMMAND": "p2 apply state",
        "PEGASUS2_CAUSE": "edit",
        "PEGASUS2_FIELDS": "env.TZ\nimage",
        "PEGASUS2_GENERATION": "3",
        "PEGASUS2_SECONDS": "0.25",
    }


def test_a_failure_is_a_warning_and_says_why_in_all_its_lines(path: Path, journald: socket.socket) -> None:
    message = "cannot start it:\nno such\nPRIORITY=0\nimage"
    Journal(path).record(replace(ENTRY, outcome=Ending.FAILED, reason="StartFailed", message=message))
    fields = received(journald)
    assert (fields["PRIORITY"], fields["PEGASUS2_DETAIL"], fields["PEGASUS2_REASON"]) == ("4", message, "StartFailed")


def test_a_long_message_is_cut_at_a_letter_and_arrives(path: Path, journald: socket.socket) -> None:
    long = "ä" * 1_000_000
    Journal(path).record(replace(ENTRY, message=long, command=long, fields=(long, long), file=long))
    detail = received(journald)["PEGASUS2_DETAIL"]
    assert detail.startswith("äää")
    assert detail.endswith("ä… (cut)")
    assert len(detail.encode()) < 20_000


def test_without_a_journal_nothing_happens(path: Path) -> None:
    Journal(path).record(ENTRY)


def test_a_journal_that_came_later_or_was_restarted_is_found(path: Path) -> None:
    journal = Journal(path)
    journal.record(ENTRY)
    for _ in range(2):
        with closing(listening(path)) as journald:
            journal.record(ENTRY)
            assert received(journald)["PEGASUS2_USER"] == "ada"
        path.unlink()


def test_a_journal_that_does_not_read_blocks_nobody(path: Path, journald: socket.socket) -> None:
    journal = Journal(path)
    for _ in range(5000):  # more than any queue of datagrams holds
        journal.record(ENTRY)
    assert received(journald)["PEGASUS2_USER"] == "ada"


def test_the_journal_is_told_what_was_kept_and_nothing_that_was_undone(
    home: Path, path: Path, journald: socket.socket
) -> None:
    with open_stores(Home(home), path) as stores:
        with pytest.raises(RuntimeError), stores.together():
            stores.audit.end({"undone": replace(ENTRY, user="nobody")})
            raise RuntimeError
        stores.audit.end({"kept": ENTRY})
        assert received(journald)["PEGASUS2_USER"] == "ada"
        assert list(stores.audit.entries(AuditQuery())) == [ENTRY]
