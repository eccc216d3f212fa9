"""Engines elsewhere: each way to one, what keeps it from being reached, and resources that are on several."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from controller.agents.docker.client import Engine, assemble, connect
from controller.agents.docker.container import ContainerAgent
from controller.agents.docker.watches import OneWatch
from controller.agents.docker.wire import Address, Tls
from controller.engine.agent import Failure, Relist, Retry, Stalled
from resources.conditions import Reason
from resources.kinds.container import Container
from resources.meta import Key
from tests.agents.contract import StillScope
from tests.agents.docker.engine import RealContainers, eventually
from tests.agents.keeper import Keeper
from tests.agents.worlds.container import SPEC
from tests.certificates import Authority
from tests.engines import Forwarder, SshServer, forwarder, ssh_server
from tests.registry import free_port

SOCKET = "/var/run/docker.sock"

Settings = Mapping[str, Any]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture
def plain() -> Iterator[Forwarder]:
    with forwarder(SOCKET) as found:
        yield found


@pytest.fixture
def encrypted(authority: Authority) -> Iterator[Forwarder]:
    with forwarder(SOCKET, authority) as found:
        yield found


def certified(authority: Authority, host: str) -> dict[str, Any]:
    certificate, key = authority.issue("client")
    tls = {"ca": str(authority.certificate), "cert": str(certificate), "key": str(key)}
    return {"host": host, "tls": tls}


@pytest.fixture(params=["tcp", "tls", pytest.param("ssh", marks=pytest.mark.ssh)])
def there(request: pytest.FixtureRequest, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What `engines` says of an engine that is reached in one of the ways there are."""
    if request.param == "ssh":
        server = request.getfixturevalue("sshd")
        monkeypatch.setenv("PATH", f"{server.client}:/usr/local/bin:/usr/bin:/bin")
        return {"host": server.host}
    if request.param == "tls":
        return certified(authority, request.getfixturevalue("encrypted").host)
    return {"host": request.getfixturevalue("plain").host}


def keeper_with(world: RealContainers, engines: Settings, **config: Any) -> Keeper:
    setup = world.setup(engines=engines, **config)
    return Keeper(world, assemble(ContainerAgent, connect(setup), setup))


def on(world: RealContainers, engine: str | None, name: str = "one", **spec: Any) -> Container:
    return world.resource(name, **{**SPEC, **spec, **({"engine": engine} if engine else {})})


class TestWays:
    def test_container_is_made_changed_and_removed(self, world: RealContainers, there: Settings) -> None:
        keeper = keeper_with(world, {"there": there})
        keeper.make(resource := on(world, "there"))
        assert world.running(resource)
        assert keeper.plan(resource).empty
        keeper.make(limited := on(world, "there", memory="96m"))
        assert world.inspect(limited)["HostConfig"]["Memory"] == 96 << 20
        keeper.make(renewed := on(world, "there", env={"TZ": "CET"}))
        assert "TZ=CET" in world.environment_of(renewed)
        keeper.delete(renewed)
        assert world.names() == []

    def test_many_are_looked_at_in_two_round_trips(
        self, world: RealContainers, there: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keeper = keeper_with(world, {"there": there})
        resources = [on(world, "there", f"no{number}", state="stopped") for number in range(8)]
        keeper.make(*resources)
        trips = 0

        def counted(engine: Engine, wanted: Any, answers: Any = Engine._answers) -> Any:
            nonlocal trips
            trips += 1
            return answers(engine, wanted)

        monkeypatch.setattr(Engine, "_answers", counted)
        keeper.agent.observe(resources, keeper.context)
        assert trips <= 2

    def test_change_by_hand_is_hinted_at(self, world: RealContainers, there: Settings) -> None:
        keeper = keeper_with(world, {"there": there})
        keeper.make(resource := on(world, "there"))
        with watching(keeper, [resource]) as hints:
            eventually(lambda: any(isinstance(hint, Relist) for hint in hints))
            world.engine.kill(resource.container_name)
            eventually(lambda: resource.key in hints)

    def test_it_can_be_the_agents_own(self, world: RealContainers, there: Settings) -> None:
        setup = world.setup(engine=there["host"], **({"tls": there["tls"]} if "tls" in there else {}))
        keeper = Keeper(world, assemble(ContainerAgent, connect(setup), setup))
        keeper.make(resource := on(world, None))
        assert world.running(resource)
        assert keeper.agent.health(keeper.context).available  # type: ignore[attr-defined]

    def test_dry_run_can_not_write(self, world: RealContainers, keeper: Keeper, there: Settings) -> None:
        setup = world.setup(engines={"there": there}, read_only=True)
        reader = assemble(ContainerAgent, connect(setup), setup)
        step = Keeper(world, reader).steps(on(world, "there"))[0]
        with pytest.raises(RuntimeError, match="read-only"):
            reader.apply([step], keeper.context)
        assert world.names() == []


class TestOutOfReach:
    def failure(self, world: RealContainers, there: Settings) -> Failure:
        keeper = keeper_with(world, {"there": there})
        resource = on(world, "there")
        seen = keeper.agent.observe([resource], keeper.context)[resource.key]
        assert isinstance(seen, Retry), seen
        assert seen.reason == Reason.AGENT_UNAVAILABLE
        assert seen.message.startswith(f"cannot reach the Docker engine at {there['host']}: ")
        health = keeper.agent.healths(keeper.context)  # type: ignore[attr-defined]
        assert (health[""].available, health["there"].available) == (True, False)
        return seen

    def test_nobody_listens(self, world: RealContainers) -> None:
        found = self.failure(world, {"host": f"tcp://127.0.0.1:{free_port()}"})
        assert "'systemctl start docker' there" in found.message

    def test_it_has_a_certificate_of_another_authority(
        self, world: RealContainers, authority: Authority, encrypted: Forwarder, tmp_path: Path
    ) -> None:
        other = certified(Authority(tmp_path / "other"), encrypted.host)
        assert "tls.ca" in self.failure(world, other).message

    def test_it_wants_a_certificate_from_us(
        self, world: RealContainers, authority: Authority, encrypted: Forwarder
    ) -> None:
        found = self.failure(world, {"host": encrypted.host, "tls": {"ca": str(authority.certificate)}})
        assert "tls.cert" in found.message

    def test_it_does_not_speak_tls(self, world: RealContainers, authority: Authority, plain: Forwarder) -> None:
        assert "does not speak TLS" in self.failure(world, certified(authority, plain.host)).message

    def test_certificate_is_not_there(self, world: RealContainers, plain: Forwarder) -> None:
        found = self.failure(world, {"host": plain.host, "tls": {"ca": "/no/such/ca.pem"}})
        assert "cannot use /no/such/ca.pem: No such file" in found.message

    @pytest.mark.ssh
    def test_ssh_lets_us_not_in(
        self, world: RealContainers, sshd: SshServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        config = (sshd.client.parent / "ssh_config").read_text().replace(f"{sshd.key}", "/no/such/key")
        (tmp_path / "ssh_config").write_text(config)
        program = tmp_path / "ssh"
        program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {tmp_path}/ssh_config "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        found = self.failure(world, {"host": sshd.host})
        assert "Permission denied" in found.message
        assert "ssh 127.0.0.1 docker version" in found.message

    def test_ssh_is_not_installed(self, world: RealContainers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "openssh-client" in self.failure(world, {"host": "ssh://127.0.0.1"}).message

    def test_what_ssh_says_is_passed_on(
        self, world: RealContainers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = tmp_path / "ssh"
        program.write_text("#!/bin/sh\necho bash: docker: command not found >&2\nexit 127\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        assert "docker: command not found" in self.failure(world, {"host": "ssh://nas"}).message


@pytest.mark.parametrize("way", ["plain", "encrypted"])
def test_machine_that_has_gone_is_noticed_however_silent_the_connection_is(
    way: str, authority: Authority, request: pytest.FixtureRequest
) -> None:
    address = Address.parse(
        request.getfixturevalue(way).host, Tls(str(authority.certificate)) if way != "plain" else None
    )
    assert address is not None
    with address.connect(5.0) as connection:
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 60


class TestSeveral:
    def test_one_that_is_out_of_reach_takes_nothing_from_the_others(
        self, world: RealContainers, plain: Forwarder
    ) -> None:
        engines = {"there": {"host": plain.host}, "away": {"host": f"tcp://127.0.0.1:{free_port()}"}}
        keeper = keeper_with(world, engines)
        own, there, away = on(world, None, "own"), on(world, "there", "there"), on(world, "away", "away")
        keeper.make(own, there)
        seen = keeper.agent.observe([own, there, away], keeper.context)
        assert isinstance(seen[away.key], Retry)
        assert all(keeper.plan(resource).empty for resource in (own, there))

    def test_engine_that_is_not_configured_stalls_and_names_those_that_are(
        self, world: RealContainers, plain: Forwarder
    ) -> None:
        keeper = keeper_with(world, {"there": {"host": plain.host}})
        resource = on(world, "nowhere")
        found = keeper.agent.observe([resource], keeper.context)[resource.key]
        assert isinstance(found, Stalled)
        assert found.reason == "EngineUnknown"
        assert "cannot find the engine nowhere" in found.message
        assert "known: there" in found.message

    def test_engine_by_another_name_is_no_other_engine(self, world: RealContainers, plain: Forwarder) -> None:
        keeper = keeper_with(world, {"there": {"host": plain.host}})
        keeper.make(before := on(world, None))
        identity = world.identity(before)
        keeper.make(after := on(world, "there"))
        assert world.identity(after) == identity
        assert keeper.plan(after).empty

    def test_each_resource_has_the_place_of_its_engine(self, world: RealContainers, plain: Forwarder) -> None:
        agent = keeper_with(world, {"there": {"host": plain.host}}).agent
        places = {engine: agent.place(on(world, engine)) for engine in ("there", None, "nowhere")}
        assert places == {"there": "there", None: "", "nowhere": ""}

    def test_engine_that_comes_back_is_heard_of_again(self, world: RealContainers, plain: Forwarder) -> None:
        keeper = keeper_with(world, {"there": {"host": plain.host}})
        keeper.make(own := on(world, None, "own"), resource := on(world, "there"))
        with watching(keeper, [own, resource]) as hints:
            ours = Relist((resource.key,))
            eventually(lambda: ours in hints and Relist((own.key,)) in hints)
            plain.stop()
            eventually(lambda: resource.key in hints)
            hints.clear()
            plain.start()
            eventually(lambda: ours in hints)
            assert Relist((own.key,)) not in hints

    def test_engine_that_stays_away_is_asked_seldom_and_spoken_of_once(
        self, world: RealContainers, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Patience(Flag):
            """Notes how long it should wait, and is set once it has been asked often enough."""

            def __init__(self) -> None:
                super().__init__()
                self.waits: list[float] = []

            def wait(self, timeout: float | None = None) -> bool:
                self.waits.append(timeout or 0.0)
                if len(self.waits) == 5:
                    self.set()
                return self.is_set()

        setup, stop = world.setup(engine=f"tcp://127.0.0.1:{free_port()}"), Patience()
        agent = ContainerAgent(connect(setup), setup)
        caplog.set_level("INFO")
        OneWatch("away", agent, StillScope([on(world, "away")]), lambda hint: None).go_on(stop)
        assert stop.waits == [4.0, 8.0, 15.0, 15.0, 15.0]
        assert [record.message for record in caplog.records] == ["watch lost"]

    def test_engine_that_is_used_later_is_watched_from_then_on(self, world: RealContainers, plain: Forwarder) -> None:
        keeper = keeper_with(world, {"there": {"host": plain.host}})
        keeper.make(resource := on(world, "there"))
        live: list[Container] = []
        with watching(keeper, live) as hints:
            assert hints == []
            live.append(resource)
            hints.scope.changed()
            eventually(lambda: Relist((resource.key,)) in hints)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"engine": "nas"}, "engine: write unix:///path/to.sock"),
        ({"engine": "ssh://-oProxyCommand=touch"}, "engine: write unix"),
        ({"engine": "unix:///a", "host": "unix:///b"}, "host: leave it out; engine says the same"),
        ({"tls": {"ca": "/ca"}}, "tls: leave it out, or write engine"),
        ({"engine": "ssh://nas", "tls": {"ca": "/ca"}}, "it is for engines at tcp://"),
        ({"engines": ["nas"]}, "engines: write a mapping"),
        ({"engines": {"My NAS": {"host": "ssh://nas"}}}, 'engines: cannot use "My NAS" as a name'),
        ({"engines": {"nas": {}}}, "engines.nas.host: it is missing"),
        ({"engines": {"nas": "ssh://nas"}}, "engines.nas"),
        ({"engines": {"nas": {"host": "nas"}}}, "engines.nas.host: cannot use this"),
        ({"engines": {"nas": {"host": "ssh://nas", "port": 22}}}, "engines.nas.port: unknown field; write host, tls"),
        ({"engines": {"nas": {"host": "tcp://nas", "tls": {"cert": "/c"}}}}, "give both cert and key"),
        ({"engines": {"nas": {"host": "tcp://nas", "tls": {"ca": "ca.pem"}}}}, "write an absolute path"),
    ],
    ids=str,
)
def test_settings_that_can_not_be_used_name_the_field(config: Settings, message: str, world: RealContainers) -> None:
    with pytest.raises(ValueError, match=r"[a-z]: ") as failure:
        connect(world.setup(**config))
    assert message in str(failure.value)


def test_former_name_of_the_setting_still_counts(world: RealContainers) -> None:
    assert connect(world.setup(host="tcp://127.0.0.1:1")).host == "tcp://127.0.0.1:1"


class LiveList:
    """The resources of a watch. Implements `agent.Scope`."""

    def __init__(self, resources: list[Container]) -> None:
        self._resources = resources
        self._changed: list[Callable[..., None]] = []

    def resources(self) -> list[Container]:
        return list(self._resources)

    def find(self, claim: Any) -> Key | None:
        return next((each.key for each in self._resources if claim in each.claims()), None)

    def subscribe(self, changed: Callable[..., None]) -> None:
        self._changed.append(changed)

    def changed(self) -> None:
        for each in self._changed:
            each(self._resources, [])


class watching(list[Any]):
    """What a watch hints at while the body runs."""

    def __init__(self, keeper: Keeper, resources: list[Container]) -> None:
        super().__init__()
        self.scope, self._agent, self._stop = LiveList(resources), keeper.agent, Flag()
        self._thread = Thread(target=self._follow, daemon=True)

    def _follow(self) -> None:
        for hint in self._agent.watch(self.scope, self._stop):  # type: ignore[attr-defined]
            self.append(hint)

    def __enter__(self) -> watching:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the watch did not end"
