"""Several containers of one template, and files whose edits concern a container, under a running controller and without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resources.conditions import Reason
from tests.chaos.test_containers import message, ready, reason
from tests.chaos.test_trials import ILL, READY_TIMEOUT, command
from tests.chaos.test_updates import ILL_IMAGE, Shelf, all_good, image, made_of
from tests.chaos.test_updates import shelf as shelf
from tests.chaos.yard import RUNNING, Yard
from tests.cli.story import Story
from tests.support import Controller, at_rest, eventually, happened

pytestmark = pytest.mark.docker

SHORTS = ["web-1", "web-2", "web-3"]


def declare(story: Story, yard: Yard, *, replicas: int = 3, strategy: str = "rolling", **template: Any) -> None:
    spec = {**RUNNING, "readyTimeout": f"{READY_TIMEOUT}s", **template}
    document = yard.document("ContainerSet", "web", replicas=replicas, strategy=strategy, template=spec)
    story.write("web.yaml", document)


def all_are_ready(story: Story, yard: Yard, *shorts: str) -> bool:
    return ready(story, yard, "web", *shorts)


def started(story: Story, yard: Yard, controller: Controller, **template: Any) -> None:
    declare(story, yard, **template)
    controller.start()
    eventually(lambda: all_are_ready(story, yard, *SHORTS), "all were Ready")
    eventually(lambda: all_good(3), "all had been Ready for long enough", seconds=40)


def edited(story: Story, yard: Yard, wanted: list[str]) -> None:
    """Waits until an edit of the command has reached all."""
    eventually(lambda: all(command(yard, short) == wanted for short in SHORTS), "all were edited", seconds=60)
    eventually(lambda: all_are_ready(story, yard, *SHORTS), "all were Ready")


def test_edit_reaches_the_next_container_when_the_last_is_ready(
    story: Story, yard: Yard, controller: Controller
) -> None:
    started(story, yard, controller, minReadySeconds=1)
    declare(story, yard, minReadySeconds=1, command=["sleep", "2000"])
    edited(story, yard, ["sleep", "2000"])
    begun = [yard.inspect(short)["State"]["StartedAt"] for short in SHORTS]
    made = [yard.inspect(short)["Created"] for short in SHORTS]
    assert begun[0] < made[1]
    assert begun[1] < made[2]
    assert at_rest(controller, yard.fingerprint)


def test_edit_that_fails_in_the_first_leaves_the_others_as_they_were(
    story: Story, yard: Yard, controller: Controller
) -> None:
    started(story, yard, controller)
    before = yard.fingerprint()
    declare(story, yard, command=["sleep", "2000"], **ILL)
    eventually(lambda: reason(story, yard, "web-1") == Reason.ROLLED_BACK, "the first went back")
    assert reason(story, yard, "web-2") == Reason.DEPENDENCY_NOT_READY
    assert "no luck" in message(story, yard, "web")
    after = yard.fingerprint()
    assert {short: after[short] for short in SHORTS[1:]} == {short: before[short] for short in SHORTS[1:]}
    declare(story, yard, command=["sleep", "3000"])
    edited(story, yard, ["sleep", "3000"])


def test_newer_image_reaches_one_after_the_other_and_none_when_the_first_fails(
    story: Story, yard: Yard, shelf: Shelf, controller: Controller
) -> None:
    former = shelf.build("1")
    started(story, yard, controller, image=shelf.reference)
    before = yard.fingerprint()
    shelf.build("2", ILL_IMAGE)
    eventually(lambda: image(yard, "web-1") not in ("", former), "the first was updated")
    eventually(lambda: shelf.now == former and made_of(yard, former, *SHORTS), "it went back", seconds=40)
    eventually(lambda: all_are_ready(story, yard, *SHORTS), "all were Ready")
    after = yard.fingerprint()
    assert {short: after[short] for short in SHORTS[1:]} == {short: before[short] for short in SHORTS[1:]}
    newer = shelf.build("3")
    eventually(lambda: made_of(yard, newer, *SHORTS), "all were updated", seconds=40)
    eventually(lambda: all_are_ready(story, yard, *SHORTS), "all were Ready")
    begun = [yard.inspect(short)["Created"] for short in SHORTS]
    assert begun == sorted(begun)
    assert at_rest(controller, yard.fingerprint)


def test_set_grows_and_shrinks_at_its_end(story: Story, yard: Yard, controller: Controller) -> None:
    declare(story, yard, replicas=2)
    controller.start()
    eventually(lambda: all_are_ready(story, yard, "web-1", "web-2"), "both were Ready")
    before = yard.fingerprint()
    declare(story, yard, replicas=4)
    eventually(lambda: all_are_ready(story, yard, *SHORTS, "web-4"), "it had grown")
    declare(story, yard, replicas=1)
    eventually(lambda: yard.names() == ["web-1"], "it had shrunk", seconds=40)
    assert yard.fingerprint()["web-1"] == before["web-1"]
    eventually(lambda: all_are_ready(story, yard, "web-1"), "it was Ready")
    assert at_rest(controller, yard.fingerprint)


# -- files that a container reads ----------------------------------------------------------------------------------


def reading(story: Story, yard: Yard, content: str, on_change: str = "restart") -> None:
    """A container, and the file that it reads, which is declared as well."""
    path = story.world / "app-conf"
    mount = {"type": "bind", "source": str(path), "target": "/app.conf", "readOnly": True, "onChange": on_change}
    story.write("web.yaml", yard.container("web", volumes=[mount]))
    story.write("conf.yaml", story.file("app-conf", content))


def begun(yard: Yard) -> tuple[str, str]:
    """What a container is, and since when it runs."""
    return yard.fingerprint().get("web", ("", ""))


def test_file_and_its_container_are_edited_by_one_apply(story: Story, yard: Yard) -> None:
    reading(story, yard, "one")
    assert story.p2("apply").code == 0
    before = begun(yard)
    reading(story, yard, "two")
    shown = story.p2("apply")
    assert shown.code == 0, shown.out + shown.err
    assert "restarted" in story.p2("events").out
    after = begun(yard)
    assert (after[0], after[1] > before[1]) == (before[0], True)
    assert story.p2("diff").code == 0
    assert "nothing to do" in story.p2("apply").last
    assert begun(yard) == after


def test_file_that_is_edited_restarts_its_container_once_under_a_controller(
    story: Story, yard: Yard, controller: Controller, tmp_path: Path
) -> None:
    """Edited while it runs, and while it is away; and killed in the middle."""
    theirs = tmp_path / "theirs.conf"
    theirs.write_text("one")
    mount = {"type": "bind", "source": str(theirs), "target": "/app.conf", "readOnly": True, "onChange": "restart"}
    story.write("web.yaml", yard.container("web", volumes=[mount]))
    controller.start()
    eventually(lambda: ready(story, yard, "web"), "it was Ready")
    first = begun(yard)
    theirs.write_text("two")
    eventually(lambda: begun(yard) != first and ready(story, yard, "web"), "it was restarted")
    second = begun(yard)
    assert second[0] == first[0]
    controller.kill()
    theirs.write_text("three")
    controller.start()
    eventually(lambda: begun(yard) != second and ready(story, yard, "web"), "what was edited meanwhile was seen")
    third = begun(yard)
    theirs.write_text("four")
    eventually(lambda: begun(yard) != third, "it is being restarted")
    controller.kill()
    fourth = begun(yard)
    controller.start()
    eventually(lambda: controller.log.count("watching; Ctrl-C") == 3, "the controller had come")
    eventually(lambda: story.p2("diff").code == 0, "it was found to have read what is there")
    assert at_rest(controller, yard.fingerprint)
    assert begun(yard) == fourth, "it was not restarted once more"
    assert len(happened(story, "Created")) == 1
