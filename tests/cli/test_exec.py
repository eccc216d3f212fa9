"""`p2 exec` on a real engine: streams, terminal, exit code, and the trace that it leaves."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.story import P2, Story
from tests.cli.yard import Yard, typist
from tests.support import eventually

pytestmark = pytest.mark.docker


@pytest.fixture
def applied(story: Story, yard: Yard) -> Story:
    story.write("web.yaml", yard.container("web"))
    assert story.p2("apply").code == 0
    return story


def runs(yard: Yard, words: str) -> bool:
    return any(words in " ".join(each) for each in yard.engine.top(yard.name("web"))["Processes"])


def executed(story: Story, *arguments: str, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [P2, "exec", *arguments], cwd=story.root, input=typed, capture_output=True, timeout=60, check=False
    )


def test_both_streams_and_the_exit_code_are_those_of_the_program(applied: Story, yard: Yard) -> None:
    done = executed(applied, yard.key("web"), "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


def test_what_is_piped_in_reaches_the_program_to_its_end(applied: Story, yard: Yard) -> None:
    content = bytes(range(256)) * 4096
    done = executed(applied, yard.key("web"), "-i", "--", "cat", typed=content)
    assert (done.returncode, done.stdout) == (0, content)


def test_without_i_the_program_reads_nothing(applied: Story, yard: Yard) -> None:
    done = executed(applied, yard.key("web"), "--", "cat", typed=b"unread")
    assert (done.returncode, done.stdout) == (0, b"")


def test_user_and_directory_are_passed_on(applied: Story, yard: Yard) -> None:
    done = executed(applied, yard.key("web"), "-u", "1234", "-w", "/bin", "--", "sh", "-c", "id -u; pwd")
    assert done.stdout == b"1234\n/bin\n"


def test_a_program_that_is_not_there_ends_as_the_engine_has_it(applied: Story, yard: Yard) -> None:
    assert executed(applied, yard.key("web"), "--", "nonsense").returncode in (126, 127)


def test_a_person_has_a_terminal_of_their_own_size(applied: Story, yard: Yard) -> None:
    with typist(applied.root, "exec", yard.key("web"), "-it", "--", "sh", columns=91, lines=37) as person:
        person.sees("# ")
        person.types("stty size; tty\n")
        person.sees("37 91")
        person.sees("/dev/pts/")
        person.resizes(101, 41)
        person.types("until stty size | grep '41 101'; do sleep 0.1; done\n")
        person.sees("41 101")
        person.types("echo asleep$((1+1)); sleep 100\n")
        person.sees("asleep2")
        eventually(lambda: runs(yard, "sleep 100"), "the shell waits for the sleep")
        person.types("\x03")  # Ctrl-C ends the sleep, not us
        person.types("exit 5\n")
        assert person.ends() == 5


@contextmanager
def running(story: Story, yard: Yard, script: str) -> Iterator[subprocess.Popen[str]]:
    """A shell of a person without a terminal, which has said that it is there."""
    process = story.start("exec", yard.key("web"), "--", "sh", "-c", script)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "begun\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_ctrl_c_ends_a_program_without_a_terminal_and_what_it_has_started(applied: Story, yard: Yard) -> None:
    with running(applied, yard, "echo begun; sleep 4321; echo never") as person:
        eventually(lambda: runs(yard, "sleep 4321"), "the program has started another one")
        person.send_signal(signal.SIGINT)
        out, err = person.communicate(timeout=60)
    assert (person.returncode, out, err) == (130, "", "")
    eventually(lambda: not runs(yard, "sleep 4321"), "nothing of it is left")


def test_program_that_goes_on_after_ctrl_c_is_left_at_the_second_and_named(applied: Story, yard: Yard) -> None:
    with running(applied, yard, "trap 'echo heard' INT; echo begun; while true; do sleep 1; done") as person:
        person.send_signal(signal.SIGINT)
        assert person.stdout is not None and person.stdout.readline() == "heard\n"
        person.send_signal(signal.SIGINT)
        _, err = person.communicate(timeout=60)
    assert person.returncode == 130
    process = re.search(rf"note: the program goes on in the container {yard.name('web')}, .* it is process (\d+) ", err)
    assert process and b"heard" in Path(f"/proc/{process[1]}/cmdline").read_bytes(), err
    assert err.endswith("error: interrupted\n")
    last = json.loads(applied.p2("audit", yard.key("web"), "-o", "json").out.splitlines()[-1])
    assert (last["action"], last["code"]) == ("exec", 130)


def test_only_a_process_of_the_container_is_sent_a_signal(applied: Story, yard: Yard) -> None:
    from controller.agents.docker.interrupting import leads_group_in

    web = yard.inspect("web")
    strangers = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        assert not leads_group_in(strangers.pid, web["Id"])
    finally:
        strangers.kill()
        strangers.wait()
    assert leads_group_in(web["State"]["Pid"], web["Id"])
    assert not leads_group_in(web["State"]["Pid"], "0" * 64)


def test_keys_of_the_users_docker_configuration_leave_a_terminal(
    applied: Story, yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"detachKeys": "ctrl-x"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with typist(applied.root, "exec", yard.key("web"), "-it", "--", "sh") as person:
        person.sees("# ")
        person.types("\x18")
        person.ends()  # though the shell goes on


def test_what_was_run_stands_in_the_audit_of_the_container(applied: Story, yard: Yard) -> None:
    executed(applied, yard.key("web"), "--", "sh", "-c", "exit 3")
    found = [json.loads(line) for line in applied.p2("audit", yard.key("web"), "-o", "json").out.splitlines()]
    assert [(each["action"], each["code"], each["message"]) for each in found][-1] == ("exec", 3, "sh -c exit 3")
    command = json.loads(applied.p2("audit", "--action", "exec", "-o", "json").out.splitlines()[-1])
    assert (command["outcome"], command["code"]) == ("done", 3)


def test_nothing_is_run_in_what_does_not_run(applied: Story, yard: Yard) -> None:
    yard.engine.stop(yard.name("web"), timeout=2)
    done = executed(applied, yard.key("web"), "--", "true")
    assert done.returncode == 2
    assert b"it does not run" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{web}"], "cannot tell what to run"),
        (["{web}x", "--", "true"], "did you mean"),
        (["file/some", "--", "true"], "cannot run anything in File/some: that goes with Container"),
        (["{other}", "--", "true"], "it was not made yet; p2 apply makes it"),
    ],
)
def test_a_wrong_command_line_says_what_to_do(applied: Story, yard: Yard, arguments: list[str], said: str) -> None:
    applied.write("more.yaml", applied.file("some"), yard.container("other"))
    given = [each.format(web=yard.key("web"), other=yard.key("other")) for each in arguments]
    shown = applied.p2("exec", *given)
    assert (shown.code, said in shown.err) == (2, True), shown.err


def test_it_goes_on_beside_whoever_holds_the_home(applied: Story, yard: Yard) -> None:
    from tests.support import Controller

    controller = Controller(applied).start()
    try:
        eventually(lambda: "level" in controller.log and controller.alive, "it runs")
        assert executed(applied, yard.key("web"), "--", "echo", "hello").stdout == b"hello\n"
    finally:
        controller.close()


def test_ctrl_c_that_comes_after_the_end_of_the_program_loses_none_of_its_output(applied: Story, yard: Yard) -> None:
    script = "echo begun; until [ -e /go ]; do sleep 0.1; done; head -c 90000 /dev/zero | tr '\\0' x; exit 0 # once"
    with running(applied, yard, script) as person:
        person.send_signal(signal.SIGSTOP)  # the program ends while nobody reads what it writes
        yard.engine.exec_start(yard.engine.exec_create(yard.inspect("web")["Id"], ["touch", "/go"]))
        eventually(lambda: not runs(yard, "# once"), "the program has ended")
        person.send_signal(signal.SIGINT)
        person.send_signal(signal.SIGCONT)
        out, err = person.communicate(timeout=60)
    assert (person.returncode, len(out), err) == (0, 90_000, "")
