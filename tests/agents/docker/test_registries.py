"""Pulling from, and asking, real registries: with a login, with TLS, through a mirror, and what goes wrong there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker.client import connect
from controller.agents.docker.container import ContainerAgent
from controller.engine.agent import Done, Failure, Retry, Stalled
from resources.kinds.container import Container
from tests.agents.docker.engine import RealContainers
from tests.agents.keeper import Keeper
from tests.certificates import Authority
from tests.registry import PASSWORD, USER, RealRegistry, real_registry
from tests.speaking_registry import Say, SpeakingRegistry, speaking_registry

pytestmark = pytest.mark.registry


@pytest.fixture
def speaking() -> Iterator[SpeakingRegistry]:
    with speaking_registry() as found:
        yield found


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's Docker configuration: none, until a test writes one."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker" / "config.json"


def pushed(world: RealContainers, registry: RealRegistry, age: str = "v1") -> tuple[str, str]:
    """An image that is in this registry only, and its digest there."""
    local = world.build(age, f"ENV AGE={age}")
    digest = registry.push(world.engine, local, world.prefix)
    world.engine.remove_image(local)
    return f"{registry.host}/{world.prefix}:1", digest


def login(world: RealContainers, host: str, password: str = PASSWORD) -> dict[str, Any]:
    world.environment["REGISTRY_PASSWORD"] = password
    return {host: {"username": USER, "password": {"env": "REGISTRY_PASSWORD"}}}


def keeper_with(world: RealContainers, registries: Any) -> Keeper:
    setup = world.setup(registries=registries)
    return Keeper(world, ContainerAgent(connect(setup), setup))


def of_image(world: RealContainers, image: str) -> Container:
    return world.resource("one", image=image, state="stopped")


def attempt(keeper: Keeper, resource: Container) -> Failure:
    outcome = keeper.apply(keeper.steps(resource))[resource.key]
    assert isinstance(outcome, Retry | Stalled), outcome
    assert outcome.message.startswith("cannot ")
    assert PASSWORD not in outcome.message
    return outcome


class TestLogin:
    def test_image_is_pulled_with_the_password_of_the_settings(
        self, world: RealContainers, private_registry: RealRegistry
    ) -> None:
        image, digest = pushed(world, private_registry)
        settings = login(world, private_registry.host)
        keeper_with(world, settings).make(resource := of_image(world, image))
        assert "AGE=v1" in world.environment_of(resource)
        assert connect(world.setup(registries=settings)).registries.digest(image) == digest

    def test_image_is_pulled_with_the_login_of_docker(
        self, world: RealContainers, keeper: Keeper, private_registry: RealRegistry, docker_config: Path
    ) -> None:
        image, digest = pushed(world, private_registry)
        docker_config.write_text(
            json.dumps({"auths": {private_registry.host: {"username": USER, "password": PASSWORD}}})
        )
        keeper.make(resource := of_image(world, image))
        assert "AGE=v1" in world.environment_of(resource)
        registries = connect(world.setup()).registries
        assert (registries.digest(image), registries.tags(image)) == (digest, ["1"])

    def test_without_a_login_both_ways_out_are_named(
        self, world: RealContainers, keeper: Keeper, private_registry: RealRegistry
    ) -> None:
        image, _ = pushed(world, private_registry)
        refused = attempt(keeper, of_image(world, image))
        assert (type(refused), refused.reason) == (Stalled, "Unauthorized")
        assert f"docker login {private_registry.host}" in refused.message
        assert "agents/docker.yaml" in refused.message
        with pytest.raises(Stalled) as asked:
            connect(world.setup()).registries.digest(image)
        assert (asked.value.reason, asked.value.message) == (refused.reason, refused.message)

    def test_wrong_password_says_whose_and_where_it_is_from(
        self, world: RealContainers, private_registry: RealRegistry
    ) -> None:
        image, _ = pushed(world, private_registry)
        settings = login(world, private_registry.host, "wrong")
        refused = attempt(keeper_with(world, settings), of_image(world, image))
        assert (type(refused), refused.reason) == (Stalled, "Unauthorized")
        assert f"credentials of {USER} from agents/docker.yaml" in refused.message
        with pytest.raises(Stalled, match=r"from agents/docker\.yaml"):
            connect(world.setup(registries=settings)).registries.digest(image)

    def test_missing_secret_is_told_of_as_such(self, world: RealContainers, private_registry: RealRegistry) -> None:
        image, _ = pushed(world, private_registry)
        settings = {private_registry.host: {"username": USER, "password": {"env": "NOT_SET"}}}
        refused = attempt(keeper_with(world, settings), of_image(world, image))
        assert refused.reason == "SecretNotFound"
        assert "NOT_SET" in refused.message

    def test_credentials_leave_no_trace_on_the_container(
        self, world: RealContainers, private_registry: RealRegistry
    ) -> None:
        image, _ = pushed(world, private_registry)
        keeper = keeper_with(world, login(world, private_registry.host))
        keeper.make(resource := of_image(world, image))
        assert PASSWORD not in json.dumps(world.inspect(resource))
        assert PASSWORD not in repr((keeper.reports, keeper.look(resource)))


class TestTrust:
    def test_registry_on_the_loopback_interface_needs_no_trust(
        self, world: RealContainers, keeper: Keeper, tls_registry: RealRegistry
    ) -> None:
        image, digest = pushed(world, tls_registry)
        keeper.make(resource := of_image(world, image))
        assert "AGE=v1" in world.environment_of(resource)
        assert connect(world.setup()).registries.digest(image) == digest

    def test_authority_of_the_settings_is_believed_and_no_other(
        self, world: RealContainers, tls_registry: RealRegistry, tmp_path: Path
    ) -> None:
        image, digest = pushed(world, tls_registry)
        right = {tls_registry.host: {"ca": str(tls_registry.ca)}}
        assert connect(world.setup(registries=right)).registries.digest(image) == digest
        wrong = {tls_registry.host: {"ca": str(Authority(tmp_path / "other").certificate)}}
        with pytest.raises(Stalled, match=f"/etc/docker/certs.d/{tls_registry.host}/ca.crt") as untrusted:
            connect(world.setup(registries=wrong)).registries.digest(image)
        assert untrusted.value.reason == "RegistryUntrusted"
        assert "unknown authority" in untrusted.value.message

    def test_authority_that_is_not_there_is_named(self, world: RealContainers, tls_registry: RealRegistry) -> None:
        settings = {tls_registry.host: {"ca": "/no/such/ca.crt"}}
        with pytest.raises(Stalled, match=r"cannot use /no/such/ca\.crt as the authority"):
            connect(world.setup(registries=settings)).registries.digest(f"{tls_registry.host}/x:1")

    def test_unknown_authority_stalls_and_says_where_to_put_it(
        self, world: RealContainers, keeper: Keeper, tmp_path: Path
    ) -> None:
        authority = Authority(tmp_path / "ca")
        with real_registry(tmp_path, authority=authority, address=bridge(world)) as registry:
            image = f"{registry.host}/{world.prefix}:1"
            refused = attempt(keeper, of_image(world, image))
            with pytest.raises(Stalled) as asked:
                connect(world.setup()).registries.digest(image)
        for failure in (refused, asked.value):
            assert (type(failure), failure.reason) == (Stalled, "RegistryUntrusted")
            assert f"/etc/docker/certs.d/{registry.host}/ca.crt" in failure.message
            assert "insecure-registries" in failure.message

    def test_registry_without_tls_is_told_apart(self, world: RealContainers, keeper: Keeper, tmp_path: Path) -> None:
        with real_registry(tmp_path, address=bridge(world)) as registry:
            image = f"{registry.host}/{world.prefix}:1"
            refused = attempt(keeper, of_image(world, image))
            assert (type(refused), refused.reason) == (Stalled, "RegistryUntrusted")
            assert "insecure-registries" in refused.message
            with pytest.raises(Retry, match=r"does not speak TLS.*insecure: true"):
                connect(world.setup()).registries.digest(image)
            lax = {registry.host: {"insecure": True}}
            with pytest.raises(Stalled, match="has none"):
                connect(world.setup(registries=lax)).registries.digest(image)


class TestLimits:
    def test_limit_that_the_engine_meets_holds_for_all_questions(
        self, world: RealContainers, speaking: SpeakingRegistry
    ) -> None:
        keeper = keeper_with(world, {})
        slow_down = Say(429, {}, b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}')
        speaking.next = [Say(200), *[slow_down] * 20]
        image = f"{speaking.host}/team/app:1.0"
        limited = attempt(keeper, of_image(world, image))
        assert isinstance(limited, Retry)
        assert (limited.reason, bool(limited.after)) == ("RateLimited", True)
        asked = len(speaking.asked)
        assert attempt(keeper, of_image(world, image)).reason == "RateLimited"
        assert len(speaking.asked) == asked

    def test_broken_registry_is_tried_again(
        self, world: RealContainers, keeper: Keeper, speaking: SpeakingRegistry
    ) -> None:
        speaking.next = [Say(200), *[Say(503)] * 20]
        broken = attempt(keeper, of_image(world, f"{speaking.host}/team/app:1.0"))
        assert (type(broken), broken.reason) == (Retry, "RegistryUnavailable")

    def test_name_of_an_image_is_no_failure(
        self, world: RealContainers, keeper: Keeper, plain_registry: RealRegistry
    ) -> None:
        refused = attempt(keeper, of_image(world, f"{plain_registry.host}/denied/toomanyrequests:1"))
        assert refused.reason == "ImageNotFound"


class TestMirrors:
    def test_image_comes_from_the_mirror_under_its_true_name(
        self, world: RealContainers, plain_registry: RealRegistry
    ) -> None:
        there, digest = pushed(world, plain_registry)
        settings = {"docker.io": {"mirrors": [f"http://{plain_registry.host}"]}}
        image = f"{world.prefix}/app:1"
        registry_path = f"{world.prefix}/app"
        world.engine.pull(there)
        plain_registry.push(world.engine, there, registry_path)
        world.engine.remove_image(there)
        keeper_with(world, settings).make(resource := of_image(world, image))
        assert "AGE=v1" in world.environment_of(resource)
        found = world.engine.inspect_image(image)
        assert found["RepoTags"] == [image]
        assert [name.partition("@")[2] for name in found["RepoDigests"]] == [digest]
        assert connect(world.setup(registries=settings)).registries.digest(image) == digest

    def test_registry_says_which_image_is_meant_where_the_mirror_has_another_one_than_is_here(
        self, world: RealContainers, plain_registry: RealRegistry, tmp_path: Path
    ) -> None:
        with real_registry(tmp_path) as registry:
            pushed(world, plain_registry, "v1")
            image, _ = pushed(world, registry, "v2")
            world.engine.pull(image)
            settings = {registry.host: {"mirrors": [f"http://{plain_registry.host}"]}}
            keeper = keeper_with(world, settings)
            keeper.make(resource := world.resource("one", image=image, state="stopped", pullPolicy="always"))
        assert "AGE=v2" in world.environment_of(resource)

    def test_image_that_the_mirror_has_not_comes_from_the_registry(
        self, world: RealContainers, plain_registry: RealRegistry, speaking: SpeakingRegistry
    ) -> None:
        image, _ = pushed(world, plain_registry)
        settings = {plain_registry.host: {"mirrors": [f"http://{speaking.host}"]}}
        keeper_with(world, settings).make(resource := of_image(world, image))
        assert "AGE=v1" in world.environment_of(resource)
        assert speaking.asked

    def test_mirror_that_breaks_while_it_serves_is_passed_over(
        self, world: RealContainers, plain_registry: RealRegistry, speaking: SpeakingRegistry
    ) -> None:
        image, digest = pushed(world, plain_registry)
        speaking.next = [Say(200, {"Docker-Content-Digest": digest})]  # and to the engine it says that there is nothing
        settings = {plain_registry.host: {"mirrors": [f"http://{speaking.host}"]}}
        keeper = keeper_with(world, settings)
        assert isinstance(keeper.apply(keeper.steps(of_image(world, image)))[of_image(world, image).key], Done)
        assert len(speaking.asked) > 1


def bridge(world: RealContainers) -> str:
    """An address of this machine that is not on its loopback interface: the engine asks it for TLS."""
    pool = world.engine.inspect_network("bridge")["IPAM"]["Config"][0]
    return str(pool.get("Gateway") or pool["Subnet"].rpartition(".")[0] + ".1")
