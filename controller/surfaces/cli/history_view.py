"""How entries of the history look: a line of a table, a page, a document for programs. `history.py` shows them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from controller.engine.history import Deed, Deployment, Ending, Entry, Kept, Result
from controller.engine.requests import CONTROLLER, Cause
from controller.surfaces.cli.console import Paint, Style
from controller.surfaces.cli.plan_view import DONE, SYMBOLS
from controller.surfaces.cli.table import Cell
from controller.surfaces.cli.words import counted, moment, place, took
from resources.plan import Action

if TYPE_CHECKING:
    from controller.surfaces.cli.keys import Selection

HEADING = ["REVISION", "WHEN", "CAUSE", "WHO", "COMMIT", "OUTCOME", "TOOK", "WHAT"]
_SHORT = 7  # characters of a commit, as git shows them
_DIGEST = len("sha256:") + 12
_NAMED = 3  # resources that a line names
_STYLES = {Ending.CONVERGED: Style.GREEN, Ending.FAILED: Style.RED, Ending.INTERRUPTED: Style.YELLOW}
_RESULTS = {Result.DONE: Style.GREEN, Result.FAILED: Style.RED}


def row(entry: Entry, selection: Selection, *, with_source: bool) -> list[Cell]:
    """One line under HEADING. Of what was changed only what is selected is named."""
    deployed = entry.deployment
    what = rolled_out(deployed) if deployed else _what([deed for deed in entry.deeds if deed.key in selection])
    return [
        Cell(str(entry.number)),
        Cell(moment(entry.last or entry.at)),
        Cell(cause(entry)),
        Cell(entry.user),
        Cell(commit(entry) or "-"),
        Cell(entry.ending, _STYLES.get(entry.ending)),
        Cell("-" if entry.ending is Ending.OPEN else took(entry.seconds)),
        Cell(f"{place(entry.source)}: {what}" if with_source else what),
    ]


def rolled_out(deployment: Deployment) -> str:
    """`staging: shop/web:p2-1f0c33d2a4b5, db@sha256:9e1c0e…`."""
    images = ", ".join(_cut(image.reference) for image in deployment.images)
    return f"{deployment.environment}: {images or 'no image is pinned'}"


def _cut(reference: str) -> str:
    name, at, digest = reference.partition("@")
    return f"{name}@{digest[:_DIGEST]}" if at else reference


def cause(entry: Entry) -> str:
    """`edit`, `drift (x12)`, `rollback to 7`."""
    times = f" (x{entry.count})" if entry.count > 1 else ""
    to = f" to {entry.restored}" if entry.cause is Cause.ROLLBACK and entry.restored else ""
    return f"{entry.cause}{to}{times}"


def commit(entry: Entry) -> str:
    """A commit as git shows it, with a star where files of the source were otherwise."""
    return entry.commit[:_SHORT] + ("*" if entry.dirty else "")


def _what(deeds: list[Deed]) -> str:
    if not deeds:
        return "only files"
    if len(deeds) > _NAMED:
        counts = Counter(DONE.get(deed.action, "not changed") for deed in deeds)
        return ", ".join(f"{number} {done}" for done, number in counts.items())
    return ", ".join(map(_one, deeds))


def _one(deed: Deed) -> str:
    symbol, _ = _symbol(deed)
    fields = f" ({', '.join(deed.fields)})" if deed.fields else ""
    return f"{symbol} {deed.key.short}{fields}"


def _symbol(deed: Deed) -> tuple[str, Style]:
    """What nothing was done about stands out."""
    return ("!", Style.YELLOW) if deed.action is Action.NONE else SYMBOLS[deed.action]


def detail_lines(entry: Entry, texts: Mapping[str, Kept | None], paint: Paint) -> Iterator[str]:
    """All that is known of one entry."""
    yield paint(f"Revision {entry.number}", Style.BOLD)
    yield from _facts(entry, paint)
    if entry.deployment:
        for image in entry.deployment.images:
            yield f"  {'image':<9}{image.name} is {image.reference} ({image.identity})"
    if texts:
        yield ""
        yield f"{counted(len(texts), 'file')} of the source other than before:"
        for path, kept in texts.items():
            yield f"  {path}{_about(kept)}"
    if entry.deeds:
        yield ""
        yield f"{counted(len(entry.deeds), 'resource')} changed, or to be changed:"
        for deed in entry.deeds:
            yield from _deed_lines(deed, paint)


def _facts(entry: Entry, paint: Paint) -> Iterator[str]:
    who = entry.user if entry.user == CONTROLLER or not entry.command else f"{entry.user}: {entry.command}"
    state = {True: " with uncommitted edits", False: "", None: ""}[entry.dirty]
    ending = paint(entry.ending, *([style] if (style := _STYLES.get(entry.ending)) else []))
    facts = {
        "source": place(entry.source),
        "when": moment(entry.at),
        "deployed": entry.deployment.environment if entry.deployment else "",
        "tests": entry.deployment.tests if entry.deployment else "",
        "cause": cause(entry),
        "last": moment(entry.last) if entry.count > 1 else "",
        "who": who,
        "commit": f"{entry.commit}{state}" if entry.commit else "",
        "outcome": f"{ending}{f': {entry.message}' if entry.message else ''}",
        "took": "" if entry.ending is Ending.OPEN else took(entry.seconds),
    }
    for name, fact in facts.items():
        if fact:
            yield f"  {name:<9}{fact}"


def _about(kept: Kept | None) -> str:
    if kept is None:
        return "  gone"
    return "" if kept.whole else "  (content not kept)"


def _deed_lines(deed: Deed, paint: Paint) -> Iterator[str]:
    symbol, style = _symbol(deed)
    action = "" if deed.action is Action.NONE else f"  {deed.action}"
    styles = [found] if (found := _RESULTS.get(deed.result)) else []
    yield f"  {paint(symbol, style)} {deed.key.short}{action}  {paint(deed.result, *styles)}"
    if deed.fields:
        yield f"      {', '.join(deed.fields)}"
    if deed.message:
        yield f"      {deed.message}"


def document(entry: Entry, texts: Mapping[str, Kept | None] | None = None) -> dict[str, Any]:
    """One entry for programs; times are UTC."""
    found = {
        "revision": entry.number,
        "source": entry.source,
        "at": moment(entry.at),
        "last": moment(entry.last or entry.at),
        "count": entry.count,
        "cause": entry.cause,
        "restored": entry.restored or None,
        "user": entry.user,
        "command": entry.command,
        "commit": entry.commit or None,
        "uncommittedEdits": entry.dirty,
        "outcome": entry.ending,
        "message": entry.message,
        "seconds": None if entry.ending is Ending.OPEN else round(entry.seconds, 3),
        "changes": [
            {
                "key": str(deed.key),
                "action": deed.action,
                "fields": list(deed.fields),
                "outcome": deed.result,
                "message": deed.message,
            }
            for deed in entry.deeds
        ],
    }
    if entry.deployment:
        found["deployment"] = asdict(entry.deployment)
    if texts is not None:
        found["files"] = [
            {"path": path, "gone": kept is None, "contentKept": bool(kept and kept.whole)}
            for path, kept in texts.items()
        ]
    return found
