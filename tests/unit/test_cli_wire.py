"""Frames between a controller and its clients."""

from __future__ import annotations

import importlib
import socket
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from controller.surfaces.cli import wire

FRAMES = [
    {"words": ["apply", "stäte", "a\udcff.yaml"], "width": None, "paint": [True, False], "ratio": 0.5},
    {"out": 'a "quoted"\nline\x00 \\ ☃', "exit": 0},
]


@pytest.fixture(params=["as it is", "where json's parts in C are made otherwise"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    if request.param != "as it is":
        with monkeypatch.context() as other:
            other.setitem(sys.modules, "_json", None)
            importlib.reload(wire)
    yield wire
    importlib.reload(wire)


@pytest.mark.usefixtures("made")
def test_frames_arrive_as_they_were_sent() -> None:
    ours, theirs = socket.socketpair()
    with closing(wire.Line(ours)) as one, closing(wire.Line(theirs)) as other:
        for frame in FRAMES:
            one.send(**frame)
            assert other.read() == frame
        ours.close()
        assert other.read() is None


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("sent", [b"[1]\n", b"nonsense\n", b"{} {}\n", b'{"a": \n'])
def test_what_is_no_frame_is_refused(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(wire.Line(theirs)) as other:
        ours.sendall(sent)
        with pytest.raises(ValueError, match=r"a frame is no|Expecting"):
            other.read()
