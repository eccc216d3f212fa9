"""A project of Compose files on a real engine: its files, what docker compose would have made of them, and how it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from docker import APIClient
from docker.errors import NotFound

from tests.agents.worlds.docker import IMAGE
from tests.cli.story import Story

LABEL = "com.docker.compose"


@dataclass(frozen=True)
class Yard:
    story: Story
    engine: APIClient
    project: str

    @classmethod
    def made(cls, story: Story, engine: APIClient) -> Yard:
        yard = cls(story, engine, f"p2compose{uuid4().hex[:8]}")
        (story.root / "shop").mkdir()
        return yard

    @property
    def directory(self) -> Path:
        return self.story.root / "shop"

    def file(self, name: str, text: str) -> Path:
        """A file of the project. IMAGE in it is that of the tests."""
        path = self.directory / name
        path.write_text(text.replace("IMAGE", IMAGE))
        return path

    def declare(self, **spec: Any) -> None:
        """A resource that stands for compose.yaml."""
        fields = {"files": ["../shop/compose.yaml"], "project": self.project, **spec}
        lines = "".join(
            f"  {name}: {str(value).lower() if value is True else value}\n" for name, value in fields.items()
        )
        self.story.write(
            "shop.yaml", f"apiVersion: pegasus2.dev/v1\nkind: Compose\nmetadata: {{name: shop}}\nspec:\n{lines}"
        )

    def containers(self) -> dict[str, str]:
        """Ids of the project's containers by their names."""
        found = self.engine.containers(all=True, filters={"label": f"{LABEL}.project={self.project}"})
        return {each["Names"][0].removeprefix("/"): each["Id"] for each in found}

    def inspect(self, service: str, number: int = 1) -> Any:
        return self.engine.inspect_container(f"{self.project}-{service}-{number}")

    def clear(self) -> None:
        names = {*self.containers()} | {
            each["Names"][0].removeprefix("/")
            for each in self.engine.containers(all=True, filters={"name": self.project})
        }
        for name in names:
            with suppress(NotFound):
                self.engine.remove_container(name, force=True, v=True)
        for network in self.engine.networks(filters={"name": self.project}):
            with suppress(NotFound):
                self.engine.remove_network(network["Id"])
        for volume in self.engine.volumes(filters={"name": self.project})["Volumes"] or ():
            with suppress(NotFound):
                self.engine.remove_volume(volume["Name"], force=True)


class DockerCompose:
    """Makes what `docker compose up` has made: version 2.26, or 1.29, of the file that ADOPTED is.

    The requests are those that these versions sent to the engine for it.
    """

    def __init__(self, yard: Yard, version: str) -> None:
        self.yard, self.version = yard, version
        self._first = version.startswith("1.")

    def up(self) -> None:
        engine, project = self.yard.engine, self.yard.project
        for network in ("back", "default"):
            engine.create_network(
                f"{project}_{network}",
                driver="bridge",
                check_duplicate=True,
                attachable=self._first,
                labels=self._labels(network=network),
            )
        engine.create_volume(f"{project}_data", labels=self._labels(volume="data"))
        self._db()
        self._web()

    def _labels(self, **more: str) -> dict[str, str]:
        labels = {"project": self.yard.project, "version": self.version, **more}
        return {f"{LABEL}.{name}": value for name, value in labels.items()}

    def _db(self) -> None:
        bound = str(self.yard.directory / "conf")
        if self._first:
            mounts: dict[str, Any] = {"Binds": [f"{self.yard.project}_data:/data:rw", f"{bound}:/conf:ro"]}
        else:
            mounts = {
                "Binds": [f"{bound}:/conf:ro"],
                "Mounts": [
                    {"Type": "volume", "Source": f"{self.yard.project}_data", "Target": "/data", "VolumeOptions": {}}
                ],
            }
        host = {**mounts, "RestartPolicy": {"Name": "unless-stopped"}, "Memory": 67108864, "NanoCpus": 500000000}
        check = {"Test": ["CMD-SHELL", "true"], "Interval": 1_000_000_000}
        self._container("db", host, {"default": ["db"]}, Env=["A=1", "B=2"], Healthcheck=check)

    def _web(self) -> None:
        bindings = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
        secret = {"Type": "bind", "Source": str(self.yard.directory / "key"), "Target": "/run/secrets/key"}
        host = {"PortBindings": bindings, "Mounts": [{**secret, "ReadOnly": True}], "ExtraHosts": ["a:10.0.0.1"]}
        if self._first:
            host |= {"Mounts": [], "Binds": [f"{secret['Source']}:{secret['Target']}:ro"]}
        aliases = {"back": ["other", "web"], "default": ["web"]}
        self._container("web", host, aliases, ExposedPorts={"80/tcp": {}, "7000/tcp": {}})

    def _container(self, service: str, host: dict[str, Any], aliases: dict[str, list[str]], **config: Any) -> None:
        engine, project = self.yard.engine, self.yard.project
        name = ("_" if self._first else "-").join((project, service, "1"))
        own = [] if self._first else [name]
        first, *others = aliases
        labels = self._labels(service=service) | {
            f"{LABEL}.container-number": "1",
            f"{LABEL}.oneoff": "False",
            f"{LABEL}.config-hash": "0" * 64,
            f"{LABEL}.project.config_files": "compose.yaml",
            f"{LABEL}.project.working_dir": str(self.yard.directory),
        }
        endpoint = {"Aliases": [*own, *aliases[first]]}
        made = engine.create_container_from_config(
            {
                "Image": IMAGE,
                "Cmd": ["sleep", "600"],
                "Labels": labels,
                "StopTimeout": 1,
                "HostConfig": {**host, "NetworkMode": f"{project}_{first}"},
                "NetworkingConfig": {"EndpointsConfig": {f"{project}_{first}": endpoint}},
                **config,
            },
            name,
        )
        for network in others:
            engine.connect_container_to_network(name, f"{project}_{network}", aliases=[*own, *aliases[network]])
        engine.start(made["Id"])


ADOPTED = """\
services:
  db:
    image: IMAGE
    command: sleep 600
    stop_grace_period: 1s
    restart: unless-stopped
    environment: {A: 1}
    env_file: db.env
    mem_limit: 64m
    cpus: 0.5
    healthcheck: {test: "true", interval: 1s}
    volumes: ["data:/data", "./conf:/conf:ro"]
  web:
    image: IMAGE
    command: [sleep, "600"]
    stop_grace_period: 1s
    depends_on: [db]
    ports: ["127.0.0.1::80"]
    expose: [7000]
    extra_hosts: ["a:10.0.0.1"]
    secrets: [key]
    networks: {default: {}, back: {aliases: [other]}}
networks: {back: {}}
volumes: {data: {}}
secrets: {key: {file: ./key}}
"""


def yards(story: Story) -> Iterator[Yard]:
    """One that is cleared away afterwards."""
    from tests.agents.worlds.docker import need_image

    engine = APIClient(timeout=30)
    need_image(engine)
    yard = Yard.made(story, engine)
    try:
        yield yard
    finally:
        yard.clear()
        engine.close()
