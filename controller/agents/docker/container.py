"""The agent of kind `Container`: observes, compares and changes containers.

The parts: `lookup` finds them, `wording` puts them in the spec's words by `translation`, `health` judges them; `creation` says
what to create, `making` creates, `adjustment` changes what stays, `replacement` replaces; `events` hints at changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Event as Flag
from typing import TYPE_CHECKING, Any

from controller.agents.docker import paths
from controller.agents.docker.adjustment import CONTENTS, TAG, adjust, can_stay, field_of
from controller.agents.docker.client import Engine, EngineError, Json, WritableEngine, engine_health, writable
from controller.agents.docker.contents import Contents, catch_up, told_of, watched
from controller.agents.docker.events import attributes, hints
from controller.agents.docker.failures import TASK_LEFT_BEHIND, explained, failure, tolerated
from controller.agents.docker.health import health_of
from controller.agents.docker.images import Images
from controller.agents.docker.last_words import last_words
from controller.agents.docker.lookup import Found, Sight, look, names_of_companions
from controller.agents.docker.making import make, restart, start
from controller.agents.docker.marks import mark_in, marked_by, owned_in, temporary
from controller.agents.docker.proving import Times
from controller.agents.docker.refused import Refused
from controller.agents.docker.remembered import Remembered
from controller.agents.docker.replacement import Replacement, clear
from controller.agents.docker.restarts import Restarts
from controller.agents.docker.stopping import grace, halt, restore_policy
from controller.agents.docker.translation import restart_text
from controller.agents.docker.updates import Updates, short, take_back
from controller.agents.docker.wording import Wording
from controller.engine.agent import (
    HEALTHY,
    AgentHealth,
    Context,
    Done,
    Failure,
    Owned,
    Relist,
    Retry,
    Scope,
    Seen,
    Setup,
    SingleAgent,
    Stalled,
    Step,
)
from controller.engine.diff import changed_fields, plain, within
from resources.docker.names import NEW_SUFFIX, OLD_SUFFIX
from resources.docker.parts import Attachment, OnChange, Outdated, PullPolicy, State, Strategy
from resources.kinds.container import Container, ContainerObserved
from resources.meta import Claim, Key, Resource
from resources.notation import canonical_image
from resources.plan import Action, Change, Disruption, Plan, Why

if TYPE_CHECKING:
    from controller.agents.docker.measuring import Measuring
    from controller.engine.by_hand import Described, Execution, LogLine, LogQuery, Streams, Usage

LONG_STOP = 30  # seconds of grace from which on a stop counts as long work

# What can make a container differ from its spec. Left out are the engine's many events about probes and attachments.
EVENTS = (
    "start",
    "die",
    "destroy",
    "rename",
    "update",
    "pause",
    "unpause",
    "health_status",
    "connect",
    "disconnect",
    "tag",
)

ContainerStep = Step[Container, ContainerObserved]


class ContainerAgent(SingleAgent[Container, ContainerObserved]):
    model = Container
    system = "docker"

    def __init__(self, client: Engine, setup: Setup, now: Callable[[], float] = time.time) -> None:
        self._engine = client
        self._installation = setup.installation
        self._now = now
        self._images = Images(client)
        self._updates = Updates(Refused(setup.home))
        self._contents = Contents(setup.home)
        self._known = Known()
        self._wording = Wording(client)
        self._plans = Remembered[tuple[Plan, Container, Container | None, ContainerObserved]]()
        self._measuring: Measuring | None = None
        self._restarts = Restarts(time.monotonic)

    def observe(self, resources: Sequence[Container], ctx: Context) -> Mapping[Key, Seen[ContainerObserved] | Failure]:
        with explained("look at the containers"):
            sight = look(self._engine, resources, self._installation, self._wording.heard)
            self._images.learn(sight.images, sight.image_ids())
            others = names_of_companions(self._engine, sight)
        noted = self._contents.read() if any(any(watched(resource)) for resource in resources) else {}
        around = _Around(sight, others, noted, self._updates.given_up())
        return {resource.key: self._seen(resource, around, ctx) for resource in resources}

    def _seen(self, resource: Container, around: _Around, ctx: Context) -> Seen[ContainerObserved] | Failure:
        found = around.sight.containers[resource.key]
        if isinstance(found, EngineError):
            return failure(f"look at the container {resource.container_name}", found)
        live = found.live
        if live is None:
            return Seen(None)
        self._known.learn(resource.key, live["Id"], grace(live))
        named = around.sight.images[resource.spec.image]
        update = self._updates.of(resource.spec.image, live, named, around.given_up)
        supplied = replace(self._images.supplied(live, named), current=update.current)
        try:
            worded = self._wording.of(resource, found, supplied, around.others, ctx)
        except (Retry, Stalled) as unknown:  # a secret; the other containers are none the worse for it
            return unknown
        present = self._contents.present(resource, ctx)
        contents = self._contents.outdated(resource, live, present, around.noted, self._now())
        value = worded.value
        if update.to or update.tag or contents:
            value = replace(value, update=update.to, tag=short(update.tag), contents=contents)
        words, settling = partial(last_words, self._engine, live), self._restarts.settling(resource.key, live)
        health = health_of(resource.spec, live, self._now(), words, settling)
        if health == HEALTHY and update.given_up:
            health = replace(health, message=update.given_up)
        return Seen(value, live["Id"], worded.mark, health, writes=worded.writes)

    def diff(self, desired: Container, last: Container | None, observed: ContainerObserved | None) -> Plan:
        """Of the very same three objects follows the very same plan: they are kept with it, so that no other has their ids."""
        if observed is None:
            return Plan(desired.key, Action.CREATE)
        same = (id(desired), id(last), id(observed))
        if known := self._plans.find(desired.key, same):
            return known[0]
        plan = self._plan(desired, last, observed)
        self._plans.keep(desired.key, same, (plan, desired, last, observed))
        return plan

    def _plan(self, desired: Container, last: Container | None, observed: ContainerObserved) -> Plan:
        changes = _changes(desired, last, observed)
        if not changes:
            return Plan(desired.key, Action.NONE)
        if not can_stay(desired, observed.networks or (), changes):
            updates = bool(observed.update) and all(change.why is Why.DRIFTED for change in changes)
            return Plan(desired.key, Action.REPLACE, changes, Disruption.RECREATE, updates=updates)
        stops = any(change.path == "state" and change.desired == State.STOPPED for change in changes)
        stops = stops or any(each.action is OnChange.RESTART for each in observed.contents.values())
        disruption = Disruption.RESTART if stops else Disruption.NOTHING
        return Plan(desired.key, Action.UPDATE, changes, disruption, notes=told_of(desired, observed.contents))

    def slow(self, plan: Plan, desired: Container | None) -> bool:
        """Pulling an image, waiting until a new one is Ready, or stopping what may take long to stop."""
        replaces = plan.action in (Action.REPLACE, Action.ADOPT) and plan.disruption is Disruption.RECREATE
        if replaces and desired and desired.spec.strategy is Strategy.START_FIRST:
            return True
        creates = plan.action in (Action.CREATE, Action.REPLACE, Action.ADOPT)
        if creates and desired:
            always = desired.spec.pullPolicy is PullPolicy.ALWAYS
            if always or self._images.absent(desired.spec.image):
                return True
        stops = plan.action is not Action.UPDATE or plan.disruption is not Disruption.NOTHING
        return stops and self._known.grace(plan.key) >= LONG_STOP

    def create(self, step: ContainerStep, ctx: Context) -> Done:
        container = _desired(step)
        bring = partial(self._updates.pulled, self._writable, container.spec.image)
        present = self._contents.present(container, ctx)
        identity = make(self._writable, container, container.container_name, step.mark, ctx, bring=bring)
        self._contents.note(step.key, identity, present)
        if container.spec.state is not State.STOPPED:
            start(self._writable, container, identity)
        return Done(identity)

    def update(self, step: ContainerStep, ctx: Context) -> Done:
        container = _desired(step)
        found = self._look_again(container)
        live = self._same(found, step)
        policy = clear(self._writable, found.leftovers)
        if policy and container.spec.restart is None and policy != restart_text(live["HostConfig"]["RestartPolicy"]):
            restore_policy(self._writable, live["Id"], policy)
        fields = {field_of(change) for change in step.plan.changes}
        if TAG in fields:
            take_back(self._writable, container.spec.image, live["Image"])
        present = self._contents.present(container, ctx)
        try:
            adjust(self._writable, container, live, _networks(step), fields)
        except Retry as refused:
            if refused.reason != TASK_LEFT_BEHIND:
                raise
            return self.replace(step, ctx)  # the engine will never start this one
        contents = _concerned_contents(step)
        started = catch_up(self._writable, container, live, contents) if "state" not in fields else True
        if contents:
            self._contents.note(step.key, live["Id"], present, started=started)
        return Done(live["Id"], message="; ".join(told_of(container, contents)))

    def replace(self, step: ContainerStep, ctx: Context) -> Done:
        container = _desired(step)
        reference = container.spec.image
        found, named = self._look_at_both(container)
        old = self._same(found, step)
        anew = step.plan.updates or _is_edited(step)
        former = self._updates.follow(self._writable, reference, old, named, anew=anew)
        present = self._contents.present(container, ctx)
        replacement = Replacement(
            self._writable,
            container,
            step.last,
            old,
            found.leftovers,
            Times(self._now),
            former,
            bring=partial(self._updates.pulled, self._writable, reference),
        )
        identity = replacement.carry_out(step.mark, ctx)
        self._contents.note(step.key, identity, present)
        return Done(identity)

    def give_up_update(self, resource: Container, why: str) -> str:
        found, named = self._look_at_both(resource)
        if found.live is None:
            return "it is not there"
        return self._updates.give_up(self._engine, resource.spec.image, found.live, named, why)

    def adopt(self, step: ContainerStep, ctx: Context) -> Done:
        if not step.plan.changes:
            return Done(step.seen.handle)
        stays = can_stay(_desired(step), _networks(step), step.plan.changes)
        return self.update(step, ctx) if stays else self.replace(step, ctx)

    def delete(self, step: ContainerStep, ctx: Context) -> Done:
        """Anonymous volumes stay: they may hold what can't be made again."""
        assert step.last is not None
        found = self._look_again(step.last)
        self._contents.forget(step.key)
        if found.live is None:
            return Done()
        live = self._same(found, step)
        clear(self._writable, found.leftovers)
        with explained(f"remove the container {step.last.container_name}"), tolerated(404, 409):  # gone, or going
            halt(self._writable, live)
            self._writable.remove_container(live["Id"], force=True)
        return Done()

    def _look_again(self, container: Container) -> Found:
        return self._look_at_both(container)[0]

    def _look_at_both(self, container: Container) -> tuple[Found, Json | None]:
        """The container, and the image that its spec names now."""
        with explained(f"look at the container {container.container_name}"):
            sight = look(self._engine, [container], self._installation)
            found = sight.containers[container.key]
            if isinstance(found, EngineError):
                raise found
            return found, sight.images[container.spec.image]

    def _same(self, found: Found, step: ContainerStep) -> Json:
        """The container, live. Raises Retry when it is not the one that the step was planned for."""
        if found.live is None or found.live["Id"] != step.seen.handle:
            raise Retry("Moved", f"cannot change {step.key.short}: its container is another one by now", after=0)
        return found.live

    def watch(self, scope: Scope, stop: Flag) -> Iterator[Key | Relist]:
        return hints(
            self._engine,
            stop,
            lambda event: self._concerned(event, scope),
            type=["container", "network", "image"],
            event=EVENTS,
        )

    def _concerned(self, event: Json, scope: Scope) -> Iterable[Key]:
        """Whose the event is: by the mark on a container, else by its name; by id where a network is what changed."""
        about = attributes(event)
        match event["Type"]:
            case "network":
                return _some(self._known.key(about.get("container", "")))
            case "image":
                name = canonical_image(about.get("name", ""))
                if declared := scope.find(
                    Claim("image", name)
                ):  # it may be drift, and gone before anything is made of it
                    return [declared]
                return [each.key for each in scope.resources() if _image_of(each) == name]
        if temporary(about.get("name", "")):
            return []  # a replacement under way
        mark = mark_in(about)
        if mark and mark.installation == self._installation:
            return [mark.key]
        names = (about.get("name", ""), about.get("oldName", "").removeprefix("/"))
        return [key for name in names if name for key in _some(scope.find(Claim("container name", name)))]

    def owned(self, ctx: Context) -> Iterable[Owned]:
        """Of the two that there are while a replacement lasts, the one that has the name."""
        with explained("list the containers"):
            listed = self._engine.read(paths.containers(label=marked_by(self._installation)))
        named = [((each["Names"] or [""])[0].removeprefix("/"), each) for each in listed]
        named.sort(key=lambda pair: (temporary(pair[0]), pair[0]))
        return owned_in(Container, ((each["Id"], each["Labels"], _finding(name, each)) for name, each in named))

    def describe(self, names: Sequence[str], owned: Mapping[str, Key], *, plain: bool) -> Described:
        from controller.agents.docker.describing import describe  # nothing else than p2 import asks for it

        return describe(self._engine, names, owned, plain=plain)

    def health(self, ctx: Context) -> AgentHealth:
        return engine_health(self._engine)

    def logs(self, resource: Container, query: LogQuery, stop: Flag) -> Iterator[LogLine]:
        from controller.agents.docker.logs import Reading

        return Reading(self._engine, resource, lambda: self._look_again(resource).live, query, stop).lines()

    def execute(self, resource: Container, execution: Execution, streams: Streams) -> int:
        from controller.agents.docker.execution import execute

        return execute(self._writable, resource.container_name, self._there(resource), execution, streams)

    def restart(self, resource: Container, ctx: Context) -> Done:
        live = self._there(resource)
        restart(self._writable, resource, live)
        return Done(live["Id"])

    def measure(self) -> Sequence[Usage]:
        from controller.agents.docker.measuring import Measuring

        self._measuring = self._measuring or Measuring(self._engine)
        with explained("measure the containers"):
            return self._measuring.usages()

    def _there(self, resource: Container) -> Json:
        """The container, live. Raises Stalled where there is none."""
        live = self._look_again(resource).live
        if live is None:
            raise Stalled("Absent", f"there is no container {resource.container_name} yet")
        return live

    @property
    def _writable(self) -> WritableEngine:
        return writable(self._engine)


@dataclass(frozen=True, slots=True)
class _Around:
    """What one look at several containers has in common."""

    sight: Sight
    others: Mapping[str, str]  # names of companions, by id
    noted: Mapping[str, Any]  # of mounted files
    given_up: Mapping[str, Any]  # images


def _some(key: Key | None) -> list[Key]:
    return [key] if key else []


def _finding(name: str, listed: Json) -> Json:
    """The fields of a spec that find a listed container again."""
    named = name.removesuffix(NEW_SUFFIX).removesuffix(OLD_SUFFIX)
    image = str(listed["Image"])
    return {"image": image.removeprefix("sha256:"), "containerName": named}  # an id, where its name is another's by now


def _image_of(resource: Resource) -> str:
    assert isinstance(resource, Container)
    return canonical_image(resource.spec.image)


def _desired(step: ContainerStep) -> Container:
    assert step.desired is not None
    return step.desired


def _is_edited(step: ContainerStep) -> bool:
    """Whether its own fields say something else than those applied last; not what all kinds have in common."""
    if step.last is None or step.desired is None:
        return True
    written = any(change.why is not Why.DRIFTED and field_of(change) != CONTENTS for change in step.plan.changes)
    return written and step.last.spec != step.desired.spec


def _concerned_contents(step: ContainerStep) -> Mapping[str, Outdated]:
    """Those that the plan names: some may be ignored."""
    found = step.seen.value.contents if step.seen.value else {}
    named = {change.path for change in step.plan.changes}
    return {target: each for target, each in found.items() if f"{CONTENTS}.{target}" in named}


def _networks(step: ContainerStep) -> Sequence[Attachment]:
    return (step.seen.value and step.seen.value.networks) or ()


def _changes(desired: Container, last: Container | None, observed: ContainerObserved) -> tuple[Change, ...]:
    """What differs by field; beside it the name, which has a value even where the spec is silent, and leftovers."""
    spec, before = desired.spec, last.spec if last else None
    changes = [each for each in changed_fields(spec, before, observed) if each.path != "containerName"]
    name, live_name = desired.container_name, observed.containerName
    if name != live_name and not any(within("containerName", path) for path in spec.ignore):
        drifted = last is not None and last.container_name == name
        changes.append(Change("containerName", live_name, name, Why.DRIFTED if drifted else Why.EDITED))
    unset = spec.unset["networks"]
    if spec.networks is None and observed.networks == () and not any(within("networks", path) for path in spec.ignore):
        changes.append(Change("networks", [], plain(unset), Why.DRIFTED))  # cut off from all: nobody wants that
    if observed.tag:
        changes.append(Change(TAG, observed.tag, "the former image", Why.DRIFTED))
    for target, each in sorted(observed.contents.items()):
        if not any(within(f"{CONTENTS}.{target}", path) for path in spec.ignore):
            changes.append(Change(f"{CONTENTS}.{target}", each.before or None, each.now, Why.EDITED))
    if observed.leftovers:
        changes.append(Change("leftovers", list(observed.leftovers), None, Why.DRIFTED))
    return tuple(changes)


class Known:
    """What is remembered of the containers that were looked at: their ids, and how long they take to stop."""

    def __init__(self) -> None:
        self._by_key: dict[Key, tuple[str, int]] = {}
        self._keys: dict[str, Key] = {}

    def learn(self, key: Key, identity: str, grace: int) -> None:
        former, _ = self._by_key.get(key, ("", 0))
        if former != identity:
            self._keys.pop(former, None)
        self._by_key[key], self._keys[identity] = (identity, grace), key

    def key(self, identity: str) -> Key | None:
        return self._keys.get(identity)

    def grace(self, key: Key) -> int:
        """Seconds; 0 for a container that was not seen."""
        return self._by_key.get(key, ("", 0))[1]
