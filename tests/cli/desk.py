"""Something whose look may stand: a container with a volume, a network and a file of its environment, as declared."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from docker import APIClient
from docker.errors import NotFound

from controller.surfaces.cli import entry
from controller.surfaces.cli.main import main
from controller.wiring import standing
from tests.agents.worlds.docker import IMAGE
from tests.cli.story import Story


@dataclass
class Desk:
    """`engine` is where its things are; `bare`: nothing but the volume, which is quickly made."""

    story: Story
    home: Path
    engine: APIClient
    name: str
    bare: bool = False

    def write(self, zone: str = "UTC", **spec: str) -> None:
        more = "".join(f", {field}: {value}" for field, value in spec.items())
        head = "apiVersion: pegasus2.dev/v1\nkind: {}\nmetadata: {{name: " + self.name + "}}\nspec: {}"
        made = (
            f"{{image: '{IMAGE}', command: [sleep, '600'], env: {{TZ: {zone}}}, envFile: [more.env], stopSignal: SIGKILL, "
            f"volumes: [{{type: volume, source: {self.name}, target: /data}}, {{type: tmpfs, target: /run}}], "
            f"networks: [{{name: {self.name}}}]{more}}}"
        )
        if self.bare:
            self.story.write("all.yaml", head.format("Volume", "{}"))
            return
        (self.story.root / "state").mkdir(exist_ok=True)
        (self.story.root / "state" / "more.env").write_text("A=1\n")
        self.story.write(
            "all.yaml", *(head.format(kind, "{}") for kind in ("Volume", "Network")), head.format("Container", made)
        )

    @property
    def stands(self) -> bool:
        """Whether `p2 diff` need not look."""
        return standing.standing(["diff"], self.home, colour=False) is not None

    def unchanged(self, *words: str) -> int | None:
        """The exit code of `p2 apply`, if it need not look; None if it has yet to be carried out."""
        return entry.unchanged(["apply", *words], time.monotonic())

    def settle(self) -> None:
        """As declared, and looked at by an apply that had nothing to do."""
        assert main(["apply", "--yes"]) == 0
        assert main(["apply"]) == 0

    def clear(self) -> None:
        for remove in (
            lambda: self.engine.remove_container(self.name, force=True, v=True),
            lambda: self.engine.remove_container(f"{self.name}-x", force=True, v=True),
            lambda: self.engine.remove_network(self.name),
            lambda: self.engine.remove_volume(self.name),
        ):
            with suppress(NotFound):
                remove()


def written(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def rewritten(path: Path, old: str, new: str) -> None:
    """Puts `new` in the place of `old`, as long, and sets the times back."""
    before = path.stat()
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
