"""`p2 audit`: who did what to the machine, why, and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from controller.surfaces.cli.app import App, tell_lost
from controller.surfaces.cli.command import Argument, Command, Exit, Option, Refused
from controller.surfaces.cli.keys import complete_kinds_and_keys, selected

if TYPE_CHECKING:
    from controller.engine.audit import AuditEntry, AuditQuery
    from controller.surfaces.cli.table import Cell

_FIELDS_SHOWN = 4
_DAY = 86_400.0  # seconds


@dataclass(frozen=True)
class Audit(Command):
    """Show who did what to the machine, oldest first.

    Every action on the machine, and every command that asked for some, is kept: nothing of it is ever changed. With
    -o json every entry is one line.

    Examples:
      p2 audit                              the last hundred
      p2 audit container/web --since 7d     what was done to one resource this week
      p2 audit --user ada --action apply    when ada applied something
      p2 audit --outcome failed --since 2026-11-24
    """

    name = "audit"

    what: Annotated[
        tuple[str, ...],
        Argument(
            metavar="KIND[/NAME]", autocompletion=complete_kinds_and_keys, help="Only about these (default: all)."
        ),
    ] = ()
    since: Annotated[
        str, Option("--since", metavar="TIME", help="Only what is newer: 2h, 7d, 2026-11-24, 2026-11-24T15:00.")
    ] = ""
    user: Annotated[str, Option("--user", metavar="NAME", help='Only for this user, or "controller".')] = ""
    action: Annotated[str, Option("--action", metavar="NAME", help="Only this action (update) or command (apply).")] = (
        ""
    )
    outcome: Annotated[
        Literal["done", "started", "failed", "refused", "interrupted"] | None,
        Option("--outcome", help="Only what ended so."),
    ] = None
    limit: Annotated[
        int, Option("-n", "--limit", metavar="N", min=1, help="How many at most, the newest (default: 100).")
    ] = 100
    output: Annotated[Literal["table", "json"], Option("-o", "--output", help="How to print it.")] = "table"

    def run(self, app: App) -> Exit:
        from controller.surfaces.cli.table import Table

        query = self._query(app.now())
        with app.kept(read_only=True) as kept:
            tell_lost(app, kept.home)
            found = kept.stores.audit.entries(query)
        if self.output == "json":
            app.console.print(json.dumps(document(entry), ensure_ascii=False) for entry in found)
            return Exit.OK
        heading = ["TIME", "USER", "ACTION", "RESOURCE", "OUTCOME", "WHY", "DETAIL"]
        app.console.print(Table(heading, app.console.paint, width=app.console.width).lines([row(e) for e in found]))
        if not found:
            app.console.note("nothing like that was recorded")
        return Exit.OK

    def _query(self, now: float) -> AuditQuery:
        from controller.engine.audit import AuditQuery, Ending

        selection = selected(self.what)
        return AuditQuery(
            keys=selection.keys,
            kinds=selection.kinds,
            since=beginning(self.since, now) if self.since else 0.0,
            user=self.user,
            action=self.action,
            outcome=Ending(self.outcome) if self.outcome else None,
            limit=self.limit,
        )


def beginning(text: str, now: float) -> float:
    """The moment (seconds since the epoch) that `2h`, `7d` or a date means; one without a zone is local time. Raises Refused."""
    from resources.meta import seconds

    if text.endswith("d") and text[:-1].isdecimal():
        return now - int(text[:-1]) * _DAY
    try:
        return now - seconds(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise Refused(
            f'cannot read the time "{text}": write 30m, 2h or 7d, or a date like 2026-11-24 or 2026-11-24T15:00'
        ) from None


def row(entry: AuditEntry) -> list[Cell]:
    """One line of a table."""
    from controller.engine.audit import Ending
    from controller.surfaces.cli.console import Style
    from controller.surfaces.cli.table import Cell
    from controller.surfaces.cli.words import moment, printable

    styles = {Ending.FAILED: Style.RED, Ending.REFUSED: Style.YELLOW, Ending.INTERRUPTED: Style.YELLOW}
    return [
        Cell(moment(entry.at)),
        Cell(entry.user or "-"),
        Cell(entry.action),
        Cell(entry.key.short if entry.key else "-"),
        Cell(entry.outcome, styles.get(entry.outcome)),
        Cell(entry.cause or "-"),
        Cell(printable(detail(entry).replace("\n", " "))),
    ]


def detail(entry: AuditEntry) -> str:
    """What is said of an entry on its line: the command as typed, or the fields; then why it failed, and how long it took."""
    from controller.surfaces.cli.words import took

    if entry.key is None:
        first = entry.command
    else:
        more = len(entry.fields) - _FIELDS_SHOWN
        first = ", ".join(entry.fields[:_FIELDS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    code = f"exit code {entry.code}" if entry.code else ""
    said = [first, code, entry.message, took(entry.seconds) if entry.seconds else ""]
    return "; ".join(part for part in said if part)


def document(entry: AuditEntry) -> dict[str, Any]:
    """One entry for programs; times are UTC. Described in docs/audit.md."""
    from controller.surfaces.cli.words import moment

    return {
        "at": moment(entry.at),
        "user": entry.user,
        "command": entry.command,
        "action": entry.action,
        "key": str(entry.key) if entry.key else None,
        "outcome": entry.outcome,
        "cause": entry.cause or None,
        "fields": list(entry.fields),
        "generation": entry.generation or None,
        "file": entry.file or None,
        "reason": entry.reason or None,
        "message": entry.message,
        "code": entry.code,
        "seconds": entry.seconds,
    }
