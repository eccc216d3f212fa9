"""Real image registries on the loopback interface (Debian package docker-registry): plain, with a login, with TLS.

Fixtures of `tests/conftest.py` start each once a session. What the real one can't be brought to say, that in
`tests/speaking_registry.py` says.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import APIClient

from tests.certificates import Authority
from tests.support import eventually

USER, PASSWORD = "keeper", "open-sesame-9"
# The password in the only form that this registry takes: bcrypt, with the fewest rounds.
HTPASSWD = f"{USER}:$2b$04$4sZ5GCV7t8CAaCxSpyGS8.zxSR10ueYbyw2R3w41EB02NzfqiOdwe\n"

CONFIG: dict[str, Any] = {"version": 0.1, "log": {"level": "error"}}


@dataclass(frozen=True)
class RealRegistry:
    """`host` is what stands in names of images; `ca` is the certificate of its authority, if it has one."""

    host: str
    directory: Path
    ca: Path | None = None

    def push(self, engine: APIClient, local: str, path: str, tag: str = "1") -> str:
        """Pushes the local image under this name, which does not stay on this machine. Returns the digest it has there."""
        name = f"{self.host}/{path}"
        engine.tag(local, name, tag)
        login = {"username": USER, "password": PASSWORD}
        digest = ""
        for message in engine.push(name, tag, stream=True, decode=True, auth_config=login):
            assert "error" not in message, message
            digest = message.get("aux", {}).get("Digest", digest)
        engine.remove_image(f"{name}:{tag}")
        assert digest, f"the engine did not say under which digest it pushed {name}:{tag}"
        return digest


@contextmanager
def registry(directory: Path) -> Iterator[str]:
    """A plain one. Gives its host and port."""
    with real_registry(directory) as found:
        yield found.host


@contextmanager
def real_registry(
    directory: Path, *, login: bool = False, authority: Authority | None = None, address: str = "127.0.0.1"
) -> Iterator[RealRegistry]:
    """`login`: it wants one. `authority`: it has TLS, with a certificate signed by that."""
    host = f"{address}:{free_port(address)}"
    config = _config(directory, host, login, authority)
    path = directory / "registry.json"
    path.write_text(json.dumps(config))  # which is YAML, too
    with (directory / "registry.log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(path)], stdout=log, stderr=log)
    try:
        eventually(lambda: _answers(host, tls=authority is not None), "the registry answers")
        yield RealRegistry(host, directory, authority.certificate if authority else None)
    finally:
        process.terminate()
        process.wait(10)


def _config(directory: Path, host: str, login: bool, authority: Authority | None) -> dict[str, Any]:
    http: dict[str, Any] = {"addr": host}
    config = CONFIG | {
        "http": http,
        "storage": {"filesystem": {"rootdirectory": str(directory / "registry")}, "delete": {"enabled": True}},
    }
    if authority:
        certificate, key = authority.issue("registry", host.partition(":")[0])
        http["tls"] = {"certificate": str(certificate), "key": str(key)}
    if login:
        (directory / "htpasswd").write_text(HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(directory / "htpasswd")}}
    return config


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _answers(host: str, *, tls: bool) -> bool:
    """Any answer will do: one that wants a login says so."""
    context = ssl._create_unverified_context() if tls else None
    try:
        with urllib.request.urlopen(f"http{'s' if tls else ''}://{host}/v2/", timeout=1, context=context):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401
    except (OSError, http.client.HTTPException):
        return False
