"""Updates that no edit brings, and containers that are replaced one after the other: what fails is taken back."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from docker.errors import NotFound

from resources.conditions import Reason
from tests.agents.worlds.docker import IMAGE
from tests.chaos.test_containers import message, ready, reason
from tests.chaos.test_trials import ILL, READY_TIMEOUT, all_good
from tests.chaos.yard import Yard
from tests.cli.story import Story
from tests.support import Controller, at_rest, eventually, happened, told

pytestmark = pytest.mark.docker

ILL_IMAGE = 'HEALTHCHECK --interval=200ms --retries=1 CMD ["sh", "-c", "echo no luck; exit 1"]'
CRASHING_IMAGE = 'CMD ["sh", "-c", "echo no such table; exit 3"]'


class Shelf:
    """Images of one story: tags that come to name one after the other."""

    def __init__(self, yard: Yard) -> None:
        self._yard, self._made = yard, set[str]()

    @property
    def reference(self) -> str:
        return f"{self._yard.prefix}/app:1"

    def build(self, version: str, *instructions: str) -> str:
        """The tag comes to name this one. Returns its id."""
        lines = [f"FROM {IMAGE}", f"LABEL test={self._yard.prefix} version={version}", *instructions]
        file, engine = io.BytesIO("\n".join(lines).encode()), self._yard.engine
        for said in engine.build(fileobj=file, tag=self.reference, rm=True, decode=True):
            assert "error" not in said, said
        self._made.add(self.now)
        return self.now

    @property
    def now(self) -> str:
        return str(self._yard.engine.inspect_image(self.reference)["Id"])

    def clear(self) -> None:
        for image in self._made:
            with suppress(NotFound):
                self._yard.engine.remove_image(image, force=True)


@pytest.fixture
def shelf(yard: Yard) -> Iterator[Shelf]:
    made = Shelf(yard)
    yield made
    yard.clear()
    made.clear()


def declare(story: Story, yard: Yard, shelf: Shelf, *shorts: str, **spec: Any) -> None:
    spec = {"image": shelf.reference, "readyTimeout": f"{READY_TIMEOUT}s", **spec}
    spec.setdefault("command", ["sleep", "1000"])
    story.write("all.yaml", *(yard.container(short, **spec) for short in shorts))


def proven(story: Story, yard: Yard, shelf: Shelf, controller: Controller, *shorts: str, **spec: Any) -> None:
    declare(story, yard, shelf, *shorts, **spec)
    controller.start()
    eventually(lambda: ready(story, yard, *shorts), "all were Ready")
    eventually(lambda: all_good(len(shorts)), "all had been Ready for long enough")


def image(yard: Yard, short: str) -> str:
    return str(yard.inspect(short).get("Image", ""))


def made_of(yard: Yard, identity: str, *shorts: str) -> bool:
    return yard.running(*shorts) and all(image(yard, short) == identity for short in shorts)


def test_newer_image_that_works_stays(story: Story, yard: Yard, shelf: Shelf, controller: Controller) -> None:
    shelf.build("1")
    proven(story, yard, shelf, controller, "web")
    newer = shelf.build("2")
    eventually(lambda: made_of(yard, newer, "web"), "it was updated")
    eventually(lambda: ready(story, yard, "web"), "it was Ready")
    eventually(lambda: "on trial" not in describe(story, yard, "web"), "its update was believed in")
    assert happened(story, Reason.ROLLED_BACK) == []
    assert at_rest(controller, yard.fingerprint)


def describe(story: Story, yard: Yard, short: str) -> str:
    return story.p2("describe", f"container/{yard.name(short)}").out


@pytest.mark.parametrize("strategy", [None, "startFirst"])
@pytest.mark.parametrize("bad", [ILL_IMAGE, CRASHING_IMAGE])
def test_newer_image_that_does_not_become_ready_is_taken_back_and_stays_away(
    strategy: str | None, bad: str, story: Story, yard: Yard, shelf: Shelf, controller: Controller
) -> None:
    former = shelf.build("1", 'CMD ["sleep", "1000"]')
    proven(story, yard, shelf, controller, "web", command=None, strategy=strategy)
    served = yard.identity("web")
    broken = shelf.build("2", 'CMD ["sleep", "2000"]', bad)
    eventually(lambda: shelf.now == former and made_of(yard, former, "web"), "the former one came back", seconds=40)
    eventually(lambda: ready(story, yard, "web"), "it was Ready")
    assert yard.names() == ["web"]
    assert (yard.identity("web") == served) is (strategy == "startFirst")
    said = message(story, yard, "web")
    assert f"the image {broken.removeprefix('sha256:')[:12]} was given up" in said
    assert ("no luck" if bad is ILL_IMAGE else "code 3") in said
    assert happened(story, Reason.ROLLED_BACK) == [yard.name("web")]

    before = yard.identity("web")
    yard.engine.tag(broken, *shelf.reference.rsplit(":", 1))
    eventually(lambda: shelf.now == former, "what was given up did not come back by itself")
    assert yard.identity("web") == before

    fixed = shelf.build("3", 'CMD ["sleep", "3000"]')
    eventually(lambda: made_of(yard, fixed, "web"), "a newer one was tried")
    eventually(lambda: ready(story, yard, "web") and not message(story, yard, "web"), "it was Ready, and all is well")
    assert at_rest(controller, yard.fingerprint)


def test_edit_of_the_spec_lets_an_image_that_was_given_up_be_tried_again(
    story: Story, yard: Yard, shelf: Shelf, controller: Controller
) -> None:
    """It needs a variable, say, that the spec did not have."""
    former = shelf.build("1", 'CMD ["sleep", "1000"]')
    proven(story, yard, shelf, controller, "web", command=None)
    broken = shelf.build("2", 'CMD ["sh", "-c", "test $NEEDED || exit 3; exec sleep 1000"]')
    eventually(lambda: shelf.now == former and made_of(yard, former, "web"), "the former one came back", seconds=40)
    declare(story, yard, shelf, "web", command=None, env={"NEEDED": "1"})
    eventually(lambda: yard.environment("web") and "NEEDED=1" in yard.environment("web"), "it was edited")
    yard.engine.tag(broken, *shelf.reference.rsplit(":", 1))
    eventually(lambda: made_of(yard, broken, "web"), "it was tried again")
    eventually(lambda: ready(story, yard, "web"), "it was Ready")
    time.sleep(READY_TIMEOUT)  # in which it would have been taken back
    assert made_of(yard, broken, "web")


def test_newer_image_may_have_changed_data_and_stays_until_its_owner_says_otherwise(
    story: Story, yard: Yard, shelf: Shelf, controller: Controller, tmp_path: Any
) -> None:
    mount = {"volumes": [{"type": "bind", "source": str(tmp_path), "target": "/data"}]}
    former = shelf.build("1")
    proven(story, yard, shelf, controller, "web", **mount)
    broken = shelf.build("2", ILL_IMAGE)
    eventually(lambda: reason(story, yard, "web") == Reason.NOT_READY_IN_TIME, "it stalled")
    assert "/data may hold data that the newer program has changed" in message(story, yard, "web")
    assert (shelf.now, image(yard, "web")) == (broken, broken)
    assert former != broken


def test_first_of_several_that_fails_takes_all_back_without_flapping(
    story: Story, yard: Yard, shelf: Shelf, controller: Controller
) -> None:
    shorts = [f"c{number}" for number in range(4)]
    former = shelf.build("1")
    proven(story, yard, shelf, controller, *shorts)
    shelf.build("2", ILL_IMAGE)
    eventually(lambda: any(image(yard, short) not in ("", former) for short in shorts), "one of them was updated")
    eventually(
        lambda: shelf.now == former and made_of(yard, former, *shorts), "all are of the former one again", seconds=40
    )
    eventually(lambda: ready(story, yard, *shorts), "all were Ready")
    assert yard.names() == shorts
    assert len(happened(story, "Replaced")) <= 2 * len(shorts), told(story, "Replaced")
    assert at_rest(controller, yard.fingerprint)


@pytest.mark.parametrize("moment", [0.0, 0.3, 1.0, READY_TIMEOUT + 0.2])
def test_controller_killed_in_the_middle_of_an_update_takes_it_back_all_the_same(
    story: Story, yard: Yard, shelf: Shelf, controller: Controller, moment: float
) -> None:
    shorts = [f"c{number}" for number in range(3)]
    former = shelf.build("1")
    proven(story, yard, shelf, controller, *shorts)
    shelf.build("2", ILL_IMAGE)
    eventually(lambda: yard.names() != shorts or image(yard, "c0") != former, "the update has begun")
    time.sleep(moment)
    controller.kill()
    controller.start()
    eventually(
        lambda: shelf.now == former and made_of(yard, former, *shorts), "all are of the former one again", seconds=40
    )
    eventually(lambda: ready(story, yard, *shorts), "all were Ready")
    assert yard.names() == shorts


@pytest.mark.parametrize("moment", [0.0, 0.3, 1.0])
def test_controller_killed_while_the_new_container_has_to_prove_itself_leaves_the_old_one_serving(
    story: Story, yard: Yard, shelf: Shelf, controller: Controller, moment: float
) -> None:
    shelf.build("1")
    proven(story, yard, shelf, controller, "web", strategy="startFirst")
    served, started = yard.identity("web"), yard.fingerprint()["web"]
    declare(story, yard, shelf, "web", strategy="startFirst", command=["sleep", "2000"], **ILL)
    eventually(lambda: "web.p2-new" in yard.names(), "the new one was made")
    time.sleep(moment)
    controller.kill()
    assert yard.running("web")
    controller.start()
    eventually(lambda: reason(story, yard, "web") == Reason.ROLLED_BACK, "the edit was given up")
    eventually(lambda: yard.names() == ["web"], "nothing of it is left")
    assert (yard.identity("web"), yard.fingerprint()["web"]) == (served, started)
    assert "no luck" in message(story, yard, "web")
