"""Writes commands into the audit: who ran what, and how it ended. `main.run` carries out every command through here.

One that is carried out without it, and is written down alike, is in `unchanged.py`.

A command says itself whether it changes anything (`Command.changes`); one that only reads leaves no trace.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from controller.surfaces.cli.app import App, tell
from controller.surfaces.cli.command import Command, Exit, Refused
from controller.surfaces.cli.written import broken_off, entry_of, missing, without_secrets

if TYPE_CHECKING:
    from controller.engine.audit import AuditEntry, Ending
    from controller.engine.stores import Audit


def carry_out(command: Command, app: App) -> int:
    """Runs a command, and writes it down where it changes something. Raises what it raises."""
    if not command.asks_for_change():
        return command.run(app)
    return _Recording(command, app).run()


@dataclass
class _Recording:
    command: Command
    app: App
    name: str = field(default_factory=lambda: os.urandom(8).hex())
    begun: float = field(default_factory=time.monotonic)
    is_written: bool = False  # how it ended

    def run(self) -> int:
        from controller.engine.stores import NotKept
        from controller.store.errors import HomeError

        entry = self._begin()
        try:
            found = self.command.run(replace(self.app, ended=partial(self._end_early, entry)))
        except BaseException as error:
            outcome, message, code = _explained(error)
            # Where that can't be kept, the command has met the same trouble, and says so.
            with suppress(HomeError, NotKept, Refused):
                if not (self.command.replaces_audit or self.is_written):
                    self._end(replace(entry, outcome=outcome, message=message, code=code, seconds=self._seconds))
            raise
        if not self.is_written:
            with self._warned():
                self._end(self._ended(entry, found))
        return found

    def _end_early(self, entry: AuditEntry, audit: Audit, code: int) -> None:
        """The command has come to its end, and has the audit open."""
        self.is_written = True
        with self._warned():
            audit.end({self.name: replace(self._ended(entry, code), at=self.app.now())})

    def _ended(self, entry: AuditEntry, code: int) -> AuditEntry:
        return replace(entry, outcome=_ending(self.command, code), code=int(code), seconds=self._seconds)

    @property
    def _seconds(self) -> float:
        return round(time.monotonic() - self.begun, 4)

    @contextmanager
    def _warned(self) -> Iterator[None]:
        from controller.engine.stores import NotKept
        from controller.store.errors import HomeError

        try:
            yield
        except (HomeError, NotKept) as error:
            self.app.console.note(f"warning: {missing(error)}")

    def _begin(self) -> AuditEntry:
        """A command that can't be written down yet goes on: it will meet the same trouble, and say so better."""
        from controller.engine.audit import Ending
        from controller.engine.stores import NotKept
        from controller.store.errors import HomeError

        app = self.app
        entry = entry_of(self.command.name, app.typed, app.user, app.now())
        if self.command.replaces_audit:
            return entry
        with suppress(HomeError, NotKept, Refused), self._audit() as audit:
            if audit:
                audit.begin({self.name: entry})
                if self.command.lasts and not app.home(read_only=True).holder():  # else it will be refused
                    audit.end({f"{self.name} began": replace(entry, outcome=Ending.STARTED)})
        return entry

    def _end(self, entry: AuditEntry) -> None:
        with self._audit() as audit:
            if audit:
                audit.end({self.name: replace(entry, at=self.app.now())})

    @contextmanager
    def _audit(self) -> Iterator[Audit | None]:
        """The audit, unless there is no home yet: only a controller, which will make one, is worth it."""
        home = self.app.home(read_only=True)
        # As a rule neither, and then it need not be opened for reading first.
        if home.restoring or not home.database.exists():
            with self.app.kept(read_only=True) as kept:
                there_is_none = not kept.home.database.exists()
            if there_is_none and (self.command.makes_home or not self.command.lasts):
                yield None
                return
        with self.app.kept(read_only=False) as kept:
            if kept.news:
                tell(self.app, kept.news)
            yield kept.stores.audit


def _ending(command: Command, code: int) -> Ending:
    from controller.engine.audit import Ending

    if command.passes_code:
        return Ending.DONE
    match code:
        case Exit.OK:
            return Ending.DONE
        case Exit.INTERRUPTED:
            return Ending.INTERRUPTED
        case Exit.REFUSED:
            return Ending.REFUSED
        case _:
            return Ending.FAILED


def _explained(error: BaseException) -> tuple[Ending, str, int]:
    """How a command ended that raised `error`. The text of what was not foreseen may hold anything, so it is left out."""
    from controller.engine.audit import Ending
    from controller.store.errors import HomeError

    if isinstance(error, Refused | HomeError):
        first = str(error).partition("\n")[0]  # what follows tells values of fields
        return Ending.REFUSED, without_secrets(first), Exit.REFUSED
    if isinstance(error, KeyboardInterrupt | BrokenPipeError):
        return broken_off(error)
    return Ending.FAILED, f"a mistake in Pegasus2 ({type(error).__name__})", Exit.REFUSED
