"""Brings an image under its name: gives the name to one that is here already, pulls one, or builds one. `image.py` calls it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from controller.agents.docker import paths
from controller.agents.docker.brought import Brought, Shelf
from controller.agents.docker.building import Order, bring_bases, build
from controller.agents.docker.client import Json, WritableEngine
from controller.agents.docker.failures import explained
from controller.agents.docker.former import clear
from controller.agents.docker.image_difference import digests_of, edited, given_up
from controller.agents.docker.newest import Answer, Newest, Outlook, pulled_from
from controller.agents.docker.pulling import absent, pull
from controller.agents.docker.recipe import (
    BUILT_BY,
    Parts,
    built_from,
    by_compose,
    differing,
    dockerfile_of,
    recipe,
    surveyed,
)
from controller.agents.docker.refused import Refused
from controller.engine.agent import Context, Retry, Stalled, Step
from controller.trees import Trees
from resources.kinds.image import Image, ImageObserved
from resources.notation import canonical_image
from resources.plan import Action

# Docker Compose writes it on what it builds.
# Changes for which what was brought before is no answer.
_ANEW = frozenset({"source", "platform", "build"})

ImageStep = Step[Image, ImageObserved]


@dataclass(frozen=True)
class Bringing:
    """With all that it needs of the agent."""

    engine: WritableEngine
    shelf: Shelf
    refused: Refused
    outlook: Outlook
    trees: Trees
    home: Path
    installation: str
    stuck: set[str]

    def carry_out(self, step: ImageStep, ctx: Context) -> Brought:
        """Returns what the name stands for now, with all its other names. Raises Stalled or Retry."""
        assert step.desired is not None
        image, name = step.desired, step.desired.spec.image
        if edited(image.spec, step.last.spec if step.last else None):
            self.refused.forget(name)
        with explained(f"bring the image {name}"):
            before = self._live(name) if step.plan.action is Action.ADOPT and not image.spec.adopt else None
            found = self._built(step, image, ctx) if image.spec.build else self._pulled(step, image, ctx)
            if (
                before
                and before["Id"] == found.identity
                and BUILT_BY not in ((before.get("Config") or {}).get("Labels") or {})
            ):
                found = replace(found, found=True)
            for each in (name, *image.tags):
                self._name(found.identity, each)
            self.shelf.put(name, found)
            clear(self.engine, self.shelf, image, found.identity, self.refused.refused(name), self.stuck)
        return found

    # -- built ---------------------------------------------------------------------------------------------------

    def _built(self, step: ImageStep, image: Image, ctx: Context) -> Brought:
        spec = image.spec
        assert spec.build is not None
        dockerfile = dockerfile_of(spec.build, ctx)
        parts, live = self._recipe(image, ctx), self._live(spec.image)
        if step.plan.action is Action.ADOPT and live and built_from(live) is None and by_compose(live):
            return Brought(live["Id"], live["Id"], parts)  # as `docker compose up` takes what it has built once
        if kept := self._kept(image, live, parts):
            return kept
        if bad := self._given_up(image, parts):
            raise Stalled(
                "GivenUp",
                f"cannot build {spec.image}: what is built from all that is there now was given up: {bad}; edit it",
            )
        label = f"{self.installation} {image.key}"
        log = self.home / "docker" / "builds" / f"{image.world_name}.log"
        bring_bases(self.engine, image, dockerfile.bases, ctx)
        parts, there = self._recipe(image, ctx), (built_from(live) if live else None) or {}
        rotated = "secrets" in there and "secrets" in differing(there, parts)  # BuildKit's own cache does not see that
        identity = build(self.engine, Order(image, dockerfile, parts, label, log, anew=rotated), ctx)
        return Brought(identity, identity, parts)

    def _kept(self, image: Image, live: Json | None, parts: Parts) -> Brought | None:
        """What is here already and was built from just this; what was given up is passed over."""
        refused, shelf = self.refused.refused(image.spec.image), self.shelf.of(image.spec.image)
        if live and (there := built_from(live)) and not differing(there, parts) and live["Id"] not in refused:
            return Brought(live["Id"], live["Id"], there)
        bad = self._given_up(image, parts)
        for each in reversed(shelf):
            as_wanted = bool(bad) or not differing(each.built, parts)
            if as_wanted and each.identity not in refused and self._live(each.identity):
                return each
        return None

    def _given_up(self, image: Image, parts: Parts) -> str:
        """Why what is built from `parts` was given up; empty where it was not."""
        name = image.spec.image
        refused = self.refused.refused(name)
        bad = (
            each.identity
            for each in self.shelf.of(name)
            if each.identity in refused and not differing(each.built, parts)
        )
        return next((refused[identity] for identity in bad), "")

    def _recipe(self, image: Image, ctx: Context) -> Parts:
        assert image.spec.build is not None
        dockerfile = dockerfile_of(image.spec.build, ctx)
        found = {name: self._live(name) for name in dockerfile.bases}
        return recipe(image, dockerfile, found, surveyed(image, self.trees), ctx)

    # -- pulled --------------------------------------------------------------------------------------------------

    def _pulled(self, step: ImageStep, image: Image, ctx: Context) -> Brought:
        spec = image.spec
        live, paths_changed = self._live(spec.image), {change.path for change in step.plan.changes}
        anew = not paths_changed.isdisjoint(_ANEW) or "@" in spec.image
        wanted = next((str(change.desired) for change in step.plan.changes if change.path == "digest"), "")
        if live and not (anew or wanted):
            return self._as(live, spec.image)  # its other names, or what is to be cleared up
        if not anew and (kept := self._brought_before(image, wanted)):
            return kept
        if spec.pullPolicy == "never":
            raise absent(spec.image)
        failure = Stalled(
            "ImageNotFound", f"cannot find the image {spec.image}: all that there was of it was given up; edit it"
        )
        for reference in self._references(image, wanted, anew=anew):
            try:
                return self._pull(image, reference, ctx)
            except Stalled as missing:
                if missing.reason != "ImageNotFound":
                    raise
                failure = missing
        raise failure

    def _brought_before(self, image: Image, wanted: str) -> Brought | None:
        """What is here already under another name, or none: `wanted`, or with nothing wanted what was there last."""
        newest = self._newest(image)
        wanted = wanted or (newest.digest if isinstance(newest, Newest) else "")
        for each in reversed(self._good(image)):
            if (each.digest == wanted or not wanted) and self._live(each.identity):
                return each
        return None

    def _references(self, image: Image, wanted: str, *, anew: bool) -> Iterator[str]:
        """What may be pulled, the best first."""
        spec, newest = image.spec, self._newest(image)
        if isinstance(newest, Newest) and wanted in ("", newest.digest):
            yield newest.reference
            return
        good = [] if anew else self._good(image)
        digest = wanted or (good[-1].digest if good else "")
        repository = canonical_image(pulled_from(spec)).partition("@")[0].rpartition(":")[0]
        if digest and any(each.digest == digest and each.identity != digest for each in good):
            yield f"{repository}@{digest}"
        if isinstance(newest, Retry | Stalled):
            raise newest
        if spec.range is None and not self.refused.refused(spec.image):
            yield pulled_from(spec)
        elif spec.range is not None:
            raise Retry(
                "RegistryUnavailable", f"cannot tell yet which version of {repository} is the newest", after=1.0
            )

    def _newest(self, image: Image) -> Answer | None:
        """What the registry has, unless that was given up."""
        newest = self.outlook.known(image.spec)
        if isinstance(newest, Newest):
            name = image.spec.image
            return None if given_up(newest, self.shelf.of(name), self.refused.refused(name)) else newest
        return newest

    def _good(self, image: Image) -> list[Brought]:
        """What was brought and not given up, the newest last."""
        refused = self.refused.refused(image.spec.image)
        return [each for each in self.shelf.of(image.spec.image) if each.identity not in refused]

    def _pull(self, image: Image, reference: str, ctx: Context) -> Brought:
        spec, before = image.spec, self._live(reference)
        pull(self.engine, reference, image.key, ctx, spec.platform)
        live = self._live(reference)
        if live is None:
            raise Retry("Moved", f"cannot find the image {reference} right after it was pulled", after=0)
        found = self._as(live, reference)
        self.outlook.learn(spec, found.digest)
        if before is None and "@" not in reference and canonical_image(reference) != canonical_image(spec.image):
            self._name(found.identity, spec.image)
            self.engine.remove_image(reference)  # the name that it has at its registry nobody has asked for
        return found

    # -- the engine ----------------------------------------------------------------------------------------------

    def _as(self, live: Json, reference: str) -> Brought:
        return Brought(str(live["Id"]), digests_of(live, reference)[0])

    def _live(self, name: str) -> Json | None:
        found: Json | None = self.engine.read_each([paths.image(name)])[0]
        return found

    def _name(self, identity: str, name: str) -> None:
        if "@" in name:
            return  # that is a name which nothing can be given
        live = self._live(name)
        if live is None or live["Id"] != identity:
            self.engine.tag(identity, name)
