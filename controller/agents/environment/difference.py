"""What must change about a file, directory or link: the pure half of the agent in `file.py`."""

from __future__ import annotations

from collections.abc import Iterator

from controller.engine.diff import within
from resources.kinds.file import File, FileObserved, FileSpec, FileType
from resources.plan import Action, Change, Disruption, Plan, Why

# Modes of what is made without one, and of what had one and has lost it from its spec.
NEW_MODE = {FileType.FILE: "0644", FileType.DIRECTORY: "0755"}


def plan_file(desired: File, last: File | None, observed: FileObserved | None) -> Plan:
    """Another path or type is a replacement, everything else is changed in place."""
    spec, before = desired.spec, last.spec if last else None
    if before is not None and before.path != spec.path:
        moved = Change("path", before.path, spec.path, Why.EDITED)
        return Plan(desired.key, Action.REPLACE, (moved,), Disruption.RECREATE)
    if observed is None:
        return Plan(desired.key, Action.CREATE)
    if observed.type != spec.type:
        other = Change("type", observed.type, str(spec.type), _why(spec, before, "type"))
        return Plan(desired.key, Action.REPLACE, (other,), Disruption.RECREATE)
    changes = tuple(
        change
        for change in _changes(spec, before, observed)
        if not any(within(change.path, ignored) for ignored in spec.ignore)
    )
    return Plan(desired.key, Action.UPDATE if changes else Action.NONE, changes)


def _changes(spec: FileSpec, before: FileSpec | None, observed: FileObserved) -> Iterator[Change]:
    if observed.content != observed.wanted:
        why = _why(spec, before, "content", "source", "template", "variables")
        yield Change("content", observed.content, observed.wanted, why)
    for name in ("target", "mode", "owner", "group"):
        want, have = getattr(spec, name), getattr(observed, name)
        if name == "mode" and want is None and before is not None and before.mode is not None:
            want = NEW_MODE.get(spec.type)
        if want is not None and want != have:
            yield Change(name, have, want, _why(spec, before, name))


def _why(spec: FileSpec, before: FileSpec | None, *fields: str) -> Why:
    if before is None:
        return Why.NEW
    if all(getattr(spec, name) == getattr(before, name) for name in fields):
        return Why.DRIFTED
    return Why.DROPPED if all(getattr(spec, name) is None for name in fields) else Why.EDITED
