"""Containers on the real engine, looked at and changed by hand."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from controller.agents.docker.client import Engine, WritableEngine, writable
from controller.engine.agent import unavailable
from resources.kinds.container import Container
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import Containers
from tests.agents.worlds.docker import IMAGE

PATIENCE = 20.0  # seconds
GLANCE = 0.05
# The first half of addresses for networks: another one in each process, for tests may run side by side.
BLOCK = f"10.{128 + os.getpid() % 100}"


class RealContainers(Containers):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._volumes: set[str] = set()  # that were mounted in a container when it was looked at

    def inspect(self, resource: Container | str) -> dict[str, Any]:
        name = resource if isinstance(resource, str) else resource.container_name
        found = dict(self.engine.inspect_container(name))
        self._volumes |= {point["Name"] for point in found["Mounts"] if point["Type"] == "volume"}
        return found

    def identity(self, resource: Container) -> str:
        return str(self.inspect(resource)["Id"])

    def running(self, resource: Container | str) -> bool:
        return bool(self.inspect(resource)["State"]["Running"])

    def environment_of(self, resource: Container) -> list[str]:
        return list(self.inspect(resource)["Config"]["Env"])

    def names(self) -> list[str]:
        """Of all containers of this test, without its prefix."""
        found = self.engine.containers(all=True, filters={"name": self.prefix})
        return sorted(each["Names"][0].removeprefix(f"/{self.prefix}-") for each in found)

    def execute(self, resource: Container, *command: str) -> str:
        made = self.engine.exec_create(self.identity(resource), list(command))
        return bytes(self.engine.exec_start(made["Id"])).decode()

    def build(self, tag: str, *instructions: str) -> str:
        """An image of this test's own, made from the usual one. Returns its reference."""
        reference = f"{self.prefix}:{tag}"
        # The label keeps builds of tests side by side apart, which would share and remove each other's steps.
        dockerfile = "\n".join([f"FROM {IMAGE}", f"LABEL test={self.prefix}", *instructions])
        for message in self.engine.build(fileobj=io.BytesIO(dockerfile.encode()), tag=reference, rm=True, decode=True):
            assert "error" not in message, message
        return reference

    def unable(self, *fields: str) -> str:
        """Why this engine, on this kernel, passes over one of these fields of a container; empty where it does not."""
        info = self.engine.info()
        newer = tuple(map(int, self.engine.version()["ApiVersion"].split("."))) >= (1, 44)
        reasons = {
            "memSwappiness": "control groups of version 2 know no swappiness" if info["CgroupVersion"] == "2" else "",
            "oomKillDisable": "control groups of version 2 can't" if info["CgroupVersion"] == "2" else "",
            "cgroupParent": "systemd wants a slice" if info["CgroupDriver"] == "systemd" else "",
            "macAddress": "this engine does not tell what was asked for" if newer else "",
        }
        return next((why for field in fields if (why := reasons.get(field, ""))), "")

    def close(self) -> None:
        for each in self.engine.containers(all=True, filters={"name": self.prefix}):
            self.inspect(each["Id"])
        super().close()
        for volume in self._volumes:  # anonymous ones may have been left behind, as it should be
            with contextlib.suppress(NotFound):
                self.engine.remove_volume(volume)
        for image in self.engine.images():
            for name in (image["RepoTags"] or []) + (image["RepoDigests"] or []):
                if self.prefix in name:
                    with contextlib.suppress(NotFound):
                        self.engine.remove_image(name, force=True)


class Crash(BaseException):
    """The process is killed: nothing after it is executed, no clean-up either."""


class Mortal(WritableEngine):
    """As soon as the engine has made the n-th change the process is killed, or with `cut_off` the engine out of reach."""

    def __init__(self, engine: Engine, last: int, *, cut_off: bool = False) -> None:
        self.__dict__ |= writable(engine).__dict__
        self._left, self._cut_off = last, cut_off

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return self._deadly(found) if name in CHANGING else found

    def _deadly(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def deadly(*args: Any, **kwargs: Any) -> Any:
            if self._left > 0:
                result = change(*args, **kwargs)
                self._left -= 1
            if self._left <= 0:
                raise unavailable("cannot reach the engine") if self._cut_off else Crash
            return result

        return deadly


CHANGING = {name for name in vars(WritableEngine) if not name.startswith("_")}


def begin(keeper: Keeper, resource: Container) -> None:
    """Makes it as declared, without waiting until it is ready."""
    keeper.succeed(keeper.steps(resource))


def eventually(true: Callable[[], object]) -> None:
    """Returns once `true` is, and fails when it does not become so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"not so within {PATIENCE:.0f} s"
        time.sleep(GLANCE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
