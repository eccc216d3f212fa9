"""What a program within a container has written is all passed on, or it is said that it may not be: Ctrl-C loses nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from controller.agents.docker import execution
from controller.engine.by_hand import LeftRunning, Streams


@dataclass
class Wire:
    """`ours` is read by p2, `theirs` written by the engine; `presses` takes one byte for each Ctrl-C."""

    ours: socket.socket
    theirs: socket.socket
    pressed: int
    presses: int

    def pieces(self) -> Iterator[bytes]:
        """Of a program that has ended before the first Ctrl-C."""
        streams = Streams(None, lambda _: None, lambda _: None, interrupts=self.pressed)
        return execution._Talk(self.ours, b"", streams, lambda: None, lambda: False).pieces()


@pytest.fixture
def wire() -> Iterator[Wire]:
    ours, theirs = socket.socketpair()
    pressed, presses = os.pipe()
    with ours, theirs:
        yield Wire(ours, theirs, pressed, presses)
    os.close(pressed)
    os.close(presses)


def test_ctrl_c_after_the_end_of_the_program_loses_none_of_its_output(wire: Wire) -> None:
    written = bytes(range(256)) * 400  # more than one piece
    wire.theirs.sendall(written)
    wire.theirs.close()
    os.write(wire.presses, b"!")
    assert b"".join(wire.pieces()) == written


def test_output_that_does_not_end_with_its_program_is_told_of(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_SILENCE", 0.05)
    wire.theirs.sendall(b"half")
    os.write(wire.presses, b"!")
    pieces = wire.pieces()
    assert next(pieces) == b"half"
    with pytest.raises(LeftRunning, match="may not be all"):
        next(pieces)


def test_second_ctrl_c_ends_the_wait_for_the_rest(wire: Wire) -> None:
    wire.theirs.sendall(b"half")
    os.write(wire.presses, b"!!")
    with pytest.raises(LeftRunning, match="may not be all"):
        list(wire.pieces())
