"""Commands that are sent to a running controller: it carries them out, and nobody who sends rubbish can harm it."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from controller.wiring.host import Host
from controller.wiring.listeners import Listeners
from controller.wiring.settings import Settings
from controller.wiring.workspace import Workspace
from tests.chaos.damage import inventory_torn
from tests.cli.story import P2, Shown, Story
from tests.cli.test_processes import PLUGIN, UNSHAKEN, Terminal, oven
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


def test_sent_command_whose_output_takes_no_more_is_an_error(story: Story, started: Controller) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([P2, "diff"], cwd=story.root, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "error: cannot write the output: No space left on device\n")


def test_sent_command_imports_next_to_nothing(story: Story, started: Controller) -> None:
    program = (
        "import os, sys; before = set(sys.modules)\n"
        "from controller.surfaces.cli.entry import main\n"
        "def end(code):\n"
        "    print(*sorted(set(sys.modules) - before), file=sys.stderr)\n"
        "    raise SystemExit(code)\n"
        "os._exit = end\n"
        "sys.argv[1:] = ['apply']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],  # what site imports is not for us to say
        cwd=story.root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Converged: nothing to do; 1 ready" in done.stdout, done.stderr
    imported = {name for name in done.stderr.split() if name.partition(".")[0] != "controller"}
    assert imported <= {"__future__", "_json", "_socket"}


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


def test_health_finds_damage_beside_a_controller_too(story: Story, started: Controller, home: Path) -> None:
    assert sent(story, "health").code == 0
    inventory_torn(home / "p2.db", Random(1))
    shown = sent(story, "health")
    assert (shown.code, "it is damaged" in shown.out) == (1, True), shown.out


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


def test_another_source_is_changed_by_one_command_at_a_time(story: Story, baker: Controller, home: Path) -> None:
    story.write("a.yaml", story.file("one"))
    baker.start()
    eventually(socket_of(home).exists, "it takes commands")
    other = story.root / "other"
    other.mkdir()
    (other / "a.yaml").write_text(oven(story, "loaf"))
    first = story.start("apply", "other", env=PLUGIN)
    eventually((story.world / "loaf.begun").exists, "it began to bake")
    second = sent(story, "apply", "other")
    assert (second.code, "another command is at work on" in second.err) == (2, True), second.err
    assert sent(story, "diff", "other").code == 1
    (story.world / "loaf.door").touch()
    first.communicate(timeout=20)
    assert first.returncode == 0
    assert sent(story, "apply", "other").code == 0


def test_what_was_read_for_a_command_is_let_go_of_with_it(story: Story) -> None:
    """A controller lives for months, and is sent commands all the time."""
    (story.root / "other").mkdir()
    (story.root / "other" / "a.yaml").write_text(story.file("theirs"))
    story.write("a.yaml", story.file("one"))
    settings = Settings.from_environment()
    with Workspace.open(Path("state"), settings) as live:
        with Host(live, Listeners(), settings).open(Path("other"), read_only=True) as workspace:
            workspace.load()
            assert len(workspace.preview().plans) == 1
            left = weakref.ref(workspace.manager)
        del workspace
        gc.collect()
        assert left() is None


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
    assert out.splitlines()[-2:] == [
        "+ Oven/loaf  not created yet",
        "Interrupted: nothing done; the controller goes on with the rest",
    ]
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


@pytest.mark.parametrize("beside", [True, False], ids=["beside a controller", "alone"])
def test_ctrl_c_at_a_question_ends_the_command_with_nothing_changed(
    story: Story, controller: Controller, home: Path, beside: bool
) -> None:
    story.write("a.yaml", story.file("one"), story.file("two", deletionPolicy="Retain"))
    assert story.p2("apply").code == 0
    story.write("a.yaml", story.file("one"))
    assert story.p2("apply").code == 0
    if beside:
        controller.start()
        eventually(socket_of(home).exists, "it takes commands")
    terminal = Terminal(story, "delete", "file/two", program=UNSHAKEN)
    terminal.wait_for("[y/N]")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "interrupted" in terminal.seen
    assert "goes on" not in terminal.seen
    assert (story.world / "two").exists()
    command = json.loads(story.p2("audit", "--action", "delete", "-o", "json").out)
    assert (command["outcome"], command["code"]) == ("interrupted", 130)


def test_ctrl_c_ends_a_command_that_only_reads_at_once(story: Story, baker: Controller, home: Path) -> None:
    story.write("a.yaml", oven(story, "loaf"))
    baker.start()
    eventually((story.world / "loaf.begun").exists, "it began to bake")
    (story.world / "loaf.fog").touch()
    terminal = Terminal(story, "diff", program=UNSHAKEN)
    terminal.wait_for("looking at the machine")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "goes on" not in terminal.seen
    (story.world / "loaf.fog").unlink()
    (story.world / "loaf.door").touch()
    eventually((story.world / "loaf").exists, "it was baked")


def test_what_has_left_is_not_hurried_by_who_asks_for_something_else(story: Story, started: Controller) -> None:
    story.write("b.yaml", story.file("two"))
    assert sent(story, "apply").code == 0
    made = (story.world / "two").stat().st_ino
    story.remove("b.yaml")  # as when git changes to another commit
    process = story.start("apply", "--no-prune")
    assert any("Plan:" in line for line in iter(process.stdout or ()))
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.7)  # well within the two seconds of quiet
    story.write("b.yaml", story.file("two"))
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert (story.world / "two").stat().st_ino == made
    assert at_rest(started)


def ready(story: Story) -> set[str]:
    """Names of the files that are Ready."""
    return {name for name, condition in listed(story, "file").items() if condition.get("status") == "True"}


@pytest.mark.parametrize("live", [True, False], ids=["on a terminal", "in a pipe"])
def test_client_that_does_not_read_holds_nothing_up(story: Story, baker: Controller, home: Path, live: bool) -> None:
    """Its reader is a pager, or somebody has typed Ctrl-Z."""
    names = [f"f{number}" for number in range(600)]
    story.write("a.yaml", oven(story, "loaf"))
    story.write("b.yaml", *[story.file(name, dependsOn="[Oven/loaf]") for name in names])
    baker.start()
    eventually((story.world / "loaf.begun").exists, "it began to bake")
    with contextlib.closing(client_of(home)) as client:
        wanted = {"words": ["apply"], "directory": str(story.root), "paint": [False, False], "live": live}
        wanted |= {"asks": False, "width": None, "err_width": 80 if live else None}
        client.sendall(json.dumps(wanted).encode() + b"\n")
        received = b""
        while b"601 to create" not in received:
            received += client.recv(65_536)
        (story.world / "loaf.door").touch()
        eventually(lambda: all((story.world / name).exists() for name in names), "all were made")
        story.write("c.yaml", story.file("later"))
        eventually(lambda: ready(story) == {*names, "later"}, "the loop goes on")
        assert baker.end() == 0, baker.log
    assert "a pass failed" not in baker.log


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


def baking_beside(story: Story, controller: Controller) -> subprocess.Popen[str]:
    """An apply of another source that a controller has been sent, in the middle of its work."""
    story.write("a.yaml", story.file("one"))
    controller.start()
    eventually((story.world / "one").exists, "the controller works")
    other = story.root / "other"
    other.mkdir()
    (other / "a.yaml").write_text(oven(story, "loaf"))
    process = story.start("apply", "other", env=PLUGIN)
    eventually((story.world / "loaf.begun").exists, "it began to bake")
    return process


def test_controller_that_ends_finishes_what_it_does_for_another_source(story: Story, baker: Controller) -> None:
    process = baking_beside(story, baker)
    baker.signal(signal.SIGTERM)
    eventually(lambda: "stopping" in baker.log, "it was told")
    process.communicate(timeout=20)  # whoever waits is sent away first
    assert process.returncode in (1, 130)
    assert baker.alive
    (story.world / "loaf.door").touch()
    eventually(lambda: not baker.alive, "it ended")
    assert baker.end() == 0, baker.log
    assert "could not be kept" not in baker.log
    again = story.start("apply", "other", env=PLUGIN)
    out, error = again.communicate(timeout=20)
    assert (again.returncode, out.splitlines()[-1]) == (0, "Converged: nothing to do; 1 ready"), error


def test_command_that_only_looks_does_not_keep_the_controller_from_ending(
    story: Story, baker: Controller, home: Path
) -> None:
    story.write("a.yaml", story.file("one"))
    baker.start()
    eventually((story.world / "one").exists, "the controller works")
    other = story.root / "other"
    other.mkdir()
    (other / "a.yaml").write_text(oven(story, "loaf"))
    (story.world / "loaf.fog").touch()
    terminal = Terminal(story, "diff", "other")
    terminal.wait_for("looking at the machine")
    assert baker.end(seconds=15) == 0, baker.log
    assert terminal.end() == 1


def test_deadline_of_the_end_holds_for_another_source_too(story: Story) -> None:
    controller = Controller(story, {**PLUGIN, "PEGASUS2_STOP_TIMEOUT": "0.5"})
    try:
        process = baking_beside(story, controller)
        assert controller.end(seconds=20) == 4, controller.log
        assert "Oven/default/loaf" in controller.log
        process.communicate(timeout=20)
    finally:
        controller.kill()


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
        b'{"words": \n',
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
    read = sent(story, "get")
    assert "File/one" in read.out
    assert f"note: the controller, process {started.pid}, does not answer" in read.err
    health = sent(story, "health")
    assert (health.code, "does not answer: it hangs" in health.out) == (1, True)
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
