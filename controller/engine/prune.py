"""Which things that have left the desired state may be deleted, and which are held back. Pure; the manager asks.

Rather keep a thing too long than delete one by mistake: each hold here answers a way in which people lost theirs
(a source that was empty for a moment, a file that did not parse, a protection that went with the block it stood in).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from controller.engine.revision import Condition
from controller.engine.stores import Hold, Record
from resources.conditions import Reason
from resources.meta import Key

# More than a quarter, and more than this many, of what we own in one revision waits for a confirmation.
MANY = 5
LARGE_PART = 0.25

KEPT_SUSPENDED = "it is suspended; 'p2 resume' lets it go"
_RECOVERED = (
    "found by its mark when the inventory was rebuilt, and declared by nobody: "
    "declare it again, or remove it with 'p2 delete'"
)


@dataclass(frozen=True, slots=True)
class Pruning:
    """What may be deleted, and what is held back."""

    deletes: frozenset[Key]
    holds: tuple[Hold, ...]


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """What the index knows of the source as a whole."""

    condition: Condition
    message: str
    broken: Collection[str]  # files that do not parse


def decide(
    stale: Mapping[Key, Record],
    owned: int,
    source: SourceHealth,
    *,
    confirmed: Collection[Key],
    suspended: Collection[Key],
    too_many: Collection[Key],
    needed_by: Callable[[Key], Collection[Key]],
    ordered: Collection[Key] = (),
) -> Pruning:
    """Sorts `stale` (what we own and nobody declares) into what may go and what is held, and why.

    `owned` is how much the source owns in all; `needed_by` names declared resources that depend on a key; `too_many` were
    held for that reason before, and are until each is confirmed or declared again. `ordered` were deleted by an order, which
    is no accident: only what the user said of each resource holds it.
    """
    held: dict[str, dict[Key, str]] = {}
    free: list[Key] = []
    for key, record in stale.items():
        reason, message = _own_hold(key, record, confirmed, suspended)
        if not reason and key not in ordered:
            reason, message = _need(key, needed_by)
        if reason:
            held.setdefault(reason, {})[key] = message
        else:
            free.append(key)
    waiting = [key for key in free if key not in confirmed and key not in ordered]
    if waiting and (hold := _common_hold(len(waiting), owned, source)):
        held[hold[0]] = dict.fromkeys(waiting, hold[1])
    elif still := [key for key in waiting if key in too_many]:
        held[Reason.TOO_MANY_DELETES] = dict.fromkeys(still, "they left with many others; 'p2 confirm' lets them go")
    free = [key for key in free if not any(key in keys for keys in held.values())]
    return Pruning(frozenset(free), tuple(_holds(held)))


def _own_hold(
    key: Key,
    record: Record,
    confirmed: Collection[Key],
    suspended: Collection[Key],
) -> tuple[str, str]:
    if record.recovered and key not in confirmed:
        return Reason.RECOVERED, _RECOVERED
    if record.retain:
        return Reason.RETAINED, "its last declaration says deletionPolicy: Retain; remove it with 'p2 delete'"
    if key in suspended:
        return Reason.SUSPENDED, KEPT_SUSPENDED
    return "", ""


def _need(key: Key, needed_by: Callable[[Key], Collection[Key]]) -> tuple[str, str]:
    if needing := sorted(needed_by(key)):
        return Reason.DEPENDENCY_MISSING, f"{needing[0].short} still needs it; declare it again, or drop that reference"
    return "", ""


def _common_hold(going: int, owned: int, source: SourceHealth) -> tuple[str, str] | None:
    if source.condition is not Condition.OK:
        return (
            Reason.SOURCE_EMPTY,
            f"the source is {source.condition}: {source.message}; 'p2 confirm' deletes all the same",
        )
    if source.broken:
        file = min(source.broken)
        return (
            Reason.SOURCE_INVALID,
            f"{file} can't be used, and may be where it is declared now; correct that file, or 'p2 confirm' deletes all the same",
        )
    if going > MANY and going > owned * LARGE_PART:
        return Reason.TOO_MANY_DELETES, f"{going} of {owned} would go at once; 'p2 confirm' lets them"
    return None


def _holds(held: Mapping[str, Mapping[Key, str]]) -> list[Hold]:
    holds = []
    for reason in sorted(held):
        for message in sorted(set(held[reason].values())):
            holds.append(Hold(reason, message, frozenset(k for k, m in held[reason].items() if m == message)))
    return holds
