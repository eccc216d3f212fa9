"""Images that are built: from what, when anew, and what is left when a build fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker import building
from controller.agents.docker.image import ImageAgent
from controller.agents.docker.refused import Refused
from controller.engine.agent import Done, Retry, Stalled
from controller.trees import Item, walk
from resources.kinds.image import Image
from resources.meta import Tree
from resources.plan import Action, Why
from tests.agents.docker.images import RealImages
from tests.agents.keeper import Keeper
from tests.agents.worlds.docker import IMAGE
from tests.registry import free_port
from tests.support import eventually

SECRET = "correct-horse-battery"


@pytest.fixture
def images(tmp_path: Path) -> Iterator[RealImages]:
    made = RealImages(tmp_path)
    yield made
    made.close()


@pytest.fixture
def keeper(images: RealImages) -> Keeper:
    return Keeper(images)


def content(images: RealImages, resource: Image, command: str) -> str:
    """What a command prints in a container of the image."""
    name = f"{images.prefix}-look"
    made = images.engine.create_container(resource.spec.image, ["sh", "-c", command], name=name)
    try:
        images.engine.start(made["Id"])
        images.engine.wait(made["Id"])
        return bytes(images.engine.logs(made["Id"])).decode()
    finally:
        images.engine.remove_container(made["Id"], force=True)


def attempt(keeper: Keeper, resource: Image) -> Any:
    outcome = keeper.apply(keeper.steps(resource))[resource.key]
    assert not isinstance(outcome, Done)
    return outcome


def paths(keeper: Keeper, resource: Image) -> list[str]:
    return [change.path for change in keeper.plan(resource).changes]


def dockerfile(images: RealImages, name: str, *instructions: str) -> Path:
    """The context of `name`, with a Dockerfile of these."""
    directory = images.context(name)
    lines = [f"FROM {IMAGE}", f"LABEL test={images.prefix}", *instructions]
    (directory / "Dockerfile").write_text("\n".join(lines) + "\n")
    return directory


# -- what it is built from -----------------------------------------------------------------------------------------


def test_changed_content_builds_it_anew_and_a_new_time_does_not(images: RealImages, keeper: Keeper) -> None:
    keeper.make(resource := images.built("one"))
    page = images.context("one") / "page"
    page.touch()
    assert keeper.plan(resource).empty
    page.write_text("another")
    assert paths(keeper, resource) == ["build.context"]
    keeper.make(resource)
    assert content(images, resource, "cat /srv/page") == "another"
    (images.context("one") / "more" / "deep").mkdir(parents=True)
    (images.context("one") / "more" / "deep" / "file").write_text("x")
    page.chmod(0o755)
    assert paths(keeper, resource) == ["build.context"]
    keeper.make(resource)
    assert content(images, resource, "ls /srv/more/deep; stat -c %a /srv/page") == "file\n755\n"
    assert keeper.plan(resource).empty


def test_content_that_is_as_before_again_is_not_built_again(images: RealImages, keeper: Keeper) -> None:
    keeper.make(resource := images.built("one"))
    first, page = images.identity(resource.spec.image), images.context("one") / "page"
    page.write_text("another")
    keeper.make(resource)
    page.write_text("hello")
    keeper.reports.clear()
    keeper.make(resource)
    assert images.identity(resource.spec.image) == first
    assert keeper.reports == []


def test_what_is_ignored_is_neither_sent_nor_missed(images: RealImages, keeper: Keeper) -> None:
    directory = images.context("one")
    (directory / ".dockerignore").write_text("**/*.log\nnode_modules\nDockerfile\n.dockerignore\n!keep.log\n")
    for path in ("a.log", "keep.log", "sub/b.log", "sub/c.txt", "node_modules/x/y"):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text("x")
    keeper.make(resource := images.built("one"))
    assert content(images, resource, "cd /srv; find . -type f | grep -v pegasus2 | sort").split() == [
        "./keep.log",
        "./page",
        "./sub/c.txt",
    ]
    (directory / "node_modules" / "x" / "z").write_text("x")
    (directory / "a.log").write_text("y")
    assert keeper.plan(resource).empty
    (directory / "keep.log").write_text("y")
    assert paths(keeper, resource) == ["build.context"]


def test_dockerfile_has_an_ignore_file_of_its_own(images: RealImages, keeper: Keeper) -> None:
    directory = images.context("one")
    (directory / "other").write_text((directory / "Dockerfile").read_text())
    (directory / ".dockerignore").write_text("page\n")
    (directory / "other.dockerignore").write_text("nothing\n")
    keeper.make(resource := images.built("one", dockerfile="other"))
    assert content(images, resource, "cat /srv/page") == "hello"


def test_dockerfile_may_be_elsewhere_or_written_in_the_spec(images: RealImages, keeper: Keeper, tmp_path: Path) -> None:
    elsewhere = tmp_path / "Elsewhere"
    text = (images.context("one") / "Dockerfile").read_text()
    elsewhere.write_text(f"{text}ENV AGE=elsewhere\n")
    keeper.make(resource := images.built("one", dockerfile=str(elsewhere)))
    assert images.age(resource.spec.image) == "elsewhere"
    elsewhere.write_text(f"{text}ENV AGE=edited\n")
    assert paths(keeper, resource) == ["build.dockerfile"]
    inline = images.built("one", dockerfileInline=f"{text}ENV AGE=inline\n")
    keeper.make(inline)
    assert images.age(inline.spec.image) == "inline"
    assert keeper.plan(inline).empty


def test_edited_fields_are_told_with_their_values(images: RealImages, keeper: Keeper) -> None:
    dockerfile(
        images, "one", "ARG COLOR=red", "ENV COLOR=$COLOR", f"FROM {IMAGE} AS last", f"LABEL test={images.prefix}"
    )
    keeper.make(images.built("one", args={"COLOR": "blue"}))
    plan = keeper.plan(images.built("one", args={"COLOR": "green"}, target="last"))
    told = [(change.path, change.observed, change.desired, change.why) for change in plan.changes]
    assert told == [
        ("build.args.COLOR", "blue", "green", Why.EDITED),
        ("build.target", None, "last", Why.EDITED),
    ]


def test_what_only_says_how_to_build_does_not_build_it_anew(images: RealImages, keeper: Keeper) -> None:
    keeper.make(images.built("one"))
    assert keeper.plan(images.built("one", noCache=True, pull=True, cacheFrom=[IMAGE])).empty


def test_base_image_that_is_another_one_builds_it_anew(images: RealImages, keeper: Keeper) -> None:
    base = images.make("base", "ENV AGE=old")
    keeper.make(resource := images.built("one", dockerfileInline=f"FROM {base}\nLABEL test={images.prefix}\n"))
    assert keeper.plan(resource).empty
    images.make("base", "ENV AGE=new")
    assert paths(keeper, resource) == [f"build.from.{base}"]
    keeper.make(resource)
    assert images.age(resource.spec.image) == "new"
    images.engine.remove_image(base, force=True)
    assert keeper.plan(resource).empty


def test_build_has_all_its_names(images: RealImages, keeper: Keeper) -> None:
    other = f"{images.prefix}/other:2"
    keeper.make(resource := images.built("one", tags=[other]))
    assert images.identity(other) == images.identity(resource.spec.image)
    images.engine.remove_image(other)
    assert paths(keeper, resource) == ["build.tags"]
    keeper.make(resource)
    assert images.there(other)
    keeper.make(fewer := images.built("one"))
    assert not images.there(other)
    assert keeper.plan(fewer).empty


def test_options_of_a_build_reach_it(images: RealImages, keeper: Keeper) -> None:
    dockerfile(images, "one", "RUN cat /etc/hosts > /hosts", "RUN --mount=type=cache,target=/c echo cached > /c/x")
    keeper.make(resource := images.built("one", extraHosts={"db": "10.1.2.3"}, network="none", noCache=True))
    assert "10.1.2.3\tdb" in content(images, resource, "cat /hosts")


@pytest.mark.parametrize("field", [{"shmSize": "128m"}, {"ulimits": {"nofile": {"soft": 100, "hard": 200}}}])
def test_limits_reach_the_build_or_are_refused(images: RealImages, keeper: Keeper, field: dict[str, Any]) -> None:
    dockerfile(images, "one", "RUN df -k /dev/shm | tail -1 | awk '{print $2}' > /shm; ulimit -n > /files")
    resource = images.built("one", noCache=True, **field)
    if tuple(map(int, images.engine.version()["ApiVersion"].split("."))) < (1, 42):
        failure = attempt(keeper, resource)
        assert (failure.reason, next(iter(field)) in failure.message) == ("Unsupported", True)
    else:
        keeper.make(resource)
        wanted = "131072" if "shmSize" in field else "100"
        assert wanted in content(images, resource, "cat /shm /files").split()


def test_name_that_was_given_to_another_image_is_given_back_without_a_build(images: RealImages, keeper: Keeper) -> None:
    keeper.make(resource := images.built("one"))
    built = images.identity(resource.spec.image)
    container = images.use(built)
    for harm in images.drifts(resource).values():
        harm()
        keeper.reports.clear()
        assert keeper.plan(resource).drift_only
        keeper.make(resource)
        assert images.identity(resource.spec.image) == built
        assert keeper.reports == []
    images.stop_using(container)


# -- secrets -------------------------------------------------------------------------------------------------------


def secretive(images: RealImages, **build: Any) -> Image:
    dockerfile(
        images,
        "one",
        "RUN --mount=type=secret,id=token sh -c 'wc -c </run/secrets/token >/size; echo leaked $(head -c99 /run/secrets/token)'",
    )
    return images.built("one", secrets={"token": {"env": "TOKEN"}}, **build)


def test_secret_reaches_the_build_and_nothing_of_it_stays(images: RealImages, keeper: Keeper) -> None:
    images.environment["TOKEN"] = SECRET
    resource = secretive(images, noCache=True)
    steps = keeper.steps(resource)
    keeper.succeed(steps)
    assert content(images, resource, "cat /size").strip() == str(len(SECRET))
    name = resource.spec.image
    left = json.dumps([images.engine.inspect_image(name), images.engine.history(name)])  # type: ignore[no-untyped-call]
    kept = "".join(file.read_text() for file in (images.directory / "home").rglob("*") if file.is_file())
    told = repr(keeper.reports)
    assert "leaked (secret)" in told
    for place in (left, kept, told, repr((steps, keeper.look(resource), keeper.plan(resource)))):
        assert SECRET not in place
    assert "leaked (secret)" in kept


def test_large_secret_reaches_the_build_whole(images: RealImages, keeper: Keeper) -> None:
    images.environment["TOKEN"] = SECRET * 20_000
    keeper.make(resource := secretive(images, noCache=True))
    assert content(images, resource, "cat /size").strip() == str(len(SECRET) * 20_000)


def test_rotated_secret_builds_it_anew(images: RealImages, keeper: Keeper) -> None:
    images.environment["TOKEN"] = SECRET
    keeper.make(resource := secretive(images))
    images.environment["TOKEN"] = "shorter"
    assert paths(keeper, resource) == ["build.secrets"]
    assert "shorter" not in repr(keeper.plan(resource))
    keeper.make(resource)
    assert content(images, resource, "cat /size").strip() == "7"
    del images.environment["TOKEN"]
    assert keeper.plan(resource).empty  # what is there is none the worse for it


def test_missing_secret_stalls_the_build(images: RealImages, keeper: Keeper) -> None:
    failure = attempt(keeper, secretive(images))
    assert isinstance(failure, Stalled)
    assert failure.reason == "SecretNotFound"


# -- how it goes, and fails ----------------------------------------------------------------------------------------


def test_each_step_is_told_with_its_lines(images: RealImages, keeper: Keeper) -> None:
    dockerfile(images, "one", "RUN echo the first line; echo the second")
    keeper.make(resource := images.built("one", noCache=True))
    told = [message for _, _, message in keeper.reports]
    assert any("step 2/2: RUN echo the first line; echo the second" in message for message in told), told
    assert keeper.reports[-1][1:] == (1.0, f"built {resource.spec.image}")


def test_failed_build_tells_its_lines_and_leaves_the_former_image(images: RealImages, keeper: Keeper) -> None:
    keeper.make(resource := images.built("one"))
    before = images.identity(resource.spec.image)
    dockerfile(images, "one", "RUN echo what went wrong; exit 7")
    failure = attempt(keeper, resource)
    assert isinstance(failure, Stalled)
    assert failure.reason == "BuildFailed"
    assert "step 2/2, RUN echo what went wrong; exit 7: exit code: 7: what went wrong" in failure.message
    log = images.directory / "home" / "docker" / "builds" / f"{resource.world_name}.log"
    assert str(log) in failure.message
    assert log.read_text() == "RUN echo what went wrong; exit 7: what went wrong\n"
    assert images.identity(resource.spec.image) == before


@pytest.mark.parametrize("instruction", ["RUUN true", "COPY there-is-no-such-file /", "FROM p2test/there-is-none:1"])
def test_dockerfile_that_cannot_be_built_stalls(images: RealImages, keeper: Keeper, instruction: str) -> None:
    dockerfile(images, "one", instruction)
    failure = attempt(keeper, images.built("one"))
    assert isinstance(failure, Stalled | Retry)
    assert failure.message.startswith(f"cannot build {images.reference('one')}: ")


def test_syntax_that_no_registry_gives_out_is_told_in_few_words(images: RealImages, keeper: Keeper) -> None:
    away = f"127.0.0.1:{free_port()}/syntax:1"
    text = f"# syntax={away}\nFROM {IMAGE}\n"
    failure = attempt(keeper, images.built("one", dockerfileInline=text))
    assert isinstance(failure, Retry)
    assert failure.reason == "RegistryUnavailable"
    assert failure.message.startswith(f"cannot build {images.reference('one')}: failed to do request: ")
    assert failure.message.endswith("see whether that registry is reachable from the engine")


def test_context_that_is_not_there_stalls(images: RealImages, keeper: Keeper, tmp_path: Path) -> None:
    keeper.make(resource := images.built("one"))
    images.context("one").rename(tmp_path / "away")
    failure = attempt(keeper, resource)
    assert isinstance(failure, Stalled)
    assert failure.reason == "ContextUnreadable"
    assert images.there(resource.spec.image)
    (tmp_path / "away").rename(images.directory / "contexts" / "one")
    assert keeper.plan(resource).empty


def test_file_that_changes_while_it_is_read_is_no_trouble_of_the_engine(
    images: RealImages, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = images.context("one") / "page"
    steps = keeper.steps(resource := images.built("one"))

    def listed(tree: Tree) -> list[Item]:
        page.write_text("hello")
        found = [*walk(tree)]
        page.write_text("")
        return found

    monkeypatch.setattr(building, "walk", listed)
    failure = keeper.apply(steps)[resource.key]
    assert isinstance(failure, Stalled)
    assert failure.reason == "ContextUnreadable"
    assert f"{page}: it became shorter while it was read" in failure.message


def test_build_ends_when_it_is_cancelled(images: RealImages, keeper: Keeper) -> None:
    dockerfile(images, "one", "RUN echo begun; sleep 100")
    resource, outcomes = images.built("one"), {}
    steps = keeper.steps(resource)
    thread = threading.Thread(target=lambda: outcomes.update(keeper.apply(steps)))
    thread.start()
    eventually(lambda: any("sleep 100" in message for _, _, message in keeper.reports), "the step has begun")
    keeper.context.cancelled.set()
    thread.join(20)
    failure = outcomes[resource.key]
    assert isinstance(failure, Retry)
    assert failure.reason == "Cancelled"
    assert "cancelled" not in failure.message  # the reason stands beside it wherever it is shown
    assert "it begins anew the next time" in failure.message
    assert not images.there(resource.spec.image)


# -- others' images, and those that were given up ------------------------------------------------------------------


def test_image_that_compose_has_built_is_adopted_as_it_is(images: RealImages, keeper: Keeper) -> None:
    resource = images.built("one")
    local = images.make("composed", "LABEL com.docker.compose.project=shop")
    images.engine.tag(local, *resource.spec.image.rsplit(":", 1))  # type: ignore[arg-type]
    before = images.identity(resource.spec.image)
    keeper.succeed([keeper.adoption(resource)])
    assert images.identity(resource.spec.image) == before
    assert keeper.plan(resource).empty
    (images.context("one") / "page").write_text("another")
    keeper.make(resource)
    assert images.identity(resource.spec.image) != before


def test_build_that_was_given_up_is_not_built_again_until_an_edit(images: RealImages, keeper: Keeper) -> None:
    keeper.make(resource := images.built("one"))
    good, name, page = images.identity(resource.spec.image), resource.spec.image, images.context("one") / "page"
    page.write_text("bad")
    keeper.make(resource)
    Refused(images.directory / "home").refuse(name, images.identity(name), "it crashed")
    assert paths(keeper, resource) == ["digest"]  # the rollback has not given the name back yet
    images.engine.tag(good, *name.rsplit(":", 1))  # type: ignore[arg-type]
    assert keeper.plan(resource).empty
    assert "was given up: it crashed" in images.message(keeper, resource)
    images.engine.tag(good, images.prefix, "kept")
    images.remove(resource)
    keeper.make(resource)
    assert content(images, resource, "cat /srv/page") == "hello"
    images.engine.remove_image(f"{images.prefix}:kept")
    images.remove(resource)
    failure = attempt(keeper, resource)  # for the former one is gone, and can't be built from what is there
    assert (failure.reason, "it crashed" in failure.message) == ("GivenUp", True)
    page.write_text("fixed")
    keeper.make(resource)
    assert content(images, resource, "cat /srv/page") == "fixed"


def test_former_builds_are_removed_but_for_those_that_are_kept(images: RealImages, keeper: Keeper) -> None:
    resource, identities = images.built("one"), []
    for text in ("1", "2", "3"):
        (images.context("one") / "page").write_text(text)
        keeper.make(resource)
        identities.append(images.identity(resource.spec.image))
    assert [images.there(each) for each in identities] == [False, True, True]
    assert keeper.plan(resource).action is Action.NONE


def test_name_that_somebody_gave_the_image_outlives_the_resource(images: RealImages, keeper: Keeper) -> None:
    keeper.make(resource := images.built("one"))
    identity, kept = images.identity(resource.spec.image), images.reference("kept")
    images.engine.tag(identity, *kept.rsplit(":", 1))  # type: ignore[arg-type]
    keeper.delete(resource)
    assert images.age(resource.spec.image) is None
    assert images.identity(kept) == identity


def test_another_name_for_the_same_build_is_left_when_the_former_one_goes(images: RealImages, keeper: Keeper) -> None:
    keeper.make(before := images.built("one"))
    assert before.spec.build is not None
    after = before.model_copy(update={"spec": before.spec.model_copy(update={"image": images.reference("renamed")})})
    assert keeper.plan(after).action is Action.REPLACE
    keeper.make(after)
    assert images.age(before.spec.image) is None
    assert images.age(after.spec.image) is not None
    assert keeper.plan(after).empty


def test_tags_that_only_look_like_ours_stay(images: RealImages, keeper: Keeper) -> None:
    keeper.make(resource := images.built("one"))
    agent, name = keeper.agent, resource.spec.image.rpartition(":")[0]
    assert isinstance(agent, ImageAgent)
    pinned = agent.pin(resource, resource.spec.image, keeper.context, bring=False)
    assert pinned is not None
    images.engine.tag(resource.spec.image, name, "p2-candidate")
    agent.unpin(resource, name, kept=())
    assert images.age(f"{name}:{pinned.tag}") is None
    assert images.age(f"{name}:p2-candidate") is not None
    assert images.age(resource.spec.image) is not None


@pytest.mark.parametrize("adopt", [False, True])
def test_image_that_was_here_before_is_removed_only_if_it_was_to_be_adopted(
    images: RealImages, keeper: Keeper, adopt: bool
) -> None:
    name = images.make("mine")
    resource = images.resource("one", image=name, pullPolicy="never", adopt=adopt)
    keeper.succeed([keeper.adoption(resource)])
    keeper.make(resource)
    assert keeper.plan(resource).empty
    keeper.delete(resource)
    assert images.age(name) == (None if adopt else "mine")
