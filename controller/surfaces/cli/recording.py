"""Writes commands into the audit: who ran what, and how it ended. `main.run` carries out every command through here.

A command says itself whether it changes anything (`Command.changes`); one that only reads leaves no trace.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING

from controller.surfaces.cli.app import App, tell
from controller.surfaces.cli.command import Command, Exit, Refused
from resources.classes import dataclass

if TYPE_CHECKING:
    from controller.engine.audit import AuditEntry, Ending
    from controller.engine.stores import Audit

_HIDDEN = "(secret)"
# What may be a secret in a command line: the password in a URL, and the value of an option that is called like one.
_IN_URL = r"(\w+:/+[^\s/:@]*:)[^\s/@]+(?=@)"
_IN_OPTION = r"(?i)(--?[\w-]*(?:password|passwd|passphrase|secret|token|api-?key)[\w-]*(?:=|\s+))('[^']*'|\S+)"


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

    def run(self) -> int:
        from controller.engine.stores import NotKept
        from controller.store.errors import HomeError

        begun = time.monotonic()
        entry = self._begin()
        try:
            found = self.command.run(self.app)
        except BaseException as error:
            outcome, message, code = _explained(error)
            seconds = round(time.monotonic() - begun, 4)
            # Where that can't be kept, the command has met the same trouble, and says so.
            with suppress(HomeError, NotKept, Refused):
                if not self.command.replaces_audit:
                    self._end(replace(entry, outcome=outcome, message=message, code=code, seconds=seconds))
            raise
        seconds = round(time.monotonic() - begun, 4)
        try:
            self._end(replace(entry, outcome=_ending(self.command, found), code=int(found), seconds=seconds))
        except (HomeError, NotKept) as error:
            self.app.console.note(f"warning: this command is missing in the audit: {error}")
        return found

    def _begin(self) -> AuditEntry:
        """A command that can't be written down yet goes on: it will meet the same trouble, and say so better."""
        from controller.engine.audit import AuditEntry, Ending
        from controller.engine.stores import NotKept
        from controller.store.errors import HomeError

        app, command = self.app, without_secrets(self.app.typed or f"p2 {self.command.name}")
        entry = AuditEntry(app.now(), self.command.name, user=app.user, command=command)
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
        if (
            home.restoring or not home.database.exists()
        ):  # as a rule not, and then it need not be opened to be read first
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
    if isinstance(error, KeyboardInterrupt):
        return Ending.INTERRUPTED, "", Exit.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return Ending.FAILED, "the reader of its output has gone", 141
    return Ending.FAILED, f"a mistake in Pegasus2 ({type(error).__name__})", Exit.REFUSED


def without_secrets(text: str) -> str:
    """`text` without what may be a password in it."""
    return re.sub(_IN_OPTION, rf"\1{_HIDDEN}", re.sub(_IN_URL, rf"\1{_HIDDEN}", text))
