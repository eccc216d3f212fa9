"""Shape three: a remote system that is polled and counts requests, as GitHub does. Kind `Site`, at a hosting service.

All sites come in one request. An answer is good for a minute, or until we change something: `Seen.age` and `Seen.cost` tell
the loop what a look was worth and what it took. Over the limit the service says when to come back, and the agent passes
that on. Passwords are secrets: the service takes them and never gives them back, so a digest is left in a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from controller.engine.agent import (
    AgentHealth,
    Context,
    Done,
    Mark,
    Owned,
    Retry,
    Seen,
    Setup,
    SingleAgent,
    Stalled,
    Step,
    found_again,
    unavailable,
)
from resources.meta import About, Key, Resource, SecretRef, Spec
from tests.agents.world import ByHand, World
from tests.agents.worlds.timeline import Timeline

LIMIT = 60  # requests an hour
HOUR = 3600.0
FRESH = 60.0  # seconds that an answer is good for
NOT_THERE = "cannot reach the hosting service: check the network"


class SiteSpec(Spec):
    title: str
    topics: tuple[str, ...] | None = None
    settings: dict[str, str] | None = None
    password: SecretRef | None = None


class Site(Resource):
    about: ClassVar[About] = About(plural="sites")
    kind: Literal["Site"]
    spec: SiteSpec


@dataclass(frozen=True, slots=True)
class Hosted:
    """A site as the service reports it."""

    number: int
    title: str
    topics: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class SiteObserved:
    """A site in the words of its spec. A password that is as it should be is its reference, any other a digest."""

    title: str
    topics: tuple[str, ...]
    settings: Mapping[str, str]
    password: SecretRef | str | None
    number: int


class OverLimit(Exception):
    """`after`: seconds until requests are taken again."""

    def __init__(self, after: float) -> None:
        super().__init__()
        self.after = after


@dataclass
class Hosting:
    """The service."""

    clock: Timeline
    sites: dict[str, Hosted] = field(default_factory=dict)
    passwords: dict[str, str | None] = field(default_factory=dict)
    requests: list[float] = field(default_factory=list)
    reachable: bool = True

    def all(self) -> dict[str, Hosted]:
        self._count()
        return dict(self.sites)

    def publish(self, name: str, site: Hosted, password: str | None) -> None:
        self._count()
        if not site.title:
            raise ValueError
        self.sites[name], self.passwords[name] = site, password

    def take_down(self, name: str) -> None:
        self._count()
        self.sites.pop(name, None)

    def _count(self) -> None:
        if not self.reachable:
            raise ConnectionError
        self.requests = [at for at in self.requests if at > self.clock() - HOUR]
        if len(self.requests) >= LIMIT:
            raise OverLimit(self.requests[0] + HOUR - self.clock())
        self.requests.append(self.clock())


@dataclass(frozen=True, slots=True)
class Answer:
    sites: Mapping[str, Hosted]
    age: float = 0.0  # seconds
    cost: int = 0  # requests


class Reading:
    """A client that can't write. Remembers the last answer."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting
        self._sites: Mapping[str, Hosted] | None = None
        self._asked = 0.0

    def ask(self) -> Answer:
        now = self._hosting.clock()
        if self._sites is not None and now - self._asked < FRESH:
            return Answer(self._sites, age=now - self._asked)
        self._sites, self._asked = self._hosting.all(), now
        return Answer(self._sites, cost=1)


class Writing(Reading):
    def publish(self, name: str, site: Hosted, password: str | None) -> None:
        self._sites = None
        self._hosting.publish(name, site, password)

    def take_down(self, name: str) -> None:
        self._sites = None
        self._hosting.take_down(name)


class SiteAgent(SingleAgent[Site, SiteObserved]):
    model = Site
    system = "hosting"

    def __init__(self, client: Reading, setup: Setup) -> None:
        self._client = client

    def observe(self, resources: Sequence[Site], ctx: Context) -> Mapping[Key, Seen[SiteObserved]]:
        if not resources:
            return {}
        try:
            answer = self._client.ask()
        except ConnectionError:
            raise unavailable(NOT_THERE) from None
        except OverLimit as over:
            raise _over_limit(over) from None
        # One request has answered for all of them, so one of them bears its cost.
        costs = [answer.cost, *[0] * len(resources)]
        return {each.key: _seen(each, answer, cost, ctx) for each, cost in zip(resources, costs, strict=False)}

    def create(self, step: Step[Site, SiteObserved], ctx: Context) -> Done:
        return self._publish(step, hash(step.key) & 0xFFFFFF, ctx)

    def update(self, step: Step[Site, SiteObserved], ctx: Context) -> Done:
        assert step.seen.value is not None
        return self._publish(step, step.seen.value.number, ctx)

    def adopt(self, step: Step[Site, SiteObserved], ctx: Context) -> Done:
        return self.update(step, ctx)  # even without a change, for the mark

    def delete(self, step: Step[Site, SiteObserved], ctx: Context) -> Done:
        assert step.last is not None
        try:
            self._writing.take_down(step.last.world_name)
        except OverLimit as over:
            raise _over_limit(over) from None
        return Done()

    def owned(self, ctx: Context) -> Iterator[Owned]:
        for site in self._client.ask().sites.values():
            if site.mark:
                yield Owned(site.mark, str(site.number), found_again(Site, site.mark.key, title=site.title))

    def health(self, ctx: Context) -> AgentHealth:
        try:
            self._client.ask()
        except ConnectionError:
            return AgentHealth(available=False, message=NOT_THERE)
        return AgentHealth(available=True, limits={"requests": f"{LIMIT} an hour"})

    def _publish(self, step: Step[Site, SiteObserved], number: int, ctx: Context) -> Done:
        assert step.desired is not None
        name, spec = step.desired.world_name, step.desired.spec
        password = ctx.secrets.reveal(spec.password, step.key.namespace) if spec.password else None
        note = ctx.secrets.digest(password) if password is not None else ""
        site = Hosted(number, spec.title, spec.topics or (), spec.settings or {}, note, step.mark)
        try:
            self._writing.publish(name, site, password)
        except OverLimit as over:
            raise _over_limit(over) from None
        except ValueError:
            raise Stalled("TitleMissing", f"cannot publish the site {name} without a title: give it one") from None
        return Done(handle=str(number))

    @property
    def _writing(self) -> Writing:
        assert isinstance(self._client, Writing), "cannot write through a client that only reads"
        return self._client


def _seen(resource: Site, answer: Answer, cost: int, ctx: Context) -> Seen[SiteObserved]:
    site = answer.sites.get(resource.world_name)
    if site is None:
        return Seen(None, age=answer.age, cost=cost)
    password = _password(resource, site.note, ctx)
    value = SiteObserved(site.title, site.topics, site.settings, password, site.number)
    return Seen(value, str(site.number), site.mark, age=answer.age, cost=cost)


def _password(resource: Site, note: str, ctx: Context) -> SecretRef | str | None:
    """That a secret can't be found is said when it is to be written; a look, perhaps for a deletion, must not fail for it."""
    wanted = resource.spec.password
    if wanted is not None:
        try:
            if ctx.secrets.digest(ctx.secrets.reveal(wanted, resource.key.namespace)) == note:
                return wanted
        except Stalled:
            pass
    return note or None


def _over_limit(over: OverLimit) -> Retry:
    return Retry(
        "RateLimited",
        f"cannot ask the hosting service for another {over.after:.0f} s: its limit is reached",
        over.after,
    )


class Remote(World[Site]):
    agent_class = SiteAgent

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.clock = Timeline()
        self.hosting = Hosting(self.clock)
        self.agent = SiteAgent(Writing(self.hosting), self.setup())
        self.reader = SiteAgent(Reading(self.hosting), self.setup(read_only=True))

    def sample(self, name: str = "one") -> Site:
        return self.resource(name, title=f"About {name}", topics=["a", "b"], settings={"theme": "dark", "lang": "en"})

    def edits(self, resource: Site) -> Mapping[str, Site]:
        name = resource.metadata.name.removeprefix(f"{self.prefix}-")
        return {
            "another title": self.resource(
                name, title="News", topics=["a", "b"], settings={"theme": "dark", "lang": "en"}
            ),
            "an entry of a map dropped": self.resource(name, title="News", topics=["a", "b"], settings={"lang": "en"}),
            "fields dropped": self.resource(name, title="News"),
        }

    def drifts(self, resource: Site) -> ByHand:
        spec = resource.spec
        settings = dict(spec.settings or {})
        return {
            "renamed": lambda: self._publish(resource, title="Hacked", topics=spec.topics, settings=settings),
            "setting changed": lambda: self._publish(
                resource, title=spec.title, topics=spec.topics, settings={**settings, "theme": "pink"}
            ),
        }

    def remove(self, resource: Site) -> None:
        del self.hosting.sites[resource.world_name]
        self.later()

    def make_strangers(self, resource: Site) -> None:
        self.hosting.sites[resource.world_name] = Hosted(7, "Somebody else's")
        self.later()

    def state(self, resource: Site) -> Any:
        found = self.hosting.sites.get(resource.world_name)
        return found and (found.title, found.topics, found.settings, self.hosting.passwords.get(resource.world_name))

    def impossible(self, name: str = "impossible") -> Site:
        return self.resource(name, title="")

    def secretive(self, value: str) -> Site:
        self.environment["PASSWORD"] = value
        return self.resource("secretive", title="Members only", password={"env": "PASSWORD"})

    def cut_off(self) -> SiteAgent:
        return SiteAgent(Writing(Hosting(self.clock, reachable=False)), self.setup())

    def later(self) -> None:
        self.clock.sleep(FRESH)

    def _publish(self, resource: Site, **changes: Any) -> None:
        old = self.hosting.sites[resource.world_name]
        self.hosting.sites[resource.world_name] = Hosted(old.number, note=old.note, mark=old.mark, **changes)
        self.later()
