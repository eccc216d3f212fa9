"""Files of the spec that are put into a container: what to put there, and whether a live container has it.

A label of the container holds a keyed digest of each, by which a change is noticed without a look inside. A container that
was adopted has no such label: it is looked into.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.engine.agent import Retry, Secrets, Stalled
from resources.conditions import Reason
from resources.docker.names import OWN_LABELS
from resources.docker.placing import InnerFile
from resources.kinds.container import Container

if TYPE_CHECKING:
    import tarfile  # where a container has such files, and not with every start

PLACED = f"{OWN_LABELS}files"
_ANOTHER = "(another content)"

# What a container has at a path, as a tar archive; None where there is nothing.
Inside = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Placed:
    """What a container is made with. `archive` may hold secrets: it goes to the engine and nowhere else."""

    archive: bytes
    labels: dict[str, str]

    def __repr__(self) -> str:
        return "Placed(…)"


def wanted_files(container: Container, secrets: Secrets) -> Placed:
    """Raises Stalled or Retry for a secret that can't be read."""
    contents = {path: _content(container, file, secrets) for path, file in (container.spec.files or {}).items()}
    if not contents:
        return Placed(b"", {})
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in contents.items():
            assert container.spec.files is not None
            _add(tar, path, container.spec.files[path], content.encode())
    digests = {path: _digest(container, path, content, secrets) for path, content in contents.items()}
    return Placed(archive.getvalue(), {PLACED: json.dumps(digests, sort_keys=True)})


def seen_files(
    container: Container, live: Mapping[str, Any], secrets: Secrets, inside: Inside
) -> dict[str, InnerFile | str] | None:
    """The spec's own words for each file that is as it should be. Raises Retry for a secret out of reach."""
    written = (live["Config"].get("Labels") or {}).get(PLACED)
    declared = container.spec.files or {}
    if not declared and not written:
        return None
    recorded: dict[str, str] | None = _parsed(written) if written else None
    found: dict[str, InnerFile | str] = dict.fromkeys(recorded or (), _ANOTHER)
    unfinished = live["State"]["Status"] == "created" and container.spec.state != "stopped"
    for path, file in declared.items():
        content = _revealed(container, file, secrets)
        if content is None or unfinished:
            same = False
        elif recorded is None:
            same = _holds(inside(path), content)
        else:
            same = recorded.get(path) == _digest(container, path, content, secrets)
        if same:
            found[path] = file
        elif recorded is None or path in recorded:
            found[path] = _ANOTHER
    return found


def _content(container: Container, file: InnerFile, secrets: Secrets) -> str:
    if file.content is not None:
        return file.content
    assert file.secret is not None
    return secrets.reveal(file.secret, container.metadata.namespace)


def _revealed(container: Container, file: InnerFile, secrets: Secrets) -> str | None:
    """None for a secret that is not there: making a container says so; looking at one must go on."""
    try:
        return _content(container, file, secrets)
    except (Stalled, Retry) as missing:
        if missing.reason != Reason.SECRET_NOT_FOUND:
            raise
        return None


def _digest(container: Container, path: str, content: str, secrets: Secrets) -> str:
    assert container.spec.files is not None
    file = container.spec.files[path]
    return secrets.digest(f"{file.mode}:{file.uid}:{file.gid}:{content}")


def _parsed(label: str) -> dict[str, str]:
    try:
        found = json.loads(label)
    except ValueError:
        return {}
    return {str(path): str(digest) for path, digest in found.items()} if isinstance(found, dict) else {}


def _add(tar: tarfile.TarFile, path: str, file: InnerFile, content: bytes) -> None:
    entry = tar.tarinfo(path.lstrip("/"))
    entry.size, entry.mode, entry.uid, entry.gid = len(content), int(file.mode, 8), file.uid, file.gid
    entry.mtime = time.time()
    tar.addfile(entry, io.BytesIO(content))


def _holds(archive: bytes | None, content: str) -> bool:
    """Whether the only file of an archive has this content."""
    if archive is None:
        return False
    import tarfile

    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            first = tar.next()
            file = tar.extractfile(first) if first and first.isfile() else None
            return file is not None and file.read() == content.encode()
    except tarfile.TarError:
        return False
