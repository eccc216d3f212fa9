"""Keeps a look that found nothing to do, for `standing.py` to find. `p2 diff` calls it at its end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from controller.engine.passes import Pass, Verdict
from controller.wiring.outcome import Preview
from controller.wiring.standing import Stamp, around, files_of, place, stamps
from controller.wiring.workspace import Workspace
from resources.meta import SecretRef

RECENT = 2.0  # seconds: what has changed so lately may change again and keep its stamps


def keep(workspace: Workspace, preview: Preview, text: str, colour: bool) -> None:
    """Does nothing where the look may not stand: something was found, is on its way, or can't be compared later."""
    systems = workspace.seen()
    if not systems or None in systems.values() or not _found_nothing(workspace, preview):
        return
    home = workspace.home.path
    # The home first: where it changes meanwhile, what is kept is of no use, and does no harm.
    now = around(home)
    files = stamps(sorted(workspace.source.looked_at()))
    if _recent((*files, *stamps(files_of(str(home))))):  # or it may be what came after the look
        return
    content = {"around": now, "files": files, "systems": systems, "text": text}
    target = place(home, workspace.source.name, colour)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with suppress(OSError):  # a home that can't be written to does without
        try:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(content))
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def _found_nothing(workspace: Workspace, preview: Preview) -> bool:
    if preview.plans or preview.reported or preview.holds or preview.failures or workspace.source_trouble():
        return False
    if not workspace.selected(None)[1]:  # a part of the source
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


def _recent(files: Iterable[list[Any]]) -> bool:
    newest = time.time_ns() - int(RECENT * 1e9)
    return any(_changed_at(stamp) > newest for _, stamp in files)


def _changed_at(stamp: Stamp) -> int:
    return max(stamp[-2:]) if stamp else 0
