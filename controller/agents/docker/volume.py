"""The agent of kind `Volume`. The engine can't change a volume: another driver, option or label needs a new, empty one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Event as Flag

from controller.agents.docker import paths
from controller.agents.docker.client import Engine, EngineError, Json, WritableEngine, engine_health, writable
from controller.agents.docker.events import hints
from controller.agents.docker.failures import explained, failure
from controller.agents.docker.marks import KEY, foreign_labels, labels_of, mark_in, marked_by, owned_in
from controller.agents.docker.surroundings import told
from controller.engine.agent import (
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
    Step,
)
from controller.engine.diff import changed_fields, within
from resources.kinds.volume import Volume, VolumeObserved
from resources.meta import Claim, Key
from resources.plan import Action, Change, Disruption, Plan, Why

VolumeStep = Step[Volume, VolumeObserved]


class VolumeAgent(SingleAgent[Volume, VolumeObserved]):
    model = Volume
    system = "docker"

    def __init__(self, client: Engine, setup: Setup) -> None:
        self._engine = client
        self._installation = setup.installation

    def observe(self, resources: Sequence[Volume], ctx: Context) -> Mapping[Key, Seen[VolumeObserved] | Failure]:
        answers = self._engine.try_each([paths.volume(resource.volume_name) for resource in resources])
        return {resource.key: self._seen(resource, live) for resource, live in zip(resources, answers, strict=True)}

    def _seen(self, resource: Volume, live: Json | EngineError | None) -> Seen[VolumeObserved] | Failure:
        if isinstance(live, EngineError):
            return failure(f"look at the volume {resource.volume_name}", live)
        live = live or self._under_another_name(resource)
        if live is None:
            return Seen(None)
        value = VolumeObserved(
            volumeName=live["Name"],
            driver=told(resource.spec.driver, live["Driver"], "local"),
            options=live.get("Options") or {},
            labels=foreign_labels(live.get("Labels")),
        )
        return Seen(value, live["Name"], mark_in(live.get("Labels")))

    def _under_another_name(self, resource: Volume) -> Json | None:
        """Ours, under the name that an earlier spec gave it."""
        ours = [*marked_by(self._installation), f"{KEY}={resource.key}"]
        found: list[Json] = self._engine.read(paths.volumes(label=ours))["Volumes"] or []
        return found[0] if found else None

    def diff(self, desired: Volume, last: Volume | None, observed: VolumeObserved | None) -> Plan:
        if observed is None:
            return Plan(desired.key, Action.CREATE)
        changes = _changes(desired, last, observed)
        if not changes:
            return Plan(desired.key, Action.NONE)
        notes = (f"everything in the volume {observed.volumeName or desired.volume_name} is lost",)
        return Plan(desired.key, Action.REPLACE, changes, Disruption.RECREATE, notes, loses_data=True)

    def create(self, step: VolumeStep, ctx: Context) -> Done:
        assert step.desired is not None
        name, spec = step.desired.volume_name, step.desired.spec
        labels = {**(spec.labels or {}), **labels_of(step.mark)}
        with explained(f"create the volume {name}"):
            self._writable.create_volume(name, {"Driver": spec.driver, "DriverOpts": spec.options, "Labels": labels})
        return Done(name)

    def update(self, step: VolumeStep, ctx: Context) -> Done:
        return self.replace(step, ctx)

    def replace(self, step: VolumeStep, ctx: Context) -> Done:
        self._remove(step.seen.handle)
        return self.create(step, ctx)

    def delete(self, step: VolumeStep, ctx: Context) -> Done:
        assert step.last is not None
        self._remove(step.seen.handle or step.last.volume_name)
        return Done()

    def _remove(self, name: str) -> None:
        try:
            self._writable.remove_volume(name)
        except EngineError as error:
            if error.status == 404:
                return
            if error.status != 409:
                raise Retry("RemoveFailed", f"cannot remove the volume {name}: {error.message}") from None
            users = ", ".join(sorted(self._users(name))) or "a container"
            advice = "suspend or delete it, and remove the container, first"
            raise Retry("InUse", f"cannot remove the volume {name}: {users} uses it; {advice}") from None

    def _users(self, name: str) -> Iterable[str]:
        """Names of the containers that mount it, those at rest among them."""
        listed = self._engine.read(paths.containers(volume=[name]))
        return (each["Names"][0].removeprefix("/") for each in listed if each["Names"])

    def watch(self, scope: Scope, stop: Flag) -> Iterator[Key | Relist]:
        def concerned(event: Json) -> Iterable[Key]:
            key = scope.find(Claim("volume name", event["Actor"]["ID"]))
            return [key] if key else []

        return hints(self._engine, stop, concerned, type=["volume"], event=["create", "destroy"])

    def owned(self, ctx: Context) -> Iterable[Owned]:
        with explained("list the volumes"):
            listed = self._engine.read(paths.volumes(label=marked_by(self._installation)))["Volumes"]
        return owned_in(Volume, ((each["Name"], each["Labels"], {"volumeName": each["Name"]}) for each in listed or ()))

    def health(self, ctx: Context) -> AgentHealth:
        return engine_health(self._engine)

    @property
    def _writable(self) -> WritableEngine:
        return writable(self._engine)


def _changes(desired: Volume, last: Volume | None, observed: VolumeObserved) -> tuple[Change, ...]:
    """What differs by field, the name among it: it has a value even where the spec is silent."""
    changes = changed_fields(desired.spec, last.spec if last else None, observed)
    changes = tuple(change for change in changes if change.path != "volumeName")
    name, live_name = desired.volume_name, observed.volumeName
    if live_name is None or name == live_name or any(within("volumeName", path) for path in desired.spec.ignore):
        return changes
    return (*changes, Change("volumeName", live_name, name, Why.EDITED))
