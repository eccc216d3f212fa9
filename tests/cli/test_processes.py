"""p2 as a process: interrupted, read by nobody, on a terminal, beside a running controller."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from typing import IO

import pytest

from tests.cli.story import P2, Shown, Story

PLUGIN = {"PYTHONPATH": str(Path(__file__).with_name("plugin"))}
DEADLINE = 30.0  # seconds for something to happen in the real world


def eventually(happened: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < give_up, f"it took more than {DEADLINE:.0f} s until {what}"
        time.sleep(0.01)


def line_with(process: subprocess.Popen[str], stream: IO[str] | None, text: str) -> str:
    """The next line that has `text` in it; "" when the process ends, or is too slow."""
    assert stream is not None
    impatience = Timer(DEADLINE, process.kill)
    impatience.start()
    try:
        return next((line for line in stream if text in line), "")
    finally:
        impatience.cancel()


def ended(process: subprocess.Popen[str]) -> Shown:
    out, err = process.communicate(timeout=DEADLINE)
    return Shown(process.returncode, out, err)


def oven(story: Story, name: str, **spec: str) -> str:
    more = "".join(f", {field}: {value}" for field, value in spec.items())
    return (
        f"apiVersion: pegasus2.dev/v1\nkind: Oven\nmetadata: {{name: {name}}}\n"
        f"spec: {{directory: {story.world}{more}}}\n"
    )


@pytest.fixture
def baking(story: Story) -> Iterator[subprocess.Popen[str]]:
    """An apply in the middle of its first of two loaves."""
    story.write("a.yaml", oven(story, "first"), oven(story, "second", dependsOn="[Oven/first]"))
    process = story.start("apply", env=PLUGIN)
    eventually((story.world / "first.begun").exists, "the first loaf was begun")
    yield process
    process.kill()
    process.communicate()


def test_ctrl_c_finishes_what_is_under_way_and_says_what_was_not_done(
    story: Story, baking: subprocess.Popen[str]
) -> None:
    baking.send_signal(signal.SIGINT)
    assert line_with(baking, baking.stderr, "stopping")
    assert baking.poll() is None
    (story.world / "first.door").touch()
    shown = ended(baking)
    assert shown.code == 130
    assert shown.out.splitlines()[-2:] == [
        "+ Oven/second  not created",
        "Interrupted: 1 created; run it again to go on",
    ]
    assert (story.world / "first").exists()
    assert not (story.world / "second.begun").exists()
    (story.world / "second.door").touch()
    assert ended(story.start("apply", env=PLUGIN)).code == 0


def test_a_second_ctrl_c_stops_at_once_and_the_next_run_goes_on(story: Story, baking: subprocess.Popen[str]) -> None:
    baking.send_signal(signal.SIGINT)
    assert line_with(baking, baking.stderr, "stopping")
    baking.send_signal(signal.SIGINT)
    assert baking.wait(DEADLINE) == 130
    assert not (story.world / "first").exists()
    for name in ("first", "second"):
        (story.world / f"{name}.door").touch()
    again = ended(story.start("apply", env=PLUGIN))
    assert again.code == 0
    assert (story.world / "second").exists()


def test_a_kind_from_another_package_is_known_everywhere(story: Story) -> None:
    story.write("a.yaml", oven(story, "loaf"))
    assert ended(story.start("diff", "--only", "ovens/loaf", env=PLUGIN)).code == 1
    assert "directory" in ended(story.start("explain", "oven.spec", env=PLUGIN)).out
    unknown = ended(story.start("diff"))
    assert unknown.code == 2
    assert "Oven" in unknown.err


def test_a_reader_who_has_had_enough_is_no_error(story: Story) -> None:
    story.write("a.yaml", *[story.file(f"f{number}") for number in range(2000)])
    process = story.start("get", "-o", "json", env={"PYTHONUNBUFFERED": ""})
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(DEADLINE) == 141


# p2 whose waiting no signal breaks off, for another thread gets it: as when one comes in the very moment before a wait.
UNSHAKEN = (
    sys.executable,
    "-c",
    "import signal, sys, threading\n"
    "from controller.surfaces.cli.entry import main\n"
    "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
    "sys.exit(main())",
)


@pytest.mark.parametrize("words", [["diff"], ["get"], ["apply"], ["--help"]])
def test_an_output_that_takes_no_more_is_said_once_and_is_no_answer(story: Story, words: list[str]) -> None:
    story.write("a.yaml", story.file("one"))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([P2, *words], cwd=story.root, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("No space left on device")) == (2, 1), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing_but_what_is_heard(story: Story, closed: str) -> None:
    story.write("a.yaml", story.file("one"))
    for words, code in (("diff", 1), ("apply", 0), ("apply", 0), ("diff", 0), ("get", 0)):
        done = subprocess.run(["sh", "-c", f"exec {P2} {words} {closed}"], cwd=story.root, timeout=60)
        assert done.returncode == code, words
    assert (story.world / "one").exists()


class Terminal:
    """A terminal with p2 in it."""

    def __init__(self, story: Story, *arguments: str, program: tuple[str, ...] = (P2,)) -> None:
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(story.root)
            environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
            os.execve(program[0], [*program, *arguments], environment | PLUGIN | {"TERM": "xterm-256color"})
        self.seen = ""

    def wait_for(self, text: str) -> None:
        eventually(lambda: self._read() and text in self.seen, f"it said {text!r}; it said {self.seen!r}")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """The exit code, when it has ended."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self) -> bool:
        """Reads what there is. False: it has ended."""
        if not select.select([self._terminal], [], [], 1.0)[0]:
            return True
        try:
            self.seen += os.read(self._terminal, 65536).decode()
        except OSError:
            return False
        return True


def test_a_terminal_gets_colours(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    terminal = Terminal(story, "diff")
    assert terminal.end() == 1
    assert "\033[1;32m+\033[0m" in terminal.seen


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, ["one"]), ("\n", 2, ["one", "two"])])
def test_a_terminal_is_asked_before_something_is_deleted(story: Story, answer: str, code: int, left: list[str]) -> None:
    story.write("a.yaml", story.file("one"), story.file("two"))
    story.p2("apply")
    story.write("a.yaml", story.file("one"))
    terminal = Terminal(story, "apply")
    terminal.wait_for("Delete 1 resource? [y/N]")
    terminal.type(answer)
    assert terminal.end() == code
    assert sorted(path.name for path in story.world.iterdir()) == left


def test_a_terminal_sees_what_is_under_way(story: Story) -> None:
    story.write("a.yaml", oven(story, "loaf"))
    terminal = Terminal(story, "apply")
    terminal.wait_for("baking")
    (story.world / "loaf.door").touch()
    assert terminal.end() == 0
    assert "created Oven/loaf in" in terminal.seen


@pytest.fixture
def controller(story: Story) -> Iterator[subprocess.Popen[str]]:
    """A controller that has converged on one file."""
    story.write("a.yaml", story.file("one"))
    process = story.start("run", env={"PEGASUS2_METRICS_PORT": "0"})
    eventually(lambda: "True" in story.p2("get").out, "the controller was done")
    yield process
    process.kill()
    process.communicate()


def test_the_controller_follows_the_files_and_stops_when_told(story: Story, controller: subprocess.Popen[str]) -> None:
    story.write("b.yaml", story.file("two"))
    eventually((story.world / "two").exists, "it made the second file")
    (story.world / "one").unlink()
    eventually((story.world / "one").exists, "it made the first again")
    controller.send_signal(signal.SIGTERM)
    shown = ended(controller)
    assert shown.code == 0
    said = [json.loads(line)["message"] for line in shown.err.splitlines()]
    assert said[0] == "watching; Ctrl-C stops"
    assert "stopping after what is under way" in said


def test_beside_a_controller_reading_goes_on_and_applying_names_it(
    story: Story, controller: subprocess.Popen[str]
) -> None:
    assert story.p2("diff").code == 0
    refused = story.p2("apply")
    assert refused.code == 2
    assert f"process {controller.pid} (p2 run) holds" in refused.err
    assert "True" in story.p2("get", "file/one").out


def test_the_controller_heeds_suspend_and_resume_at_once(story: Story, controller: subprocess.Popen[str]) -> None:
    assert story.p2("suspend", "file/one").out == "File/one is suspended from now on\n"
    eventually(lambda: "Suspended" in [e["reason"] for e in events(story)], "it was told of the suspension")
    (story.world / "one").write_text("experiment")
    assert story.p2("diff").out.startswith("= File/one  update\n")
    story.p2("resume", "file/one")
    eventually(lambda: (story.world / "one").read_text() == "hello", "it put the file back")


def events(story: Story) -> list[dict[str, str]]:
    return [json.loads(line) for line in story.p2("events", "-o", "json").out.splitlines()]


def test_watching_prints_what_changes_until_it_is_stopped(story: Story, controller: subprocess.Popen[str]) -> None:
    watches = [story.start(command, "-w", "-o", "json") for command in ("get", "events")]
    first = [json.loads(line_with(process, process.stdout, "one")) for process in watches]
    assert first[0]["metadata"]["name"] == "one"
    assert first[1]["key"] == "File/default/one"
    story.write("b.yaml", story.file("two"))
    for process in watches:
        assert line_with(process, process.stdout, "two")
        process.send_signal(signal.SIGINT)
        assert ended(process).code == 0


def test_bash_completes_commands_kinds_and_names(story: Story) -> None:
    story.write("a.yaml", story.file("one"), story.file("other"))
    story.p2("apply")
    script = f"""
        PATH={Path(P2).parent}:$PATH
        eval "$(p2 completion bash)"
        complete_line() {{
            COMP_LINE=$1 COMP_POINT=${{#1}} COMP_TYPE=9 COMP_KEY=9 COMPREPLY=()
            read -ra COMP_WORDS <<< "$1"
            [[ $1 == *" " ]] && COMP_WORDS+=("")
            COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            _p2_completion p2
            echo "${{COMPREPLY[@]}}"
        }}
        complete_line "p2 app"
        complete_line "p2 get fi"
        complete_line "p2 describe file/o"
        complete_line "p2 diff -o "
    """
    done = subprocess.run(["bash", "-c", script], cwd=story.root, capture_output=True, text=True, timeout=60)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["apply"],
        ["file"],
        ["file/one", "file/other"],
        ["text", "wide", "json"],
    ]
