"""Containers are put in words anew where anything has a say that is new, and only there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker import remembered
from controller.agents.docker.client import connect
from controller.agents.docker.environment import SECRET_NAMES
from controller.agents.docker.images import Supplied
from controller.agents.docker.lookup import Found
from controller.agents.docker.remembered import Remembered
from controller.agents.docker.wording import Worded, Wording
from controller.engine.agent import Context, Setup
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from resources.kinds.container import Container
from resources.meta import API_VERSION, Key

IDENTITY = "c" * 64


def container(**spec: Any) -> Container:
    document = {"apiVersion": API_VERSION, "kind": "Container", "metadata": {"name": "web"}}
    return Container.model_validate({**document, "spec": {"image": "nginx:1.27", **spec}})


def live(labels: Mapping[str, str] = {}, env: tuple[str, ...] = (), **host: Any) -> dict[str, Any]:
    return {
        "Id": IDENTITY,
        "Name": "/web",
        "Image": "sha256:1",
        "Config": {"Image": "nginx:1.27", "Env": [*env], "Labels": {**labels}},
        "HostConfig": {"NetworkMode": "default", "SecurityOpt": None, **host},
        "State": {"Status": "running", "Running": True},
        "NetworkSettings": {"Networks": {"bridge": {}}},
        "Mounts": [],
    }


SUPPLIED = Supplied({"Env": ["PATH=/bin"]}, same=True)


class Looking:
    """A controller that looks again and again. No engine is needed for what it hears."""

    def __init__(self, home: Path) -> None:
        self.environment: dict[str, str] = {}
        secrets = HomeSecrets(Home(home), self.environment)
        self.wording = Wording(connect(Setup("0123456789abcdef", home, secrets, read_only=True)))
        self._context = Context(secrets)

    def look(
        self,
        resource: Container,
        answer: dict[str, Any],
        supplied: Supplied = SUPPLIED,
        others: Mapping[str, str] = {},
        leftovers: tuple[str, ...] = (),
    ) -> Worded:
        said = json.dumps(answer).encode()
        found = Found(json.loads(said), tuple({"Name": name} for name in leftovers), said)
        return self.wording.of(resource, found, supplied, others, self._context)

    def remembers(self, resource: Container, answer: dict[str, Any]) -> bool:
        return self.wording.heard.find(resource.key, (json.dumps(answer).encode(),)) is not None


@pytest.fixture
def looking(tmp_path: Path) -> Looking:
    return Looking(tmp_path)


def test_same_answer_is_put_in_words_once(looking: Looking) -> None:
    resource = container(env={"COLOR": "blue"})
    first = looking.look(resource, live(env=("COLOR=blue",)))
    assert first.value.env == {"COLOR": "blue"}
    assert looking.look(resource, live(env=("COLOR=blue",))) is first
    assert looking.remembers(resource, live(env=("COLOR=blue",)))


def test_another_answer_is_put_in_words_anew(looking: Looking) -> None:
    resource = container(env={"COLOR": "blue"})
    looking.look(resource, live(env=("COLOR=blue",)))
    assert looking.look(resource, live(env=("COLOR=blub",))).value.env == {"COLOR": "blub"}
    assert looking.look(resource, live(env=("COLOR=blue",))).value.env == {"COLOR": "blue"}


def test_another_spec_has_other_words(looking: Looking) -> None:
    assert looking.look(container(), live()).value.readOnly is None
    assert looking.look(container(readOnly=False), live()).value.readOnly is False


def test_tag_that_names_another_image_is_seen(looking: Looking) -> None:
    resource = container()
    assert looking.look(resource, live()).value.image == "nginx:1.27"
    newer = Supplied(SUPPLIED.config, current=False)
    assert "as it was" in str(looking.look(resource, live(), newer).value.image)


def test_variable_that_the_image_no_longer_brings_is_seen(looking: Looking) -> None:
    resource = container()
    assert looking.look(resource, live(env=("PATH=/bin",))).value.env == {}
    assert looking.look(resource, live(env=("PATH=/bin",)), Supplied({})).value.env == {"PATH": "/bin"}


def test_another_name_of_a_container_that_it_shares_a_network_with_is_seen(looking: Looking) -> None:
    resource, answer = container(networkMode="container:db"), live(NetworkMode="container:abc")
    assert looking.look(resource, answer, others={"abc": "db"}).value.networkMode == "container:db"
    assert looking.look(resource, answer, others={"abc": "former"}).value.networkMode == "container:former"


def test_leftover_is_seen_and_that_it_has_gone(looking: Looking) -> None:
    resource = container()
    assert looking.look(resource, live()).value.leftovers == ()
    assert looking.look(resource, live(), leftovers=("/web.p2-old",)).value.leftovers == ("web.p2-old",)
    assert looking.look(resource, live()).value.leftovers == ()


def test_rotated_secret_is_seen_and_the_former_one_not_kept(looking: Looking) -> None:
    resource = container(secretEnv={"TOKEN": {"env": "TOKEN"}})
    answer = live({SECRET_NAMES: "TOKEN"}, env=("TOKEN=former-token",))
    looking.environment["TOKEN"] = "former-token"
    assert looking.look(resource, answer).value.secretEnv == (resource.spec.secretEnv or {})
    assert not looking.remembers(resource, answer)
    looking.environment["TOKEN"] = "newest-token"
    assert looking.look(resource, answer).value.secretEnv != resource.spec.secretEnv


def test_secret_that_is_no_longer_declared_is_not_kept(looking: Looking) -> None:
    answer = live({SECRET_NAMES: "TOKEN"}, env=("TOKEN=former-token",))
    looking.look(container(), answer)
    assert not looking.remembers(container(), answer)


def test_edited_environment_file_is_seen(looking: Looking, tmp_path: Path) -> None:
    file = tmp_path / "web.env"
    resource, answer = container(envFile=[str(file)]), live(env=("COLOR=blue",))
    file.write_text("COLOR=blue\n")
    assert looking.look(resource, answer).value.envFile == (str(file),)
    file.write_text("COLOR=red\n")
    assert looking.look(resource, answer).value.envFile == (f"{file} (differs in COLOR)",)


def test_edited_seccomp_profile_is_seen(looking: Looking, tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    resource = container(securityOpt=[f"seccomp={profile}"])
    answer = live(SecurityOpt=['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'])
    assert looking.look(resource, answer).value.securityOpt == resource.spec.securityOpt
    profile.write_text('{"defaultAction": "SCMP_ACT_ERRNO"}')
    assert looking.look(resource, answer).value.securityOpt != resource.spec.securityOpt


def test_placed_file_with_another_secret_in_it_is_seen(looking: Looking) -> None:
    resource = container(files={"/token": {"secret": {"env": "TOKEN"}}})
    looking.environment["TOKEN"] = "former-token"
    before = looking.look(resource, live())
    assert not looking.remembers(resource, live())
    assert looking.look(resource, live()) is not before


def test_answer_that_was_not_found_by_name_is_not_remembered(looking: Looking) -> None:
    found = Found(live(), (), b"")
    resource, context = container(), looking._context
    first = looking.wording.of(resource, found, SUPPLIED, {}, context)
    assert looking.wording.of(resource, found, SUPPLIED, {}, context) is not first


def test_few_ways_of_telling_one_thing_are_remembered() -> None:
    memory, key = Remembered[str](), Key("Container", "default", "web")
    for number in range(remembered.WAYS + 1):
        memory.keep(key, (number,), f"made of {number}")
    assert memory.find(key, (0,)) is None
    assert memory.find(key, (1,)) == "made of 1"
    assert memory.find(key, (remembered.WAYS,)) == f"made of {remembered.WAYS}"
    assert memory.find(Key("Container", "default", "other"), (1,)) is None


def test_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 2)
    memory, keys = Remembered[str](), [Key("Container", "default", name) for name in ("a", "b", "c")]
    for key in keys:
        memory.keep(key, (), key.name)
    assert [memory.find(key, ()) for key in keys] == [None, "b", "c"]
