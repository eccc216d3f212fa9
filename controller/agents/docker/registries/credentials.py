"""Who we are to a registry: agents/docker.yaml says, or else the user's Docker configuration and its credential helpers.

https://docs.docker.com/reference/cli/docker/login/#credential-stores tells of the latter. Passwords and tokens are read
when they are needed and stay in memory, as SecretStr. `registries.py` calls this.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from controller.agents.docker.registries.settings import RegistrySettings, canonical_host
from controller.engine.agent import Retry, Secrets, Stalled
from resources.meta import DEFAULT_NAMESPACE
from resources.notation import HUB

HUB_KEY = "https://index.docker.io/v1/"  # what Docker Hub is called in Docker's own files
HELPER_TIMEOUT = 20.0  # seconds; one that asks a cloud for a token takes a few
_HELPER_NAME = re.compile(r"[a-zA-Z0-9._-]+")
_NO_CREDENTIALS = "credentials not found"  # so says a helper that has none for a registry
_TOKEN_USER = "<token>"  # the name with which helpers hand out an identity token


@dataclass(frozen=True, slots=True)
class Credentials:
    """`source` says where they were found, for people. Either password or identity token is there."""

    source: str
    username: str = ""
    password: SecretStr | None = None
    identity_token: SecretStr | None = None

    def auth_config(self, host: str) -> dict[str, str]:
        """As the engine's API takes it: it holds the secret, and goes to the engine and nowhere else."""
        config = {"serveraddress": HUB_KEY if host == HUB else host}
        if self.identity_token:
            return config | {"identitytoken": self.identity_token.get_secret_value()}
        password = self.password.get_secret_value() if self.password else ""
        return config | {"username": self.username, "password": password}


class Keyring:
    """Finds credentials. Thread-safe; remembers nothing, so that a new login counts at once."""

    def __init__(
        self, settings: Mapping[str, RegistrySettings], secrets: Secrets, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._settings, self._secrets, self._environment = settings, secrets, environment

    def find(self, host: str) -> Credentials | None:
        """For a registry; None: anonymous. Raises Stalled or Retry for a secret, a file or a helper that can't be used."""
        given = self._settings.get(host)
        if given and given.token:
            return Credentials("agents/docker.yaml", identity_token=self._revealed(given.token))
        if given and given.username and given.password:
            return Credentials("agents/docker.yaml", given.username, self._revealed(given.password))
        path, config = self._docker_config()
        helper = (config.get("credHelpers") or {}).get(_key(host)) or config.get("credsStore")
        if helper and (found := _ask_helper(str(helper), _key(host), path, self._environment)):
            return found
        entry = next((each for name, each in _entries(config) if _names(name, host)), None)
        return _of_entry(entry, host, path) if entry else None

    def hosts(self) -> list[str]:
        """All registries for which something is configured."""
        _, config = self._docker_config()
        given = [host for host, each in self._settings.items() if each.token or each.password]
        names = [*(name for name, _ in _entries(config)), *(config.get("credHelpers") or {})]
        return sorted({*given, *(_host_in(name) for name in names)})

    def _revealed(self, reference: Any) -> SecretStr:
        return SecretStr(self._secrets.reveal(reference, DEFAULT_NAMESPACE))

    def _docker_config(self) -> tuple[Path, dict[str, Any]]:
        home = self._environment.get("HOME") or str(Path.home())
        path = Path(self._environment.get("DOCKER_CONFIG") or f"{home}/.docker") / "config.json"
        try:
            found = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return path, {}
        except OSError as error:
            raise _unusable(f"cannot read {path}: {error.strerror}; make it readable") from None
        except ValueError:  # without the original error, whose text quotes the file
            raise _unusable(
                f"cannot read {path}: it is not JSON; correct it, or log in anew with 'docker login'"
            ) from None
        if not isinstance(found, dict):
            raise _unusable(
                f"cannot read {path}: it is not a JSON object; correct it, or log in anew with 'docker login'"
            )
        return path, found


def _key(host: str) -> str:
    return HUB_KEY if host == HUB else host


def _entries(config: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    found = config.get("auths")
    if not isinstance(found, dict):
        return []
    return [(name, entry) for name, entry in found.items() if isinstance(entry, dict) and entry]


def _names(key: str, host: str) -> bool:
    """Whether an entry of Docker's file is that of a registry: old ones are whole addresses."""
    return key == _key(host) or _host_in(key) == host


def _host_in(key: str) -> str:
    bare = key.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return canonical_host(bare)


def _of_entry(entry: Mapping[str, Any], host: str, path: Path) -> Credentials | None:
    if token := entry.get("identitytoken"):
        return Credentials(str(path), identity_token=SecretStr(str(token)))
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            decoded = ""
        username, separator, password = decoded.partition(":")
        if not separator:
            message = f"cannot read what {path} says of {host}: log in anew with 'docker login {host}'"
            raise _unusable(message)
        password = password.rstrip("\0")
    return Credentials(str(path), username, SecretStr(password)) if username else None


def _ask_helper(name: str, server: str, path: Path, environment: Mapping[str, str]) -> Credentials | None:
    """Speaks https://github.com/docker/docker-credential-helpers; what it prints is secret and is never shown."""
    program = f"docker-credential-{name}"
    if not _HELPER_NAME.fullmatch(name):
        raise _unusable(f"cannot use the credential helper that {path} names: it is no name of a program; correct it")
    try:
        done = subprocess.run(
            [program, "get"], input=server.encode(), capture_output=True, timeout=HELPER_TIMEOUT, env=dict(environment)
        )
    except FileNotFoundError:
        raise _unusable(
            f"cannot find {program}, which {path} names for {server}: install it, take it out of that file, "
            "or give username and password under registries in agents/docker.yaml"
        ) from None
    except OSError as error:
        raise _unusable(f"cannot run {program}, which {path} names: {error.strerror}; install it anew") from None
    except subprocess.TimeoutExpired:
        raise Retry(
            "CredentialsUnavailable",
            f"cannot wait any longer for {program}: it gave no credentials for {server} within {HELPER_TIMEOUT:.0f} s; "
            f"see what it waits for: echo {server} | {program} get",
        ) from None
    if done.returncode:
        if _NO_CREDENTIALS in done.stdout.decode(errors="replace").lower():
            return None
        message = f"cannot get credentials for {server} from {program}: it ended with exit code {done.returncode}"
        raise Retry("CredentialsUnavailable", f"{message}; see what it says: echo {server} | {program} get")
    return _of_helper(done.stdout, program, server)


def _of_helper(printed: bytes, program: str, server: str) -> Credentials | None:
    try:
        found = json.loads(printed)
        username, secret = str(found["Username"]), str(found["Secret"])
    except (ValueError, KeyError, TypeError):
        message = f"cannot read what {program} says of {server}: it is not what a credential helper prints"
        raise _unusable(f"{message}; install another version of it") from None
    if username == _TOKEN_USER:
        return Credentials(program, identity_token=SecretStr(secret))
    return Credentials(program, username, SecretStr(secret)) if username else None


def _unusable(message: str) -> Stalled:
    return Stalled("CredentialsUnusable", message)
