"""Three-way comparison of desired, last applied and observed, by field. Agents call it from their `diff`.

The rule: a field of the spec that is None is not declared. Declared fields are compared with what was observed; fields
that the last applied spec declared and this one does not must be back at what the kind's `unset` says (else: empty).
Maps are compared entry by entry in the same manner, lists and everything else as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from resources.meta import COMMON_FIELDS, Resource, Spec
from resources.plan import Action, Change, Plan, Why

# Empty and absent are one thing in a spec: {} [] "" and None all say that nothing is wanted.
_EMPTY: tuple[Any, ...] = (None, "", (), [], {})


def plan_by_fields(desired: Resource, last: Resource | None, observed: Any | None) -> Plan:
    """A plan that creates what is absent, updates what differs, and is empty otherwise."""
    if observed is None:
        return Plan(desired.key, Action.CREATE)
    changes = changed_fields(desired.spec, last.spec if last else None, observed)
    return Plan(desired.key, Action.UPDATE if changes else Action.NONE, changes)


def changed_fields(desired: Spec, last: Spec | None, observed: Any) -> tuple[Change, ...]:
    """The fields in which `observed` is not as `desired` wants it, common fields apart and ignored paths left out."""
    changes = tuple(_spec_changes(desired, last, observed))
    if not desired.ignore:
        return changes
    return tuple(change for change in changes if not any(within(change.path, path) for path in desired.ignore))


def within(path: str, prefix: str) -> bool:
    """Whether the dotted `path` is `prefix` or lies below it."""
    return path == prefix or path.startswith(prefix + ".")


def _spec_changes(desired: Spec, last: Spec | None, observed: Any) -> Iterator[Change]:
    unset = type(desired).unset
    for name in _own_fields(type(desired)):
        want = getattr(desired, name)
        had = getattr(last, name, None) if last is not None else None
        if want is None and had is None:
            continue
        have = getattr(observed, name, None)
        yield from _differences(name, want, had, have, unset.get(name), last is not None)


@cache
def _own_fields(spec: type[Spec]) -> tuple[str, ...]:
    return tuple(name for name in spec.model_fields if name not in COMMON_FIELDS and name not in spec.apart)


def _differences(path: str, want: Any, had: Any, have: Any, unset: Any, applied: bool) -> Iterator[Change]:
    if want is None:
        if isinstance(had, Mapping) and isinstance(have, Mapping):
            yield from _map_differences(path, {}, had, have, applied)
        elif have != unset and not (have in _EMPTY and unset in _EMPTY):
            yield Change(path, plain(have), plain(unset), Why.DROPPED)
    elif want == have or (want in _EMPTY and have in _EMPTY):
        return
    elif isinstance(want, Mapping) and (have is None or isinstance(have, Mapping)):
        yield from _map_differences(path, want, had or {}, have or {}, applied)
    elif isinstance(want, BaseModel) and (have is None or isinstance(have, BaseModel)):
        for name in type(want).model_fields:
            inner = getattr(want, name)
            before = getattr(had, name, None)
            if inner is None and before is None:
                continue
            yield from _differences(f"{path}.{name}", inner, before, getattr(have, name, None), None, applied)
    elif _lists_of_objects(want, have):
        yield from _element_differences(path, plain(have), plain(want), _cause(want, had, applied))
    else:
        yield Change(path, plain(have), plain(want), _cause(want, had, applied))


def _map_differences(
    path: str, want: Mapping[str, Any], had: Any, have: Mapping[str, Any], applied: bool
) -> Iterator[Change]:
    before = had if isinstance(had, Mapping) else {}
    for name in sorted({*want, *(before.keys() & have.keys())}):
        if name not in want:
            yield Change(f"{path}.{name}", plain(have[name]), None, Why.DROPPED)
        else:
            yield from _differences(f"{path}.{name}", want[name], before.get(name), have.get(name), None, applied)


def _lists_of_objects(want: Any, have: Any) -> bool:
    return all(isinstance(each, tuple | list) and each and isinstance(each[0], BaseModel) for each in (want, have))


def _element_differences(path: str, have: list[Any], want: list[Any], why: Why) -> Iterator[Change]:
    """Names the elements, and the fields in them, in which two unequal lists of objects differ (`volumes.0.readOnly`)."""
    from deepdiff import DeepDiff  # costs a third of a second and is needed only here

    for found in DeepDiff(have, want, view="tree").values():
        for difference in found:
            steps = ".".join(str(step) for step in difference.path(output_format="list"))
            yield Change(f"{path}.{steps}", _present(difference.t1), _present(difference.t2), why)


def _present(value: Any) -> Any:
    """A side of a DeepDiff difference; where there is nothing it has a marker of its own."""
    return None if type(value).__name__ == "NotPresent" else value


def _cause(want: Any, had: Any, applied: bool) -> Why:
    if not applied:
        return Why.NEW
    return Why.DRIFTED if want == had else Why.EDITED


def plain(value: Any) -> Any:
    """`value` as JSON would hold it: what a plan shows and a plan file keeps."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value
