"""The containers that the Docker benchmarks use, as each contestant wants them written down.

`sleep` in busybox with an environment, a label and a restart policy; SIGKILL stops it, since `sleep` as process 1
ignores everything else and each replacement would wait ten seconds.
"""

from __future__ import annotations

import json
import os
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IMAGE = "p2test/busybox:1"
COMMAND = ["sleep", "100000"]


@dataclass(frozen=True)
class Fleet:
    """`size` equal containers whose names and label no other run uses. `edition` is the value that an edit changes."""

    use: str
    size: int
    edition: str = "1"
    run: str = field(default_factory=lambda: f"p2bench-{os.getpid()}")

    @property
    def prefix(self) -> str:
        return f"{self.run}-{self.use}-{self.size}"

    @property
    def label(self) -> str:
        """The label filter that finds all of the fleet, whoever made it."""
        return f"bench={self.prefix}"

    @property
    def names(self) -> list[str]:
        return [f"{self.prefix}-{number:03}" for number in range(self.size)]

    def env(self, name: str, edition: str | None = None) -> dict[str, str]:
        return {"NAME": name, "EDITION": edition or self.edition, "MODE": "benchmark"}

    def raw(self, name: str, edition: str | None = None) -> dict[str, Any]:
        """The body of the engine's create request."""
        return {
            "Image": IMAGE,
            "Cmd": COMMAND,
            "Env": [f"{key}={value}" for key, value in self.env(name, edition).items()],
            "Labels": {"bench": self.prefix},
            "StopSignal": "SIGKILL",
            "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
        }

    def manifest(self, name: str, edition: str | None = None) -> str:
        """The YAML that Pegasus2 reads."""
        return textwrap.dedent(f"""\
            apiVersion: pegasus2.dev/v1
            kind: Container
            metadata:
              name: {name}
            spec:
              image: {IMAGE}
              command: {json.dumps(COMMAND)}
              env: {json.dumps(self.env(name, edition))}
              labels:
                bench: {self.prefix}
              restart: unless-stopped
              stopSignal: SIGKILL
            """)

    def write_manifests(self, folder: Path) -> Path:
        """A file a container, as people keep them. Returns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.names:
            (folder / f"{name}.yaml").write_text(self.manifest(name))
        return folder

    def write_compose(self, folder: Path) -> Path:
        """Returns the Compose file."""
        services = {
            name: {
                "image": IMAGE,
                "container_name": name,
                "command": COMMAND,
                "environment": self.env(name),
                "labels": {"bench": self.prefix},
                "restart": "unless-stopped",
                "stop_signal": "SIGKILL",
                "network_mode": "bridge",
            }
            for name in self.names
        }
        return _written(folder / "compose.yaml", json.dumps({"name": self.prefix, "services": services}, indent=1))

    def write_pyinfra(self, folder: Path) -> Path:
        """Returns the deploy script."""
        return _written(
            folder / "deploy.py",
            textwrap.dedent(f"""\
                from pyinfra.operations import docker

                for name in {self.names!r}:
                    docker.container(
                        name=name,
                        container=name,
                        image={IMAGE!r},
                        command={" ".join(COMMAND)!r},
                        env_vars=[f"NAME={{name}}", "EDITION={self.edition}", "MODE=benchmark"],
                        labels=["bench={self.prefix}"],
                        restart_policy="unless-stopped",
                        extra_args=["--stop-signal=SIGKILL"],
                    )
                """),
        )

    def write_ansible(self, folder: Path) -> Path:
        """Returns the playbook."""
        tasks = [
            {
                "name": name,
                "community.docker.docker_container": {
                    "name": name,
                    "image": IMAGE,
                    "command": COMMAND,
                    "env": self.env(name),
                    "labels": {"bench": self.prefix},
                    "restart_policy": "unless-stopped",
                    "stop_signal": "SIGKILL",
                },
            }
            for name in self.names
        ]
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "tasks": tasks,
        }
        return _written(folder / "playbook.yaml", json.dumps([play], indent=1))


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
