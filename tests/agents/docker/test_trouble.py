"""What the engine refuses, and an engine that is not there: each with what to do about it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker.client import Engine, WritableEngine, connect, unreachable
from controller.agents.docker.container import ContainerAgent
from controller.agents.docker.wire import Wire
from controller.engine.agent import Retry, Setup, Stalled
from resources.conditions import Reason
from tests.agents.docker.engine import RealContainers, free_port
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC


@pytest.mark.parametrize(
    ("spec", "kind", "reason", "remedy"),
    [
        ({"command": ["there-is-no-such-program"]}, Stalled, "StartFailed", "correct command"),
        ({"entrypoint": ["/etc"]}, Stalled, "StartFailed", "correct command"),
        ({"networks": [{"name": "p2c-nowhere"}]}, Retry, "NetworkMissing", "declare it as a Network"),
        ({"volumes": [{"type": "volume", "source": "p2c-none", "target": "/x"}]}, Retry, "VolumeMissing", "declare it"),
        (
            {"volumes": [{"type": "bind", "source": "/no/such", "target": "/x"}]},
            Retry,
            "BindSourceMissing",
            "create it",
        ),
        ({"user": "nobody-knows"}, Stalled, "StartFailed", "correct"),
        ({"memory": "1m"}, Stalled, "Refused", "correct the spec"),
        ({"cpus": 1000}, Stalled, "Refused", "correct the spec"),
        ({"sysctls": {"no.such.setting": "1"}}, Stalled, None, "correct the spec"),
        ({"devices": ["/dev/no-such-device"]}, Stalled, "StartFailed", "/dev/no-such-device"),
        ({"securityOpt": ["seccomp=/no/such.json"]}, Stalled, "ProfileUnreadable", "/no/such.json"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_refusal_names_the_container_and_the_remedy(
    spec: dict[str, Any],
    kind: type[Retry | Stalled],
    reason: str | None,
    remedy: str,
    world: RealContainers,
    keeper: Keeper,
) -> None:
    resource = world.resource("one", **{**SPEC, **spec})
    outcome = keeper.apply(keeper.steps(resource))[resource.key]
    assert isinstance(outcome, kind), outcome
    assert outcome.message.startswith("cannot ")
    assert remedy in outcome.message
    assert reason is None or outcome.reason == reason
    assert not (world.names() and world.running(resource))


def test_port_taken_by_another_program_is_told_of(world: RealContainers, keeper: Keeper) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        resource = world.resource("one", **SPEC, ports=[f"127.0.0.1:{port}:80"])
        failure = keeper.apply(keeper.steps(resource))[resource.key]
        assert isinstance(failure, Retry)
        assert failure.reason == "PortTaken"
        assert str(port) in failure.message
    keeper.make(resource)
    assert world.running(resource)


def test_container_that_could_not_start_is_started_once_it_can(world: RealContainers, keeper: Keeper) -> None:
    port = free_port()
    keeper.make(first := world.resource("first", **SPEC, ports=[f"{port}:80"]))
    resource = world.resource("one", **SPEC, ports=[f"{port}:80"])
    assert isinstance(keeper.apply(keeper.steps(resource))[resource.key], Retry)
    keeper.delete(first)
    keeper.make(resource)
    assert world.running(resource)
    assert keeper.plan(resource).empty


def test_edit_after_a_failed_creation_makes_it_right(world: RealContainers, keeper: Keeper) -> None:
    broken = world.resource("one", **{**SPEC, "command": ["there-is-no-such-program"]})
    assert isinstance(keeper.apply(keeper.steps(broken))[broken.key], Stalled)
    keeper.make(fixed := world.resource("one", **SPEC))
    assert world.running(fixed)
    assert world.names() == ["one"]


class TestUnreachable:
    def advice(self, host: str, world: RealContainers) -> str:
        setup = world.setup(host=host)
        agent = ContainerAgent(connect(setup), setup)
        resource = world.sample()
        with pytest.raises(Retry) as failure:
            agent.observe([resource], Keeper(world).context)
        assert failure.value.reason == Reason.AGENT_UNAVAILABLE
        assert failure.value.message.startswith(f"cannot reach the Docker engine at {host}: ")
        assert not agent.health(Keeper(world).context).available
        outcome = agent.apply(Keeper(world).steps(resource), Keeper(world).context)[resource.key]
        assert isinstance(outcome, Retry)
        assert outcome.reason == Reason.AGENT_UNAVAILABLE
        assert outcome.message == failure.value.message
        return failure.value.message

    def test_engine_that_is_not_installed(self, world: RealContainers, tmp_path: Path) -> None:
        assert "apt-get install docker.io" in self.advice(f"unix://{tmp_path}/none.sock", world)

    def test_engine_that_is_not_running(self, world: RealContainers, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as closed:
            closed.bind(str(tmp_path / "dead.sock"))
        assert "systemctl start docker" in self.advice(f"unix://{tmp_path}/dead.sock", world)

    def test_engine_that_lets_us_not_in(self) -> None:
        failure = unreachable("unix:///x.sock", PermissionError(13, "Permission denied"))
        assert "usermod -aG docker" in failure.message

    def test_engine_on_a_port_where_none_listens(self, world: RealContainers) -> None:
        assert "systemctl start docker" in self.advice(f"tcp://127.0.0.1:{free_port()}", world)

    def test_engine_that_hangs(self, world: RealContainers, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(str(tmp_path / "deaf.sock"))
            deaf.listen()
            setup = Setup("x", tmp_path, world.secrets, timeout=0.2, config={"host": f"unix://{tmp_path}/deaf.sock"})
            agent = ContainerAgent(connect(setup), setup)
            with pytest.raises(Retry) as failure:
                agent.observe([world.sample()], Keeper(world).context)
            assert failure.value.reason == Reason.AGENT_UNAVAILABLE


class TestReadOnly:
    def test_client_of_a_dry_run_has_nothing_to_write_with(self, world: RealContainers) -> None:
        client = connect(world.setup(read_only=True))
        assert type(client) is Engine
        writing = {name for name in vars(WritableEngine) if not name.startswith("_")}
        assert len(writing) > 10
        assert not [name for name in writing if hasattr(client, name)]
        assert type(client._wire) is Wire, "and neither has what it reads through"

    def test_every_change_is_refused(self, world: RealContainers, keeper: Keeper) -> None:
        keeper.make(resource := world.resource("one", **SPEC))
        before = world.inspect(resource)
        edited = world.resource("one", **{**SPEC, "env": {}, "state": "stopped"})
        limited = world.resource("one", **{**SPEC, "memory": "32m"})
        steps = [*keeper.steps(world.resource("two", **SPEC), edited, limited), *keeper.deletions(resource)]
        for step in steps:
            with pytest.raises(RuntimeError, match="read-only"):
                world.reader.apply([step], keeper.context)
        assert world.inspect(resource) == before
        assert world.names() == ["one"]
