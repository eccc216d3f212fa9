"""What BuildKit tells of a build while it lasts: steps, layers and the lines that they print. Pure; `building.py` feeds it.

The messages are protocol buffers (`StatusResponse` in BuildKit's control.proto); what little of them is needed is read by hand.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TRACE, IDENTITY = "moby.buildkit.trace", "moby.image.id"  # ids of messages in the engine's answer

_STEP = re.compile(r"\[(?:(?P<stage>[^\]\s]+)\s+)?(?P<number>\d+)/(?P<count>\d+)\]\s+(?P<what>.*)", re.DOTALL)


@dataclass(slots=True)
class Step:
    """A step of the build; `number` of `count` within its stage, 0 for what BuildKit does around them."""

    name: str
    number: int = 0
    count: int = 0
    done: bool = False
    error: str = ""


class Trace:
    """All that was told so far."""

    def __init__(self) -> None:
        self.steps: dict[bytes, Step] = {}
        self.lines: list[str] = []  # what was printed, each behind the name of its step
        self._open: dict[bytes, str] = {}  # the beginning of a line that goes on
        self._layers: dict[tuple[bytes, str], tuple[int, int]] = {}
        self._latest: bytes = b""

    def take(self, message: str) -> None:
        """`message`: the text beside TRACE in the engine's answer."""
        for number, value in _fields(base64.b64decode(message)):
            match number:
                case 1:
                    self._vertex(dict(_fields(value)))
                case 2:
                    self._status(dict(_fields(value)))
                case 3:
                    self._log(dict(_fields(value)))

    @property
    def fraction(self) -> float | None:
        steps = [step for step in self.steps.values() if step.number]
        return sum(step.done for step in steps) / len(steps) if steps else None

    @property
    def now(self) -> str:
        """What is being done, for people: the step, and the last line or the layers of it."""
        step = self.steps.get(self._latest)
        if step is None:
            return ""
        at = f"step {step.number}/{step.count}: " if step.number else ""
        layers = [amounts for (vertex, _), amounts in self._layers.items() if vertex == self._latest]
        more = ""
        if layers and (total := sum(total for _, total in layers)):
            more = f" ({sum(current for current, _ in layers) / 1e6:.1f} of {total / 1e6:.1f} MB)"
        elif self.lines and self.lines[-1].startswith(prefix := f"{step.name}: "):
            more = f" | {self.lines[-1].removeprefix(prefix)}"
        return f"{at}{step.name}{more}"

    @property
    def failed(self) -> Step | None:
        return next((step for step in self.steps.values() if step.error), None)

    def _vertex(self, vertex: dict[int, Any]) -> None:
        name = _text(vertex.get(3))
        found = _STEP.match(name)
        number, count = (int(found["number"]), int(found["count"])) if found else (0, 0)
        what = " ".join((found["what"] if found else name).split())
        done, error = 6 in vertex, _text(vertex.get(7))
        digest = vertex.get(1, b"")
        if 5 in vertex and not done:
            self._latest = digest
        self.steps[digest] = Step(what, number, count, done, error)

    def _status(self, status: dict[int, Any]) -> None:
        if total := int(status.get(5, 0)):
            self._layers[status.get(2, b""), _text(status.get(1))] = int(status.get(4, 0)), total
        self._latest = status.get(2, self._latest)

    def _log(self, log: dict[int, Any]) -> None:
        vertex = log.get(1, b"")
        step = self.steps.get(vertex)
        *whole, rest = (self._open.get(vertex, "") + _text(log.get(4))).replace("\r\n", "\n").split("\n")
        self._open[vertex] = rest
        name = step.name if step else ""
        self.lines += [f"{name}: {line}" if name else line for line in whole]
        self._latest = vertex

    def end(self) -> None:
        """Takes in lines that were not ended."""
        for vertex, rest in self._open.items():
            step = self.steps.get(vertex)
            self.lines += [f"{step.name}: {rest}" if step else rest] if rest else []
        self._open.clear()


def message(fields: dict[int, bytes | str | int]) -> bytes:
    """A protocol buffer of these fields."""
    found = b""
    for number, value in fields.items():
        if isinstance(value, int):
            found += _number(number << 3) + _number(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            found += _number(number << 3 | 2) + _number(len(content)) + content
    return found


def fields(content: bytes) -> dict[int, Any]:
    """Of a protocol buffer, by number; of one that is there several times the last."""
    return dict(_fields(content))


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        match tag & 7:
            case 0:
                value, at = _varint(content, at)
                yield tag >> 3, value
            case 2:
                size, at = _varint(content, at)
                yield tag >> 3, content[at : at + size]
                at += size
            case 1:
                at += 8
            case 5:
                at += 4
            case _:
                return  # nothing that BuildKit writes


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content):
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    return value, at


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""
