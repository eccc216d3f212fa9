"""`p2 apply` where nothing has changed since the last one, which had nothing to do: `entry.py` asks here.

All is as if it were carried out, less the look: under the home's lock, with the same output, and written down alike. Imports
no model. Where anything is otherwise than expected nothing was done but to count the start, and the whole program begins.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace

from controller.engine.audit import AuditEntry, Ending
from controller.engine.kept import NotKept
from controller.store.age import count_start
from controller.store.audit import SqliteAudit
from controller.store.database import Database, open_database
from controller.store.errors import HomeError
from controller.store.home import Home
from controller.store.identity import REBUILD
from controller.store.journal import Journal
from controller.store.saying import note, said
from controller.surfaces.cli.person import person
from controller.surfaces.cli.written import as_typed, broken_off, entry_of, missing, unwritable
from controller.wiring.settings import Settings
from controller.wiring.standing import Look, coloured


def carried_out(look: Look, words: Sequence[str], begun: float) -> int | None:
    """The exit code of these words, if `look` stands, with which the last apply of their source ended; else None.

    `begun` is when the command did, in monotonic seconds. Lets through KeyboardInterrupt and BrokenPipeError.
    """
    with ExitStack() as stack:
        try:
            settings = Settings.from_environment()
            home = Home(settings.home, settings.agents_config)
            stack.enter_context(home.lock())
            database, audit = stack.enter_context(_opened(home, settings))
            entry = entry_of("apply", as_typed(words), person(), time.time())
            running = _Running(look, home, database, audit, entry, begun)
            if not running.may_begin():
                return None
        except (HomeError, NotKept, ValueError):
            return None
        try:
            return running.show()
        finally:
            with suppress(HomeError, NotKept):
                note(home.path, database, look.said)


@contextmanager
def _opened(home: Home, settings: Settings) -> Iterator[tuple[Database, SqliteAudit]]:
    journal = Journal(settings.journal) if settings.journal else None
    with closing(open_database(home.database)) as database, closing(journal) if journal else nullcontext():
        yield database, SqliteAudit(database, journal)


@dataclass(frozen=True)
class _Running:
    look: Look
    home: Home
    database: Database
    audit: SqliteAudit
    entry: AuditEntry
    begun: float
    name: str = field(default_factory=lambda: os.urandom(8).hex())  # of the entry, while it is under way

    def may_begin(self) -> bool:
        """Whether the look stands, and it is written down that this command has begun. Raises HomeError."""
        try:
            # The database once more, for others may have written before it was opened; from then on it would be noticed.
            if self.look.said != said(self.home.path) or not self.look.stands_there():
                return False
        except KeyboardInterrupt as error:
            self._end(error)
            raise
        count_start(self.home, self.database)  # by itself: in the database before it is in the file
        with self.database.together():
            if self.database.meta(REBUILD) or self.audit.under_way():  # there is something to recover
                return False
            self.audit.begin({self.name: self.entry})
        return True

    def show(self) -> int:
        """Says what an apply says, and writes down how it ended. The exit code."""
        colour = coloured(sys.stdout)
        try:
            sys.stdout.write(f"{self.look.plan[colour]}\n{self.look.end[colour]}\n")
            sys.stdout.flush()
        except (KeyboardInterrupt, BrokenPipeError) as error:
            self._end(error)
            raise
        except OSError as error:
            sys.stderr.write(f"error: {unwritable(error)}\n")
            return self._end(error)
        return self._end()

    def _end(self, error: BaseException | None = None) -> int:
        outcome, message, code = broken_off(error) if error else (Ending.DONE, "", 0)
        seconds = round(time.monotonic() - self.begun, 4)
        entry = replace(self.entry, outcome=outcome, message=message, code=code, seconds=seconds)
        try:
            self.audit.end({self.name: replace(entry, at=time.time())})
        except (HomeError, NotKept) as trouble:
            if not error:
                sys.stderr.write(f"warning: {missing(trouble)}\n")
        return code
