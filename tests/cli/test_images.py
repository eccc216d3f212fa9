"""Images and the containers that are made from them, as people meet them: edit a file, and the new program runs."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.agents.worlds.docker import IMAGE
from tests.cli.story import Story
from tests.cli.yard import Yard
from tests.support import Controller, all_ready, at_rest, eventually, happened, listed, told

pytestmark = pytest.mark.docker


class Shop:
    """A program that is built from a directory, and a container that runs it."""

    def __init__(self, story: Story, yard: Yard) -> None:
        self.story, self.yard = story, yard
        self.context = story.root / "shop"
        self.context.mkdir()
        self.write("Dockerfile", f"FROM {IMAGE}\nLABEL test={yard.prefix}\nCOPY page /page\n")
        self.write("page", "hello")
        story.write("shop.yaml", self.image(), self.container())

    @property
    def reference(self) -> str:
        return f"{self.yard.prefix}/shop:1"

    def write(self, file: str, text: str) -> None:
        """As editors do: what is there is never half of it."""
        draft = self.context.with_name(f".{file}")
        draft.write_text(text)
        draft.replace(self.context / file)

    def image(self, **spec: Any) -> str:
        spec = {"image": self.reference, "build": {"context": "../shop"}, **spec}
        return json.dumps(
            {
                "apiVersion": "pegasus2.dev/v1",
                "kind": "Image",
                "metadata": {"name": self.yard.name("shop")},
                "spec": spec,
            }
        )

    def container(self) -> str:
        return self.yard.container("web", image=self.reference)

    def serves(self) -> str:
        """What the container has; nothing while there is none."""
        name = self.yard.name("web")
        done = subprocess.run(["docker", "exec", name, "cat", "/page"], capture_output=True, text=True, check=False)
        return done.stdout

    def clear(self) -> None:
        self.yard.clear()
        engine = self.yard.engine
        for image in engine.images():
            mine = [name for name in image["RepoTags"] or () if self.yard.prefix in name]
            if mine or (image["Labels"] or {}).get("test") == self.yard.prefix:
                for name in mine or [image["Id"]]:
                    engine.remove_image(name, force=True)


@pytest.fixture
def shop(story: Story, yard: Yard) -> Iterator[Shop]:
    made = Shop(story, yard)
    yield made
    made.clear()


@pytest.fixture
def controller(story: Story) -> Iterator[Controller]:
    made = Controller(story)
    yield made
    made.kill()


def test_container_waits_for_its_image_and_is_made_anew_from_each_next_one(shop: Shop) -> None:
    story, web, image = shop.story, shop.yard.name("web"), shop.yard.name("shop")
    assert story.p2("apply").code == 0
    assert shop.serves() == "hello"
    shop.write("page", "edited")
    shown = story.p2("diff")
    assert (shown.code, "build.context" in shown.out) == (1, True)
    assert f"containers that name {shop.reference} are made anew" in shown.out
    shown = story.p2("apply")
    assert (shown.code, shop.serves()) == (0, "edited"), shown.out
    assert (happened(story, "Updated"), happened(story, "Replaced")) == ([image], [web])
    assert story.p2("diff").code == 0


def test_build_waits_for_the_container_that_fetches_its_context(shop: Shop, yard: Yard) -> None:
    story, there = shop.story, shop.context.with_name("fetched")
    shop.context.rename(there)
    fetch = f"mkdir {shop.context} && cp {there}/* {shop.context}/; exit"
    root = {"type": "bind", "source": str(story.root), "target": str(story.root)}
    clone = yard.container("clone", fetch, state="completed", volumes=[root])
    image = json.loads(shop.image())
    image["spec"]["dependsOn"] = [f"Container/{yard.name('clone')}"]
    story.write("shop.yaml", clone, json.dumps(image), shop.container())
    shown = story.p2("diff")
    assert (shown.code, "3 to create" in shown.out) == (1, True), shown.out
    shown = story.p2("apply")
    assert (shown.code, shop.serves()) == (0, "hello"), shown.out
    assert story.p2("diff").code == 0


def test_failed_build_leaves_the_container_as_it_is(shop: Shop) -> None:
    story = shop.story
    assert story.p2("apply").code == 0
    before = shop.yard.started("web")
    shop.write("Dockerfile", f"FROM {IMAGE}\nRUN echo the compiler says no; exit 3\n")
    shown = story.p2("apply")
    assert shown.code == 1
    assert "BuildFailed" in shown.out
    assert "exit code: 3: the compiler says no" in shown.out
    assert (shop.yard.started("web"), shop.serves()) == (before, "hello")
    shop.write("Dockerfile", f"FROM {IMAGE}\nLABEL test={shop.yard.prefix}\nCOPY page /page\n")
    assert story.p2("diff").code == 0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("Dockerfile", "shop/Dockerfile: No such file or directory; correct build.dockerfile"),
        (".", "shop: No such file or directory; correct what it names, or build.context"),
        (".dockerignore", "shop/.dockerignore"),
    ],
)
def test_what_cannot_be_built_is_seen_before_it_is_tried_and_goes_all_the_same(
    shop: Shop, spoil: str, said: str
) -> None:
    story, image, away = shop.story, f"Image/{shop.yard.name('shop')}", shop.story.root / "away"
    assert story.p2("apply").code == 0
    (shop.context / spoil).resolve().rename(away) if spoil != ".dockerignore" else shop.write(spoil, "[a-\n")
    shown = story.p2("diff")
    assert (shown.code, f"! {image}  ContextUnreadable" in shown.out) == (2, True), shown.out
    assert f"cannot build {shop.reference}: " in shown.out
    assert said in shown.out
    assert "1 not possible" in shown.out
    assert story.p2("apply").code == 1
    assert shop.serves() == "hello"
    story.remove("shop.yaml")
    story.write("more.yaml", story.file("more"))
    assert story.p2("apply", "--yes").code == 0
    assert shop.yard.engine.images(name=shop.reference.partition(":")[0]) == []


def test_controller_builds_what_is_saved_and_heals_what_is_taken_away(shop: Shop, controller: Controller) -> None:
    story, both = shop.story, [shop.yard.name("web"), shop.yard.name("shop")]
    controller.start()
    eventually(lambda: all_ready(story, both), "both are Ready", 60.0)
    shop.write("page", "saved")
    eventually(lambda: shop.serves() == "saved", "what was saved is served", 60.0)
    eventually(lambda: all_ready(story, both), "both are Ready again", 60.0)
    started = shop.yard.started("web")
    built = shop.yard.engine.inspect_image(shop.reference)["Id"]  # type: ignore[no-untyped-call]
    repository, _, tag = shop.reference.rpartition(":")
    shop.yard.engine.tag(IMAGE, repository, tag)
    eventually(
        lambda: shop.yard.engine.inspect_image(shop.reference)["Id"] == built,  # type: ignore[no-untyped-call]
        "the name stands for what was built",
    )
    eventually(lambda: all_ready(story, both), "all is as it was", 60.0)
    assert (shop.yard.started("web"), shop.serves()) == (started, "saved")
    eventually(lambda: at_rest_soon(controller, shop), "nothing moves any more", 60.0)


def at_rest_soon(controller: Controller, shop: Shop) -> bool:
    """The controller may be clearing up a former image just now."""
    return shop.story.p2("diff").code == 0 and at_rest(controller, lambda: shop.yard.started("web"))


def test_image_that_is_declared_no_more_goes_with_its_container(shop: Shop) -> None:
    story = shop.story
    assert story.p2("apply").code == 0
    story.write("shop.yaml", story.file("other"))
    assert story.p2("apply", "--yes").code == 0
    assert shop.yard.engine.images(name=shop.reference) == []


def test_images_tells_whose_they_are_and_who_uses_them(shop: Shop) -> None:
    story = shop.story
    assert story.p2("apply").code == 0
    shop.write("page", "edited")
    assert story.p2("apply").code == 0
    found = {each["image"]: each for each in json.loads(story.p2("images", "-o", "json").out)}
    ours = found[shop.reference]
    assert (ours["owner"], ours["usedBy"]) == (
        f"Image/{shop.yard.name('shop')}",
        [f"Container/{shop.yard.name('web')}"],
    )
    assert ours["id"] == shop.yard.engine.inspect_image(shop.reference)["Id"]  # type: ignore[no-untyped-call]
    assert (found[IMAGE]["owner"], found[IMAGE]["ours"]) == (None, False)
    (story.root / "elsewhere").mkdir()
    from_elsewhere = {each["image"]: each for each in json.loads(story.p2("images", "elsewhere", "-o", "json").out)}
    assert from_elsewhere[shop.reference]["owner"] == f"Image/{shop.yard.name('shop')}"
    table = story.p2("images").out.splitlines()
    assert table[0].split()[:3] == ["IMAGE", "ID", "DIGEST"]
    assert any(line.startswith("(former)") for line in table)
    assert "ENGINE" not in table[0]


def test_images_without_an_engine_are_refused(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{story.root}/no-engine.sock")
    shown = story.p2("images")
    assert shown.code == 2
    assert shown.err.startswith("error: cannot reach the Docker engine at ")


def runs(words: str) -> bool:
    """Whether there is a process with these words, as the steps of a build are on the engine's machine."""
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdecimal() and words.encode() in (process / "cmdline").read_bytes():
                return True
    return False


def test_build_ends_with_who_has_asked_for_it(shop: Shop) -> None:
    step = f"sleep 300; echo {shop.yard.prefix}"
    shop.write("Dockerfile", f"FROM {IMAGE}\nLABEL test={shop.yard.prefix}\nRUN {step}\n")
    process = shop.story.start("apply")
    eventually(lambda: runs(step), "the step runs", 60.0)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130, shown
    eventually(lambda: not runs(step), "the step has ended")
    assert shop.yard.engine.images(name=shop.reference) == []
    assert told(shop.story, "Created") == []


def test_name_that_was_given_to_another_image_disturbs_no_container(shop: Shop) -> None:
    story = shop.story
    assert story.p2("apply").code == 0
    before = shop.yard.started("web")
    repository, _, tag = shop.reference.rpartition(":")
    shop.yard.engine.tag(IMAGE, repository, tag)
    assert story.p2("diff").code == 1
    assert story.p2("apply").code == 0
    assert (shop.yard.started("web"), shop.serves()) == (before, "hello")
    assert story.p2("diff").code == 0


def test_build_that_does_not_work_is_taken_back_until_the_next_edit(shop: Shop, controller: Controller) -> None:
    story, web, image = shop.story, shop.yard.name("web"), shop.yard.name("shop")
    trial = {"minReadySeconds": 1, "readyTimeout": "4s", "command": ["sh", "/page"], "stopSignal": "SIGKILL"}
    shop.write("page", "sleep 1000 # good")
    story.write("shop.yaml", shop.image(), shop.yard.container("web", image=shop.reference, **trial))
    controller.start()
    eventually(lambda: all_ready(story, [web, image]), "both are Ready", 60.0)
    good, since = shop.yard.engine.inspect_image(shop.reference)["Id"], time.monotonic()  # type: ignore[no-untyped-call]
    eventually(lambda: time.monotonic() > since + 6, "it has been Ready for long enough to count as good")
    shop.write("page", "exit 3")
    eventually(lambda: told(story, "RolledBack"), "it was taken back", 90.0)
    eventually(lambda: listed(story)[web]["status"] == "True" and "good" in shop.serves(), "the former one runs", 60.0)
    eventually(lambda: listed(story)[image]["reason"] == "RolledBack", "what is declared is known not to be used")
    assert shop.yard.engine.inspect_image(shop.reference)["Id"] == good  # type: ignore[no-untyped-call]
    assert "was given up" in listed(story)[image]["message"]
    shop.write("page", "sleep 1000 # fixed")
    eventually(lambda: "fixed" in shop.serves() and all_ready(story, [web, image]), "the next one runs", 60.0)
