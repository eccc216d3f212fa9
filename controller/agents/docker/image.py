"""The agent of kind `Image`: what a name stands for on this machine, and what it is to stand for.

The parts: `newest` asks the registries, `recipe` tells what a build is made from; `pulling` and `building` bring an image,
`brought` remembers what was brought, `refused` what was given up; `former` finds what is kept no more.

Images carry no mark: what was pulled can't, and one image may have many names. What is owned is the name; its handle is
the name with the digest behind it, so that the name is still ours when somebody has given it to another image.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from threading import Event as Flag
from typing import TYPE_CHECKING, ClassVar

from controller.agents.docker import paths
from controller.agents.docker.brought import Shelf
from controller.agents.docker.client import Engine, EngineError, Json, WritableEngine, engine_health, writable
from controller.agents.docker.events import attributes, hints
from controller.agents.docker.failures import explained, failure, tolerated
from controller.agents.docker.former import Former, surplus, unnamed, users
from controller.agents.docker.image_difference import Known, observed_image, plan_image
from controller.agents.docker.newest import SOON, Outlook
from controller.agents.docker.recipe import Dockerfile, dockerfile_of, hindrance, recipe, surveyed
from controller.agents.docker.refused import Refused
from controller.agents.docker.stock import stock
from controller.engine.agent import (
    AgentHealth,
    Context,
    Done,
    Failure,
    Health,
    Relist,
    Scope,
    Seen,
    Setup,
    SingleAgent,
    Step,
    Stocked,
)
from controller.trees import Trees
from resources.conditions import Reason
from resources.kinds.image import Image, ImageObserved
from resources.meta import Claim, Key, Resource
from resources.notation import canonical_image
from resources.plan import Action, Plan

if TYPE_CHECKING:
    from controller.engine.by_hand import Pinned

ImageStep = Step[Image, ImageObserved]

_USED = "a container uses it"
EVENTS = ("tag", "untag", "delete", "pull", "load", "import", "destroy")


class ImageAgent(SingleAgent[Image, ImageObserved]):
    model = Image
    system = "docker"
    marks: ClassVar[bool] = False
    rolls_out: ClassVar[bool] = True

    def __init__(self, client: Engine, setup: Setup) -> None:
        self._engine, self._home, self._installation = client, setup.home, setup.installation
        self._shelf, self._refused, self._trees = Shelf(setup.home), Refused(setup.home), Trees()
        self._outlook = Outlook(client.registries, self._shelf)
        self._bases: dict[Key, frozenset[str]] = {}  # canonical names of what each is built on
        self._identities: dict[Key, str] = {}  # what each stood for at the last look
        self._stuck: set[str] = set()  # former images that the engine does not let go
        self._crowded: set[Key] = set()  # with former images that wait until no container uses them

    # -- looking -------------------------------------------------------------------------------------------------

    def observe(self, resources: Sequence[Image], ctx: Context) -> Mapping[Key, Seen[ImageObserved] | Failure]:
        self._outlook.ask(resources)
        dockerfiles = {each.key: dockerfile_of(each.spec.build, ctx) for each in resources if each.spec.build}
        names = {name for each in resources for name in (each.spec.image, *each.tags)}
        bases = {name for dockerfile in dockerfiles.values() for name in dockerfile.bases}
        asked = sorted(names | bases)
        with explained("look at the images"):
            answers = dict(zip(asked, self._engine.try_each([paths.image(name) for name in asked]), strict=True))
            here = [(each, live) for each in resources if isinstance(live := answers[each.spec.image], dict)]
            shelves = [(each, live["Id"], self._shelf.of(each.spec.image)) for each, live in here]
            former = surplus(self._engine, shelves, self._stuck)
        return {each.key: self._seen(each, answers, dockerfiles.get(each.key), former, ctx) for each in resources}

    def _seen(
        self,
        resource: Image,
        answers: Mapping[str, Json | EngineError | None],
        dockerfile: Dockerfile | None,
        former: Mapping[Key, Former],
        ctx: Context,
    ) -> Seen[ImageObserved] | Failure:
        spec, key = resource.spec, resource.key
        live = answers[spec.image]
        if isinstance(live, EngineError):
            return failure(f"look at the image {spec.image}", live)
        found = {name: answer if isinstance(answer, dict) else None for name, answer in answers.items()}
        parts = hindered = None
        if dockerfile is not None:
            self._bases[key] = frozenset(map(canonical_image, dockerfile.bases))
            context = surveyed(resource, self._trees)
            parts = recipe(resource, dockerfile, found, context, ctx)
            hindered = hindrance(resource, dockerfile, context)
        self._identities[key] = live["Id"] if live else ""
        if live is None:
            return Seen(None, hindered=hindered)
        mine = former.get(key, Former())
        (self._crowded.add if mine.crowded else self._crowded.discard)(key)
        shelf, refused = self._shelf.of(spec.image), self._refused.refused(spec.image)
        known = Known(shelf, refused, self._outlook.known(spec), parts, len(mine.surplus))
        value = observed_image(resource, live, found, known)
        health = Health(message=value.message, again=SOON if self._outlook.pending(spec) else None)
        if value.refused and spec.build:  # what is declared is not what is used; who needs it has the former
            health = Health(True, Reason.ROLLED_BACK, value.message)
        if value.composed:
            hindered = None  # it is taken as it is: nothing is built for that
        return Seen(value, f"{spec.image}@{value.digest}", health=health, hindered=hindered)

    def diff(self, desired: Image, last: Image | None, observed: ImageObserved | None) -> Plan:
        return plan_image(desired, last, observed)

    def same_owner(self, handle: str, seen: Seen[ImageObserved]) -> bool:
        """What is ours is the name, whatever image it stands for."""
        return bool(handle) and _name_in(handle) == _name_in(seen.handle)

    # -- changing ------------------------------------------------------------------------------------------------

    def slow(self, plan: Plan, desired: Image | None) -> bool:
        """Pulling and building may take minutes; an image that is removed, or gets a name back, does not."""
        return desired is not None and plan.action is not Action.NONE

    def create(self, step: ImageStep, ctx: Context) -> Done:
        return self._bring(step, ctx)

    def update(self, step: ImageStep, ctx: Context) -> Done:
        return self._bring(step, ctx)

    def replace(self, step: ImageStep, ctx: Context) -> Done:
        """Another name: the new one first, for containers may go on under the old one meanwhile."""
        done = self._bring(step, ctx)
        if step.last and canonical_image(step.last.spec.image) != canonical_image(_desired(step).spec.image):
            self._let_go(step.last)
        return done

    def adopt(self, step: ImageStep, ctx: Context) -> Done:
        return self._bring(step, ctx)

    def delete(self, step: ImageStep, ctx: Context) -> Done:
        assert step.last is not None
        return Done(message=self._let_go(step.last))

    def _bring(self, step: ImageStep, ctx: Context) -> Done:
        from controller.agents.docker.bringing import Bringing  # with all that building needs: to look needs none of it

        desired = _desired(step)
        bringing = Bringing(
            self._writable,
            self._shelf,
            self._refused,
            self._outlook,
            self._trees,
            self._home,
            self._installation,
            self._stuck,
        )
        image = bringing.carry_out(step, ctx)
        if step.last:
            for name in set(step.last.tags) - {desired.spec.image, *desired.tags}:
                self._untag(name)
        return Done(f"{desired.spec.image}@{image.digest}")

    def _let_go(self, image: Image) -> str:
        """Takes the names away and removes the images, as far as no container uses them. Returns what was left, for people."""
        brought = self._shelf.of(image.spec.image)
        found = [each.identity for each in brought if each.found]
        left = {name: why for name in (image.spec.image, *image.tags) if (why := self._untag(name, found))}
        for identity in unnamed(self._engine, sorted({each.identity for each in brought}.difference(found))):
            with tolerated(404, 409):
                self._writable.remove_image(identity)
        self._shelf.drop(image.spec.image)
        self._refused.forget(image.spec.image)
        return "; ".join(f"left {name}: {why}" for name, why in left.items())

    def _untag(self, name: str, found: Collection[str] = ()) -> str:
        """Why the name is left; empty where it is gone. A container at rest counts as much as one that runs."""
        live = self._engine.try_each([paths.image(name)])[0]
        if not isinstance(live, dict):
            return ""
        if live["Id"] in found:
            return "it was here before Pegasus2 kept it, and nobody said adopt: true"
        with explained(f"remove the image {name}"):
            others = [each for each in live.get("RepoTags") or () if canonical_image(each) != canonical_image(name)]
            if not others and live["Id"] in users(self._engine):
                return _USED
            try:
                self._writable.remove_image(name)
            except EngineError as error:
                if error.status not in (404, 409):
                    raise
                return _USED if error.status == 409 else ""
        return ""

    # -- watching ------------------------------------------------------------------------------------------------

    def watch(self, scope: Scope, stop: Flag) -> Iterator[Key | Relist]:
        return hints(
            self._engine, stop, lambda event: self._concerned(event, scope), type=["image", "container"], event=EVENTS
        )

    def _concerned(self, event: Json, scope: Scope) -> Iterable[Key]:
        if event["Type"] == "container":
            return sorted(self._crowded) if event.get("Action") == "destroy" else ()
        name, identity = attributes(event).get("name", ""), event["Actor"]["ID"]
        if name == identity or not name:  # of a name that is taken away only the image is told
            return [key for key, there in self._identities.items() if there == identity]
        canonical = canonical_image(name)
        built_on = [key for key, bases in self._bases.items() if canonical in bases]
        key = scope.find(Claim("image", canonical))
        return [*([key] if key else ()), *built_on]

    def stock(self, resources: Sequence[Image]) -> Sequence[Stocked]:
        with explained("list the images"):
            return stock(self._engine, self._shelf, self._outlook, resources)

    def pin(self, resource: Resource, reference: str, ctx: Context, *, bring: bool) -> Pinned | None:
        from controller.agents.docker.pinning import pin

        return pin(self._engine, resource.key, reference, ctx, bring=bring)

    def unpin(self, resource: Resource, name: str, kept: Collection[str]) -> None:
        from controller.agents.docker.pinning import unpin

        unpin(self._engine, name, kept)

    def health(self, ctx: Context) -> AgentHealth:
        return engine_health(self._engine)

    @property
    def _writable(self) -> WritableEngine:
        return writable(self._engine)


def _desired(step: ImageStep) -> Image:
    assert step.desired is not None
    return step.desired


def _name_in(handle: str) -> str:
    return canonical_image(handle.rpartition("@sha256:")[0])
