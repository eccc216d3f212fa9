"""Keeps a look that found nothing to do, for `standing.py` to find. `p2 diff` and `p2 apply` call it at their end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from controller.engine.passes import Pass, Verdict
from controller.store.database import Database
from controller.store.errors import HomeError
from controller.store.identity import REBUILD
from controller.store.saying import digest_of, note, put
from controller.wiring.outcome import Preview, Summary
from controller.wiring.standing import Look, around, code, files_around, place, stamps
from controller.wiring.workspace import Workspace
from resources.meta import SecretRef

RECENT = 2.0  # seconds: what has changed so shortly before it was read may have changed again and kept its stamps


def keep(workspace: Workspace, preview: Preview, plan: Sequence[str], end: Sequence[str] = ()) -> None:
    """Does nothing where the look may not stand: something was found, is on its way, or can't be compared later.

    `plan`, and after an apply that `changed_nothing` also `end`: the lines that were shown, without colours and with them.
    """
    systems, database = workspace.seen(), workspace.database
    if not systems or None in systems.values() or database is None or not _found_nothing(workspace, preview):
        return
    with suppress(OSError, HomeError):  # a home that can't be written to does without
        _keep(workspace, database, systems, plan, end)


def _keep(
    workspace: Workspace, database: Database, systems: Mapping[str, Any], plan: Sequence[str], end: Sequence[str]
) -> None:
    home = workspace.home.path
    # The home first: where it changes meanwhile, what is kept is of no use, and does no harm.
    now = around(home)
    files = stamps(sorted(workspace.source.looked_at()))
    if _changed_since(workspace.opened_at - RECENT, (*files, *stamps([*files_around(home), *code()]))):
        return  # it may be what came after the look
    said = digest_of(database)
    if note(home, database, said):
        look = Look(now, said, files, systems, plan, end)
        put(place(home, workspace.source.name), json.dumps(asdict(look)))


def changed_nothing(workspace: Workspace, summary: Summary) -> bool:
    """Whether an apply that ended so did nothing, in the world or in what is kept, and the next one would not either."""
    database = workspace.database
    if database is None or summary.done or not summary.converged or workspace.news:
        return False
    with suppress(HomeError):
        return database.changes == workspace.written_before and not database.meta(REBUILD)
    return False


def _found_nothing(workspace: Workspace, preview: Preview) -> bool:
    if preview.plans or preview.reported or preview.holds or preview.failures or workspace.source_trouble():
        return False
    if not workspace.selected(None)[1]:  # a part of the source
        return False
    if not workspace.looked.keys() >= set(preview.unchanged):  # some were looked at again since
        return False
    agents = {each.subject.agent.system for each in workspace.looked.values() if each.subject}
    asked = workspace.seen().keys() | {"groups"}
    settled = all(_is_settled(each) for each in workspace.looked.values())
    return settled and agents <= asked and not any(map(_has_secrets, workspace.declared().values()))


def _is_settled(each: Pass) -> bool:
    """Whether nothing changes about it by the mere passing of time."""
    return each.verdict is Verdict.READY and each.after is None and each.by is None


def _has_secrets(value: Any) -> bool:
    """Whether a secret is looked up for it, which may be another one meanwhile."""
    match value:
        case SecretRef():
            return True
        case BaseModel():
            return any(_has_secrets(found) for _, found in value)
        case dict():
            return any(map(_has_secrets, value.values()))
        case list() | tuple():
            return any(map(_has_secrets, value))
    return hasattr(value, "resource") and _has_secrets(value.resource)


def _changed_since(then: float, files: Iterable[list[Any]]) -> bool:
    """Whether one of these was changed after `then`, in seconds since the epoch."""
    return any(stamp and max(stamp[-2:]) > then * 1e9 for _, stamp in files)
