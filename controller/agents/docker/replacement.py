"""Puts a new container in the place of an old one, so that at every moment one of the two can serve.

    1. create the new one as <name>.p2-new, with the old one's anonymous volumes
    2. stop the old one; where the engine would revive it none the less (`stopping.py`), take its restart policy away first
    3. rename the old one to <name>.p2-old and the new one to <name>
    4. start the new one; if it does not start, put the old one back
    5. remove the old one, never its volumes

With `strategy: startFirst` the new one is started at once and has to become Ready (`proving.py`) while the old one serves;
only then are the names changed, and the old one is stopped last.

A crash at any point leaves containers with our key on them; `lookup.py` says which one is *the* container, and the next
change clears the others away. So nothing of this needs to be remembered elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.agents.docker import paths
from controller.agents.docker.client import EngineError, Json, WritableEngine
from controller.agents.docker.creation import Legacy
from controller.agents.docker.failures import explained, failure, tolerated
from controller.agents.docker.making import Bring, make, start
from controller.agents.docker.marks import PREDECESSOR_RESTART, new_name, old_name, temporary
from controller.agents.docker.mounting import ANONYMOUS
from controller.agents.docker.proving import Times, prove
from controller.agents.docker.stopping import halt, restore_policy, retire
from controller.agents.docker.translation import restart_text
from controller.engine.agent import Context, Mark, Retry, Stalled
from resources.conditions import Reason
from resources.docker.names import NEW_SUFFIX
from resources.docker.parts import MountType, State, Strategy
from resources.kinds.container import Container


@dataclass(frozen=True, slots=True)
class Replacement:
    """`old` is as the engine described it before anything was done; `last` is what was applied then.

    `former`: the image to go back to, where the new one is made of a newer one. `bring`: see `make`.
    """

    engine: WritableEngine
    container: Container
    last: Container | None
    old: Json
    leftovers: tuple[Json, ...] = ()
    times: Times = field(default_factory=Times)
    former: str = ""
    bring: Bring | None = None

    def carry_out(self, mark: Mark, ctx: Context) -> str:
        """Returns the id of the new container."""
        name = self.container.container_name
        policy = clear(self.engine, self.leftovers) or restart_text(self.old["HostConfig"]["RestartPolicy"])
        legacy = Legacy(self.old["Id"], policy, self._inherited_volumes(), self.former)
        new = make(self.engine, self.container, new_name(name), mark, ctx, legacy, self.bring)
        if self._starts_first:
            self._prove(new, ctx)
        try:
            if self._starts_first:
                self._exchange(new, name)
            else:
                retire(self.engine, self.old)
                self._exchange(new, name)
                if self.container.spec.state is not State.STOPPED:
                    start(self.engine, self.container, new)
        except (EngineError, Retry, Stalled) as problem:
            raise self._given_up(new, policy, problem) from None
        if self._starts_first:
            with explained(f"stop the container that {name} has replaced"), tolerated(404):
                retire(self.engine, self.old)
        with explained(f"remove the container that {name} has replaced"), tolerated(404):
            self.engine.remove_container(self.old["Id"], force=True)
        return new

    @property
    def _starts_first(self) -> bool:
        spec = self.container.spec
        return spec.strategy is Strategy.START_FIRST and spec.state is State.RUNNING

    def _prove(self, new: str, ctx: Context) -> None:
        """Starts the new one beside the old one. One that does not become Ready has never served anybody, and goes."""
        name = self.container.container_name
        try:
            start(self.engine, self.container, new)
            prove(self.engine, self.container, new, ctx, self.times)
        except (Retry, Stalled) as problem:
            if problem.reason in (Reason.AGENT_UNAVAILABLE, Reason.TIMEOUT):
                raise  # nothing can be done now; the next look finds both
            with explained(f"remove the new container {name} ({problem.message})"), tolerated(404):
                self.engine.remove_container(new, force=True, volumes=True)
            raise

    def _inherited_volumes(self) -> dict[str, str]:
        """The old one's anonymous volumes by where they are mounted, less those that were declared and are no more."""
        declared_then, declared_now = _anonymous_targets(self.last), _anonymous_targets(self.container)
        dropped = declared_then - declared_now - (self.old["Config"]["Volumes"] or {}).keys()
        return {
            point["Destination"]: point["Name"]
            for point in self.old["Mounts"] or ()
            if point["Type"] == MountType.VOLUME and ANONYMOUS.fullmatch(point["Name"])
            if point["Destination"] not in dropped
        }

    def _exchange(self, new: str, name: str) -> None:
        if self.old["Name"] != f"/{old_name(name)}":
            with tolerated(404):  # made with --rm, it was gone as soon as it stopped
                self.engine.rename(self.old["Id"], old_name(name))
        take_name(self.engine, new, name)

    def _given_up(self, new: str, policy: str, problem: EngineError | Retry | Stalled) -> Retry | Stalled:
        """Puts the old container back; what to raise. Trying again would stop it again, so that is left to the user."""
        name = self.container.container_name
        if isinstance(problem, EngineError):
            problem = failure(f"replace the container {name}", problem)
        if problem.reason in (Reason.AGENT_UNAVAILABLE, Reason.TIMEOUT):
            return problem  # nothing can be done now; the next look finds both
        with explained(f"put the former container {name} back after a failed replacement ({problem.message})"):
            self._put_back(new, policy)
        return Stalled(problem.reason, f"{problem.message}; the former container is back in its place")

    def _put_back(self, new: str, policy: str) -> None:
        name, engine, old = self.container.container_name, self.engine, self.old["Id"]
        former = self.old["Name"].removeprefix("/")
        found, there = engine.read_each([paths.container(new), paths.container(old)])
        if found and not temporary(found["Name"]):
            engine.rename(new, new_name(name))
        if there and temporary(there["Name"]):
            engine.rename(old, name if temporary(former) else former)
        if there and policy != restart_text(there["HostConfig"]["RestartPolicy"]):
            restore_policy(engine, old, policy)
        if self.old["State"]["Running"] or (self.leftovers and self.container.spec.state is State.RUNNING):
            engine.start(old)
        if found:
            engine.remove_container(new, force=True, volumes=never_served(found))


def clear(engine: WritableEngine, leftovers: Iterable[Json]) -> str:
    """Removes what an interrupted replacement left; returns the restart policy that it had taken away, or nothing.

    Anonymous volumes go only with a container that has never served: nothing that matters has been written to them.
    """
    policy = ""
    for live in leftovers:
        if never_started(live):
            policy = (live["Config"]["Labels"] or {}).get(PREDECESSOR_RESTART, "")
        with explained(f"remove the left-over container {live['Name'].removeprefix('/')}"), tolerated(404):
            halt(engine, live)
            engine.remove_container(live["Id"], force=True, volumes=never_served(live))
    return policy


def never_started(live: Json) -> bool:
    return str(live["State"]["StartedAt"]).startswith("0001-")


def never_served(live: Json) -> bool:
    """Whether it was never started, or only beside the one that had its name."""
    return never_started(live) or str(live["Name"]).endswith(NEW_SUFFIX)


def take_name(engine: WritableEngine, identity: str, name: str) -> None:
    """Raises Stalled(NotOwned) when another container has the name."""
    try:
        engine.rename(identity, name)
    except EngineError as error:
        if error.status != 409:
            raise
        message = f"cannot name the container {name}: {error.message}; remove or rename the other one"
        raise Stalled(Reason.NOT_OWNED, message) from None


def _anonymous_targets(container: Container | None) -> set[str]:
    mounts = (container.spec.volumes if container else None) or ()
    return {mount.target for mount in mounts if mount.type is MountType.VOLUME and not mount.source}
