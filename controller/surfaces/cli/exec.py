"""`p2 exec`: runs a program within a container, with the person's terminal or pipes at its ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

from controller.surfaces.cli.app import App, settings, tell
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.keys import complete_keys
from controller.surfaces.cli.parameters import SourceOption

if TYPE_CHECKING:
    from controller.engine.by_hand import Streams
    from controller.surfaces.cli.aims import Aim
    from controller.wiring.workspace import Workspace


@dataclass(frozen=True)
class Exec(Command):
    """Run a program within a container.

    Write `--` before the program, so that its options are its own. Its exit code is that of this command; what it is
    started with stands in the audit, so pass no secrets in it. Ctrl-C reaches a program that has a terminal (-it) as it is typed,
    and any other one as SIGINT where its engine runs on this machine. Where that can't be, and at a second Ctrl-C, the
    program goes on, and it is said where.

    Examples:
      p2 exec container/web -- ls -l /srv
      p2 exec container/db -it -- psql -U shop
      p2 exec container/db -i -- psql -U shop < dump.sql
    """

    name = "exec"
    changes = True
    passes_code = True

    what: Annotated[str, Argument(metavar="KIND/NAME", autocompletion=complete_keys, help="Where to run it.")]
    command: Annotated[tuple[str, ...], Argument(metavar="-- PROGRAM [ARGUMENT …]", help="What to run.")] = ()
    stdin: Annotated[bool, Option("-i", "--stdin", help="Pass on what is typed, or piped in.")] = False
    terminal: Annotated[bool, Option("-t", "--tty", help="Give the program a terminal.")] = False
    user: Annotated[str, Option("-u", "--user", metavar="USER", help="As this user of the container.")] = ""
    directory: Annotated[str, Option("-w", "--workdir", metavar="DIR", help="In this directory of the container.")] = ""
    path: SourceOption = Path("state")

    def run(self, app: App) -> int:
        from controller.engine.agent import Retry, Stalled
        from controller.engine.by_hand import Executes, Execution, LeftRunning
        from controller.surfaces.cli.aims import aimed

        if not self.command:
            raise Refused(f"cannot tell what to run: write it behind two hyphens, as in p2 exec {self.what} -- ls")
        with app.open(self.path, read_only=True) as workspace:
            aims = aimed(workspace, [self.what], Executes, "run anything in")
            if len(aims) > 1:
                several = ", ".join(aim.key.short for aim in aims)
                raise Refused(f"cannot run it in all that {self.what} owns: name one of {several}")
            aim = _owned(aims[0], "run anything in")
            execution = Execution(self.command, self._with_terminal(app), self.user, self.directory)
            begun, left = time.monotonic(), ""
            try:
                with _streams(execution.terminal, reads=self.stdin) as streams:
                    code: int = _able(workspace, aim).execute(aim.resource, execution, streams)
            except LeftRunning as running:
                code, left = Exit.INTERRUPTED, str(running)
            except (Retry, Stalled) as failure:
                raise Refused(failure.message) from None
        self._write_down(app, aim, code, time.monotonic() - begun)
        if left:
            tell(app, left)
            raise KeyboardInterrupt
        return code

    def _with_terminal(self, app: App) -> bool:
        if self.terminal and self.stdin and not sys.stdin.isatty():
            tell(app, "no terminal is given to the program: stdin is none")
            return False
        return self.terminal

    def _write_down(self, app: App, aim: Aim, code: int, seconds: float) -> None:
        """The audit of the container; that of the command is written by who carries it out."""
        from controller.engine.audit import AuditEntry
        from controller.surfaces.cli.written import without_secrets

        said = without_secrets(" ".join(self.command))
        entry = AuditEntry(
            app.now(), "exec", key=aim.key, user=app.user, command=without_secrets(app.typed), message=said,
            code=code, seconds=round(seconds, 4),
        )  # fmt: skip
        with app.kept(read_only=False) as kept:
            kept.stores.audit.end({os.urandom(8).hex(): entry})


def _owned(aim: Aim, verb: str) -> Aim:
    if not aim.owned:
        raise Refused(f"cannot {verb} {aim.key.short}: it was not made yet; p2 apply makes it")
    return aim


def _able(workspace: Workspace, aim: Aim) -> Any:
    """An agent that may write. The home need not be locked for it: the loop has nothing to do with such programs."""
    from controller.wiring.agents import by_hand

    return by_hand(workspace.home, settings()).find(aim.key.kind)


@contextmanager
def _streams(terminal: bool, *, reads: bool) -> Iterator[Streams]:
    """The process's own. A terminal passes on every key as it is typed, Ctrl-C among them."""
    from controller.engine.by_hand import Streams

    descriptor = sys.stdin.fileno() if reads else None
    size = _size if terminal and sys.stdout.isatty() else None
    streams = Streams(descriptor, _writer(1), _writer(2), size)
    if not (terminal and descriptor is not None):
        with _interrupts() as interrupts:
            yield replace(streams, interrupts=interrupts)
        return
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor, termios.TCSADRAIN)  # what is typed already counts
    try:
        yield streams
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _interrupts() -> Iterator[int]:
    """A descriptor with a byte for each Ctrl-C, in place of KeyboardInterrupt, which would lose what is being passed on.

    The third one is an exception as ever: whoever was to read the first two hangs.
    """
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    seen: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) > 2:
            raise KeyboardInterrupt
        os.write(writing, b"\x03")

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield reading
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(reading)
        os.close(writing)


def _writer(descriptor: int) -> Callable[[bytes], None]:
    def write(content: bytes) -> None:
        while content:
            content = content[os.write(descriptor, content) :]

    return write


def _size() -> tuple[int, int]:
    found = os.get_terminal_size(1)
    return found.columns, found.lines
