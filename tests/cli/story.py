"""A person at a machine: a source, a world of files beside it, and `p2`, in this process or as one of its own."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.surfaces.cli.app import App
from controller.surfaces.cli.console import Console
from controller.surfaces.cli.main import run

P2 = str(Path(sys.executable).with_name("p2"))


@dataclass(frozen=True)
class Shown:
    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


@dataclass(frozen=True)
class Story:
    """`root` is the working directory; the source is `root/state`, the things live in `root/world`."""

    root: Path

    @property
    def world(self) -> Path:
        return self.root / "world"

    def write(self, file: str, *documents: str) -> Path:
        """A file of the source."""
        path = self.root / "state" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n---\n".join(documents))
        return path

    def remove(self, file: str) -> None:
        (self.root / "state" / file).unlink()

    def p2(self, *arguments: str) -> Shown:
        """In this process, as in a pipe."""
        out, err = io.StringIO(), io.StringIO()
        code = run(arguments, App(Console(out, err), user="ada", typed=shlex.join(["p2", *arguments])))
        return Shown(code, out.getvalue(), err.getvalue())

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """As a process of its own."""
        return subprocess.Popen(
            [P2, *arguments],
            cwd=self.root,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def file(self, name: str, content: str = "hello", **spec: str) -> str:
        """A document that declares `world/<name>` to have `content`."""
        more = "".join(f"\n  {field}: {value}" for field, value in spec.items())
        return (
            "apiVersion: pegasus2.dev/v1\nkind: File\n"
            f"metadata: {{name: {name}}}\n"
            f"spec:\n  path: {self.world / name}\n  content: {content}{more}\n"
        )
