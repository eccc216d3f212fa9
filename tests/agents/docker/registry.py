"""A real image registry on the loopback interface (Debian package docker-registry)."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.agents.docker.engine import eventually, free_port

CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {directory}}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
log: {{level: error}}
"""


@contextmanager
def registry(directory: Path) -> Iterator[str]:
    """Gives its host and port."""
    port = free_port()
    config = directory / "registry.yaml"
    config.write_text(CONFIG.format(directory=directory / "registry", port=port))
    with (directory / "registry.log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    try:
        eventually(lambda: _answers(port))
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=1):
            return True
    except OSError:
        return False
