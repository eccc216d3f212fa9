"""Resources on several engines, one of which is away: the program says so, and the others' are looked after as ever."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from docker import APIClient
from docker.errors import NotFound

from tests.agents.worlds.docker import IMAGE
from tests.cli.story import P2, Story
from tests.engines import Forwarder, forwarder
from tests.support import Controller, eventually, listed

pytestmark = pytest.mark.docker


@pytest.fixture
def prefix(engine: APIClient) -> Iterator[str]:
    unique = f"p2eng-{uuid4().hex[:8]}"
    yield unique
    for each in engine.containers(all=True, filters={"name": unique}):
        with suppress(NotFound):
            engine.remove_container(each["Id"], force=True, v=True)


@pytest.fixture
def nas() -> Iterator[Forwarder]:
    with forwarder("/var/run/docker.sock") as found:
        yield found


@pytest.fixture
def deaf() -> Iterator[str]:
    """What accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def configure(home: Path, **engines: str) -> None:
    (home / "agents").mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    lines = [f"  {name}: {{host: '{host}'}}" for name, host in engines.items()]
    (home / "agents/docker.yaml").write_text("\n".join(["engines:", *lines, ""]))


def container(name: str, engine: str = "", zone: str = "UTC") -> str:
    where = f", engine: {engine}" if engine else ""
    return (
        f"apiVersion: pegasus2.dev/v1\nkind: Container\nmetadata: {{name: {name}}}\n"
        f"spec: {{image: '{IMAGE}', pullPolicy: never, command: [sleep, '600'], stopSignal: SIGKILL, "
        f"env: {{TZ: {zone}}}{where}}}\n"
    )


def running(engine: APIClient, name: str) -> bool:
    with suppress(NotFound):
        return bool(engine.inspect_container(name)["State"]["Running"])
    return False


def test_engine_that_is_away_concerns_its_own_resources_only(
    story: Story, home: Path, engine: APIClient, prefix: str, nas: Forwarder
) -> None:
    own, there = f"{prefix}-own", f"{prefix}-there"
    configure(home, nas=nas.host)
    story.write("a.yaml", container(own), container(there, "nas"))
    assert story.p2("apply").code == 0
    assert running(engine, own) and running(engine, there)
    nas.stop()
    engine.remove_container(own, force=True)
    shown = story.p2("diff")
    assert shown.code == 2
    assert f"+ Container/{own}  create" in shown.out
    assert f"! Container/{there}  AgentUnavailable" in shown.out
    assert story.p2("apply").code == 1
    assert running(engine, own)
    states = listed(story)
    assert (states[own]["status"], states[there]["status"]) == ("True", "Unknown")
    health = story.p2("health")
    assert health.code == 1
    assert f"cannot reach the Docker engine at {nas.host}" in health.out
    nas.start()
    assert story.p2("apply").code == 0
    assert story.p2("diff").code == 0


def test_engine_that_hangs_holds_up_nobody(
    story: Story, home: Path, engine: APIClient, prefix: str, deaf: str, nas: Forwarder
) -> None:
    own, there, hangs = f"{prefix}-own", f"{prefix}-there", f"{prefix}-hangs"
    configure(home, deaf=deaf, nas=nas.host)
    story.write("a.yaml", container(own), container(there, "nas"), container(hangs, "deaf"))
    controller = Controller(story, {"PEGASUS2_AGENT_TIMEOUT": "600"}).start()
    try:
        eventually(lambda: running(engine, own) and running(engine, there), "both that can be made were")
        for name in (own, there):
            eventually(lambda name=name: listed(story)[name].get("status") == "True", f"{name} was Ready")  # type: ignore[misc]
            engine.kill(name)
            eventually(lambda name=name: running(engine, name), f"{name} was healed")  # type: ignore[misc]
        assert not running(engine, hangs)
    finally:
        controller.kill()  # for it waits for the one that hangs


def test_breaker_of_one_engine_is_not_that_of_another(
    story: Story, home: Path, engine: APIClient, prefix: str, nas: Forwarder
) -> None:
    own, there = f"{prefix}-own", f"{prefix}-there"
    configure(home, nas=nas.host)
    story.write("a.yaml", container(own), container(there, "nas"))
    with closing(_Running(story)) as controller:
        eventually(lambda: running(engine, own) and running(engine, there), "both were made")
        nas.stop()
        eventually(lambda: listed(story)[there].get("status") == "Unknown", "it was told of the engine that is away")
        engine.kill(own)
        eventually(lambda: running(engine, own), "the one on the other engine was healed")
        assert listed(story)[own]["status"] == "True" or controller.controller.alive
        engine.kill(there)
        nas.start()
        eventually(lambda: running(engine, there), "the engine was heard of again, and what is on it healed")
        eventually(lambda: listed(story)[there].get("status") == "True", "it was Ready again")


def test_reference_across_engines_is_refused(
    story: Story, home: Path, engine: APIClient, prefix: str, nas: Forwarder
) -> None:
    configure(home, nas=nas.host)
    name = f"{prefix}-web"
    network = f"apiVersion: pegasus2.dev/v1\nkind: Network\nmetadata: {{name: {prefix}}}\nspec: {{internal: true}}\n"
    web = container(name, "nas").replace("env:", f"networks: [{{name: {prefix}}}], env:")
    story.write("a.yaml", network, web)
    shown = story.p2("validate")
    assert shown.code == 2
    assert f"cannot use Network/{prefix}, which Container/{name} needs: it is on the agent's own engine" in shown.out
    assert "give both the same engine" in shown.out


def test_one_name_can_be_had_on_each_engine(
    story: Story, home: Path, engine: APIClient, prefix: str, nas: Forwarder
) -> None:
    configure(home, nas=nas.host)
    same = "containerName: web, ports: ['80:80'], env:"
    story.write("a.yaml", container("one").replace("env:", same), container("two", "nas").replace("env:", same))
    assert story.p2("validate").code == 0
    story.write("a.yaml", *(container(name, "nas").replace("env:", same) for name in ("one", "two")))
    shown = story.p2("validate")
    assert shown.code == 2
    assert "cannot use container name web on nas" in shown.out


def test_settings_that_can_not_be_used_are_refused_with_their_file(story: Story, home: Path) -> None:
    configure(home, nas="nas.example.org")
    story.write("a.yaml", container("one"))
    shown = story.p2("diff")
    assert shown.code == 2
    assert f"cannot use {home}/agents/docker.yaml: engines.nas.host: cannot use this as the place" in shown.err


class _Running:
    def __init__(self, story: Story) -> None:
        self.controller = Controller(story).start()

    def close(self) -> None:
        self.controller.close()


def test_everyday_commands_reach_the_engine_of_each_container(
    story: Story, home: Path, engine: APIClient, prefix: str, nas: Forwarder
) -> None:
    there = f"{prefix}-there"
    configure(home, nas=nas.host)
    story.write("a.yaml", container(there, "nas").replace("sleep, '600'", "sh, -c, 'echo hello; exec sleep 600'"))
    assert story.p2("apply").code == 0
    eventually(lambda: story.p2("logs", f"container/{there}").out == "hello\n", "its lines are shown")
    ran = subprocess.run([P2, "exec", f"container/{there}", "--", "echo", "hi"], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, b"hi\n"), ran.stderr
    started = engine.inspect_container(there)["State"]["StartedAt"]
    assert story.p2("restart", f"container/{there}").code == 0
    assert engine.inspect_container(there)["State"]["StartedAt"] > started
    used = json.loads(story.p2("top", f"container/{there}", "-o", "json").out)["resources"]
    assert [(each["name"], each["engine"]) for each in used] == [(there, "nas")]
    images = json.loads(story.p2("images", "-o", "json").out)
    assert {each["engine"] for each in images if each["image"] == IMAGE} == {None, "nas"}
    for command in (["images"], ["top", "--once"]):
        assert any(line.startswith("ENGINE ") for line in story.p2(*command).out.splitlines())
    nas.stop()
    for command in (["images"], ["top", "--once"]):
        shown = story.p2(*command)
        assert (shown.code, shown.err.count("\n")) == (0, 1)
        assert f"note: without nas: cannot reach the Docker engine at {nas.host}" in shown.err
        assert any(line.startswith("-  ") for line in shown.out.splitlines())
    for command in (["logs"], ["restart"]):
        refused = story.p2(*command, f"container/{there}")
        assert refused.code == 1
        assert f"cannot reach the Docker engine at {nas.host}" in refused.err
