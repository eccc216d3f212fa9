"""What an image is beside what it is to be, and what must change: the pure half of the agent in `image.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controller.agents.docker.brought import Brought
from controller.agents.docker.client import Json
from controller.agents.docker.images import platform_of
from controller.agents.docker.newest import Answer, Newest, pulled_from
from controller.agents.docker.recipe import BASE, Parts, built_from, by_compose, differing
from controller.engine.diff import changed_fields, plain, within
from resources.kinds.image import Image, ImageObserved, ImageSpec
from resources.meta import COMMON_FIELDS
from resources.notation import canonical_image
from resources.plan import Action, Change, Disruption, Plan, Why

_ROLLS_OUT = "containers that name {} are made anew"
_TAKEN = "Docker Compose has built it: it is taken as it is, and built at the next edit"
# A change of these brings no other image.
_ASIDE = ("keep", "build.tags")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the engine's own answer."""

    brought: Sequence[Brought] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    newest: Answer | None = None
    parts: Parts | None = None  # of a build, from what is there now
    former: int = 0


@dataclass(frozen=True, slots=True)
class _Aim:
    wanted: str
    refused: str = ""
    message: str = ""


def observed_image(image: Image, live: Json, found: Mapping[str, Json | None], known: Known) -> ImageObserved:
    """`live` is what the engine says of the image, `found` what it says of each name."""
    spec, identity = image.spec, str(live["Id"])
    tags = tuple(name for name in image.tags if (there := found.get(name)) and there["Id"] == identity)
    here = next((each for each in known.brought if each.identity == identity), None)
    if spec.build is not None:
        digest, aim = identity, _aim_of_build(identity, known)
        built = built_from(live) or (here.built if here else {})
    else:
        # A name that is taken away from it takes the digest of that repository along.
        digests = [*([here.digest] if here else []), *digests_of(live, pulled_from(spec))]
        aim = _aim_of_pull(spec, digests, known)
        digest, built = aim.wanted if aim.wanted in digests else digests[0], None
    return ImageObserved(
        image=spec.image,
        digest=digest,
        wanted=aim.wanted,
        platform=platform_of(live),
        tags=tags,
        build=built,
        wantedBuild=known.parts,
        refused=aim.refused,
        former=known.former,
        message=aim.message,
        composed=built_from(live) is None and here is None and by_compose(live),
    )


def digests_of(live: Json, reference: str) -> list[str]:
    """What the image is called at registries, the one of `reference` first; its id behind, for it may have come from none."""
    wanted = canonical_image(reference).partition("@")[0].rpartition(":")[0]
    pairs = [each.partition("@") for each in live.get("RepoDigests") or () if not each.startswith("<none>")]
    pairs.sort(key=lambda pair: canonical_image(pair[0]).rpartition(":")[0] != wanted)
    return [*(digest for _, _, digest in pairs), str(live["Id"])]


def _aim_of_build(identity: str, known: Known) -> _Aim:
    """What is built is told by its recipe; only where that was given up, by its id."""
    parts = known.parts or {}
    for each in reversed(known.brought):
        if each.identity in known.refused and not differing(each.built, parts):
            good = _good(known)
            why = known.refused[each.identity]
            message = (
                f"what is built from all that is there now was given up: {why}; the former image is kept until an edit"
            )
            return _Aim(good.identity if good else identity, each.identity, message)
    return _Aim("")


def _aim_of_pull(spec: ImageSpec, digests: Sequence[str], known: Known) -> _Aim:
    good = _good(known)
    kept = good.digest if good else digests[0]
    newest = known.newest
    if newest is None:
        return _Aim(kept)
    if not isinstance(newest, Newest):
        return _Aim(
            kept, message=f"as it was brought last, for it is not known whether there is a newer one: {newest.message}"
        )
    bad = next(
        (each for each in known.brought if each.digest == newest.digest and each.identity in known.refused), None
    )
    if bad:
        message = f"the newest image {newest.reference}@{newest.digest} was given up: {known.refused[bad.identity]}"
        return _Aim(kept, newest.digest, f"{message}; the former one is kept until there is a newer one, or an edit")
    version = newest.reference if canonical_image(newest.reference) != canonical_image(spec.image) else ""
    return _Aim(newest.digest, message=f"{spec.image} is {version}" if version else "")


def given_up(newest: Newest, brought: Sequence[Brought], refused: Mapping[str, str]) -> Brought | None:
    """What the registry has, if it was brought before, and given up."""
    return next((each for each in brought if each.digest == newest.digest and each.identity in refused), None)


def _good(known: Known) -> Brought | None:
    """What was brought last and not given up."""
    return next((each for each in reversed(known.brought) if each.identity not in known.refused), None)


# -- the plan ------------------------------------------------------------------------------------------------------


def plan_image(desired: Image, last: Image | None, observed: ImageObserved | None) -> Plan:
    """Another name is a replacement; everything else brings another image under the same name, or clears up."""
    spec, before = desired.spec, last.spec if last else None
    if before is not None and canonical_image(before.image) != canonical_image(spec.image):
        renamed = Change("image", before.image, spec.image, Why.EDITED)
        return Plan(desired.key, Action.REPLACE, (renamed,), Disruption.NOTHING)
    if observed is None:
        return Plan(desired.key, Action.CREATE)
    changes = tuple(
        change
        for change in _changes(desired, last, observed)
        if not any(within(change.path, ignored) for ignored in spec.ignore)
    )
    if not changes:
        return Plan(desired.key, Action.NONE)
    brings = any(change.path not in _ASIDE for change in changes)
    taken = last is None and observed.composed  # see `Bringing`
    notes = (_TAKEN,) if taken else (_ROLLS_OUT.format(spec.image),) if brings else ()
    return Plan(desired.key, Action.UPDATE, changes, Disruption.NOTHING, notes)


def edited(desired: ImageSpec, last: ImageSpec | None) -> bool:
    """Whether the spec says something else of the image than the one that was applied last."""
    own = type(desired).model_fields.keys() - COMMON_FIELDS
    return last is not None and any(getattr(desired, name) != getattr(last, name) for name in own)


def _changes(desired: Image, last: Image | None, observed: ImageObserved) -> Iterator[Change]:
    spec, before = desired.spec, last.spec if last else None
    anew = edited(spec, before)
    why = Why.NEW if before is None else Why.EDITED if anew else Why.DRIFTED
    wanted = observed.refused if observed.refused and anew else observed.wanted
    if spec.build is None:
        yield from _changes_of_pull(spec, before, observed, wanted, why)
    elif observed.refused and not anew:
        if observed.wanted != observed.digest:
            yield Change("digest", observed.digest, observed.wanted, why)
    else:
        yield from _changes_of_build(spec, before, observed)
    if spec.platform and observed.platform and not _fits(spec.platform, observed.platform):
        yield Change("platform", observed.platform, spec.platform, why)
    had = last.tags if last else ()
    if set(observed.tags) != set(desired.tags) or set(had) - set(desired.tags):
        there = sorted({*observed.tags, *(set(had) - set(desired.tags))})
        dropped = set(had) != set(desired.tags)
        yield Change("build.tags", there, sorted(desired.tags), Why.EDITED if dropped and before else why)
    if observed.former:
        yield Change("keep", spec.keep + observed.former, spec.keep, why)


def _changes_of_pull(
    spec: ImageSpec, before: ImageSpec | None, observed: ImageObserved, wanted: str, why: Why
) -> Iterator[Change]:
    if before is not None and before.build is not None:
        yield Change("build", plain(before.build), None, Why.DROPPED)
    elif before is not None and before.source != spec.source and spec.updatePolicy == "pinned":
        yield Change("source", before.source, spec.source, Why.EDITED if spec.source else Why.DROPPED)
    elif wanted and wanted != observed.digest:
        yield Change("digest", observed.digest, wanted, why)


def _changes_of_build(spec: ImageSpec, before: ImageSpec | None, observed: ImageObserved) -> Iterator[Change]:
    """Values where the edit of a field says them, digests where the content of a file does."""
    there, wanted = observed.build or {}, observed.wantedBuild or {}
    edits = [] if before is None else changed_fields(spec, before, before)
    for name in differing(there, wanted):
        path = f"build.from.{name.removeprefix(BASE)}" if name.startswith(BASE) else f"build.{name}"
        path = name if name == "platform" else "build.dockerfileInline" if _inline(spec, name) else path
        if found := [change for change in edits if within(change.path, path) or within(path, change.path)]:
            yield from (change for change in found if change.path not in _ASIDE)
        else:
            yield Change(path, there.get(name), wanted.get(name), Why.NEW if before is None else Why.DRIFTED)


def _inline(spec: ImageSpec, name: str) -> bool:
    return name == "dockerfile" and spec.build is not None and spec.build.dockerfileInline is not None


def _fits(wanted: str, there: str) -> bool:
    """An image may be silent about its variant."""
    return there == wanted or wanted.startswith(f"{there}/") or there.startswith(f"{wanted}/")
