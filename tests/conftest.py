"""Shared by all tests: what needs a real system is skipped with the reason where there is none, unless it is required.

`P2_TEST_REQUIRE=docker,kube` makes a missing system a failure, so that in CI nothing is skipped.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.apiserver import Kubernetes
    from tests.registry import RealRegistry


def _docker_missing() -> str:
    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            probe.connect(path)
    except OSError as error:
        return f"no Docker engine at {path}: {error}"
    return ""


def _promtool_missing() -> str:
    return "" if shutil.which("promtool") else "no promtool on the PATH (Debian package prometheus)"


def _registry_missing() -> str:
    return "" if shutil.which("docker-registry") else "no docker-registry on the PATH (Debian package docker-registry)"


def _ssh_missing() -> str:
    from tests.engines import sshd_missing

    return sshd_missing()


def _systemd_missing() -> str:
    return "" if shutil.which("systemd-analyze") else "no systemd-analyze on the PATH (Debian package systemd)"


def _kubectl_missing() -> str:
    return "" if shutil.which("kubectl") else "no kubectl on the PATH"


def _kube_missing() -> str:
    from tests import apiserver

    return apiserver.missing()


SYSTEMS: dict[str, Callable[[], str]] = {
    "docker": cache(_docker_missing),
    "kube": cache(_kube_missing),
    "kubectl": _kubectl_missing,
    "promtool": _promtool_missing,
    "registry": _registry_missing,
    "ssh": _ssh_missing,
    "systemd": _systemd_missing,
}


def pytest_configure(config: pytest.Config) -> None:
    os.environ.setdefault("PEGASUS2_METRICS_PORT", "0")  # whatever runs at the same time
    for name in SYSTEMS:
        config.addinivalue_line("markers", f"{name}: needs a real {name}")
    config.addinivalue_line("markers", "bare: with the least that is needed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    required = os.environ.get("P2_TEST_REQUIRE", "").split(",")
    for name, missing in SYSTEMS.items():
        if item.get_closest_marker(name) and (why := missing()):
            if name in required:
                pytest.fail(why)
            pytest.skip(why)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Pegasus2 home of the test's own; no test ever sees the user's, or writes into the machine's journal."""
    path = tmp_path / "p2home"
    monkeypatch.setenv("PEGASUS2_JOURNAL", "none")
    monkeypatch.setenv("PEGASUS2_HOME", str(path))
    monkeypatch.setenv("NO_COLOR", "1")
    return path


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    """A real API server with our kinds installed, for all tests that ask for one (mark them `kube`)."""
    from tests.apiserver import kubernetes

    with kubernetes(tmp_path_factory.mktemp("kube")) as found:
        yield found


@pytest.fixture
def namespace(cluster: Kubernetes) -> Iterator[str]:
    """A namespace of the test's own."""
    with cluster.namespace() as name:
        yield name


@pytest.fixture(scope="session")
def plain_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    """A real registry without login or TLS (mark tests that ask for it `docker` and `registry`)."""
    from tests.registry import real_registry

    with real_registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="session")
def private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    """One that wants a login: `USER` and `PASSWORD` of `tests/registry.py`."""
    from tests.registry import real_registry

    with real_registry(tmp_path_factory.mktemp("private"), login=True) as found:
        yield found


@pytest.fixture(scope="session")
def tls_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    """One that speaks TLS, with a certificate of an authority that nobody else knows."""
    from tests.certificates import Authority
    from tests.registry import real_registry

    directory = tmp_path_factory.mktemp("tls")
    with real_registry(directory, authority=Authority(directory / "ca")) as found:
        yield found
