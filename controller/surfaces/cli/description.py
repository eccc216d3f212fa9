"""One resource with everything around it, as text: what `describe` shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from controller.engine.stores import Event
from controller.surfaces.cli.console import Paint, Style
from controller.surfaces.cli.events import document as event_document
from controller.surfaces.cli.listing import Listed
from controller.surfaces.cli.plan_view import change_lines
from controller.surfaces.cli.words import age, as_yaml, place
from resources.conditions import Condition, Truth
from resources.meta import Key

_READY = {
    Truth.TRUE: ("ready", Style.GREEN),
    Truth.FALSE: ("not ready", Style.RED),
    Truth.UNKNOWN: ("not known", Style.YELLOW),
}


@dataclass(frozen=True, slots=True)
class Description:
    """A resource, those it needs and those that need it (None: not known at all), and its last events."""

    listed: Listed
    needs: tuple[tuple[Key, Listed | None], ...]
    needed_by: tuple[Listed, ...]
    owner: Key | None
    children: tuple[Key, ...]
    events: tuple[Event, ...]

    @classmethod
    def of(cls, listed: Listed, everything: Iterable[Listed], events: Sequence[Event]) -> Self:
        """Picks out of `everything` what stands in relation to `listed`."""
        by_key = {each.key: each for each in everything}
        return cls(
            listed,
            needs=tuple((key, by_key.get(key)) for key in sorted(dependencies(listed))),
            needed_by=tuple(each for each in by_key.values() if listed.key in dependencies(each)),
            owner=listed.record.owner if listed.record else None,
            children=tuple(key for key, each in by_key.items() if each.record and each.record.owner == listed.key),
            events=tuple(events),
        )

    def document(self) -> dict[str, Any]:
        """For programs: the resource with its status, and its relations."""
        return self.listed.document() | {
            "needs": [str(key) for key, _ in self.needs],
            "neededBy": [str(each.key) for each in self.needed_by],
            "owner": str(self.owner) if self.owner else None,
            "children": [str(key) for key in self.children],
            "events": [event_document(event) for event in self.events],
        }


def dependencies(listed: Listed) -> frozenset[Key]:
    """What must be Ready before it: as declared, or as it was when it was applied last."""
    if listed.declared:
        return listed.declared.resource.dependencies()
    return listed.record.dependencies if listed.record else frozenset()


def described(each: Description, paint: Paint, now: float) -> Iterator[str]:
    """The page of one resource."""
    listed = each.listed
    yield f"{paint(listed.key.short, Style.BOLD)}  {_state(listed, paint, now)}"
    if listed.message:
        yield f"  {listed.message}"
    yield from _facts(each, now)
    yield from _section("Spec", _spec_lines(listed.manifest().get("spec", {})), paint)
    if status := listed.status:
        yield from _section("Conditions", (_condition_line(c, now) for c in status.conditions), paint)
        yield from _section("Differences", (line for c in status.drift for line in change_lines(c, paint)), paint)
    yield from _section("Needs", (_relation(key, other) for key, other in each.needs), paint)
    yield from _section("Needed by", (_relation(other.key, other) for other in each.needed_by), paint)
    yield from _section("Events", (_event_line(event, now) for event in each.events), paint)


def _state(listed: Listed, paint: Paint, now: float) -> str:
    word, style = _READY[Truth(listed.ready)]
    since = f" since {age(listed.since, now)}" if listed.since and not listed.edited else ""
    return f"{paint(word, style)}{since} ({listed.reason})"


def _facts(each: Description, now: float) -> Iterator[str]:
    listed = each.listed
    if listed.file:
        there = listed.declared or listed.found
        yield f"  declared in  {place(listed.file)}" if there else f"  was in       {place(listed.file)}"
    if listed.node:
        yield f"  machine      {listed.node}"
    if listed.generation:
        done = listed.status.observed_generation if listed.status else 0
        yield f"  generation   {listed.generation}, worked off {done}"
    if listed.handle:
        yield f"  handle       {listed.handle}"
    if each.owner:
        yield f"  stands for   a part of {each.owner.short}"
    if each.children:
        yield f"  stands for   {', '.join(key.short for key in each.children)}"
    if listed.record and listed.record.adopted:
        yield "  adopted      was there before Pegasus2"
    if listed.record and listed.record.good and listed.declared and listed.record.tried == listed.declared.digest:
        yield f"  on trial     since {age(listed.record.tried_at, now)}; what was Ready before is kept in case it fails"
    if listed.suspended:
        yield f"  suspended    p2 resume {listed.key.short} takes it up again"
    if listed.status and listed.status.at:
        yield f"  looked at    {age(listed.status.at, now)} ago"


def _spec_lines(spec: dict[str, Any]) -> Iterable[str]:
    return as_yaml([spec]).splitlines()


def _condition_line(condition: Condition, now: float) -> str:
    line = f"{condition.type:<12} {condition.status:<8} {condition.reason}  {age(condition.since, now)}"
    return f"{line}  {condition.message}" if condition.message else line


def _relation(key: Key, other: Listed | None) -> str:
    if other is None:
        return f"{key.short}  does not exist"
    return f"{key.short}  {'ready' if other.ready == Truth.TRUE else other.reason}"


def _event_line(event: Event, now: float) -> str:
    times = f" (x{event.count})" if event.count > 1 else ""
    return f"{age(event.at, now):>6} ago  {event.reason}  {event.message}{times}"


def _section(title: str, lines: Iterable[str], paint: Paint) -> Iterator[str]:
    """A titled block; nothing at all when it is empty."""
    for number, line in enumerate(lines):
        if number == 0:
            yield paint(title, Style.BOLD)
        yield f"  {line}"
