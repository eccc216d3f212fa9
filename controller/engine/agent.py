"""The Agent contract: how one kind of thing is observed and changed. The reconciler calls it, agents implement it.

Write an agent by subclassing `SingleAgent` (one thing at a time) or `Agent` (batches), one module a kind under
`controller/agents/<system>/`. Methods block; the manager runs them in threads of the agent's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from controller.engine.diff import plan_by_fields
from resources.conditions import Reason
from resources.meta import API_VERSION, Claim, Key, Resource, SecretRef
from resources.plan import Action, Plan

R = TypeVar("R", bound=Resource)
O = TypeVar("O")  # noqa: E741  (the contract's own letter: Observed)


class Retry(Exception):
    """Transient: try again, after `after` seconds or as the backoff says."""

    def __init__(self, reason: str, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.reason, self.message, self.after = str(reason), message, after


class Stalled(Exception):
    """Nothing will move until somebody edits something; the message says what."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = str(reason), message


Failure = Retry | Stalled


def unavailable(message: str) -> Retry:
    """The system behind the agent can't be reached; counts for its circuit breaker. Say what to install or start."""
    return Retry(Reason.AGENT_UNAVAILABLE, message)


@dataclass(frozen=True, slots=True)
class Mark:
    """What we write on the things we make, where the system can carry it (labels, tags)."""

    key: Key
    installation: str
    generation: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a thing that is as declared also works. `again` (seconds): look again then, for nothing will hint at it."""

    ready: bool = True
    reason: str = Reason.CONVERGED
    message: str = ""
    again: float | None = None
    stalled: bool = False  # not healthy and will not become so by itself
    awaits: bool = False  # others, which it stands for, and is woken by
    ended: bool = False  # it is not as declared because it has ended by itself, and nobody has stopped it


HEALTHY = Health()


@dataclass(frozen=True, slots=True)
class Seen(Generic[O]):
    """One look at the world for one key. `value` is None when there is no such thing.

    `value` has attributes named like the spec's fields and holds values in the spec's own vocabulary; a field the
    system can't report is None. `handle` is the system's own id; `mark` is what the thing says of its owner.
    """

    value: O | None
    handle: str = ""
    mark: Mark | None = None
    health: Health = HEALTHY
    age: float = 0.0  # seconds since the system was really asked
    cost: int = 0  # requests out of the system's budget
    writes: str = ""  # where the thing writes what outlives it (a mount, for people); empty: nowhere
    hindered: Stalled | None = None  # why a create or update would be refused as things are, though it was seen


@dataclass(frozen=True, slots=True)
class Step(Generic[R, O]):
    """One action to carry out. `desired` is None for a delete; `last` is the spec as last applied, if ever.

    `kept` is what an adoption noted down when it took the thing over (see `Done.kept`).
    """

    plan: Plan
    desired: R | None
    last: R | None
    seen: Seen[O]
    mark: Mark
    kept: str = ""

    @property
    def key(self) -> Key:
        return self.plan.key


@dataclass(frozen=True, slots=True)
class Done:
    """The change is made. `kept`: a note for the inventory, given back in `Step.kept` (where old content was put)."""

    handle: str = ""
    kept: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """Work goes on outside this process; a later observation sees its end."""

    token: str
    message: str = ""


Outcome = Done | Started | Retry | Stalled


@dataclass(frozen=True, slots=True)
class Relist:
    """A watch lost continuity: everything of this agent must be looked at again, or of these keys."""

    keys: tuple[Key, ...] | None = None


@dataclass(frozen=True, slots=True)
class Owned:
    """A thing out there that carries our mark. `resource` has what finds it again (name, image), and nothing else."""

    mark: Mark
    handle: str
    resource: Resource | None = None  # None: such a thing can be declared again, not deleted


def found_again(model: type[Resource], key: Key, **spec: Any) -> Resource | None:
    """A resource for `Owned`. None for what the model does not accept: marks can be written by anybody."""
    metadata = {"name": key.name, "namespace": key.namespace}
    try:
        return model.model_validate({"apiVersion": API_VERSION, "kind": key.kind, "metadata": metadata, "spec": spec})
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class AgentHealth:
    available: bool
    version: str = ""
    message: str = ""  # why not, and what to do
    limits: Mapping[str, str] = field(default_factory=dict)


class Secrets(Protocol):
    """Resolves references inside an agent's call. Values never leave it; digests may."""

    def reveal(self, ref: SecretRef, namespace: str) -> str:
        """The value, for a resource of `namespace`. Raises Stalled or Retry (SecretNotFound)."""

    def digest(self, value: str) -> str:
        """A keyed digest of a value, fit to be shown and stored."""


@dataclass(frozen=True)
class Context:
    """What an agent's call is given beside its resources."""

    secrets: Secrets
    progress: Callable[[Key, float | None, str], None] = lambda key, fraction, message: None
    cancelled: Flag = field(default_factory=Flag)
    # Whether what is being changed is wanted otherwise by now, or all is to end: who only waits for something may as well stop.
    overtaken: Callable[[Key], bool] = lambda key: False
    deadline: float | None = None  # of the injected monotonic clock
    read_from: Callable[[str], str] = lambda path: (
        path
    )  # where a file that a spec refers to is read: a past one, perhaps


@dataclass(frozen=True)
class Setup:
    """What wiring hands to an agent's client when it is made. A client made read-only must be unable to write."""

    installation: str  # empty when it isn't known: `owned` then finds the marks of all
    home: Path
    secrets: Secrets
    read_only: bool = False
    timeout: float = 60.0  # seconds, for every request (PEGASUS2_AGENT_TIMEOUT)
    config: Mapping[str, Any] = field(default_factory=dict)  # $PEGASUS2_HOME/agents/<system>.yaml
    ahead: Any = None  # what the system's `ahead.py` has begun to read for this command


class Scope(Protocol):
    """The live set of resources that a watch serves."""

    def resources(self) -> Sequence[Resource]:
        """A snapshot of the resources of this agent's kind."""

    def find(self, claim: Claim) -> Key | None:
        """Whose claim this is."""

    def subscribe(self, changed: Callable[[Sequence[Resource], Sequence[Resource]], None]) -> None:
        """Call `changed(added or edited, removed)`, from any thread, whenever the set changes."""


class Agent(ABC, Generic[R, O]):
    """Observes and changes resources of one kind. Methods block; the manager runs them in threads.

    Constructed by wiring as `AgentClass(client, setup)`, where `client` is what `connect(setup)` of the system's
    `client.py` returned, one for all agents of the system; or by its `assemble(AgentClass, client, setup)`, if it has that.
    Neither may touch the system before the first call. Fields of agents/<system>.yaml are those that `client.SETTINGS`
    names; `connect` raises ValueError (field: what to do) for those it can't use.
    """

    model: ClassVar[type[Resource]]
    system: ClassVar[str]  # the folder it lives in; agents of one system share threads and circuit breaker
    batch: ClassVar[int] = 1  # steps one apply may take
    workers: ClassVar[int] = 4  # applies in flight
    rolls_out: ClassVar[bool] = False  # whether what needs a thing is another one when that has changed
    marks: ClassVar[bool] = True  # whether the system can carry our mark; else the inventory alone knows what is ours

    @abstractmethod
    def observe(self, resources: Sequence[R], ctx: Context) -> Mapping[Key, Seen[O] | Failure]:
        """Looks at all of `resources` in as few round trips as the system allows. No side effects.

        Raises Retry (see `unavailable`) when nothing at all can be said.
        """

    def diff(self, desired: R, last: R | None, observed: O | None) -> Plan:
        """What must change. Pure: no I/O, no clock. The default compares declared fields and updates in place."""
        return plan_by_fields(desired, last, observed)

    @abstractmethod
    def apply(self, steps: Sequence[Step[R, O]], ctx: Context) -> Mapping[Key, Outcome]:
        """Carries out at most `batch` steps, deletes among them. May raise Retry or Stalled for all of them."""

    def place(self, resource: R) -> str:
        """Which of several systems a resource is on: each has threads and a circuit breaker of its own. Empty: the usual one."""
        return ""

    def slow(self, plan: Plan, desired: R | None) -> bool:
        """Whether carrying out `plan` may take minutes: it then runs in the pool for long work."""
        return False

    def same_owner(self, handle: str, seen: Seen[O]) -> bool:
        """Whether an unmarked thing is the one that the inventory calls `handle`."""
        return bool(handle) and handle == seen.handle


class SingleAgent(Agent[R, O]):
    """An agent written one thing at a time. Each method returns Done or raises Retry or Stalled."""

    def apply(self, steps: Sequence[Step[R, O]], ctx: Context) -> Mapping[Key, Outcome]:
        outcomes: dict[Key, Outcome] = {}
        for step in steps:
            try:
                outcomes[step.key] = self._carry_out(step, ctx)
            except (Retry, Stalled) as failure:
                outcomes[step.key] = failure
        return outcomes

    def _carry_out(self, step: Step[R, O], ctx: Context) -> Done | Started:
        match step.plan.action:
            case Action.CREATE:
                return self.create(step, ctx)
            case Action.UPDATE:
                return self.update(step, ctx)
            case Action.ADOPT:
                return self.adopt(step, ctx)
            case Action.REPLACE:
                return self.replace(step, ctx)
            case Action.DELETE:
                return self.delete(step, ctx)
            case Action.NONE:
                return Done(step.seen.handle)

    @abstractmethod
    def create(self, step: Step[R, O], ctx: Context) -> Done | Started: ...

    @abstractmethod
    def update(self, step: Step[R, O], ctx: Context) -> Done | Started: ...

    @abstractmethod
    def delete(self, step: Step[R, O], ctx: Context) -> Done | Started: ...

    def adopt(self, step: Step[R, O], ctx: Context) -> Done | Started:
        """Takes over what is there and makes it as declared; the default changes only what differs."""
        return self.update(step, ctx) if step.plan.changes else Done(step.seen.handle)

    def replace(self, step: Step[R, O], ctx: Context) -> Done | Started:
        """Makes the thing anew; the default deletes and creates."""
        self.delete(step, ctx)
        return self.create(step, ctx)


@runtime_checkable
class Watches(Protocol):
    """Optional: hints that something may have changed. Spurious ones are cheap, missed ones wait for the resync."""

    def watch(self, scope: Scope, stop: Flag) -> Iterator[Key | Relist]:
        """Yields until `stop` is set. Raises Retry when the connection is lost; it is then called again."""


@runtime_checkable
class Lists(Protocol):
    """Optional: finds our things without the inventory."""

    def owned(self, ctx: Context) -> Iterable[Owned]:
        """Everything out there that carries our mark; one for a key. With an unknown installation, that of all of them."""


@runtime_checkable
class Tidies(Protocol):
    """Optional: clears away what an interrupted change has left of a thing that needs no change any more."""

    def tidy(self, resources: Sequence[Any], *, gone: bool) -> None:
        """Called before that change is forgotten. Does nothing where nothing was left. May raise Retry or Stalled.

        `gone`: nobody declares them any more, and nothing is there that is known as ours.
        """


@runtime_checkable
class GoesBack(Protocol):
    """Optional: for kinds whose plans `updates`. Knows what a thing was made of before it was updated."""

    def give_up_update(self, resource: Any, why: str) -> str:
        """Notes that what the thing was updated to does not work: from now on its plan leads back. Changes nothing else.

        Returns why there is no way back, for people; nothing where there is one. May raise Retry or Stalled.
        """


@runtime_checkable
class ReportsHealth(Protocol):
    """Optional: says whether the system is there."""

    def health(self, ctx: Context) -> AgentHealth: ...


@dataclass(frozen=True, slots=True)
class Stocked:
    """Something on this machine that things are made from (an image). `name` is empty where it has none (any more)."""

    name: str
    handle: str  # its id
    digest: str  # what it is called where it came from; empty for what was made here
    size: int  # bytes
    created: float  # seconds since the epoch
    users: tuple[tuple[str, str], ...]  # handles and names of the things that were made from it
    ours: bool  # whether we have brought it
    newer: str = ""  # what there is that is newer, for people


@runtime_checkable
class Stocks(Protocol):
    """Optional: says what is on this machine of what its things stand for, also that which is not ours."""

    def stock(self, resources: Sequence[Any]) -> Sequence[Stocked]:
        """`resources`: the declared ones. Raises Retry."""


@runtime_checkable
class ReportsHealths(Protocol):
    """Optional: says so of each of several systems."""

    def healths(self, ctx: Context) -> Mapping[str, AgentHealth]:
        """By `place`."""


def lane_of(agent: Agent[Any, Any], resource: Resource | None) -> str:
    """What threads and circuit breaker of a resource are called: `docker`, or `docker/nas`."""
    place = agent.place(resource) if resource is not None else ""
    return f"{agent.system}/{place}" if place else agent.system


def healths(agent: Agent[Any, Any], ctx: Context) -> Mapping[str, AgentHealth]:
    """Of all systems behind an agent, by what their lanes are called. Empty where it can't tell."""
    if isinstance(agent, ReportsHealths):
        found = agent.healths(ctx)
        return {f"{agent.system}/{place}" if place else agent.system: health for place, health in found.items()}
    return {agent.system: agent.health(ctx)} if isinstance(agent, ReportsHealth) else {}
