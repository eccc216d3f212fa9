"""What a pass amounts to where an edit was given up and what was Ready before stands in for it. Pure; the reconciler asks it.

However well the former one is doing, the edit is not in force: so the key is Stalled, and the edit shown as a difference.
"""

from __future__ import annotations

from dataclasses import replace

from controller.engine.passes import Pass, Subject, Verdict
from controller.engine.trial import NAMED, edited_fields
from resources.conditions import Reason
from resources.plan import Action

_FORMER = "what was Ready before"


def told(each: Pass) -> Pass:
    """What a pass amounts to where an edit was given up: however well the good one is doing, the edit is not in force."""
    subject = each.subject
    if subject is None or subject.edit is None or subject.entry is None or subject.record is None:
        return each
    fields = [change.path for change in edited_fields(subject.edit.resource, subject.entry.resource)]
    named = ", ".join(fields[:NAMED]) + (f" and {len(fields) - NAMED} more" if len(fields) > NAMED else "")
    message = f"gave up generation {subject.edit.generation} ({named}): {subject.record.given_up_why}; {_FORMER}"
    in_force, to_be = f"{message} is in force until the next edit", f"{message} is to be put back"
    on_the_way = subject.going_back and each.carried_out is Action.NONE and not each.plan.empty
    now = f"{each.reason}: {each.message}" if each.message else each.reason
    match each.verdict:
        case Verdict.STALLED if on_the_way:
            return _reported(each, subject, f"{message} can't be put back: {now}")
        case Verdict.READY:
            return _reported(each, subject, in_force)
        case Verdict.WAITING if each.reason == Reason.PROGRESSING:
            return _reported(each, subject, in_force)
        case Verdict.WAITING | Verdict.STALLED | Verdict.REPORTED:
            return _reported(each, subject, f"{in_force}, and is not Ready either: {now}")
        case Verdict.WORK:
            return replace(each, plan=replace(each.plan, notes=(*each.plan.notes, to_be if on_the_way else in_force)))
        case Verdict.RETRY if on_the_way:
            return replace(each, message=f"{each.message} ({to_be})")
        case _:
            return each


def _reported(each: Pass, subject: Subject, message: str) -> Pass:
    """Stalled, and what is declared shown as a difference that is not to be corrected."""
    plan = each.plan
    if plan.empty and each.carried_out is Action.NONE and each.seen and subject.edit and subject.entry:
        plan = subject.agent.diff(subject.edit.resource, subject.entry.resource, each.seen.value)
    return replace(each, verdict=Verdict.STALLED, reason=Reason.ROLLED_BACK, message=message, plan=plan)
