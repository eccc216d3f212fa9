"""One agent of a kind over several engines: each resource is looked at and changed on the engine that its spec names.

The agents of this folder know one engine each; `per_engine` puts several of them together. `client.assemble` calls it.
Without `engine:` in any spec all goes to the agent's own engine, as if nothing of this were here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Event as Flag
from typing import TYPE_CHECKING, Any

from controller.agents.docker.client import Engine
from controller.engine.agent import (
    Agent,
    AgentHealth,
    Context,
    Failure,
    Lists,
    Outcome,
    Owned,
    Relist,
    ReportsHealth,
    Retry,
    Scope,
    Seen,
    Setup,
    Stalled,
    Step,
    Tidies,
    Watches,
)
from resources.docker.engines import engine_of, on_engine
from resources.meta import Key, Resource
from resources.plan import Plan

if TYPE_CHECKING:
    from controller.agents.docker.moves import Move

OneEngine = Agent[Any, Any]


class PerEngine(Agent[Any, Any]):
    """Thread-safe as the agents are. Made by `per_engine`, which adds what else the kind's agent can do."""

    def __init__(self, agent: type[OneEngine], client: Engine, setup: Setup) -> None:
        self._own: OneEngine = agent(client, setup)  # type: ignore[call-arg]  # the contract of `Agent`, in its docstring
        self._installation = setup.installation
        self._clients = {"": client, **client.named}
        self._named: dict[str, OneEngine] = {
            name: agent(engine, replace(setup, home=setup.home / "docker" / "engines" / name))  # type: ignore[call-arg]
            for name, engine in client.named.items()
        }
        self._last_seen: dict[Key, str] = {}  # of what is not on the agent's own engine

    # -- looking -----------------------------------------------------------------------------------------------

    def observe(self, resources: Sequence[Any], ctx: Context) -> Mapping[Key, Seen[Any] | Failure]:
        groups: dict[str, list[Resource]] = {}
        for resource in resources:
            groups.setdefault(engine_of(resource), []).append(resource)
        for name, group in groups.items():
            for each in group if name or self._last_seen else ():
                self._last_seen[each.key] = name
        if groups.keys() <= {""}:
            return self._own.observe(resources, ctx)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(groups), "engine-look") as pool:
            found = pool.map(lambda name: self._look(name, groups[name], ctx), groups)
            return {key: seen for part in found for key, seen in part.items()}

    def _look(self, name: str, resources: Sequence[Resource], ctx: Context) -> Mapping[Key, Seen[Any] | Failure]:
        """One engine that can't say anything takes nothing from the others."""
        try:
            return self._on(name).observe(resources, ctx)
        except (Retry, Stalled) as failure:
            return dict.fromkeys((resource.key for resource in resources), failure)

    def diff(self, desired: Any, last: Any, observed: Any) -> Plan:
        agent = self._known(engine_of(desired))
        move = _move(desired, last)
        return move.plan(agent, observed) if move else agent.diff(desired, last, observed)

    def slow(self, plan: Plan, desired: Any) -> bool:
        name = engine_of(desired) if desired else self._last_seen.get(plan.key, "")
        return self._known(name).slow(plan, desired)

    def same_owner(self, handle: str, seen: Seen[Any]) -> bool:
        return self._own.same_owner(handle, seen)

    # -- changing ----------------------------------------------------------------------------------------------

    def apply(self, steps: Sequence[Step[Any, Any]], ctx: Context) -> Mapping[Key, Outcome]:
        outcomes: dict[Key, Outcome] = {}
        groups: dict[str, list[Step[Any, Any]]] = {}
        for step in steps:
            if move := _move(step.desired, step.last):
                outcomes[step.key] = self._carry_out(move, step, ctx)
            else:
                groups.setdefault(engine_of(step.desired or step.last), []).append(step)
        for name, group in groups.items():
            outcomes |= self._on(name).apply(group, ctx)
        return outcomes

    def _carry_out(self, move: Move, step: Step[Any, Any], ctx: Context) -> Outcome:
        from controller.agents.docker.moves import Moving

        try:
            there, here = self._on(move.there), self._known(move.here) if self._knows(move.here) else None
            return Moving(move, step, there, here, lambda: self._same(move), self._installation, ctx).carry_out()
        except (Retry, Stalled) as failure:
            return failure

    def _same(self, move: Move) -> bool:
        if not self._knows(move.here):
            return False
        return self._clients[move.here].is_same_as(self._clients[move.there])

    # -- which engine ------------------------------------------------------------------------------------------

    def place(self, resource: Resource) -> str:
        name = engine_of(resource)
        return name if name in self._named else ""

    def of(self, resource: Resource | None) -> OneEngine:
        """The agent of the engine that a resource is on. Raises Stalled for one that nobody knows."""
        return self._on(engine_of(resource))

    def _on(self, name: str) -> OneEngine:
        if not self._knows(name):
            known = ", ".join(sorted(self._named)) or "none"
            raise Stalled(
                "EngineUnknown",
                f"cannot find the engine {name}: add it under engines in agents/docker.yaml, or correct engine "
                f"(known: {known})",
            )
        return self._known(name)

    def _knows(self, name: str) -> bool:
        return not name or name in self._named

    def _known(self, name: str) -> OneEngine:
        return self._named.get(name, self._own)

    def _all(self) -> Iterable[tuple[str, OneEngine]]:
        return [("", self._own), *sorted(self._named.items())]

    # -- what an agent can do beside; `per_engine` leaves out what this kind's can not ---------------------------

    def _watch(self, scope: Scope, stop: Flag) -> Iterator[Key | Relist]:
        watching = {name: agent for name, agent in self._all() if isinstance(agent, Watches)}
        if self._named:
            from controller.agents.docker.watches import watch_all

            return watch_all(watching, scope, stop)
        return watching[""].watch(scope, stop)

    def _owned(self, ctx: Context) -> Iterator[Owned]:
        seen: set[Key] = set()
        for name, agent in self._all():
            for each in agent.owned(ctx) if isinstance(agent, Lists) else ():
                if each.mark.key not in seen:
                    seen.add(each.mark.key)
                    yield replace(each, resource=on_engine(each.resource, name)) if name and each.resource else each

    def _health(self, ctx: Context) -> AgentHealth:
        assert isinstance(self._own, ReportsHealth)
        return self._own.health(ctx)

    def _healths(self, ctx: Context) -> Mapping[str, AgentHealth]:
        from concurrent.futures import ThreadPoolExecutor

        agents = [(name, agent) for name, agent in self._all() if isinstance(agent, ReportsHealth)]
        with ThreadPoolExecutor(len(agents), "engine-health") as pool:
            return dict(
                zip([name for name, _ in agents], pool.map(lambda each: each[1].health(ctx), agents), strict=True)
            )

    def by_place(self) -> Mapping[str, OneEngine]:
        return dict(self._all())

    def _tidy(self, resources: Sequence[Any], *, gone: bool) -> None:
        for resource in resources:
            agent = self.of(resource)
            assert isinstance(agent, Tidies)
            agent.tidy([resource], gone=gone)


def _move(desired: Resource | None, last: Resource | None) -> Move | None:
    """None where it stays, as nearly everything does."""
    if desired is None or last is None or engine_of(desired) == engine_of(last):
        return None
    from controller.agents.docker.moves import Move

    return Move(desired, last)


# Optional capabilities, which are told by the name of their method.
_CAPABILITIES = {
    "watch": PerEngine._watch,
    "owned": PerEngine._owned,
    "health": PerEngine._health,
    "healths": PerEngine._healths,
    "tidy": PerEngine._tidy,
}


def per_engine(agent: type[OneEngine], client: Engine, setup: Setup) -> OneEngine:
    """`agent` over the engines of `client`. It can do what that can; methods that begin with a resource go to its engine."""
    able: dict[str, Any] = {
        name: capability
        for name, capability in _CAPABILITIES.items()
        if hasattr(agent, name) or (name == "healths" and hasattr(agent, "health"))
    }
    for name in dir(agent):
        if not (name.startswith("_") or name in able or hasattr(PerEngine, name)) and callable(getattr(agent, name)):
            able[name] = _forwarded(name, agent)
    able |= {
        "model": agent.model,
        "system": agent.system,
        "batch": agent.batch,
        "workers": agent.workers,
        "rolls_out": agent.rolls_out,
        "marks": agent.marks,
    }
    made: OneEngine = type(agent.__name__, (PerEngine,), able)(agent, client, setup)
    return made


def _forwarded(name: str, agent: type[OneEngine]) -> Any:
    """A method of the kind's agent, called on that of the resource's engine; without a resource, on the agent's own."""
    from inspect import signature

    parameters = list(signature(getattr(agent, name)).parameters)
    by_resource = parameters[1:2] == ["resource"]

    def forward(self: PerEngine, *arguments: Any, **named: Any) -> Any:
        chosen = self.of(arguments[0]) if by_resource else self._own
        return getattr(chosen, name)(*arguments, **named)

    return forward
