"""Images that are pulled from a real registry, and what becomes of them when it has others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker.refused import Refused
from controller.engine.agent import Done, Retry, Stalled
from resources.kinds.image import Image
from resources.plan import Action, Why
from tests.agents.docker.images import RealImages
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE
from tests.registry import RealRegistry, free_port, real_registry

pytestmark = pytest.mark.registry


@pytest.fixture
def images(tmp_path: Path) -> Iterator[RealImages]:
    made = RealImages(tmp_path)
    yield made
    made.close()


@pytest.fixture
def keeper(images: RealImages) -> Keeper:
    return Keeper(images)


def attempt(keeper: Keeper, resource: Image) -> Any:
    outcome = keeper.apply(keeper.steps(resource))[resource.key]
    assert not isinstance(outcome, Done)
    return outcome


def fields(keeper: Keeper, resource: Image) -> list[tuple[str, Any, Any]]:
    return [(change.path, change.observed, change.desired) for change in keeper.plan(resource).changes]


# -- pulled once ---------------------------------------------------------------------------------------------------


def test_image_is_pulled_and_its_digest_is_told(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    digest = images.publish(plain_registry, "v1")
    keeper.make(resource := images.pulled(plain_registry))
    assert images.age(resource.spec.image) == "v1"
    assert keeper.look(resource).handle == f"{resource.spec.image}@{digest}"
    assert keeper.plan(resource).empty


def test_each_layer_tells_how_far_it_is(images: RealImages, keeper: Keeper, plain_registry: RealRegistry) -> None:
    local = images.make("v1", "RUN head -c 3000000 /dev/urandom > /big")
    plain_registry.push(images.engine, local, images.prefix)
    images.engine.remove_image(local)
    keeper.make(images.pulled(plain_registry))
    told = [message for _, _, message in keeper.reports]
    assert any("layers; " in message and " MB" in message for message in told), told
    assert keeper.reports[-1][1] == 1.0


def test_image_is_known_by_its_digest(images: RealImages, keeper: Keeper, plain_registry: RealRegistry) -> None:
    digest = images.publish(plain_registry, "v1")
    resource = images.resource("one", image=f"{plain_registry.host}/{images.prefix}@{digest}")
    keeper.make(resource)
    assert images.age(resource.spec.image) == "v1"
    assert keeper.plan(resource).empty
    keeper.delete(resource)
    assert images.age(resource.spec.image) is None


@pytest.mark.parametrize("reference", ["{name}:nothing", "{name}@sha256:" + 64 * "0"], ids=["tag", "digest"])
def test_image_that_the_registry_does_not_have_stalls(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry, reference: str
) -> None:
    images.publish(plain_registry, "v1")
    name = reference.format(name=f"{plain_registry.host}/{images.prefix}")
    failure = attempt(keeper, images.resource("one", image=name))
    assert isinstance(failure, Stalled)
    assert (failure.reason, name in failure.message) == ("ImageNotFound", True)


def test_pinned_image_stays_whatever_the_registry_has(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    images.publish(plain_registry, "v1")
    keeper.make(resource := images.pulled(plain_registry))
    images.publish(plain_registry, "v2")
    later = images.later(keeper)
    assert later.plan(resource).empty
    assert images.age(resource.spec.image) == "v1"


def test_pinned_image_that_was_removed_comes_back_as_it_was(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    images.publish(plain_registry, "v1")
    keeper.make(resource := images.pulled(plain_registry))
    images.publish(plain_registry, "v2")
    images.remove(resource)
    assert keeper.plan(resource).action is Action.CREATE
    keeper.make(resource)
    assert images.age(resource.spec.image) == "v1"


def test_name_that_was_given_to_another_image_is_given_back_without_the_registry(
    images: RealImages, keeper: Keeper, tmp_path: Path
) -> None:
    with real_registry(tmp_path) as registry:
        images.publish(registry, "v1")
        keeper.make(resource := images.pulled(registry))
    container = images.use(resource.spec.image)
    images.engine.tag(IMAGE, *resource.spec.image.rsplit(":", 1))  # type: ignore[arg-type]
    plan = keeper.plan(resource)
    assert (plan.action, plan.drift_only, [each.path for each in plan.changes]) == (Action.UPDATE, True, ["digest"])
    keeper.make(resource)
    assert images.age(resource.spec.image) == "v1"
    images.stop_using(container)


def test_image_is_never_pulled_when_told_so(images: RealImages, keeper: Keeper, plain_registry: RealRegistry) -> None:
    images.publish(plain_registry, "v1")
    failure = attempt(keeper, images.pulled(plain_registry, pullPolicy="never"))
    assert isinstance(failure, Stalled)
    assert failure.reason == "ImageNotFound"
    assert "pullPolicy is never" in failure.message


def test_other_source_is_pulled_and_has_the_name(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    images.publish(plain_registry, "v1", path=f"{images.prefix}/a")
    images.publish(plain_registry, "v2", path=f"{images.prefix}/b")
    source = f"{plain_registry.host}/{images.prefix}"
    name = f"{images.prefix}/local:1"
    keeper.make(images.resource("one", image=name, source=f"{source}/a:1"))
    assert images.age(name) == "v1"
    assert images.age(f"{source}/a:1") is None
    edited = images.resource("one", image=name, source=f"{source}/b:1")
    assert [(change.path, change.why) for change in keeper.plan(edited).changes] == [("source", Why.EDITED)]
    keeper.make(edited)
    assert images.age(name) == "v2"
    assert keeper.plan(edited).empty, keeper.plan(edited).changes


def test_another_name_takes_the_place_of_the_former_one(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    images.publish(plain_registry, "v1")
    images.publish(plain_registry, "v2", tag="2")
    keeper.make(before := images.pulled(plain_registry))
    after = images.pulled(plain_registry, "2")
    assert keeper.plan(after).action is Action.REPLACE
    keeper.make(after)
    assert (images.age(before.spec.image), images.age(after.spec.image)) == (None, "v2")
    assert keeper.plan(after).empty


# -- following the registry ----------------------------------------------------------------------------------------


def test_another_image_under_the_tag_is_drift_and_is_brought(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    before = images.publish(plain_registry, "v1")
    keeper.make(resource := images.pulled(plain_registry, updatePolicy="tag"))
    assert keeper.plan(resource).empty
    after = images.publish(plain_registry, "v2")
    later = images.later(keeper)
    assert fields(later, resource) == [("digest", before, after)]
    assert later.plan(resource).drift_only
    later.make(resource)
    assert images.age(resource.spec.image) == "v2"
    assert later.plan(resource).empty


def test_highest_version_in_range_has_the_name(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    for tag in ("1.27.1", "1.27.2", "1.28.0", "latest", "1.27.9-alpine"):
        images.publish(plain_registry, f"v{tag}", tag=tag)
    name, source = f"{images.prefix}/web:stable", f"{plain_registry.host}/{images.prefix}"
    spec = {"image": name, "source": source, "updatePolicy": "semver"}
    keeper.make(resource := images.resource("one", **spec, range="~1.27"))
    assert images.age(name) == "v1.27.2"
    assert images.message(keeper, resource) == f"{name} is {source}:1.27.2"
    images.publish(plain_registry, "v1.27.3", tag="1.27.3")
    later = images.later(keeper)
    assert [path for path, _, _ in fields(later, resource)] == ["digest"]
    later.make(resource)
    assert images.age(name) == "v1.27.3"
    wider = images.resource("one", **spec, range=">=1 <2")
    assert [change.why for change in later.plan(wider).changes] == [Why.EDITED]
    later.make(wider)
    assert images.age(name) == "v1.28.0"
    assert later.plan(wider).empty, later.plan(wider).changes


def test_range_that_nothing_is_within_stalls(images: RealImages, keeper: Keeper, plain_registry: RealRegistry) -> None:
    images.publish(plain_registry, "v1", tag="1.0.0")
    source = f"{plain_registry.host}/{images.prefix}"
    failure = attempt(keeper, images.resource("one", image=f"{source}:stable", updatePolicy="semver", range="^2"))
    assert isinstance(failure, Stalled)
    assert (failure.reason, "^2" in failure.message) == ("NoVersion", True)


def test_registry_that_is_away_leaves_a_good_image_ready_and_says_so(
    images: RealImages, keeper: Keeper, tmp_path: Path
) -> None:
    with real_registry(tmp_path) as registry:
        images.publish(registry, "v1")
        keeper.make(resource := images.pulled(registry, updatePolicy="tag"))
    later = images.later(keeper)
    assert later.plan(resource).empty
    seen = later.look(resource)
    assert seen.health.ready
    assert "it is not known whether there is a newer one" in seen.health.message
    assert registry.host in seen.health.message


def test_registry_that_is_away_is_tried_again_for_what_is_not_here(images: RealImages, keeper: Keeper) -> None:
    name = f"127.0.0.1:{free_port()}/{images.prefix}:1"
    failure = attempt(keeper, images.resource("one", image=name, updatePolicy="tag"))
    assert isinstance(failure, Retry)
    assert failure.reason == "RegistryUnavailable"


def test_late_mirror_brings_nothing_back_that_was_replaced(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry, tmp_path: Path
) -> None:
    late = plain_registry
    with real_registry(tmp_path) as registry:
        through = {"registries": {registry.host: {"mirrors": [f"http://{late.host}"]}}}
        local = images.make("v1")
        old = registry.push(images.engine, local, images.prefix)
        assert late.push(images.engine, local, images.prefix) == old
        images.engine.remove_image(local)
        new = images.publish(registry, "v2")
        keeper = images.later(keeper, **through)
        keeper.make(resource := images.pulled(registry, updatePolicy="tag"))
        assert images.age(resource.spec.image) == "v1"
        keeper = images.later(keeper)
        assert fields(keeper, resource) == [("digest", old, new)]
        keeper.make(resource)

        keeper = images.later(keeper, **through)
        assert keeper.plan(resource).empty, "the mirror still has what was replaced"
        images.remove(resource)
        keeper.make(resource)
        assert images.age(resource.spec.image) == "v2"
    keeper = images.later(keeper, **through)
    assert keeper.plan(resource).empty
    assert "it is not known whether there is a newer one" in images.message(keeper, resource)


# -- given up ------------------------------------------------------------------------------------------------------


def test_image_that_was_given_up_is_not_brought_again_until_there_is_a_newer_one(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry, tmp_path: Path
) -> None:
    images.publish(plain_registry, "v1")
    keeper.make(resource := images.pulled(plain_registry, updatePolicy="tag"))
    good, name = images.identity(resource.spec.image), resource.spec.image
    images.publish(plain_registry, "bad")
    keeper = images.later(keeper)
    keeper.make(resource)
    give_up(images, name, good)

    keeper = images.later(keeper)
    assert keeper.plan(resource).empty
    assert "was given up: it crashed" in images.message(keeper, resource)
    images.remove(resource)
    keeper.make(resource)
    assert images.age(name) == "v1"

    images.publish(plain_registry, "v3")
    keeper = images.later(keeper)
    keeper.make(resource)
    assert images.age(name) == "v3"


def test_image_that_was_given_up_is_brought_again_after_an_edit(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    images.publish(plain_registry, "v1")
    keeper.make(resource := images.pulled(plain_registry, updatePolicy="tag"))
    good = images.identity(resource.spec.image)
    images.publish(plain_registry, "bad")
    keeper = images.later(keeper)
    keeper.make(resource)
    give_up(images, resource.spec.image, good)
    keeper = images.later(keeper)
    edited = images.pulled(plain_registry, updatePolicy="tag", keep=2)
    assert [path for path, _, _ in fields(keeper, edited)] == ["digest"]
    keeper.make(edited)
    assert images.age(edited.spec.image) == "bad"
    assert keeper.plan(edited).empty, keeper.plan(edited).changes


def give_up(images: RealImages, name: str, good: str) -> None:
    """As a rollback of a container does."""
    Refused(images.directory / "home").refuse(name, images.identity(name), "it crashed")
    images.engine.tag(good, *name.rsplit(":", 1))  # type: ignore[arg-type]


# -- what is kept --------------------------------------------------------------------------------------------------


def test_former_images_are_removed_but_for_those_that_are_kept_or_used(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    resource, identities = images.pulled(plain_registry, updatePolicy="tag", keep=1), []
    for age in ("v1", "v2", "v3"):
        images.publish(plain_registry, age)
        keeper = images.later(keeper)
        keeper.make(resource)
        identities.append(images.identity(resource.spec.image))
        if age == "v2":
            container = images.use(resource.spec.image)
    assert [images.there(each) for each in identities] == [False, True, True]
    images.publish(plain_registry, "v4")
    keeper = images.later(keeper)
    keeper.make(resource)
    assert [images.there(each) for each in identities] == [False, True, True]
    assert keeper.plan(resource).empty
    images.stop_using(container)
    assert fields(keeper, resource) == [("keep", 2, 1)]
    keeper.make(resource)
    assert [images.there(each) for each in identities] == [False, False, True]
    assert keeper.plan(resource).empty


def test_deleted_image_that_a_container_uses_is_left(
    images: RealImages, keeper: Keeper, plain_registry: RealRegistry
) -> None:
    images.publish(plain_registry, "v1")
    keeper.make(resource := images.pulled(plain_registry))
    container = images.use(resource.spec.image)
    keeper.delete(resource)
    assert images.age(resource.spec.image) == "v1"
    images.stop_using(container)
