"""A look at the world, and the plan that follows from it. `workspace.py` and `reading.py` preview with it; nothing is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from controller.engine.agent import Failure, Retry, Stalled
from controller.engine.graph import in_order
from controller.engine.parts import Parts
from controller.engine.passes import Pass, Verdict
from controller.engine.prune import Pruning
from controller.engine.reconcile import Reconciler
from controller.wiring.outcome import Preview, digest_of
from resources.conditions import Reason
from resources.meta import Key
from resources.plan import Action, Plan


def preview_of(
    parts: Parts, reconciler: Reconciler, keys: Collection[Key], pruning: Pruning
) -> tuple[Preview, Mapping[Key, Pass]]:
    """What would be done about `keys` and what `pruning` deletes, and what was found out about each for it."""
    passes = reconciler.look([*keys, *pruning.deletes], parts.context, preview=True)
    looked = {each.key: each for each in passes}
    failures = {each.key: _failure(each) for each in passes if _unplanned(each)}
    planned = {each.key: each.plan for each in passes if not each.plan.empty and each.verdict is Verdict.WORK}
    shown = [each for each in passes if _only_shown(each)]
    reported = tuple(replace(each.plan, notes=(*each.plan.notes, each.message)) for each in shown)
    unchanged = looked.keys() - planned.keys() - failures.keys() - {plan.key for plan in reported}
    plans = tuple(planned[key] for key in _in_order(parts, planned))
    return Preview(plans, tuple(sorted(unchanged)), failures, pruning.holds, digest_of(plans), reported), looked


def _in_order(parts: Parts, planned: Mapping[Key, Plan]) -> Sequence[Key]:
    """Dependencies first; deletes last, dependents first."""
    index, inventory = parts.index, parts.stores.inventory
    deletes = {key for key, plan in planned.items() if plan.action is Action.DELETE}

    def recorded(key: Key) -> Collection[Key]:
        record = inventory.find(key)
        return record.dependencies if record else ()

    return [*in_order(planned.keys() - deletes, index.dependencies), *reversed(in_order(deletes, recorded))]


def _only_shown(each: Pass) -> bool:
    """Whether it is otherwise than declared, and is to stay so."""
    if each.verdict is Verdict.STALLED and each.reason == Reason.ROLLED_BACK:
        return True
    return not each.plan.empty and each.verdict in (Verdict.SUSPENDED, Verdict.REPORTED)


def _unplanned(each: Pass) -> bool:
    """Whether no plan could be made, or none that may be carried out. A thing as declared that is ill is no such case."""
    if _only_shown(each):
        return False
    as_declared = each.plan.empty and each.seen is not None and each.reason == each.seen.health.reason
    return each.verdict in (Verdict.STALLED, Verdict.RETRY) and not as_declared


def _failure(each: Pass) -> Failure:
    if each.verdict is Verdict.STALLED:
        return Stalled(each.reason, each.message)
    return Retry(each.reason, each.message, each.after)
