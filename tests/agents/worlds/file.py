"""Files, directories and links in a directory of the test's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.agents.environment.client import connect
from controller.agents.environment.file import FileAgent
from resources.kinds.file import File
from tests.agents.world import ByHand, World


class Files(World[File]):
    agent_class = FileAgent
    gives_back = True

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.root = directory / "files"
        writing, reading = self.setup(), self.setup(read_only=True)
        self.agent = FileAgent(connect(writing), writing)
        self.reader = FileAgent(connect(reading), reading)

    def sample(self, name: str = "one") -> File:
        if name == "two":
            return self._file(name, type="symlink", target="/elsewhere")
        if name == "three":
            return self._file(name, type="directory", mode="0700")
        return self._file(name, content=f"I am {name}.\n", mode="0600")

    def edits(self, resource: File) -> Mapping[str, File]:
        name = Path(resource.spec.path).name
        if resource.spec.type == "symlink":
            return {"another target": self._file(name, type="symlink", target="/nowhere")}
        (self.directory / "origin").write_text("from a file\n")
        return {
            "another content": self._file(name, content="edited\n", mode="0600"),
            "another mode": self._file(name, content="edited\n", mode="0640"),
            "a mode dropped": self._file(name, content="edited\n"),
            "a source": self._file(name, source=str(self.directory / "origin")),
            "a template": self._file(name, content="I am {{ who }}.", template=True, variables={"who": "Ann"}),
            "another type": self._file(name, type="symlink", target="/elsewhere"),
        }

    def drifts(self, resource: File) -> ByHand:
        path = Path(resource.spec.path)
        return {"edited": lambda: _rewrite(path), "made readable for all": lambda: path.chmod(0o644)}

    def remove(self, resource: File) -> None:
        path = Path(resource.spec.path)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()

    def make_strangers(self, resource: File) -> None:
        self.root.mkdir(exist_ok=True)
        Path(resource.spec.path).write_text("I was here first.\n")

    def state(self, resource: File) -> Any:
        path = Path(resource.spec.path)
        if path.is_symlink():
            return ("symlink", str(path.readlink()))
        if not path.exists():
            return None
        mode = path.stat().st_mode
        return ("directory", mode) if path.is_dir() else ("file", mode, path.read_text())

    def impossible(self, name: str = "impossible") -> File:
        return self.resource(name, path=f"{self.root}/{name}", source=str(self.directory / "there-is-no-such-source"))

    def _file(self, name: str, **spec: Any) -> File:
        return self.resource(name, path=f"{self.root}/{name}", **spec)


def _rewrite(path: Path) -> None:
    path.write_text("edited by hand\n")
