"""Images that have to be pulled, from a real registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from controller.engine.agent import Done, Retry, Stalled
from resources.kinds.container import Container
from tests.agents.docker.engine import RealContainers, free_port
from tests.agents.keeper import Keeper
from tests.registry import registry

pytestmark = pytest.mark.registry


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


def test_missing_image_is_pulled_with_progress(world: RealContainers, keeper: Keeper, registered: str) -> None:
    resource = of_image(world, pushed(world, registered, "v1", keep=False))
    keeper.make(resource)
    assert "AGE=v1" in world.environment_of(resource)
    fractions = [fraction for _, fraction, _ in keeper.reports]
    assert fractions[0] is None
    assert fractions[-1] == 1.0
    assert all("pull" in message and resource.spec.image in message for _, _, message in keeper.reports)


def test_pull_is_long_work_and_creation_is_not(world: RealContainers, keeper: Keeper, registered: str) -> None:
    resource = of_image(world, pushed(world, registered, "v1", keep=False))
    assert keeper.agent.slow(keeper.plan(resource), resource)
    keeper.make(resource)
    assert not keeper.agent.slow(keeper.plan(other := of_image(world, resource.spec.image, "two")), other)
    assert keeper.agent.slow(
        keeper.plan(other := of_image(world, resource.spec.image, "two", pullPolicy="always")), other
    )


def test_image_that_is_here_is_not_pulled(world: RealContainers, keeper: Keeper, registered: str) -> None:
    image = pushed(world, registered, "v1")
    replaced_in_registry(world, image, "v2")
    keeper.make(resource := of_image(world, image))
    assert "AGE=v1" in world.environment_of(resource)
    assert keeper.reports == []


def test_image_is_pulled_each_time_when_told_to(world: RealContainers, keeper: Keeper, registered: str) -> None:
    image = pushed(world, registered, "v1")
    replaced_in_registry(world, image, "v2")
    keeper.make(resource := of_image(world, image, pullPolicy="always"))
    assert "AGE=v2" in world.environment_of(resource)
    assert keeper.plan(resource).empty


def test_image_is_never_pulled_when_told_so(world: RealContainers, keeper: Keeper, registered: str) -> None:
    failure = attempt(keeper, of_image(world, pushed(world, registered, "v1", keep=False), pullPolicy="never"))
    assert isinstance(failure, Stalled)
    assert failure.reason == "ImageNotFound"
    assert "pullPolicy is never" in failure.message


def test_image_that_the_registry_does_not_have_stalls(world: RealContainers, keeper: Keeper, registered: str) -> None:
    image = f"{registered}/{world.prefix}/nothing:1"
    failure = attempt(keeper, of_image(world, image))
    assert isinstance(failure, Stalled)
    assert failure.reason == "ImageNotFound"
    assert image in failure.message


def test_registry_that_is_not_there_is_tried_again(world: RealContainers, keeper: Keeper) -> None:
    image = f"127.0.0.1:{free_port()}/{world.prefix}:1"
    failure = attempt(keeper, of_image(world, image))
    assert isinstance(failure, Retry)
    assert failure.reason == "RegistryUnavailable"
    assert image in failure.message


def test_cancelled_pull_stops(world: RealContainers, keeper: Keeper, registered: str) -> None:
    keeper.context.cancelled.set()
    failure = attempt(keeper, of_image(world, pushed(world, registered, "v1", keep=False)))
    assert isinstance(failure, Retry)
    assert failure.reason == "Cancelled"


def test_digest_names_an_image(world: RealContainers, keeper: Keeper, registered: str) -> None:
    image = pushed(world, registered, "v1")
    digests = world.engine.inspect_image(image)["RepoDigests"]  # type: ignore[no-untyped-call]
    digest = next(each for each in digests if world.prefix in each)
    world.engine.remove_image(image)
    keeper.make(resource := of_image(world, digest))
    assert "AGE=v1" in world.environment_of(resource)
    assert keeper.plan(resource).empty
    world.engine.remove_container(resource.container_name, force=True)
    world.engine.remove_image(digest)


def of_image(world: RealContainers, image: str, name: str = "one", **spec: Any) -> Container:
    return world.resource(name, image=image, state="stopped", **spec)


def attempt(keeper: Keeper, resource: Container) -> Any:
    outcome = keeper.apply(keeper.steps(resource))[resource.key]
    assert not isinstance(outcome, Done)
    return outcome


def pushed(world: RealContainers, host: str, age: str, *, keep: bool = True) -> str:
    """A new image in the registry; without `keep` it is there only."""
    local = world.build(age, f"ENV AGE={age}")
    image = f"{host}/{world.prefix}"
    push(world, local, image)
    if not keep:
        world.engine.remove_image(f"{image}:1")
        world.engine.remove_image(local)
    return f"{image}:1"


def replaced_in_registry(world: RealContainers, image: str, age: str) -> None:
    """Pushes another image under this name, and leaves the one of that name on this machine as it was."""
    before = world.engine.inspect_image(image)["Id"]  # type: ignore[no-untyped-call]
    repository, _, tag = image.rpartition(":")
    push(world, world.build(age, f"ENV AGE={age}"), repository)
    world.engine.tag(before, repository, tag)


def push(world: RealContainers, local: str, repository: str) -> None:
    world.engine.tag(local, repository, "1")
    for message in world.engine.push(repository, "1", stream=True, decode=True):
        assert "error" not in message, message
