"""Shared by all tests: what needs a real system is skipped with the reason where there is none, unless it is required.

`P2_TEST_REQUIRE=docker,kube` makes a missing system a failure, so that in CI nothing is skipped.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest


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


def _systemd_missing() -> str:
    return "" if shutil.which("systemd-analyze") else "no systemd-analyze on the PATH (Debian package systemd)"


SYSTEMS: dict[str, Callable[[], str]] = {
    "docker": cache(_docker_missing),
    "promtool": _promtool_missing,
    "registry": _registry_missing,
    "systemd": _systemd_missing,
}


def pytest_configure(config: pytest.Config) -> None:
    for name in SYSTEMS:
        config.addinivalue_line("markers", f"{name}: needs a real {name}")


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
