"""A running controller and real containers: what people do to them by hand, and what goes wrong around them."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.yard import Yard
from tests.cli.story import Story
from tests.support import Controller, at_rest, eventually, happened, listed, told

pytestmark = pytest.mark.docker


def ready(story: Story, yard: Yard, *shorts: str) -> bool:
    """Whether these, and no others, are there and Ready."""
    found = listed(story)
    wanted = {yard.name(short) for short in shorts}
    return found.keys() == wanted and all(each.get("status") == "True" for each in found.values())


def reason(story: Story, yard: Yard, short: str) -> str:
    return str(listed(story).get(yard.name(short), {}).get("reason", ""))


def message(story: Story, yard: Yard, short: str) -> str:
    return str(listed(story).get(yard.name(short), {}).get("message", ""))


# -- by hand -------------------------------------------------------------------------------------------------------


def removed(yard: Yard, short: str) -> None:
    yard.engine.remove_container(yard.name(short), force=True)


def stopped(yard: Yard, short: str) -> None:
    yard.engine.stop(yard.name(short), timeout=0)


def killed(yard: Yard, short: str) -> None:
    yard.engine.kill(yard.name(short))


def paused(yard: Yard, short: str) -> None:
    yard.engine.pause(yard.name(short))


def renamed(yard: Yard, short: str) -> None:
    yard.engine.rename(yard.name(short), yard.name("elsewhere"))


def given_another_limit(yard: Yard, short: str) -> None:
    yard.update(short, Memory=96 << 20, MemorySwap=192 << 20)


def given_another_restart_policy(yard: Yard, short: str) -> None:
    yard.update(short, RestartPolicy={"Name": "always"})


def disconnected(yard: Yard, short: str) -> None:
    yard.engine.disconnect_container_from_network(yard.name(short), yard.name("net"))


def connected_elsewhere(yard: Yard, short: str) -> None:
    elsewhere = yard.engine.create_network(yard.name("theirs"))
    yard.engine.connect_container_to_network(yard.name(short), elsewhere["Id"])


HANDS: list[Callable[[Yard, str], None]] = [
    removed,
    stopped,
    killed,
    paused,
    renamed,
    given_another_limit,
    given_another_restart_policy,
    disconnected,
    connected_elsewhere,
]


def test_what_is_done_to_containers_by_hand_is_undone(story: Story, yard: Yard, controller: Controller) -> None:
    shorts = [f"c{number}" for number in range(len(HANDS))]
    spec: dict[str, Any] = {"networks": [{"name": yard.name("net")}], "memory": "64m", "restart": "unless-stopped"}
    story.write("net.yaml", yard.document("Network", "net"))
    story.write("all.yaml", *[yard.container(short, **spec) for short in [*shorts, "neighbour"]])
    controller.start()
    eventually(lambda: ready(story, yard, *shorts, "neighbour", "net"), "all were made", seconds=60)
    as_declared, neighbour = yard.states(), yard.fingerprint()["neighbour"]
    for short, by_hand in zip(shorts, HANDS, strict=True):
        by_hand(yard, short)
    eventually(lambda: yard.states() == as_declared, "all was undone", seconds=60)
    eventually(lambda: ready(story, yard, *shorts, "neighbour", "net"), "all was ready")
    assert yard.fingerprint()["neighbour"] == neighbour
    assert happened(story, "Replaced") == []
    assert at_rest(controller, yard.fingerprint)


# -- strangers -----------------------------------------------------------------------------------------------------


def test_container_of_a_stranger_is_left_alone_until_it_is_adopted(
    story: Story, yard: Yard, controller: Controller
) -> None:
    theirs = yard.make_strangers("web")
    story.write("web.yaml", yard.container("web"))
    story.write("db.yaml", yard.container("db"))
    controller.start()
    eventually(lambda: reason(story, yard, "web") == "NotOwned", "it said whose the container is")
    eventually(lambda: yard.running("db"), "the other one was made")
    assert "adopt: true" in message(story, yard, "web")
    assert yard.name("web") in message(story, yard, "web")
    assert yard.identity("web") == theirs
    story.write("web.yaml", yard.container("web", adopt=True))
    eventually(lambda: ready(story, yard, "web", "db"), "it was adopted and made as declared")
    assert yard.inspect("web")["Config"]["Cmd"] == ["sleep", "1000"]
    killed(yard, "web")
    eventually(lambda: yard.running("web"), "it is looked after like all others")
    eventually(lambda: ready(story, yard, "web", "db"), "all was ready")
    assert at_rest(controller, yard.fingerprint)


def test_stranger_who_takes_a_name_while_its_container_is_gone_is_not_overrun(
    story: Story, yard: Yard, controller: Controller
) -> None:
    story.write("web.yaml", yard.container("web"))
    controller.start()
    eventually(lambda: ready(story, yard, "web"), "it was made")
    controller.kill()
    removed(yard, "web")
    theirs = yard.make_strangers("web")
    controller.start()
    eventually(lambda: reason(story, yard, "web") == "NotOwned", "it said whose the container is")
    assert yard.identity("web") == theirs
    yard.engine.remove_container(theirs, force=True)
    eventually(lambda: ready(story, yard, "web"), "it made its own when the stranger was gone")
    assert at_rest(controller, yard.fingerprint)


# -- what is missing or taken --------------------------------------------------------------------------------------


def test_missing_image_is_named_and_the_next_edit_is_acted_on_at_once(
    story: Story, yard: Yard, controller: Controller
) -> None:
    story.write("web.yaml", yard.container("web", image="p2test/no-such-image:1"))
    story.write("db.yaml", yard.container("db"))
    controller.start()
    eventually(lambda: "p2test/no-such-image:1" in message(story, yard, "web"), "it named the image")
    assert "Stalled" in story.p2("get", f"container/{yard.name('web')}", "-o", "json").out
    eventually(lambda: yard.running("db"), "the other one was made")
    story.write("web.yaml", yard.container("web"))
    eventually(lambda: ready(story, yard, "web", "db"), "the edit was applied", seconds=5)
    assert at_rest(controller, yard.fingerprint)


@pytest.fixture
def taken_port() -> Iterator[tuple[int, socket.socket]]:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1], taken


def test_port_that_two_resources_want_is_named_with_both(
    story: Story, yard: Yard, controller: Controller, taken_port: tuple[int, socket.socket]
) -> None:
    port, taken = taken_port
    taken.close()
    attached: dict[str, Any] = {"networks": [{"name": yard.name("net")}]}
    story.write("net.yaml", yard.document("Network", "net"))
    story.write("a.yaml", yard.container("one", **attached, ports=[f"127.0.0.1:{port}:80"]))
    story.write("b.yaml", yard.container("two", **attached, ports=[f"{port}:80"]))
    for command in ("validate", "diff", "apply"):
        refused = story.p2(command)
        assert refused.code == 2
        said = refused.out + refused.err
        assert str(port) in said
        assert yard.name("one") in said
        assert yard.name("two") in said
    assert yard.names() == []
    controller.start()
    eventually(lambda: yard.running("one"), "the first one was made all the same")
    eventually(lambda: reason(story, yard, "two") == "Claimed", "the second one said what it lacks")
    story.write("b.yaml", yard.container("two"))
    eventually(lambda: ready(story, yard, "net", "one", "two"), "it was made without the port")
    assert at_rest(controller, yard.fingerprint)


def test_port_that_a_foreign_process_has_is_waited_for(
    story: Story, yard: Yard, controller: Controller, taken_port: tuple[int, socket.socket]
) -> None:
    port, taken = taken_port
    attached: dict[str, Any] = {"networks": [{"name": yard.name("net")}]}
    story.write("net.yaml", yard.document("Network", "net"))
    story.write("web.yaml", yard.container("web", **attached, ports=[f"127.0.0.1:{port}:80"]))
    story.write("db.yaml", yard.container("db"))
    controller.start()
    eventually(lambda: reason(story, yard, "web") == "PortTaken", "it said that the port is taken")
    assert str(port) in message(story, yard, "web")
    assert "free the port" in message(story, yard, "web")
    eventually(lambda: yard.running("db"), "the other one was made")
    taken.close()
    eventually(lambda: ready(story, yard, "net", "web", "db"), "it was started when the port was free")
    assert yard.names() == ["db", "web"]
    assert at_rest(controller, yard.fingerprint)


# -- networks and volumes ------------------------------------------------------------------------------------------


def test_replaced_network_gets_its_containers_back(story: Story, yard: Yard, controller: Controller) -> None:
    attached = {"networks": [{"name": yard.name("net"), "aliases": ["known"]}]}
    story.write("net.yaml", yard.document("Network", "net", labels={"v": "1"}))
    story.write("all.yaml", yard.container("one", **attached), yard.container("two", **attached))
    controller.start()
    eventually(lambda: ready(story, yard, "net", "one", "two"), "all were made")
    before, old = yard.fingerprint(), yard.network("net")
    story.write("net.yaml", yard.document("Network", "net", labels={"v": "2"}))
    eventually(lambda: yard.network("net") not in ("", old), "it was replaced")
    eventually(lambda: ready(story, yard, "net", "one", "two"), "all was ready")
    assert (yard.networks("one"), yard.networks("two")) == (["net"], ["net"])
    assert "known" in yard.inspect("one")["NetworkSettings"]["Networks"][yard.name("net")]["Aliases"]
    assert yard.fingerprint() == before
    controller.signal(signal.SIGSTOP)  # else it heals before the network can be removed
    disconnected(yard, "one")
    disconnected(yard, "two")
    yard.engine.remove_network(yard.name("net"))
    controller.signal(signal.SIGCONT)
    eventually(lambda: (yard.networks("one"), yard.networks("two")) == (["net"], ["net"]), "the network was made anew")
    eventually(lambda: ready(story, yard, "net", "one", "two"), "all was ready")
    assert at_rest(controller, yard.fingerprint)


def test_volume_outlives_its_file_and_loses_its_data_only_after_a_confirmation(
    story: Story, yard: Yard, controller: Controller
) -> None:
    story.write("web.yaml", yard.container("web"))
    story.write("data.yaml", yard.document("Volume", "data", labels={"v": "1"}))
    controller.start()
    eventually(lambda: ready(story, yard, "web", "data"), "both were made")
    story.write("data.yaml", yard.document("Volume", "data", labels={"v": "2"}))
    eventually(lambda: reason(story, yard, "data") == "Immutable", "it asked before it replaces the volume")
    assert "1 resource held back (Immutable)" in story.p2("health").out
    assert yard.engine.inspect_volume(yard.name("data"))["Labels"]["v"] == "1"
    story.p2("confirm", f"volume/{yard.name('data')}")
    eventually(lambda: ready(story, yard, "web", "data"), "it was replaced")
    assert yard.engine.inspect_volume(yard.name("data"))["Labels"]["v"] == "2"
    story.remove("data.yaml")
    eventually(lambda: reason(story, yard, "data") == "Retained", "it said that it keeps the volume")
    assert yard.engine.inspect_volume(yard.name("data"))["Labels"]["v"] == "2"
    assert at_rest(controller, yard.fingerprint)
    assert story.p2("delete", f"volume/{yard.name('data')}", "--yes").code == 0
    assert not yard.engine.volumes(filters={"name": yard.name("data")})["Volumes"]


# -- order ---------------------------------------------------------------------------------------------------------


def test_dependents_are_made_when_what_they_need_is_healthy(story: Story, yard: Yard, controller: Controller) -> None:
    check = {"test": ["CMD", "test", "-e", "/tmp/up"], "interval": "1s", "timeout": "1s", "retries": 100}
    story.write("app.yaml", yard.container("app", dependsOn=[f"Container/{yard.name('db')}"]))
    story.write("db.yaml", yard.container("db", healthcheck=check, tmpfs={"/tmp": ""}))
    controller.start()
    eventually(lambda: yard.running("db"), "the first one was made")
    eventually(lambda: reason(story, yard, "app") == "DependencyNotReady", "the other one said what it waits for")
    assert yard.name("db") in message(story, yard, "app")
    assert yard.names() == ["db"]
    yard.engine.exec_start(yard.engine.exec_create(yard.name("db"), ["touch", "/tmp/up"])["Id"])
    eventually(lambda: ready(story, yard, "app", "db"), "the other one was made when the first was healthy")
    made = {short: yard.inspect(short)["Created"] for short in ("db", "app")}
    assert made["db"] < made["app"]
    removed(yard, "app")
    yard.engine.exec_start(yard.engine.exec_create(yard.name("db"), ["rm", "/tmp/up"])["Id"])
    eventually(lambda: yard.running("app"), "healing did not wait for anything")
    yard.engine.exec_start(yard.engine.exec_create(yard.name("db"), ["touch", "/tmp/up"])["Id"])
    eventually(lambda: ready(story, yard, "app", "db"), "all was ready")
    assert at_rest(controller, yard.fingerprint)


# -- secrets -------------------------------------------------------------------------------------------------------

SECRETS = ["correct-horse-battery", "staple-horse-correct"]


def secret_free(text: str) -> bool:
    return not any(secret in text for secret in SECRETS)


def test_value_of_a_secret_is_used_and_shows_nowhere(
    story: Story, yard: Yard, controller: Controller, home: Path
) -> None:
    """From a file and from the home, made, rotated, drifted and impossible to apply."""
    file = story.root / "password"
    named = home / "secrets" / "shop" / "token"
    named.parent.mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    file.write_text(SECRETS[0])
    named.write_text(SECRETS[0])
    references = {"PASSWORD": {"file": str(file)}, "TOKEN": {"secret": {"name": "shop", "key": "token"}}}
    story.write("web.yaml", yard.container("web", secretEnv=references))
    story.write("bad.yaml", yard.container("bad", secretEnv=references, command=["/no/such/command"]))
    key = f"container/{yard.name('web')}"
    looks = [
        ["diff"],
        ["diff", "-v"],
        ["diff", "-o", "json"],
        ["get", "-o", "wide"],
        ["get", "-o", "yaml"],
        ["get", "-o", "json"],
        ["describe", key],
        ["events"],
        ["events", "-o", "json"],
        ["validate"],
        ["confirm", "-o", "json"],
    ]

    def shown() -> str:
        found = [story.p2(*look) for look in looks]
        return "".join(each.out + each.err for each in found) + controller.log

    assert secret_free(shown() if controller.start() else "")
    eventually(lambda: f"PASSWORD={SECRETS[0]}" in yard.environment("web"), "the secret was used")
    eventually(lambda: "/no/such/command" in message(story, yard, "bad"), "the other one could not be started")
    assert secret_free(shown())
    file.write_text(SECRETS[1])
    story.write("web.yaml", yard.container("web", secretEnv=references, env={"COLOR": "blue"}))
    eventually(lambda: f"PASSWORD={SECRETS[1]}" in yard.environment("web"), "the rotated secret was used")
    assert f"TOKEN={SECRETS[0]}" in yard.environment("web")
    assert secret_free(shown())
    controller.end()
    assert secret_free(shown())
    kept = [path for path in home.rglob("*") if path.is_file() and path != named]
    assert any(path.name == "p2.db" for path in kept)
    for path in kept:
        assert not any(secret.encode() in path.read_bytes() for secret in SECRETS), path
    assert json.loads(story.p2("get", key, "-o", "json").out)["spec"]["secretEnv"] == references
    assert told(story, "Created")
