"""Writes what the `p2` of this checkout keeps of the story that `test_store_versions.py` goes on with, as SQL text."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import tempfile
from contextlib import chdir, closing
from pathlib import Path

from controller.surfaces.cli.main import main


def write(target: Path, root: Path) -> None:
    os.environ["PEGASUS2_HOME"] = str(root / "home")
    (root / "state").mkdir()
    (root / "world").mkdir()
    (root / "world" / "motd").write_text("theirs")
    retained = "  deletionPolicy: Retain\n"
    (root / "state" / "motd.yaml").write_text(_file(root, "motd", "ours", "  adopt: true\n"))
    (root / "state" / "old.yaml").write_text(_file(root, "old", "old", retained))
    (root / "state" / "paused.yaml").write_text(_file(root, "paused", "as declared"))
    notes = _file(root, "notes", "my notes", retained)
    with chdir(root):
        for content in ("hello", "hello again"):
            (root / "state" / "site.yaml").write_text(f"{_file(root, 'page', content)}---\n{notes}")
            main(["apply"])
        (root / "state" / "old.yaml").unlink()
        main(["apply"])
        main(["suspend", "file/paused"])
    with closing(sqlite3.connect(root / "home" / "p2.db")) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        text = "\n".join([*connection.iterdump(), f"PRAGMA user_version = {version};\n"])
    installation = (root / "home" / "id").read_text().strip()
    text = text.replace(installation, "0ddba11f5ca1ab1e")
    target.write_text(re.sub(r"@ROOT@/home/kept/[0-9a-f]{16}", "@KEPT@", text.replace(str(root), "@ROOT@")))


def _file(root: Path, name: str, content: str, more: str = "") -> str:
    return (
        f"apiVersion: pegasus2.dev/v1\nkind: File\nmetadata: {{name: {name}}}\n"
        f"spec:\n  path: {root}/world/{name}\n  content: {content}\n{more}"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        write(Path(sys.argv[1]), Path(directory))
