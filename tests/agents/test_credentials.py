"""Where credentials for registries come from: agents/docker.yaml, the user's Docker configuration, and its helpers."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker.registries import credentials
from controller.agents.docker.registries.credentials import Credentials, Keyring
from controller.agents.docker.registries.registries import Registries
from controller.agents.docker.registries.settings import registry_settings
from controller.engine.agent import Retry, Stalled
from controller.store.home import Home
from controller.store.secrets import HomeSecrets

SECRET = "hush-hush"

Put = Callable[[Any], None]
Helper = Callable[[str, str], Path]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"DOCKER_CONFIG": str(tmp_path / "docker"), "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "TOKEN": SECRET}


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes the Docker configuration."""

    def write(content: Any) -> None:
        (tmp_path / "docker").mkdir(exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "docker/config.json").write_text(text)

    return write


@pytest.fixture
def helper(tmp_path: Path) -> Helper:
    """Puts a credential helper on the PATH: what it does is a piece of shell. Returns where what it was asked is kept."""

    def write(name: str, script: str) -> Path:
        asked = tmp_path / f"{name}.asked"
        (tmp_path / "bin").mkdir(exist_ok=True)
        program = tmp_path / f"bin/docker-credential-{name}"
        program.write_text(f"#!/bin/sh\necho $1 >>{asked}\ncat >>{asked}\necho >>{asked}\n{script}\n")
        program.chmod(0o755)
        return asked

    return write


def keyring(tmp_path: Path, environment: Mapping[str, str], settings: Any = None) -> Keyring:
    secrets = HomeSecrets(Home(tmp_path / "home"), environment)
    return Keyring(registry_settings(settings or {}), secrets, environment)


def told(username: str, secret: str = SECRET) -> str:
    return f"""echo '{{"ServerURL": "x", "Username": "{username}", "Secret": "{secret}"}}'"""


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def is_ours(found: Credentials | None, username: str) -> bool:
    return bool(found and found.password and (found.username, found.password.get_secret_value()) == (username, SECRET))


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
    ],
)
def test_login_is_found_under_all_names_that_it_may_have(
    key: str, host: str, put: Put, tmp_path: Path, environment: dict[str, str]
) -> None:
    put({"auths": {key: {"auth": encoded(f"me:{SECRET}")}, "other.example.org": {"auth": encoded("you:other")}}})
    assert is_ours(keyring(tmp_path, environment).find(host), "me")


def test_without_a_configuration_one_is_nobody(tmp_path: Path, environment: dict[str, str]) -> None:
    assert keyring(tmp_path, environment).find("docker.io") is None


def test_configuration_lies_in_the_home_of_the_user(put: Put, tmp_path: Path, environment: dict[str, str]) -> None:
    put({"auths": {"ghcr.io": {"username": "me", "password": SECRET}}})
    (tmp_path / "docker").rename(tmp_path / ".docker")
    del environment["DOCKER_CONFIG"]
    assert is_ours(keyring(tmp_path, environment | {"HOME": str(tmp_path)}).find("ghcr.io"), "me")


def test_own_settings_come_before_those_of_docker(put: Put, tmp_path: Path, environment: dict[str, str]) -> None:
    put({"auths": {"ghcr.io": {"auth": encoded("you:other")}}})
    settings = {"ghcr.io": {"username": "me", "password": {"env": "TOKEN"}}}
    assert is_ours(keyring(tmp_path, environment, settings).find("ghcr.io"), "me")


def test_password_may_hold_colons(put: Put, tmp_path: Path, environment: dict[str, str]) -> None:
    put({"auths": {"ghcr.io": {"auth": encoded("me:a:b")}}})
    found = keyring(tmp_path, environment).find("ghcr.io")
    assert found and found.password and found.password.get_secret_value() == "a:b"


def test_identity_token_takes_the_place_of_a_password(put: Put, tmp_path: Path, environment: dict[str, str]) -> None:
    put({"auths": {"ghcr.io": {"auth": encoded("me:"), "identitytoken": SECRET}}})
    found = keyring(tmp_path, environment).find("ghcr.io")
    assert found and found.auth_config("ghcr.io") == {"serveraddress": "ghcr.io", "identitytoken": SECRET}


@pytest.mark.parametrize(
    "content",
    ["{", "[]", {"auths": {"ghcr.io": {"auth": "%%"}}}, {"auths": {"ghcr.io": {"auth": encoded("nocolon")}}}],
    ids=str,
)
def test_configuration_that_can_not_be_read_stalls_with_its_path(
    content: Any, put: Put, tmp_path: Path, environment: dict[str, str]
) -> None:
    put(content)
    with pytest.raises(Stalled, match=r"cannot read .*docker/config.json.*docker login"):
        keyring(tmp_path, environment).find("ghcr.io")


class TestHelpers:
    def test_store_is_asked_for_every_registry(
        self, put: Put, helper: Helper, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        put({"credsStore": "vault", "auths": {"ghcr.io": {}}})
        asked = helper("vault", told("me"))
        assert is_ours(keyring(tmp_path, environment).find("ghcr.io"), "me")
        assert is_ours(keyring(tmp_path, environment).find("docker.io"), "me")
        assert asked.read_text().split() == ["get", "ghcr.io", "get", "https://index.docker.io/v1/"]

    def test_helper_of_one_registry_comes_before_the_store(
        self, put: Put, helper: Helper, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        put({"credsStore": "vault", "credHelpers": {"ghcr.io": "cloud"}})
        helper("vault", told("you"))
        helper("cloud", told("me"))
        assert is_ours(keyring(tmp_path, environment).find("ghcr.io"), "me")

    def test_helper_may_give_an_identity_token(
        self, put: Put, helper: Helper, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        put({"credsStore": "vault"})
        helper("vault", told("<token>"))
        found = keyring(tmp_path, environment).find("ghcr.io")
        assert found and found.identity_token and found.identity_token.get_secret_value() == SECRET

    def test_where_the_helper_has_none_the_file_is_asked(
        self, put: Put, helper: Helper, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        put({"credsStore": "vault", "auths": {"ghcr.io": {"auth": encoded(f"me:{SECRET}")}}})
        helper("vault", "echo credentials not found in native keychain; exit 1")
        assert is_ours(keyring(tmp_path, environment).find("ghcr.io"), "me")
        assert keyring(tmp_path, environment).find("docker.io") is None

    def test_missing_helper_stalls_and_says_who_wants_it(
        self, put: Put, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        put({"credsStore": "nowhere"})
        with pytest.raises(Stalled, match=r"cannot find docker-credential-nowhere.*docker/config.json.*install it"):
            keyring(tmp_path, environment).find("ghcr.io")

    def test_slow_helper_is_not_waited_for(
        self, put: Put, helper: Helper, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(credentials, "HELPER_TIMEOUT", 0.3)
        put({"credsStore": "slow"})
        helper("slow", "exec sleep 60")
        with pytest.raises(Retry, match="cannot wait any longer for docker-credential-slow"):
            keyring(tmp_path, environment).find("ghcr.io")

    def test_failing_helper_is_tried_again_and_what_it_prints_is_not_shown(
        self, put: Put, helper: Helper, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        put({"credsStore": "broken"})
        helper("broken", f"echo {SECRET}; echo {SECRET} >&2; exit 3")
        with pytest.raises(Retry, match="exit code 3") as failure:
            keyring(tmp_path, environment).find("ghcr.io")
        assert SECRET not in str(failure.value)

    def test_helper_that_prints_nonsense_is_told_of_without_it(
        self, put: Put, helper: Helper, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        put({"credsStore": "odd"})
        helper("odd", f"echo {SECRET}")
        with pytest.raises(Stalled, match="it is not what a credential helper prints") as failure:
            keyring(tmp_path, environment).find("ghcr.io")
        assert SECRET not in str(failure.value)

    def test_helper_is_a_name_and_no_path(self, put: Put, tmp_path: Path, environment: dict[str, str]) -> None:
        put({"credsStore": "../../bin/sh"})
        with pytest.raises(Stalled, match="no name of a program"):
            keyring(tmp_path, environment).find("ghcr.io")


class TestHeaders:
    def made(self, tmp_path: Path, environment: dict[str, str], settings: Any) -> Registries:
        return Registries(registry_settings(settings), HomeSecrets(Home(tmp_path / "h"), environment), 5.0, environment)

    def test_engine_is_told_who_we_are(self, tmp_path: Path, environment: dict[str, str]) -> None:
        settings = {"docker.io": {"username": "me", "password": {"env": "TOKEN"}}}
        header = self.made(tmp_path, environment, settings).header("nginx:1.27")
        server = "https://index.docker.io/v1/"
        assert json.loads(base64.urlsafe_b64decode(header)) == {
            "serveraddress": server,
            "username": "me",
            "password": SECRET,
        }

    def test_engine_is_told_nothing_where_we_are_nobody(self, tmp_path: Path, environment: dict[str, str]) -> None:
        assert self.made(tmp_path, environment, {}).header("nginx") == ""

    def test_build_is_told_of_all_registries(self, put: Put, tmp_path: Path, environment: dict[str, str]) -> None:
        put({"auths": {"ghcr.io": {"auth": encoded(f"me:{SECRET}")}}})
        settings = {"docker.io": {"token": {"env": "TOKEN"}}, "plain.example.org": {"insecure": True}}
        header = self.made(tmp_path, environment, settings).build_header()
        assert json.loads(base64.urlsafe_b64decode(header)).keys() == {"ghcr.io", "https://index.docker.io/v1/"}

    def test_build_is_not_kept_from_one_registry_by_what_is_wrong_with_another(
        self, put: Put, tmp_path: Path, environment: dict[str, str]
    ) -> None:
        put({"auths": {"ghcr.io": {"auth": encoded(f"me:{SECRET}")}}, "credHelpers": {"quay.io": "there-is-none"}})
        settings = {"docker.io": {"token": {"env": "NOT_SET"}}}
        header = self.made(tmp_path, environment, settings).build_header()
        assert json.loads(base64.urlsafe_b64decode(header)).keys() == {"ghcr.io"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "registries: write a mapping"),
        ({"https://ghcr.io": {}}, "without https://"),
        ({"ghcr.io/me": {}}, "without https:// and path"),
        ({"ghcr.io": {"user": "me"}}, "registries.ghcr.io.user: unknown field; write ca, insecure"),
        ({"ghcr.io": {"username": "me", "password": SECRET}}, "registries.ghcr.io.password: write where it is found"),
        ({"ghcr.io": {"username": "me", "password": {"env": "A", "file": "/b"}}}, "password: write where it is found"),
        ({"ghcr.io": {"token": SECRET}}, "registries.ghcr.io.token: write where it is found"),
        ({"ghcr.io": {"username": "me"}}, "give both username and password"),
        ({"ghcr.io": {"username": "me", "password": {"env": "A"}, "token": {"env": "A"}}}, "one or the other"),
        ({"ghcr.io": {"mirrors": ["ftp://x"]}}, "registries.ghcr.io.mirrors.0: cannot use this mirror"),
        ({"ghcr.io": {"mirrors": [f"https://me:{SECRET}@x"]}}, "cannot use this mirror"),
        ({"ghcr.io": {"ca": "ca.crt"}}, "write an absolute path"),
        ({"docker.io": {}, "index.docker.io": {}}, "stands here twice"),
    ],
    ids=str,
)
def test_settings_that_can_not_be_used_name_the_field(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match="registries") as failure:
        registry_settings(settings)
    assert message in str(failure.value)
    assert SECRET not in str(failure.value)
