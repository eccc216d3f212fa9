"""What a container has written, and goes on writing. The agent of kind `Container` shows it for `p2 logs`.

Whoever follows is shown what the container writes after a restart, and what the one writes that takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event as Flag

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, EngineError, Json
from controller.agents.docker.frames import frames
from controller.engine.agent import Retry, Stalled
from controller.engine.by_hand import LogLine, LogQuery
from resources.conditions import Reason
from resources.docker.parts import State
from resources.kinds.container import Container

AGAIN = 0.3  # seconds between looks for a container that is to come, or to start again
AWAY = 2.0  # and for an engine that is to come back


@dataclass
class Reading:
    """One person's reading of one container. `find` looks for it anew each time: it may be replaced, or renamed."""

    engine: Engine
    container: Container
    find: Callable[[], Json | None]
    query: LogQuery
    stop: Flag
    _last: str = ""  # when the last line was written that was shown
    _read: tuple[str, str] = ("", "")  # the container, and the start of it, whose lines were shown to their end
    _told: str = field(default="")  # what the person was told last

    def lines(self) -> Iterator[LogLine]:
        if not self.query.follow:
            live = self.find()
            if live is None:
                raise absent(self.container)
            yield from self._lines_of(live, self.query)
            return
        while not self.stop.is_set():
            try:
                yield from self._turn()
            except Retry as away:
                if not self._read[0] or away.reason != Reason.AGENT_UNAVAILABLE:
                    raise
                yield from self._note(f"{away.message}; waiting for it")
                self.stop.wait(AWAY)
            else:
                if self._is_over():
                    return

    def _turn(self) -> Iterator[LogLine]:
        """Shows what there is to show now, or waits a little."""
        live = self.find()
        if live is None:
            there_was = "no container {} any more" if self._read[0] else "no container {} yet"
            yield from self._note(f"there is {there_was.format(self.container.container_name)}; waiting for it")
            self.stop.wait(AGAIN)
            return
        start = (live["Id"], live["State"]["StartedAt"])
        if start == self._read:
            self.stop.wait(AGAIN)
            return
        query = self._query_for(live)
        yield from self._lines_of(live, query)
        self._read, self._told = start, ""
        if not self.stop.is_set():
            yield from self._ended()

    def _query_for(self, live: Json) -> LogQuery:
        """The first is read as asked; one that took its place whole; one that was started again from where it was left."""
        if not self._read[0]:
            return self.query
        if live["Id"] != self._read[0]:
            self._last = ""
            return LogQuery(follow=True)
        return LogQuery(follow=True, since=float(int(_epoch(self._last))) if self._last else 0.0)

    def _lines_of(self, live: Json, query: LogQuery) -> Iterator[LogLine]:
        path = paths.logs(live["Id"], follow=query.follow, tail=query.tail, since=query.since)
        shown_before = self._last
        try:
            for line in lines_in(self.engine.pour(path, self.stop), terminal=bool(live["Config"]["Tty"])):
                if line.at > shown_before or not line.at:
                    self._last = line.at or self._last
                    yield line
        except EngineError as error:
            if error.status == 404:  # it went just now
                return
            raise unreadable(self.container, live, error) from None

    def _ended(self) -> Iterator[LogLine]:
        live = self.find()
        if live and not live["State"]["Running"] and not live["State"].get("Restarting") and not self._is_over():
            code = live["State"]["ExitCode"]
            yield from self._note(f"it has ended with exit code {code}; waiting for its next start")

    def _is_over(self) -> bool:
        """Whether nothing more is to come: what runs once has run."""
        if self.container.spec.state is not State.COMPLETED or not self._read[0]:
            return False
        live = self.find()
        return live is not None and (live["Id"], live["State"]["StartedAt"]) == self._read and _at_rest(live)

    def _note(self, text: str) -> Iterator[LogLine]:
        """Each thing once, until something else is to be said."""
        if text != self._told:
            self._told = text
            yield LogLine(text, note=True)


def lines_in(stream: Iterator[bytes], *, terminal: bool) -> Iterator[LogLine]:
    """The lines of an answer of the engine, each of which begins with its time."""
    pending = {False: b"", True: b""}
    open_at: dict[bool, LogLine] = {}
    for frame in frames(stream, terminal=terminal):
        *whole, pending[frame.error] = (pending[frame.error] + frame.content).split(b"\n")
        for raw in whole:
            line = _line(raw, frame.error)
            before = open_at.pop(frame.error, None)
            yield replace(before, text=before.text + line.text) if before else line
        if not terminal and pending[frame.error]:
            # The engine cuts long lines into several messages, each with a time of its own.
            part, pending[frame.error] = _line(pending[frame.error], frame.error), b""
            before = open_at.get(frame.error)
            open_at[frame.error] = replace(before, text=before.text + part.text) if before else part
    yield from (_line(raw, error) for error, raw in pending.items() if raw)
    yield from open_at.values()


def _line(raw: bytes, error: bool) -> LogLine:
    stamp, _, text = raw.decode(errors="replace").partition(" ")
    return LogLine(text.removesuffix("\r"), _padded(stamp), error)


def _padded(stamp: str) -> str:
    """With nine digits behind the point, so that times can be compared as texts."""
    whole, _, rest = stamp.removesuffix("Z").partition(".")
    return f"{whole}.{rest:0<9}Z"


def _epoch(stamp: str) -> float:
    return datetime.fromisoformat(f"{stamp.partition('.')[0]}+00:00").timestamp()


def _at_rest(live: Json) -> bool:
    return live["State"]["Status"] in ("exited", "dead")


def absent(container: Container) -> Stalled:
    return Stalled("Absent", f"there is no container {container.container_name} yet")


def unreadable(container: Container, live: Json, error: EngineError) -> Retry | Stalled:
    driver = live["HostConfig"].get("LogConfig", {}).get("Type", "")
    message = f"cannot read what the container {container.container_name} has written: {error.message}"
    if "does not support reading" in error.message:
        return Stalled("Unreadable", f"{message}; its log goes to {driver}, look there")
    return Retry(Reason.APPLY_FAILED, message)
