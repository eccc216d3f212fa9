"""`p2 restart` on a real engine: alone and in a running controller, where it must be no drift."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.story import Story
from tests.cli.yard import Yard
from tests.support import Controller, events, eventually

pytestmark = pytest.mark.docker


@pytest.fixture
def applied(story: Story, yard: Yard) -> Story:
    """A web that depends on a db."""
    web = yard.container("web", dependsOn=[f"Container/{yard.name('db')}"])
    story.write("web.yaml", web, yard.container("db"))
    assert story.p2("apply").code == 0
    return story


@pytest.fixture
def controller(applied: Story) -> Iterator[Controller]:
    made = Controller(applied).start()
    eventually(lambda: applied.p2("restart", "--help").code == 0 and "watching" in made.log, "it runs")
    eventually(lambda: (applied.root.parent / "p2home/run/p2.sock").exists(), "it takes commands")
    yield made
    made.close()


def reasons(story: Story, name: str) -> list[str]:
    return [each["reason"] for each in events(story) if (each["key"] or "").endswith(f"/{name}")]


def test_the_same_container_is_started_again_and_stays_as_declared(applied: Story, yard: Yard) -> None:
    before, started = yard.inspect("web")["Id"], yard.started("web")
    shown = applied.p2("restart", yard.key("web"))
    assert shown.code == 0, shown.err
    assert shown.out.startswith(f"restarted Container/{yard.name('web')} in ")
    assert yard.inspect("web")["Id"] == before
    assert yard.started("web") > started
    assert applied.p2("diff").code == 0


def test_what_others_depend_on_is_restarted_first(applied: Story, yard: Yard) -> None:
    assert applied.p2("restart", yard.key("web"), yard.key("db")).code == 0
    assert yard.started("db") < yard.started("web")


def test_an_edit_that_was_not_applied_is_left_alone(applied: Story, yard: Yard) -> None:
    before = yard.inspect("db")["Id"]
    applied.write("web.yaml", yard.container("web"), yard.container("db", env={"NEW": "1"}))
    assert applied.p2("restart", yard.key("db")).code == 0
    assert yard.inspect("db")["Id"] == before


def test_who_restarted_what_is_told_by_event_and_audit(applied: Story, yard: Yard) -> None:
    assert applied.p2("restart", yard.key("db")).code == 0
    said = [each["message"] for each in events(applied) if each["reason"] == "Restarted"]
    assert said == ["by ada"]
    found = [json.loads(line) for line in applied.p2("audit", yard.key("db"), "-o", "json").out.splitlines()]
    last = found[-1]
    assert (last["action"], last["user"], last["outcome"]) == ("restart", "ada", "done")
    assert last["command"] == f"p2 restart {yard.key('db')}"


def test_it_waits_until_the_container_is_ready(story: Story, yard: Yard) -> None:
    story.write("web.yaml", yard.container("web", minReadySeconds=5))
    assert story.p2("apply").code == 0
    quick = story.p2("restart", yard.key("web"), "--timeout", "0.1")
    assert quick.code == 1
    assert "not Ready in the time given" in quick.err
    assert story.p2("restart", yard.key("web")).code == 0


def test_one_that_does_not_come_back_is_said_to(story: Story, yard: Yard) -> None:
    once = "[ -e /been ] && exit 9; touch /been"
    story.write("web.yaml", yard.container("web", once, minReadySeconds=3))
    assert story.p2("apply").code == 0
    eventually(lambda: yard.inspect("web")["State"]["Running"], "it runs")
    eventually(lambda: yard.engine.exec_start(
        yard.engine.exec_create(yard.name("web"), ["ls", "/been"])["Id"]
    ) == b"/been\n", "it has been there")  # fmt: skip
    shown = story.p2("restart", yard.key("web"))
    assert shown.code == 1
    assert "exited with code 9" in shown.err


def test_what_runs_once_runs_again(story: Story, yard: Yard) -> None:
    story.write("job.yaml", yard.container("job", "echo ran; exit 0", state="completed"))
    assert story.p2("apply").code == 0
    assert story.p2("restart", yard.key("job")).code == 0
    assert story.p2("logs", yard.key("job")).out == "ran\nran\n"


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (["suspend", "{db}"], "is suspended; p2 resume"),
        (["pause", "--reason", "moving"], "this machine is paused by ada"),
    ],
)
def test_what_is_to_be_left_alone_is_not_restarted(applied: Story, yard: Yard, prepare: list[str], said: str) -> None:
    started = yard.started("db")
    assert applied.p2(*[each.format(db=yard.key("db")) for each in prepare]).code == 0
    shown = applied.p2("restart", yard.key("db"))
    assert (shown.code, said in shown.err) == (2, True), shown.err
    assert yard.started("db") == started


def test_what_was_never_made_and_what_can_not_be_restarted_is_refused(applied: Story, yard: Yard) -> None:
    applied.write("more.yaml", applied.file("some"), yard.container("other"))
    assert "it was not made yet" in applied.p2("restart", yard.key("other")).err
    assert "that goes with Container" in applied.p2("restart", "file/some").err
    assert applied.p2("restart").code == 2


def test_a_controller_does_it_and_sees_no_drift(applied: Story, controller: Controller, yard: Yard) -> None:
    before = yard.inspect("web")["Id"]
    for _ in range(3):
        started = yard.started("web")
        shown = applied.start("restart", yard.key("web"))
        assert shown.wait(60) == 0, shown.stderr.read() if shown.stderr else ""
        assert yard.started("web") > started
    eventually(lambda: "Restarted" in reasons(applied, yard.name("web")), "it is told")
    assert yard.inspect("web")["Id"] == before
    assert controller.end() == 0, controller.log
    assert "Updated" not in reasons(applied, yard.name("web"))
    causes = [each["cause"] for each in json.loads(applied.p2("history", "-o", "json").out)]
    assert causes == ["edit"]


def test_without_an_engine_it_says_what_to_do(applied: Story, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    started = yard.started("db")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    for command in (["restart"], ["logs"], ["top"]):
        shown = applied.p2(*command, yard.key("db"))
        assert shown.code in (1, 2)
        assert "cannot reach the Docker engine at unix:///nowhere.sock" in shown.err
        assert "mistake" not in shown.err
    assert yard.started("db") == started
