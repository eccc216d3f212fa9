"""`p2 top` on a real engine: whose containers use what, and the machine; for many at once within a second."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.agents.worlds.docker import IMAGE
from tests.cli.story import Story
from tests.cli.yard import Yard, typist

pytestmark = pytest.mark.docker


@pytest.fixture
def applied(story: Story, yard: Yard) -> Story:
    """One that works, one that is limited, and a stranger."""
    busy = yard.container("busy", "while true; do :; done & true")
    story.write("web.yaml", busy, yard.container("idle", memory="64m"))
    assert story.p2("apply").code == 0
    made = yard.engine.create_container(IMAGE, ["sleep", "600"], name=yard.name("stranger"))
    yard.engine.start(made["Id"])
    return story


def measured(story: Story, *arguments: str) -> dict[str, dict[str, Any]]:
    shown = story.p2("top", "-o", "json", *arguments)
    assert shown.code == 0, shown.err
    return {each["name"]: each for each in json.loads(shown.out)["resources"]}


def test_containers_are_shown_by_their_keys_and_strangers_by_name(applied: Story, yard: Yard) -> None:
    found = measured(applied)
    assert found[yard.name("busy")]["key"] == f"Container/default/{yard.name('busy')}"
    assert found[yard.name("stranger")]["key"] is None


def test_figures_are_those_of_each_container(applied: Story, yard: Yard) -> None:
    found = measured(applied)
    busy, idle = found[yard.name("busy")], found[yard.name("idle")]
    assert busy["cpuPercent"] > idle["cpuPercent"]
    assert idle["memoryLimit"] == 64 * 1024 * 1024
    assert 0 < idle["memory"] < idle["memoryLimit"]
    assert busy["memoryLimit"] is None
    assert busy["processes"] >= 2
    assert busy["total"]["cpuSeconds"] > 0


def test_the_machine_is_shown_with_them(applied: Story) -> None:
    machine = json.loads(applied.p2("top", "-o", "json").out)["machine"]
    assert machine["processors"] >= 1
    assert 0 < machine["memory"] < machine["memory_total"]
    assert machine["disks"][0]["path"] == "/"
    assert 0 <= machine["cpu"] <= 100
    assert applied.p2("top", "--once").out.startswith("cpu ")


def test_names_narrow_it_and_what_does_not_run_is_shown_as_such(applied: Story, yard: Yard) -> None:
    yard.engine.stop(yard.name("idle"), timeout=2)
    shown = applied.p2("top", yard.key("idle"), "--once")
    assert "not running" in shown.out
    assert yard.name("busy") not in shown.out


def test_several_looks_are_lines_of_json(applied: Story, yard: Yard) -> None:
    shown = applied.p2("top", "-n", "3", "-d", "0.1s", "-o", "json", yard.key("busy"))
    looks = [json.loads(line)["resources"][0]["total"]["cpuSeconds"] for line in shown.out.splitlines()]
    assert len(looks) == 3
    assert looks == sorted(looks)


def test_it_goes_on_at_a_terminal_until_ctrl_c(applied: Story, yard: Yard) -> None:
    with typist(applied.root, "top", "-d", "0.2s", columns=160, lines=60) as person:
        person.sees(yard.name("busy"))
        person.sees("\033[H")
        person.types("\x03")
        assert person.ends() == 0


def test_a_look_at_many_containers_takes_well_under_a_second(story: Story, yard: Yard) -> None:
    """Fifty looks at what runs take less than the engine's own figures for one: it is done side by side, or by the kernel."""
    from controller.agents.docker.client import connect
    from controller.agents.docker.measuring import Measuring
    from controller.engine.agent import Setup
    from controller.store.home import Home
    from controller.store.secrets import HomeSecrets

    for number in range(6):
        made = yard.engine.create_container(IMAGE, ["sleep", "600"], name=yard.name(f"n{number}"))
        yard.engine.start(made["Id"])
    measuring = Measuring(connect(Setup("test", story.root, HomeSecrets(Home(story.root / "home")), read_only=True)))
    measuring.usages()
    begun = time.monotonic()
    found = [usage.name for usage in measuring.usages()]
    assert time.monotonic() - begun < 5.0  # one after the other the engine would take six
    assert {yard.name(f"n{number}") for number in range(6)} <= set(found)


def test_the_engines_own_figures_serve_where_the_kernels_can_not_be_read(
    applied: Story, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controller.agents.docker import cgroups

    by_kernel = measured(applied)[yard.name("idle")]
    monkeypatch.setattr(cgroups, "place_of", lambda identity, pid: None)
    by_engine = measured(applied)[yard.name("idle")]
    assert by_engine["memoryLimit"] == by_kernel["memoryLimit"]
    assert by_engine["processes"] == by_kernel["processes"]
    assert by_engine["total"]["received"] == pytest.approx(by_kernel["total"]["received"], abs=4000)
