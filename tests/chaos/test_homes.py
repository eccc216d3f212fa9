"""A home that can't be written to: full, or read-only. What was kept before stays, and work goes on when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.story import Story
from tests.support import Controller, all_ready, at_rest, eventually, listed, told

SIZE = 16 * 1024 * 1024  # bytes of the disk


class Disk:
    """A small disk that holds the home and nothing else."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(exist_ok=True)
        self._mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs")

    def fill(self, but: int = 0) -> None:
        """Leaves `but` bytes free."""
        free = os.statvfs(self.place)
        with (self.place / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - but)

    def make_room(self) -> None:
        (self.place / "ballast").unlink()

    def make_read_only(self) -> None:
        self._mount("-o", "remount,ro")

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self.place], check=True)

    def _mount(self, *options: str) -> None:
        done = subprocess.run(["mount", *options, self.place], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")


@pytest.fixture
def disk(home: Path) -> Iterator[Disk]:
    home.mkdir(mode=0o700)
    made = Disk(home)
    home.chmod(0o700)
    yield made
    made.close()


@pytest.mark.parametrize("room", [0, 400_000], ids=["from the start", "in the middle"])
def test_apply_whose_home_is_full_says_so_and_the_next_one_goes_on(story: Story, disk: Disk, room: int) -> None:
    story.write("a.yaml", story.file("one"))
    assert story.p2("apply").code == 0
    names = [f"n{number}" for number in range(500)]
    story.write("b.yaml", *[story.file(name) for name in names])
    disk.fill(but=room)
    process = story.start("apply")
    out, error = process.communicate(timeout=30)
    assert process.returncode == 2, out + error
    said = [line for line in error.splitlines() if not line.startswith("+ created")]
    assert len(said) == 1, error
    assert said[0].startswith("error: cannot write")
    assert "make room" in said[0]
    assert "Converged" in story.p2("get", "file/one").out
    disk.make_room()
    assert story.p2("apply").code == 0
    assert sorted(path.name for path in story.world.iterdir()) == sorted(["one", *names])
    assert "nothing to do" in story.p2("apply").last


def test_controller_with_a_full_home_does_not_die_of_it(story: Story, disk: Disk, controller: Controller) -> None:
    story.write("a.yaml", story.file("one"))
    controller.start()
    eventually(lambda: all_ready(story, ["one"]), "it was made")
    disk.fill()
    names = [f"n{number}" for number in range(500)]
    story.write("b.yaml", *[story.file(name) for name in names])
    eventually(lambda: "the disk is full; make room" in controller.log, "it said what is wrong")
    disk.make_room()
    eventually(lambda: all_ready(story, ["one", *names]), "it went on when there was room", seconds=60)
    assert at_rest(controller)


def test_controller_that_crashes_with_a_full_home_ends_in_safe_mode_all_the_same(
    story: Story, disk: Disk, controller: Controller
) -> None:
    story.write("a.yaml", story.file("one"))
    for crashes in range(1, 4):
        controller.start()
        eventually(lambda: controller.log.count("watching; Ctrl-C stops") == crashes, "it ran")  # noqa: B023
        controller.kill()
    (story.world / "one").unlink(missing_ok=True)
    disk.fill()
    controller.start()
    eventually(lambda: '"message": "observing only"' in controller.log, "it is in safe mode")
    disk.make_room()
    eventually(lambda: told(story, "SafeMode"), "that was written down when there was room")
    assert not (story.world / "one").exists()
    story.p2("unpause")
    eventually(lambda: all_ready(story, ["one"]), "it went on")


def test_stop_with_a_full_home_ends_the_controller_and_says_what_it_could_not_do(
    story: Story, disk: Disk, controller: Controller
) -> None:
    story.write("a.yaml", story.file("one"))
    controller.start()
    eventually(lambda: all_ready(story, ["one"]), "it was made")
    disk.fill()
    shown = story.p2("stop")
    assert shown.code == 1
    assert shown.err.startswith("not written down that nothing may be changed any more: cannot write")
    assert f"process {controller.pid} (p2 run) has ended" in shown.out
    assert not controller.alive


def test_pause_with_a_full_home_says_that_it_holds_only_until_the_controller_ends(
    story: Story, disk: Disk, controller: Controller
) -> None:
    story.write("a.yaml", story.file("one"))
    controller.start()
    eventually(lambda: all_ready(story, ["one"]), "it was made")
    disk.fill()
    said = story.start("pause").communicate(timeout=20)[1]
    assert said.startswith("error: cannot keep the pause: cannot write")
    assert "the disk is full; make room" in said
    assert f"process {controller.pid} (p2 run) changes nothing all the same" in said
    (story.world / "one").write_text("vandal")
    disk.make_room()
    eventually(lambda: listed(story)["one"].get("reason") == "Paused", "it was seen, and left")
    assert (story.world / "one").read_text() == "vandal"
    assert story.start("unpause").wait(20) == 0
    eventually(lambda: (story.world / "one").read_text() == "hello", "it was put right")


def test_read_only_home_can_be_read_and_refuses_the_rest(story: Story, disk: Disk) -> None:
    story.write("a.yaml", story.file("one"))
    assert story.p2("apply").code == 0
    disk.make_read_only()
    assert story.p2("diff").code == 0
    assert "Converged" in story.p2("get").out
    (story.world / "one").unlink()
    for command in (["apply"], ["suspend", "file/one"], ["run"]):
        refused = story.p2(*command)
        assert refused.code == 2
        assert refused.err.startswith("error: cannot "), refused.err
        assert "read-only" in refused.err.lower()
        assert refused.err.count("\n") == 1, refused.err
    assert not (story.world / "one").exists()
