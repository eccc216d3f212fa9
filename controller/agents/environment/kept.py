"""What adoptions have put aside, to be put back when the resource is deleted: `$PEGASUS2_HOME/kept`. Used by `file.py`.

Each path has a directory there, named by a digest of the path, with the old content and a note of what was there. The
note is written last: where it is, the rest is complete. An adoption that was interrupted finds what it has kept, and by the
note what it was about to write: so it knows its own work from what somebody else has put there since. Of one that came to
its end the note says so, for it outlives an inventory that is lost.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from controller.agents.environment.client import Entry, FileSystem, Permissions, WritableFileSystem
from controller.engine.agent import Stalled

CANNOT_ADOPT = "CannotAdopt"

_PRIVATE = Permissions(mode=0o600)


class Kept:
    """Thread-safe as long as no two threads work on one path."""

    def __init__(self, files: FileSystem, home: Path) -> None:
        self._files = files
        self._directory = home / "kept"

    def find(self, path: str) -> Entry | None:
        """What was at `path` before it was adopted, or None when nothing is kept of it."""
        read = self._noted(path)
        if not read:
            return None
        if read["type"] == "file" and self._files.look(self._content(path)) is None:
            return None
        return Entry(read["type"], int(read["mode"], 8), read["uid"], read["gid"], target=read["target"])

    def _noted(self, path: str) -> dict[str, Any]:
        note = self._note(path)
        found: dict[str, Any] = json.loads(self._files.read(note)) if self._files.look(note) else {}
        return found

    def put_aside(self, files: WritableFileSystem, path: str, entry: Entry, ours: str) -> None:
        """Keeps what is at `path`, and leaves it there; `ours` is the print of what will take its place.

        Raises Stalled for what can't be kept.
        """
        if entry.type not in ("file", "directory", "symlink"):
            raise Stalled(CANNOT_ADOPT, f"cannot adopt the {entry.type} at {path}: remove it, or change spec.path")
        if entry.type == "file":
            files.write(self._content(path), Path(path), _PRIVATE)
        note = {"path": path, "type": entry.type, "mode": f"{entry.mode:04o}", "uid": entry.uid, "gid": entry.gid}
        self._write_note(files, path, note | {"target": entry.target, "ours": [ours]})

    def expect(self, files: WritableFileSystem, path: str, ours: str) -> None:
        """Notes that `ours` is about to be written, too: an adoption is begun again, with another content perhaps."""
        note = self._noted(path)
        if ours not in (before := note.get("ours", [])):
            self._write_note(files, path, note | {"ours": [*before, ours]})

    def expects(self, path: str, found: str) -> bool:
        """Whether `found` is the print of something that an adoption of `path` was about to write."""
        return found in self._noted(path).get("ours", [])

    def is_complete(self, path: str) -> bool:
        """Whether the adoption that has kept something of `path` came to its end."""
        return bool(self._noted(path).get("complete"))

    def complete(self, files: WritableFileSystem, path: str) -> None:
        """The adoption has come to its end."""
        if self.find(path) and not self.is_complete(path):
            self._write_note(files, path, self._noted(path) | {"complete": True})

    def put_beside(self, files: WritableFileSystem, path: str, entry: Entry) -> None:
        """Keeps a file's present content, too, for its owner to look at: it is never put back."""
        if entry.type == "file":
            content = Path(path)
            digest = self._files.digest(path)[:16]
            files.write(f"{self.place(path)}/later-{digest}", content, _PRIVATE)

    def put_back(self, files: WritableFileSystem, path: str, entry: Entry) -> None:
        """Puts at `path` what `find` has found, and keeps it no longer. The way must be clear: see `file.py`."""
        as_before = Permissions(like=entry)
        match entry.type:
            case "file":
                files.write(path, Path(self._content(path)), as_before)
            case "symlink":
                files.link(path, entry.target, as_before)
            case _ if self._files.look(path) is None:
                files.make_directory(path, as_before)
            case _:
                files.permit(path, as_before)
        self.forget(files, path)

    def forget(self, files: WritableFileSystem, path: str) -> None:
        """Keeps nothing of `path` any more."""
        files.remove(self._note(path))
        files.remove(self._content(path))
        files.remove_directory(self.place(path))

    def place(self, path: str) -> str:
        """The directory where what was at `path` is kept."""
        return f"{self._directory}/{hashlib.sha256(path.encode()).hexdigest()[:16]}"

    def _write_note(self, files: WritableFileSystem, path: str, note: dict[str, Any]) -> None:
        files.write(self._note(path), json.dumps(note).encode(), _PRIVATE)

    def _note(self, path: str) -> str:
        return f"{self.place(path)}/note.json"

    def _content(self, path: str) -> str:
        return f"{self.place(path)}/content"
