"""Commands that are sent to a running controller: it carries them out, and nobody who sends rubbish can harm it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.story import P2, Shown, Story
from tests.cli.test_processes import PLUGIN, oven
from tests.support import Controller, all_ready, at_rest, eventually, listed


@pytest.fixture
def started(story: Story, controller: Controller) -> Controller:
    """With one file, made."""
    story.write("a.yaml", story.file("one"))
    controller.start()
    eventually(lambda: all_ready(story, ["one"]), "it was made")
    return controller


@pytest.fixture
def baker(story: Story) -> Iterator[Controller]:
    """A controller that knows ovens, which take until somebody opens their door."""
    made = Controller(story, PLUGIN)
    yield made
    made.kill()


def sent(story: Story, *words: str, directory: Path | None = None, typed: str = "") -> Shown:
    """As a process of its own, so that the controller carries it out."""
    done = subprocess.run(
        [P2, *words], cwd=directory or story.root, input=typed, capture_output=True, text=True, timeout=60
    )
    return Shown(done.returncode, done.stdout, done.stderr)


def socket_of(home: Path) -> Path:
    return home / "run" / "p2.sock"


def client_of(home: Path) -> socket.socket:
    """A client of ours, that says what it likes."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(socket_of(home)))
    return client


# -- carried out -----------------------------------------------------------------------------------------------------


def test_second_controller_is_refused_and_told_who_holds_the_home(story: Story, started: Controller) -> None:
    process = story.start("run", env={"PEGASUS2_METRICS_PORT": "0"})
    _, error = process.communicate(timeout=20)
    assert process.returncode == 2
    assert f"process {started.pid} (p2 run)" in error
    audited = [json.loads(line) for line in story.p2("audit", "--action", "run", "-o", "json").out.splitlines()]
    assert [entry["outcome"] for entry in audited] == ["started", "refused"]
    (story.world / "one").unlink()
    eventually((story.world / "one").exists, "the first went on undisturbed")
    assert at_rest(started)


def test_apply_beside_a_controller_is_carried_out_by_it(story: Story, started: Controller) -> None:
    story.write("b.yaml", *[story.file(name) for name in ("two", "three")])
    shown = sent(story, "apply")
    assert shown.code == 0, shown.err
    assert shown.last.endswith("; 3 ready")
    assert sorted(path.name for path in story.world.iterdir()) == ["one", "three", "two"]
    assert sent(story, "apply").last == "Converged: nothing to do; 3 ready"
    assert at_rest(started)


def test_commands_say_the_same_with_and_without_a_controller(story: Story, started: Controller) -> None:
    story.write("b.yaml", story.file("two", suspend="true"))
    assert sent(story, "apply").code == 0
    for words in (["diff"], ["get", "-o", "json"], ["describe", "file/one", "-o", "json"], ["get", "nonsense"]):
        beside, here = sent(story, *words), story.p2(*words)
        assert (beside.code, _timeless(beside.out), beside.err) == (here.code, _timeless(here.out), here.err)


def _timeless(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "At" not in line and "age" not in line.lower())


def test_reading_commands_are_answered_by_the_controller(story: Story, started: Controller, home: Path) -> None:
    (home / "p2.db").rename(home / "elsewhere.db")  # the controller has it open; nobody else finds it
    assert "File/one" in sent(story, "get").out
    assert sent(story, "diff").code == 0
    assert "Created" in sent(story, "events").out
    assert "File/one" in sent(story, "describe", "file/one").out
    (home / "elsewhere.db").rename(home / "p2.db")


def test_paths_are_those_of_the_directory_in_which_the_command_was_typed(story: Story, started: Controller) -> None:
    file = story.write("sub/b.yaml", story.file("two"))
    below = story.root / "state" / "sub"
    assert "cannot read" in sent(story, "apply", "-f", "b.yaml").err
    shown = sent(story, "apply", "..", "-f", "b.yaml", directory=below)
    assert shown.code == 0, shown.err
    assert (story.world / "two").exists()
    described = sent(story, "describe", "file/two", "-s", "..", directory=below)
    assert f"declared in  {file.name}\n" in described.out


def test_delete_is_asked_for_as_without_a_controller(story: Story, started: Controller) -> None:
    story.write("b.yaml", story.file("two"))
    assert sent(story, "apply").code == 0
    story.remove("b.yaml")
    refused = sent(story, "apply")
    assert refused.code == 2
    assert "add --yes" in refused.err
    applied = sent(story, "apply", "--yes")
    assert (applied.code, applied.last) == (0, "Converged: 1 deleted; 1 ready")
    assert not (story.world / "two").exists()


def test_retained_thing_is_deleted_through_the_controller(story: Story, started: Controller) -> None:
    story.write("b.yaml", story.file("two", deletionPolicy="Retain"))
    assert sent(story, "apply").code == 0
    story.remove("b.yaml")
    assert sent(story, "apply").code == 0
    assert (story.world / "two").exists()
    assert "declares it" in sent(story, "delete", "file/one", "--yes").err
    deleted = sent(story, "delete", "file/two", "--yes")
    assert (deleted.code, deleted.last) == (0, "1 deleted, 0 resources left")
    assert not (story.world / "two").exists()
    eventually(lambda: set(listed(story)) == {"one"}, "it was forgotten")
    assert at_rest(started)


def test_suspend_resume_and_confirm_reach_the_controller(story: Story, started: Controller) -> None:
    assert "from now on" in sent(story, "suspend", "file/one").out
    (story.world / "one").write_text("vandal")
    assert "suspended" in sent(story, "diff").out
    assert "from now on" in sent(story, "resume", "file/one").out
    eventually(lambda: (story.world / "one").read_text() == "hello", "it was healed")
    assert "nothing about it is held back" in sent(story, "confirm", "file/one").err


def test_source_with_a_mistake_is_refused_whole_and_its_good_part_applied_on_demand(
    story: Story, started: Controller
) -> None:
    story.write("b.yaml", story.file("two"), "kind: Nonsense")
    refused = sent(story, "apply")
    assert refused.code == 2
    assert "b.yaml" in refused.err
    assert not (story.world / "two").exists()
    partly = sent(story, "apply", "--keep-going")
    assert partly.code == 1, partly.err
    assert (story.world / "two").exists()


def test_another_source_is_applied_beside_the_controllers_own(story: Story, started: Controller) -> None:
    other = story.root / "other"
    other.mkdir()
    (other / "a.yaml").write_text(story.file("theirs"))
    shown = sent(story, "apply", "other")
    assert (shown.code, shown.last) == (0, "Converged: 1 created; 1 ready")
    assert (story.world / "one").exists()
    assert sent(story, "diff", "other").code == 0
    assert sent(story, "diff").code == 0
    (other / "a.yaml").write_text(story.file("others"))
    assert sent(story, "apply", "other", "--yes").code == 0
    assert sorted(path.name for path in story.world.iterdir()) == ["one", "others"]


def test_saved_plan_is_carried_out_by_the_controller_and_refused_when_the_world_has_moved(
    story: Story, started: Controller
) -> None:
    story.p2("suspend", "file/one")
    (story.root / "plan.json").write_text(sent(story, "diff", "-o", "json").out)
    story.write("b.yaml", story.file("two", suspend="true"))
    assert sent(story, "apply", "--plan", "plan.json").code == 0
    assert json.loads((story.root / "plan.json").read_text())["actions"] == []


def test_progress_of_what_the_controller_does_is_shown_to_who_asked(story: Story, baker: Controller) -> None:
    story.write("a.yaml", oven(story, "loaf"))
    baker.start()
    eventually((story.world / "loaf.begun").exists, "it began to bake")
    process = story.start("apply", env=PLUGIN)
    assert any("create" in line for line in iter(process.stdout or ()))
    (story.world / "loaf.door").touch()
    out, error = process.communicate(timeout=20)
    assert process.returncode == 0, error
    assert "+ created Oven/loaf in" in error
    assert out.splitlines()[-1] == "Converged: 1 created; 1 ready"


# -- people who leave ------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_waiting_and_the_controller_goes_on(story: Story, baker: Controller) -> None:
    story.write("a.yaml", oven(story, "loaf"))
    baker.start()
    eventually((story.world / "loaf.begun").exists, "it began to bake")
    process = story.start("apply", env=PLUGIN)
    lines = iter(process.stdout or ())
    assert any("create" in line for line in lines)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=20)
    assert process.returncode == 130, out + error
    assert "the controller goes on" in error
    (story.world / "loaf.door").touch()
    eventually((story.world / "loaf").exists, "it was baked all the same")


def test_client_that_is_killed_leaves_the_controller_at_work(story: Story, baker: Controller) -> None:
    story.write("a.yaml", oven(story, "loaf"))
    baker.start()
    eventually((story.world / "loaf.begun").exists, "it began to bake")
    process = story.start("apply", env=PLUGIN)
    assert any("create" in line for line in iter(process.stdout or ()))
    process.kill()
    process.wait()
    (story.world / "loaf.door").touch()
    eventually((story.world / "loaf").exists, "it was baked all the same")
    assert baker.end() == 0, baker.log


def test_controller_that_ends_sends_its_clients_away(story: Story, baker: Controller) -> None:
    story.write("a.yaml", oven(story, "loaf"), oven(story, "after", dependsOn="[Oven/loaf]"))
    baker.start()
    eventually((story.world / "loaf.begun").exists, "it began to bake")
    process = story.start("apply", env=PLUGIN)
    assert any("create" in line for line in iter(process.stdout or ()))
    baker.signal(signal.SIGTERM)
    eventually(lambda: "stopping" in baker.log, "it was told")
    (story.world / "loaf.door").touch()
    process.communicate(timeout=20)
    assert process.returncode in (1, 130)
    eventually(lambda: not baker.alive, "it ended")
    assert (story.world / "loaf").exists()
    assert not (story.world / "after.begun").exists()


# -- what is no command ----------------------------------------------------------------------------------------------


def test_socket_is_its_owners_alone(home: Path, started: Controller) -> None:
    found = socket_of(home).stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.geteuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_other_users_are_turned_away_even_where_the_permissions_let_them_in(
    story: Story, started: Controller, home: Path
) -> None:
    opened = [path for path in home.parents if path != Path("/")][:4]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (*opened, home / "run", home, socket_of(home))}
    for path in modes:
        path.chmod(0o777)
    program = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(5); os.setuid(65534); "
        "s.connect(sys.argv[1]); print(repr(s.recv(100)))"
    )
    command = [sys.executable, "-c", program, str(socket_of(home))]
    done = subprocess.run(command, capture_output=True, text=True)
    for path, mode in modes.items():
        path.chmod(mode)
    assert done.stdout.strip() == "b''", done.stderr
    assert "a command was turned away" in started.log
    assert sent(story, "get").code == 0


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\xff\n",
        b"[]\n",
        b"{}\n",
        b'{"words": "get", "directory": "/"}\n',
        b'{"words": ["run"], "directory": "/"}\n',
    ],
)
def test_rubbish_is_hung_up_on(story: Story, started: Controller, home: Path, said: bytes) -> None:
    with contextlib.closing(client_of(home)) as client:
        assert b'"p2"' in client.recv(1000)
        client.sendall(said)
        assert client.recv(1000) == b""
    assert sent(story, "get").code == 0


def test_endless_frame_is_not_listened_to(story: Story, started: Controller, home: Path) -> None:
    with contextlib.closing(client_of(home)) as client, pytest.raises(OSError):
        for _ in range(200):
            client.sendall(b"x" * 65_536)
    assert sent(story, "get").code == 0


def test_silent_clients_do_not_keep_others_from_being_served(story: Story, started: Controller, home: Path) -> None:
    silent = [client_of(home) for _ in range(10)]
    assert sent(story, "get").code == 0
    for client in silent:
        client.close()
    assert at_rest(started)


# -- controllers that are dead, or as good as dead -------------------------------------------------------------------


def test_socket_of_a_dead_controller_stops_nobody(story: Story, started: Controller, home: Path) -> None:
    started.kill()
    assert socket_of(home).exists()
    assert "File/one" in sent(story, "get").out
    story.write("a.yaml", story.file("one", "edited"))
    assert sent(story, "apply").code == 0
    assert (story.world / "one").read_text() == "edited"
    started.start()
    eventually(lambda: started.log.count("watching; Ctrl-C stops") == 2, "it is back")
    story.write("a.yaml", story.file("one", "again"))
    assert sent(story, "apply").code == 0
    assert at_rest(started)


def test_controller_that_hangs_is_named_and_reading_goes_on_without_it(story: Story, started: Controller) -> None:
    started.signal(signal.SIGSTOP)
    assert "File/one" in sent(story, "get").out
    refused = sent(story, "apply")
    assert refused.code == 2
    assert f"process {started.pid}" in refused.err
    started.signal(signal.SIGCONT)
    assert sent(story, "apply").code == 0


def test_controller_of_another_version_is_not_spoken_to(story: Story, home: Path) -> None:
    story.write("a.yaml", story.file("one"))
    assert story.p2("apply").code == 0
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(str(socket_of(home)))
        other.listen()
        process = story.start("get")
        connection, _ = other.accept()
        connection.sendall(b'{"p2": "99.0", "pid": 1}\n')
        out, _ = process.communicate(timeout=20)
        connection.close()
    assert "File/one" in out
