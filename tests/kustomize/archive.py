"""A case: a few files in one text, what is refused about them, and what `kubectl kustomize` has to say to that.

    refused: part of the message        none: it is to come out as with kubectl
    kubectl: accepts | any              what is refused here is taken there; else it is refused there, too
    -- overlay/kustomization.yaml --
    resources: [../base]

The kustomization is that in `overlay`. `@CONFIGURATION@` is what `p2 build --configuration` prints.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.documents import read
from resources.kustomize.configuration import CONFIGURATION
from resources.kustomize.resolving import resolve

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))
_FILE = re.compile(r"^-- (\S+) --\n", re.MULTILINE)

Object = dict[str, Any]


@dataclass(frozen=True)
class Case:
    refused: str
    kubectl: str
    files: dict[str, str]

    def unpack(self, root: Path) -> Path:
        for path, text in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return root / "overlay"


def case_of(path: Path) -> Case:
    head, *rest = _FILE.split(path.read_text())
    said = dict(line.split(": ", 1) for line in head.splitlines())
    files = dict(zip(rest[::2], rest[1::2], strict=True))
    texts = {name: text.replace("@CONFIGURATION@\n", CONFIGURATION) for name, text in files.items()}
    return Case(said.get("refused", ""), said.get("kubectl", ""), texts)


def ours(directory: Path) -> list[Object]:
    """In the order of their names. Raises Unresolvable."""
    return _sorted([item.content for item in resolve(directory, lambda path: path.read_bytes()).items])


def theirs(directory: Path) -> list[Object] | str:
    """What `kubectl kustomize` makes of it; why it does not."""
    done = subprocess.run(["kubectl", "kustomize", str(directory)], capture_output=True, timeout=60, check=False)
    if done.returncode:
        return done.stderr.decode()
    return _sorted([document.content for document in read(done.stdout, "kubectl").documents])


def _sorted(objects: list[Object]) -> list[Object]:
    return sorted(
        objects, key=lambda each: (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"])
    )
