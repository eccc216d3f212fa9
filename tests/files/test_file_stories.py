"""Stories of the kind `File`, told with `p2` in homes of their own: adoption, moves, a lost inventory, the shipped state."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Machine:
    """A home with a desired state of its own."""

    home: Path
    state: Path

    def p2(self, *arguments: str, expect: int = 0) -> str:
        """What it prints; its exit code must be `expect`."""
        program = Path(sys.executable).with_name("p2")
        environment = os.environ | {"HOME": str(self.home), "PEGASUS2_HOME": str(self.home / ".pegasus2")}
        done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout

    def declare(self, name: str, **spec: str) -> None:
        fields = "".join(f"  {field}: {value}\n" for field, value in spec.items())
        head = f"apiVersion: pegasus2.dev/v1\nkind: File\nmetadata: {{name: {name}}}\nspec:\n"
        (self.state / f"{name}.yaml").write_text(head + fields)

    def apply(self) -> None:
        """Applies, and sees that it is steady then."""
        self.p2("apply", "--yes", str(self.state))
        self.p2("diff", str(self.state))

    def there(self) -> list[str]:
        """Names in the home, Pegasus2's own apart."""
        return sorted(path.name for path in self.home.iterdir() if path.name != ".pegasus2")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path / "user", tmp_path / "state")
    found.home.mkdir()
    found.state.mkdir()
    found.declare("other", path="~/other", content="x")
    return found


def test_shipped_state_converges_stays_and_goes_again(machine: Machine) -> None:
    shutil.copytree(ROOT / "state", machine.state, dirs_exist_ok=True)
    machine.apply()
    demo = machine.home / "pegasus2-demo"
    assert "url = http://atlas:8080/" in (demo / "settings.ini").read_text()
    shutil.rmtree(demo)
    machine.apply()
    assert (demo / "settings.ini").is_symlink()
    (machine.state / "demo.yaml").unlink()
    machine.apply()
    assert machine.there() == ["other"]


def test_existing_file_is_left_until_adopted_and_put_back_in_the_end(machine: Machine) -> None:
    (machine.home / "conf").write_text("theirs")
    machine.declare("conf", path="~/conf", content="ours")
    assert "NotOwned" in machine.p2("apply", "--yes", str(machine.state), expect=1)
    assert (machine.home / "conf").read_text() == "theirs"
    machine.declare("conf", path="~/conf", content="ours", adopt="true")
    machine.apply()
    assert (machine.home / "conf").read_text() == "ours"
    (machine.state / "conf.yaml").unlink()
    machine.apply()
    assert (machine.home / "conf").read_text() == "theirs"


def test_files_are_taken_back_when_the_inventory_is_lost(machine: Machine) -> None:
    machine.declare("conf", path="~/conf", content="ours")
    machine.apply()
    shutil.rmtree(machine.home / ".pegasus2")
    machine.apply()
    (machine.state / "conf.yaml").unlink()
    machine.apply()
    assert machine.there() == ["other"]


def test_file_that_drifted_while_the_inventory_was_lost_is_not_ours(machine: Machine) -> None:
    machine.declare("conf", path="~/conf", content="ours")
    machine.apply()
    shutil.rmtree(machine.home / ".pegasus2")
    (machine.home / "conf").write_text("theirs")
    assert "NotOwned" in machine.p2("apply", "--yes", str(machine.state), expect=1)
    assert (machine.home / "conf").read_text() == "theirs"


def test_file_moves_with_its_path_also_when_the_new_one_is_there_already(machine: Machine) -> None:
    machine.declare("conf", path="~/old", content="ours")
    machine.apply()
    (machine.home / "new").write_text("ours")  # as a crash in the middle of the move would leave it
    machine.declare("conf", path="~/new", content="ours")
    machine.apply()
    assert machine.there() == ["new", "other"]


def test_file_does_not_move_over_a_stranger(machine: Machine) -> None:
    machine.declare("conf", path="~/old", content="ours")
    machine.apply()
    (machine.home / "new").write_text("theirs")
    machine.declare("conf", path="~/new", content="ours")
    assert "NotOwned" in machine.p2("apply", "--yes", str(machine.state), expect=1)
    assert machine.there() == ["new", "old", "other"]


def test_changed_source_is_carried_over(machine: Machine) -> None:
    (machine.state / "conf.txt").write_text("one")
    machine.declare("conf", path="~/conf", source="conf.txt")
    machine.apply()
    (machine.state / "conf.txt").write_text("two")
    assert "File/conf" in machine.p2("diff", str(machine.state), expect=1)
    machine.apply()
    assert (machine.home / "conf").read_text() == "two"


def test_directory_that_somebody_uses_is_left(machine: Machine) -> None:
    machine.declare("dir", path="~/dir", type="directory")
    machine.apply()
    (machine.home / "dir" / "precious").write_text("x")
    (machine.state / "dir.yaml").unlink()
    machine.apply()
    assert (machine.home / "dir" / "precious").read_text() == "x"
