"""p2 killed at random moments of an apply: the next one ends where an apply without a crash would have ended.

`P2_TEST_CRASHES` says how often it is killed (15 times if it does not), `P2_TEST_SEED` with which random moments.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from typing import Any

import pytest

from tests.chaos.yard import Yard
from tests.cli.story import Story

pytestmark = pytest.mark.docker

CRASHES = int(os.environ.get("P2_TEST_CRASHES", "15"))
SEED = int(os.environ.get("P2_TEST_SEED", "1"))
COLORS = ["red", "green", "blue"]


def declare(story: Story, yard: Yard, turn: int, place: int) -> dict[str, Any]:
    """Eight or nine resources, most of them other ones than a turn before. Returns what must be there when all is done."""
    color = COLORS[turn % 3]
    attached = {"networks": [{"name": yard.name("net")}]}
    containers = {
        "replaced": {"env": {"COLOR": color}},
        "connected": {**attached, "env": {"COLOR": color}},
        "updated": {"memory": f"{64 + turn % 3}m"},
        **({f"fleeting{turn % 4}": {}} if turn % 2 else {}),
    }
    story.write("containers.yaml", *[yard.container(short, **spec) for short, spec in containers.items()])
    network = yard.document("Network", "net", labels={"color": COLORS[turn // 2 % 3]})
    story.write("rest.yaml", network, yard.document("Volume", "data"))
    moves = story.file("moves").replace("world/moves", f"world/at-{place % 3}")
    gone = [story.file(f"fleeting{turn % 4}")] if turn % 2 else []
    story.write("files.yaml", story.file("edited", color), story.file("stays"), moves, *gone)
    return {
        "containers": sorted(containers),
        "files": sorted(["edited", "stays", f"at-{place % 3}", *[f"fleeting{turn % 4}"] * len(gone)]),
        "resources": len(containers) + 2 + 3 + len(gone),
        "color": color,
        "memory": (64 + turn % 3) << 20,
    }


def found(story: Story, yard: Yard) -> dict[str, Any]:
    owned = json.loads(story.p2("get", "-o", "json").out)["items"]
    colors = {entry for short in ("replaced", "connected") for entry in yard.environment(short) if "COLOR" in entry}
    assert yard.running(*yard.names())
    assert yard.networks("connected") == ["net"]
    return {
        "containers": yard.names(),
        "files": sorted(path.name for path in story.world.iterdir()),
        "resources": len(owned),
        "color": ", ".join(colors).removeprefix("COLOR="),
        "memory": yard.inspect("updated")["HostConfig"]["Memory"],
    }


def test_killed_at_any_moment_it_loses_nothing_doubles_nothing_and_leaves_nothing_behind(
    story: Story, yard: Yard
) -> None:
    chance = random.Random(SEED)
    declare(story, yard, 0, 0)
    assert story.p2("apply", "--yes").code == 0
    interrupted = seen = 0
    for turn in range(1, CRASHES + 1):
        # A path is edited again only when a move that was interrupted is over: nothing remembers a third one.
        expected = declare(story, yard, turn, seen)
        process = story.start("apply", "--yes")
        try:
            process.communicate(timeout=chance.uniform(0.3, 1.6))  # the moment is the point
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            interrupted += 1
        if chance.random() < 0.3:
            continue  # crashed again before anybody has looked, and edited in between
        again = story.p2("apply", "--yes")
        assert again.code == 0, f"turn {turn} of seed {SEED}:\n{again.out}{again.err}"
        assert found(story, yard) == expected, f"turn {turn} of seed {SEED}"
        assert story.p2("diff").code == 0, f"turn {turn} of seed {SEED}"
        seen = turn
    assert interrupted >= CRASHES // 3
    expected = declare(story, yard, CRASHES + 1, seen)
    assert story.p2("apply", "--yes").code == 0
    assert found(story, yard) == expected
    (volume,) = yard.engine.volumes(filters={"name": yard.prefix})["Volumes"]
    assert volume["Name"] == yard.name("data")
    assert "nothing to do" in story.p2("apply").last
