"""Edits of real containers that do not become Ready: taken back where that does no harm, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from controller.store.home import Home
from controller.store.stores import open_stores
from resources.conditions import Reason
from tests.chaos.test_containers import message, ready, reason, removed
from tests.chaos.yard import Yard
from tests.cli.story import Story
from tests.support import Controller, eventually, happened, listed

pytestmark = pytest.mark.docker

READY_TIMEOUT = 3  # seconds; a spec counts as good when it has been Ready for as long
GOOD = ["sleep", "1000"]
CRASHING = ["sh", "-c", "exit 3"]
ILL = {"healthcheck": {"test": ["CMD", "sh", "-c", "echo no luck; exit 1"], "interval": "200ms", "retries": 1}}


def declare(story: Story, yard: Yard, *shorts: str, **spec: Any) -> None:
    spec = {"readyTimeout": f"{READY_TIMEOUT}s", **spec}
    story.write("all.yaml", *(yard.container(short, **spec) for short in shorts))


def command(yard: Yard, short: str) -> list[str]:
    found = yard.inspect(short)
    return list(found["Config"]["Cmd"]) if found else []


def proven(story: Story, yard: Yard, controller: Controller, *shorts: str, **spec: Any) -> None:
    """Declares them, starts the controller, and waits until what is declared counts as good."""
    declare(story, yard, *shorts, **spec)
    controller.start()
    eventually(lambda: ready(story, yard, *shorts), "all were Ready")
    eventually(lambda: all_good(len(shorts)), "all had been Ready for long enough")


def all_good(count: int) -> bool:
    """Whether what was applied last counts as good, of all containers that are owned."""
    with open_stores(Home(Path(os.environ["PEGASUS2_HOME"]), None, read_only=True)) as stores:
        inventory = stores.inventory
        records = [record for source in inventory.sources() for record in inventory.records(source).values()]
    records = [record for record in records if record.key.kind == "Container"]
    return len(records) == count and all(record.good_digest == record.digest for record in records)


def back(story: Story, yard: Yard, *shorts: str) -> bool:
    """Whether the good containers are there and run, and all are said to be rolled back."""
    return yard.running(*shorts) and all(
        (command(yard, short), reason(story, yard, short)) == (GOOD, Reason.ROLLED_BACK) for short in shorts
    )


def test_edit_that_crashes_is_taken_back_and_what_was_good_looked_after_until_the_next_edit(
    story: Story, yard: Yard, controller: Controller
) -> None:
    proven(story, yard, controller, "web")
    declare(story, yard, "web", command=CRASHING)
    eventually(lambda: back(story, yard, "web"), "the edit was taken back")
    assert "gave up generation 2 (command)" in message(story, yard, "web")
    assert "exited with code 3" in message(story, yard, "web")
    assert listed(story)[yard.name("web")]["observedGeneration"] == 2

    removed(yard, "web")
    eventually(lambda: back(story, yard, "web"), "what was good was made again")

    controller.kill()
    removed(yard, "web")
    controller.start()
    eventually(lambda: back(story, yard, "web"), "a controller that was started again made it, too")
    assert "exited with code 3" in message(story, yard, "web")
    assert yard.names() == ["web"]

    declare(story, yard, "web", command=["sleep", "2000"])
    eventually(lambda: ready(story, yard, "web"), "the next edit was made")
    assert command(yard, "web") == ["sleep", "2000"]


def test_edit_that_is_ill_is_taken_back_when_its_time_is_over(story: Story, yard: Yard, controller: Controller) -> None:
    proven(story, yard, controller, "web")
    declare(story, yard, "web", command=["sleep", "2000"], **ILL)
    eventually(lambda: reason(story, yard, "web") == "Unhealthy", "it was made, and found ill")
    assert "  on trial     since " in story.p2("describe", f"container/{yard.name('web')}").out
    eventually(lambda: back(story, yard, "web"), "the edit was taken back")
    assert "not Ready within 3s (Unhealthy: its healthcheck fails: no luck)" in message(story, yard, "web")
    assert happened(story, Reason.ROLLED_BACK) == [yard.name("web")]
    assert "on trial" not in story.p2("describe", f"container/{yard.name('web')}").out
    declare(story, yard, "web")
    eventually(lambda: ready(story, yard, "web"), "an edit back to what is in force was Ready")
    assert happened(story, "Replaced") == [yard.name("web")] * 2, "nothing was made anew for it"


def test_edit_that_may_have_changed_data_stays_until_its_owner_says_otherwise(
    story: Story, yard: Yard, controller: Controller, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    mount = {"volumes": [{"type": "bind", "source": str(data), "target": "/data"}]}
    bad = {"command": ["sleep", "2000"], **ILL, **mount}
    proven(story, yard, controller, "web", **mount)
    declare(story, yard, "web", **bad)
    eventually(lambda: reason(story, yard, "web") == Reason.NOT_READY_IN_TIME, "it stalled")
    assert "/data may hold data that the newer program has changed" in message(story, yard, "web")
    assert command(yard, "web") == ["sleep", "2000"]
    failed = yard.identity("web")
    declare(story, yard, "web", **bad, rollback=True)
    eventually(lambda: back(story, yard, "web"), "it was taken back when that was asked for")
    assert yard.identity("web") != failed


def test_edit_without_a_controller_is_taken_back_by_apply(story: Story, yard: Yard) -> None:
    declare(story, yard, "web")
    assert story.p2("apply").code == 0
    time.sleep(READY_TIMEOUT)  # so long it must have been Ready; nobody looks meanwhile
    declare(story, yard, "web", command=["sleep", "2000"], **ILL)
    shown = story.p2("apply", "--timeout", "60")
    assert (shown.code, command(yard, "web")) == (1, GOOD)
    assert "RolledBack" in shown.out
    assert "no luck" in shown.out
    for _ in range(2):
        again = story.p2("diff")
        assert again.code == 1
        assert again.out.startswith(f"= Container/{yard.name('web')}")
        assert "note: gave up generation 2 (command, healthcheck" in again.out
        plan = json.loads(story.p2("diff", "-o", "json").out)
        assert plan["actions"] == plan["unknown"] == []
        assert [each["key"] for each in plan["reported"]] == [f"Container/default/{yard.name('web')}"]
        assert "no luck" in plan["reported"][0]["notes"][0]
        assert story.p2("apply").code == 1
    assert yard.names() == ["web"]


@pytest.mark.parametrize("moment", [0.0, 0.15, 0.4])
def test_controller_killed_on_the_way_back_leaves_one_good_container_each(
    story: Story, yard: Yard, controller: Controller, moment: float
) -> None:
    """Six of them are at as many points of the way when it is killed, `moment` seconds after the first one has set out."""
    shorts = [f"c{number}" for number in range(6)]
    proven(story, yard, controller, *shorts)
    declare(story, yard, *shorts, command=["sleep", "2000"], **ILL)
    eventually(lambda: all(command(yard, short) == ["sleep", "2000"] for short in shorts), "all were edited")
    eventually(lambda: set_out(yard, shorts), "one of them has set out on its way back")
    time.sleep(moment)
    controller.kill()
    controller.start()
    eventually(lambda: back(story, yard, *shorts), "all were taken back", seconds=30)
    assert yard.names() == shorts
    assert all("no luck" in message(story, yard, short) for short in shorts)


def set_out(yard: Yard, shorts: list[str]) -> bool:
    return yard.names() != shorts or any(command(yard, short) == GOOD for short in shorts)
