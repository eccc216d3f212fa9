"""The agent of kind `Network`. The engine can't change a network, so every change makes it anew.

A network can only be removed when nothing is connected to it: its running containers are disconnected and connected again
with the names and addresses they had. Which ones is written down before (`reconnection.py`), so that a crash loses none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Event as Flag

from controller.agents.docker import paths
from controller.agents.docker.addressing import network_config, observed_network
from controller.agents.docker.client import Engine, EngineError, Json, WritableEngine, engine_health, writable
from controller.agents.docker.events import attributes, hints
from controller.agents.docker.failures import explained, failure, is_ambiguous, tolerated
from controller.agents.docker.marks import KEY, labels_of, mark_in, marked_by, owned_in
from controller.agents.docker.reconnection import Endpoint, Reconnections, endpoints_of
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
    Stalled,
    Step,
)
from controller.engine.diff import changed_fields, within
from resources.kinds.network import Network, NetworkObserved
from resources.meta import Claim, Key
from resources.plan import Action, Change, Disruption, Plan, Why

NetworkStep = Step[Network, NetworkObserved]


class NetworkAgent(SingleAgent[Network, NetworkObserved]):
    model = Network
    system = "docker"

    def __init__(self, client: Engine, setup: Setup) -> None:
        self._engine = client
        self._installation = setup.installation
        self._pending = Reconnections(setup.home)

    def observe(self, resources: Sequence[Network], ctx: Context) -> Mapping[Key, Seen[NetworkObserved] | Failure]:
        answers = self._engine.try_each([paths.network(resource.network_name) for resource in resources])
        return {resource.key: self._seen(resource, live) for resource, live in zip(resources, answers, strict=True)}

    def _seen(self, resource: Network, live: Json | EngineError | None) -> Seen[NetworkObserved] | Failure:
        name, doubles = resource.network_name, list[str]()
        if isinstance(live, EngineError):
            alike = self._alike(resource)
            if not alike and is_ambiguous(live):
                return Stalled("Ambiguous", f"cannot look at the network {name}: {live.message}; remove one of them")
            if not alike:
                return failure(f"look at the network {name}", live)
            live, *others = alike
            doubles = [other["Id"] for other in others]
        if live is None or live["Name"] != name:  # the engine also takes the beginning of an id for a name
            live = self._under_another_name(resource)
        if live is None:
            return Seen(None)
        pending = tuple(end.name for end in self._pending.of(name))
        value = replace(
            observed_network(resource.spec, live, _connected(live)), disconnected=pending, doubles=tuple(doubles)
        )
        return Seen(value, live["Id"], mark_in(live["Labels"]))

    def _alike(self, resource: Network) -> list[Json]:
        """Our networks of this name, the one in use first, where there are several and all of them are ours.

        The engine lets two requests at once make two networks of one name, such as that of a process which was killed
        while it waited for the answer, and that of the next one.
        """
        name = resource.network_name
        listed = self._engine.read(paths.networks(name=[name]))
        answers = self._engine.read_each([paths.network(each["Id"]) for each in listed if each["Name"] == name])
        alike = [live for live in answers if live]
        if any(not self._is_ours(resource, live) for live in alike):
            return []
        return sorted(alike, key=lambda live: (-len(live.get("Containers") or {}), live["Created"]))

    def _under_another_name(self, resource: Network) -> Json | None:
        """Ours, under the name that an earlier spec gave it."""
        ours = [*marked_by(self._installation), f"{KEY}={resource.key}"]
        for each in self._engine.read(paths.networks(label=ours)):
            return self._engine.read_each([paths.network(each["Id"])])[0]
        return None

    def _is_ours(self, resource: Network, live: Json) -> bool:
        mark = mark_in(live["Labels"])
        return mark is not None and (mark.key, mark.installation) == (resource.key, self._installation)

    def diff(self, desired: Network, last: Network | None, observed: NetworkObserved | None) -> Plan:
        if observed is None:
            return Plan(desired.key, Action.CREATE)
        changes = _changes(desired, last, observed)
        if changes:
            notes = (f"reconnects {', '.join(observed.containers)}",) if observed.containers else ()
            return Plan(desired.key, Action.REPLACE, changes, Disruption.RECREATE, notes)
        unfinished = {"disconnected": observed.disconnected, "doubles": observed.doubles}
        left = tuple(Change(path, list(names), None, Why.DRIFTED) for path, names in unfinished.items() if names)
        return Plan(desired.key, Action.UPDATE if left else Action.NONE, left)

    def create(self, step: NetworkStep, ctx: Context) -> Done:
        assert step.desired is not None
        name, spec = step.desired.network_name, step.desired.spec
        labels = {**(spec.labels or {}), **labels_of(step.mark)}
        try:
            identity = self._writable.create_network(name, {**network_config(spec), "Labels": labels})
        except EngineError as error:
            raise _refused(name, error) from None
        return Done(identity, message=self._reconnect(name))

    def update(self, step: NetworkStep, ctx: Context) -> Done:
        """Ends a replacement that was interrupted after the new network was made; removes its doubles."""
        assert step.desired is not None
        self._remove_doubles(step)
        return Done(step.seen.handle, message=self._reconnect(step.desired.network_name))

    def replace(self, step: NetworkStep, ctx: Context) -> Done:
        assert step.desired is not None
        name, identity = step.desired.network_name, step.seen.handle
        former = (step.seen.value and step.seen.value.networkName) or name
        self._remove_doubles(step)
        with explained(f"replace the network {former}"):
            connected = endpoints_of(self._engine, former)
            self._pending.save(name, connected)
            for endpoint in connected:
                with tolerated(404):
                    self._writable.disconnect_network(identity, endpoint.container)
            with tolerated(404):
                self._writable.remove_network(identity)
        return self.create(step, ctx)

    def adopt(self, step: NetworkStep, ctx: Context) -> Done:
        return self.replace(step, ctx) if step.plan.changes else Done(step.seen.handle)

    def delete(self, step: NetworkStep, ctx: Context) -> Done:
        assert step.last is not None
        name, identity = step.last.network_name, step.seen.handle
        self._remove_doubles(step)
        with explained(f"remove the network {name}"), tolerated(404):
            live = self._engine.read(paths.network(identity))
            if users := _connected(live):
                users_text, advice = ", ".join(users), "disconnect or remove what is connected first"
                raise Retry("InUse", f"cannot remove the network {name}: {users_text} uses it; {advice}")
            self._writable.remove_network(identity)
        self._pending.forget(name)
        return Done()

    def _remove_doubles(self, step: NetworkStep) -> None:
        """What is connected to one finds the other at the next look at it."""
        for double in step.seen.value.doubles if step.seen.value else ():
            with explained(f"remove a double of the network {step.key.name}"), tolerated(404):
                for container in self._engine.read(paths.network(double)).get("Containers") or ():
                    self._writable.disconnect_network(double, container)
                self._writable.remove_network(double)

    def watch(self, scope: Scope, stop: Flag) -> Iterator[Key | Relist]:
        def concerned(event: Json) -> Iterable[Key]:
            key = scope.find(Claim("network name", attributes(event).get("name", "")))
            return [key] if key else []

        return hints(self._engine, stop, concerned, type=["network"], event=["create", "destroy"])

    def owned(self, ctx: Context) -> Iterable[Owned]:
        with explained("list the networks"):
            listed = self._engine.read(paths.networks(label=marked_by(self._installation)))
        return owned_in(Network, ((each["Id"], each["Labels"], {"networkName": each["Name"]}) for each in listed))

    def health(self, ctx: Context) -> AgentHealth:
        return engine_health(self._engine)

    def _reconnect(self, name: str) -> str:
        """Connects what a replacement has disconnected; returns what to say about it."""
        pending = self._pending.of(name)
        problems = [problem for endpoint in pending if (problem := self._connect(name, endpoint))]
        self._pending.forget(name)
        done = f"reconnected {', '.join(endpoint.name for endpoint in pending)}" if pending else ""
        return "; ".join([done, *problems]) if problems else done

    def _connect(self, network: str, endpoint: Endpoint) -> str:
        try:
            with tolerated(403, 404):  # connected already, by its own resource; or gone
                self._writable.connect_network(network, endpoint.container, endpoint.place)
        except EngineError as error:
            return f"cannot reconnect {endpoint.name}: {error.message}"
        return ""

    @property
    def _writable(self) -> WritableEngine:
        return writable(self._engine)


def _changes(desired: Network, last: Network | None, observed: NetworkObserved) -> tuple[Change, ...]:
    """What differs by field, the name among it: it has a value even where the spec is silent."""
    spec = desired.spec
    changes = changed_fields(spec, last.spec if last else None, observed)
    changes = tuple(change for change in changes if change.path != "networkName")
    name, live_name = desired.network_name, observed.networkName
    if live_name is None or name == live_name or any(within("networkName", path) for path in spec.ignore):
        return changes
    return (*changes, Change("networkName", live_name, name, Why.EDITED))


def _connected(live: Json) -> tuple[str, ...]:
    """Names of the running containers in a network."""
    return tuple(sorted(each["Name"] for each in (live.get("Containers") or {}).values()))


def _refused(name: str, error: EngineError) -> Exception:
    if "overlaps" in error.message:
        advice = "choose another subnet, or remove the network that has it"
        return Retry("SubnetTaken", f"cannot create the network {name}: {error.message}; {advice}")
    return failure(f"create the network {name}", error)
