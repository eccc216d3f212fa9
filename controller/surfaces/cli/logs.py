"""`p2 logs`: what containers have written, and go on writing."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from queue import Empty, Queue
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any, Literal

from controller.surfaces.cli.app import App, tell
from controller.surfaces.cli.command import Argument, Command, Exit, Option
from controller.surfaces.cli.console import Style
from controller.surfaces.cli.keys import complete_keys
from controller.surfaces.cli.parameters import SourceOption

if TYPE_CHECKING:
    from controller.engine.agent import Failure
    from controller.engine.by_hand import LogLine, LogQuery
    from controller.surfaces.cli.aims import Aim
    from resources.meta import Key

_STYLES = (Style.CYAN, Style.YELLOW, Style.GREEN, Style.MAGENTA)
_AT_ONCE = 500  # lines that are printed in one go
_AWAKE = 0.5  # seconds within which a Ctrl-C is noticed that came just before the wait for a line began
_WAITING = 2000  # lines that have come and are not printed yet; who writes more must wait

Said = tuple["Key", "LogLine | Failure | None"]  # None: it has come to its end


@dataclass(frozen=True)
class Logs(Command):
    """Show what containers have written.

    Several resources, or one that owns others, are shown together: in the order of time, each line behind the name of
    what has written it. Following (-f) goes on with what is written from now on, also by a container that takes the
    place of an old one; Ctrl-C ends it. stdout and stderr of a container both go to stdout; -o json tells them apart.

    Exit code 0: all was shown. 1: of some of it, nothing could be. 2: refused, such as a name that does not exist.

    Examples:
      p2 logs container/web                      all that it has written
      p2 logs container/web -f --tail 20         the last 20 lines, and whatever comes
      p2 logs compose/shop --since 10m           all containers of a project
    """

    name = "logs"

    what: Annotated[
        tuple[str, ...], Argument(metavar="KIND/NAME", autocompletion=complete_keys, help="Whose lines to show.")
    ] = ()
    follow: Annotated[bool, Option("-f", "--follow", help="Go on with what is written from now on.")] = False
    tail: Annotated[int | None, Option("-n", "--tail", metavar="N", min=0, help="Only the last N lines of each.")] = (
        None
    )
    since: Annotated[
        str, Option("--since", metavar="TIME", help="Only what is newer: 30s, 10m, 2h, 7d, 2026-11-24T15:00.")
    ] = ""
    timestamps: Annotated[bool, Option("-t", "--timestamps", help="Show when each line was written, in UTC.")] = False
    output: Annotated[Literal["text", "json"], Option("-o", "--output", help="How to print it.")] = "text"
    path: SourceOption = Path("state")

    def run(self, app: App) -> Exit:
        from controller.engine.by_hand import LogQuery, Logs
        from controller.surfaces.cli.aims import aimed
        from controller.surfaces.cli.audit import beginning

        since = beginning(self.since, app.now()) if self.since else 0.0
        query = LogQuery(self.follow, self.tail, since)
        with app.open(self.path, read_only=True) as workspace:
            aims = aimed(workspace, self.what, Logs, "show what was written by")
            show = _Show(app, aims, self.timestamps, self.output == "json")
            said = _followed(aims, query) if self.follow else _merged(aims, query)
            with suppress(KeyboardInterrupt):
                for some in said:
                    show.lines(some)
        return Exit.DIFFERENT if show.failed else Exit.OK


def _merged(aims: Sequence[Aim], query: LogQuery) -> Iterator[list[Said]]:
    """What there is now, in the order of time."""
    stop, some = Flag(), []
    for each in heapq.merge(*(_said(aim, query, stop) for aim in aims), key=_when):
        some.append(each)
        if len(some) >= _AT_ONCE:
            yield some
            some = []
    yield some


def _when(said: Said) -> str:
    return getattr(said[1], "at", "")


def _said(aim: Aim, query: LogQuery, stop: Flag) -> Iterator[Said]:
    """All of one thing; what goes wrong is said, too."""
    from controller.engine.agent import Retry, Stalled

    agent: Any = aim.agent
    try:
        for line in agent.logs(aim.resource, query, stop):
            yield aim.key, line
    except (Retry, Stalled) as failure:
        yield aim.key, failure


def _followed(aims: Sequence[Aim], query: LogQuery) -> Iterator[list[Said]]:
    """As it comes, until nothing more can come of any of them."""
    stop = Flag()
    come: Queue[Said] = Queue(_WAITING)

    def follow(aim: Aim) -> None:
        try:
            for said in _said(aim, query, stop):
                come.put(said)
        finally:
            come.put((aim.key, None))

    for aim in aims:
        Thread(target=follow, args=(aim,), name=f"logs-{aim.key.short}", daemon=True).start()
    left = len(aims)
    try:
        while left:
            some: list[Said] = []
            with suppress(Empty):
                some.append(come.get(timeout=_AWAKE))
                while len(some) < _AT_ONCE:
                    some.append(come.get_nowait())
            yield [each for each in some if each[1] is not None]
            left -= sum(said is None for _, said in some)
    finally:
        stop.set()


class _Show:
    """Prints lines; behind the name of what has written them where there are several."""

    def __init__(self, app: App, aims: Sequence[Aim], timestamps: bool, as_json: bool) -> None:
        self.failed = False
        self._app = app
        self._timestamps = timestamps
        self._as_json = as_json
        kinds = {aim.key.kind for aim in aims}
        names = {aim.key: aim.key.short if len(kinds) > 1 else aim.key.short.partition("/")[2] for aim in aims}
        width = max(map(len, names.values()))
        paint = app.console.paint
        styled = zip(names.items(), cycle(_STYLES), strict=False)
        several = len(aims) > 1
        self._before = {key: paint(f"{name:<{width}} | ", style) if several else "" for (key, name), style in styled}

    def lines(self, some: Sequence[Said]) -> None:
        shown: list[str] = []
        for key, said in some:
            text = getattr(said, "text", None)
            if text is None or getattr(said, "note", False):
                self._app.console.print(shown)
                shown = []
                self._tell(key, said)
            else:
                shown.append(self._line(key, said))
        self._app.console.print(shown)

    def _tell(self, key: Key, said: Any) -> None:
        if getattr(said, "note", False):
            tell(self._app, f"{key.short}: {said.text}")
            return
        self.failed = True
        label = self._app.console.paint_err("error:", Style.BOLD, Style.RED)
        self._app.console.note(f"{label} {key.short}: {said.message}")

    def _line(self, key: Key, line: Any) -> str:
        if self._as_json:
            stream = "stderr" if line.error else "stdout"
            document = {"key": str(key), "at": line.at, "stream": stream, "text": line.text}
            return json.dumps(document, ensure_ascii=False)
        at = f"{line.at} " if self._timestamps and line.at else ""
        return f"{self._before[key]}{at}{line.text}"
