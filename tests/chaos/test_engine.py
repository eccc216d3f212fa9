"""An engine that is not there, goes in the middle of things, and comes back: p2 waits for it and ends where it should."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from controller.agents.docker.client import connect, writable
from controller.agents.docker.creation import restart_policy
from controller.agents.docker.stopping import retire
from controller.engine.agent import Setup
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from tests.agents.worlds.docker import IMAGE
from tests.chaos.engine import OwnEngine, needs_own_engine
from tests.chaos.size import SEED, sized
from tests.chaos.yard import Yard
from tests.cli.story import Story
from tests.support import Controller, at_rest, eventually, happened, listed

pytestmark = [pytest.mark.docker, needs_own_engine]

ENGINE_KILLS = sized(2, 20)
MANY = [f"c{number}" for number in range(20)]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    engine = OwnEngine(tmp_path_factory.mktemp("engine"))
    engine.start()
    with closing(APIClient(timeout=30)) as usual:
        engine.load_image(usual)
    yield engine
    engine.remove()


@pytest.fixture
def engine(started: OwnEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnEngine]:
    """Running, empty, and the one that p2 uses."""
    monkeypatch.setenv("DOCKER_HOST", started.host)
    started.start()
    yield started
    started.clear()


@pytest.fixture
def yard(engine: OwnEngine) -> Iterator[Yard]:
    """On the engine of the test's own."""
    with closing(engine.client()) as client:
        yield Yard(client)


def finished(process: subprocess.Popen[str]) -> str:
    """What it said last; it must have converged."""
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, out + error
    return out.splitlines()[-1]


def steady(story: Story, yard: Yard) -> bool:
    before = yard.fingerprint()
    again = story.p2("apply")
    return (again.code, "nothing to do" in again.last, yard.fingerprint()) == (0, True, before)


def test_engine_killed_in_the_middle_of_an_apply_is_waited_for(story: Story, yard: Yard, engine: OwnEngine) -> None:
    """First while containers are made, then while they are replaced."""
    for edit in ({}, {"env": {"COLOR": "green"}}):
        story.write("all.yaml", *[yard.container(short, **edit, restart="unless-stopped") for short in MANY])
        before = set(yard.fingerprint().values())
        process = story.start("apply")
        eventually(lambda: len(set(yard.fingerprint().values()) - before) >= 4, "it was at work")  # noqa: B023
        engine.stop(signal.SIGKILL)
        engine.start()
        finished(process)
        assert yard.names() == sorted(MANY)
        assert yard.running(*MANY)
        assert all(("COLOR=green" in yard.environment(short)) is bool(edit) for short in MANY)
        assert steady(story, yard)


def test_container_that_a_killed_engine_has_left_half_started_is_made_anew(
    story: Story, yard: Yard, engine: OwnEngine
) -> None:
    story.write("all.yaml", yard.container("half", state="stopped"))
    assert story.p2("apply").code == 0
    half = yard.identity("half")
    engine.leave_half_started(half)
    story.write("all.yaml", yard.container("half"))
    assert story.p2("apply").code == 0
    assert yard.running("half")
    assert yard.identity("half") != half
    assert yard.names() == ["half"]
    assert steady(story, yard)


def test_engine_that_comes_up_after_the_controller_is_found(
    story: Story, yard: Yard, engine: OwnEngine, controller: Controller
) -> None:
    engine.stop()
    story.write("all.yaml", *[yard.container(short) for short in MANY[:3]], story.file("one"))
    controller.start()
    eventually((story.world / "one").exists, "what needs no engine was made")
    eventually(lambda: "AgentUnavailable" in reasons(story), "it said that the engine is not there")
    unavailable = next(each for each in listed(story).values() if each["reason"] == "AgentUnavailable")
    assert unavailable["status"] == "Unknown"
    assert "start docker" in unavailable["message"]
    engine.start()
    eventually(lambda: yard.running(*MANY[:3]), "it made the containers by itself")
    eventually(lambda: reasons(story) == {"Converged"}, "all was ready")
    assert at_rest(controller, yard.fingerprint)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_engine_that_restarts_under_a_controller_finds_everything_running_again(
    story: Story, yard: Yard, engine: OwnEngine, controller: Controller, how: signal.Signals
) -> None:
    """Some containers have a restart policy, some are p2's to start; one is edited and one removed meanwhile."""
    shorts = MANY[:6]

    def documents(color: str) -> list[str]:
        policies = {"restart": "always"}, {}
        made = [yard.container(short, **policies[number % 2]) for number, short in enumerate(shorts[:-1])]
        return [*made, yard.container(shorts[-1], env={"COLOR": color})]

    story.write("all.yaml", *documents("red"))
    controller.start()
    eventually(lambda: reasons(story) == {"Converged"} and yard.running(*shorts), "all were made")
    engine.stop(how)
    eventually(lambda: "AgentUnavailable" in happened_reasons(story), "it noticed")
    story.write("all.yaml", *documents("green"))
    engine.start()
    yard.engine.remove_container(yard.name(shorts[0]), force=True)
    eventually(lambda: yard.running(*shorts), "all were running again", seconds=60)
    eventually(lambda: "COLOR=green" in yard.environment(shorts[-1]), "the edit was applied", seconds=60)
    eventually(lambda: reasons(story) == {"Converged"}, "all was ready", seconds=60)
    assert yard.names() == shorts
    assert len(happened(story, "Replaced")) == 1
    assert at_rest(controller, yard.fingerprint)


@pytest.mark.timeout(60 + 60 * ENGINE_KILLS)
def test_engine_that_is_killed_again_and_again_under_a_controller_at_work_costs_nothing(
    story: Story, yard: Yard, engine: OwnEngine, controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each time a third of the containers is edited, comes or goes, and the engine is killed when some of that is done."""
    chance = random.Random(SEED)
    wished: dict[str, str] = dict.fromkeys(MANY[:12], "red")
    duplicates = orphans = lost = unwanted = 0

    def write() -> None:
        made = [yard.container(short, env={"COLOR": color}, restart="always") for short, color in wished.items()]
        story.write("all.yaml", *made)

    def settled() -> bool:
        live = {short: yard.environment(short) for short in yard.names()}
        return live.keys() == wished.keys() and all(f"COLOR={wished[short]}" in live[short] for short in live)

    write()
    controller.start()
    eventually(lambda: settled() and yard.running(*wished), "all were made", seconds=60)
    for number in range(ENGINE_KILLS):
        before, edited = yard.fingerprint(), set(chance.sample(MANY[:12], 4))
        for short in edited:
            if short in wished and chance.random() < 0.3:
                del wished[short]
            else:
                wished[short] = f"color-{number}"
        write()
        eventually(lambda: yard.fingerprint() != before, "it was at work")  # noqa: B023
        time.sleep(chance.uniform(0, 0.5))  # the moment is the point
        engine.stop(signal.SIGKILL if chance.random() < 0.8 else signal.SIGTERM)
        engine.start()
        eventually(lambda: settled() and yard.running(*wished), f"all was as declared after kill {number}", seconds=90)
        eventually(lambda: reasons(story) == {"Converged"}, "all was ready", seconds=60)
        names = yard.names()
        duplicates += len(names) - len(set(names))
        orphans += len(set(names) - wished.keys())
        lost += len(wished.keys() - set(names))
        unwanted += sum(yard.identity(short) != before[short][0] for short in before.keys() - edited)
    with capsys.disabled():
        print(f"\n  engine killed {ENGINE_KILLS} times at work: {duplicates=} {orphans=} {lost=} replaced={unwanted}")
    assert (duplicates, orphans, lost, unwanted) == (0, 0, 0, 0)
    assert at_rest(controller, yard.fingerprint)


def test_container_that_was_replaced_stays_down_when_the_engine_comes_back(
    yard: Yard, engine: OwnEngine, tmp_path: Path
) -> None:
    """Whatever its restart policy, as long as it is there beside the one that has its place."""
    secrets = HomeSecrets(Home(tmp_path / "home"), {})
    client = writable(connect(Setup("x", tmp_path, secrets, config={"host": engine.host})))
    policies = ("always", "unless-stopped", "on-failure:5", "no")
    made = {policy: _made(yard, policy, ["sleep", "1000"]) for policy in policies}
    made["between two restarts"] = _made(yard, "unless-stopped", ["false"])
    eventually(
        lambda: yard.engine.inspect_container(made["between two restarts"])["State"]["Restarting"], "it restarts"
    )
    stopped = _made(yard, "always", ["sleep", "1000"])
    for identity in made.values():
        retire(client, yard.engine.inspect_container(identity))
    yard.engine.stop(stopped)
    engine.stop(signal.SIGKILL)
    engine.start()
    eventually(lambda: _runs(yard, stopped), "the engine had started what it starts")
    assert [policy for policy, identity in made.items() if _runs(yard, identity)] == []


def _made(yard: Yard, policy: str, command: list[str]) -> str:
    """A running container that p2 does not know."""
    config: dict[str, Any] = {"Image": IMAGE, "Cmd": command, "StopSignal": "SIGKILL"}
    config["HostConfig"] = {"RestartPolicy": restart_policy(policy), "NetworkMode": "none"}
    made = yard.engine.create_container_from_config(config)  # type: ignore[no-untyped-call]
    yard.engine.start(made["Id"])
    return str(made["Id"])


def _runs(yard: Yard, identity: str) -> bool:
    return bool(yard.engine.inspect_container(identity)["State"]["Running"])


def reasons(story: Story) -> set[str]:
    return {str(each.get("reason")) for each in listed(story).values()}


def happened_reasons(story: Story) -> str:
    return story.p2("events").out
