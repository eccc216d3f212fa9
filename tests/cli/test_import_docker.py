"""`p2 import docker` on a real engine: what runs is printed, taken over, and not touched."""

from __future__ import annotations

import stat
from typing import Any

import pytest

from tests.agents.worlds.docker import IMAGE
from tests.cli.story import Story
from tests.cli.yard import Yard

pytestmark = pytest.mark.docker


def run(yard: Yard, short: str, host: dict[str, Any] | None = None, **config: Any) -> str:
    """As `docker run -d` does. Returns the id."""
    whole = {"Image": IMAGE, "Cmd": ["sleep", "1000"], "StopSignal": "SIGKILL", **config, "HostConfig": host or {}}
    identity = str(yard.engine.create_container_from_config(whole, yard.name(short))["Id"])  # type: ignore[no-untyped-call]
    yard.engine.start(identity)
    return identity


def test_what_runs_is_taken_over_without_being_touched(story: Story, yard: Yard) -> None:
    identity = run(yard, "Web_1", {"Memory": 64 << 20, "PortBindings": {"80/tcp": [{"HostPort": ""}]}}, Env=["TZ=UTC"])
    started = yard.started("Web_1")
    shown = story.p2("import", "docker", yard.name("Web_1"))
    assert shown.code == 0
    assert shown.err == ""
    story.write("web.yaml", shown.out)
    planned = story.p2("diff")
    name = yard.name("web-1")
    assert planned.out.startswith(
        f"> Container/{name}  adopt\n\nPlan: 0 to create, 1 to adopt, 0 to update, 0 to delete"
    )
    assert story.p2("apply", "--yes").code == 0
    assert story.p2("diff").code == 0
    assert yard.inspect("Web_1")["Id"] == identity
    assert yard.started("Web_1") == started

    again = story.p2("import", "docker", yard.name("Web_1"))
    assert again.code == 2
    assert f"{yard.name('Web_1')} is Container/{name} already" in again.err


def test_secret_values_are_written_into_files_by_a_person(story: Story, yard: Yard) -> None:
    identity = run(yard, "db", Env=["DB_PASSWORD=hunter2", "TZ=UTC"])
    shown = story.p2("import", "docker", yard.name("db"), "-o", "state")
    written = (story.root / "state" / f"{yard.name('db')}.yaml").read_text()
    assert "hunter2" not in shown.out + shown.err + written
    place = next(word for word in shown.err.split() if word.endswith("DB_PASSWORD") and "/" in word)
    assert shown.err.startswith(f"note: DB_PASSWORD of {yard.name('db')} looks secret: write its value into {place}")
    assert "DB_PASSWORD: hunter2" in story.p2("import", "docker", yard.name("db"), "--plain-env").out

    from pathlib import Path

    Path(place).parent.mkdir(parents=True, mode=0o700)
    Path(place).write_text("hunter2\n")
    Path(place).chmod(stat.S_IRUSR | stat.S_IWUSR)
    applied = story.p2("apply", "--yes")
    assert applied.code == 0, applied.out + applied.err
    assert "hunter2" not in applied.out + applied.err
    assert yard.inspect("db")["Id"] == identity
    assert story.p2("diff").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("docker", "p2cli-there-is-no-such"), 'cannot find the container "p2cli-there-is-no-such"'),
        (("podman",), 'cannot import from "podman": say compose or docker'),
    ],
)
def test_what_can_not_be_imported_is_refused(story: Story, arguments: tuple[str, ...], message: str) -> None:
    shown = story.p2("import", *arguments)
    assert shown.code == 2
    assert message in shown.err
    assert shown.out == ""


def test_without_an_engine_it_says_what_to_do(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{story.root}/no-engine.sock")
    shown = story.p2("import", "docker")
    assert shown.code == 2
    assert "cannot reach the Docker engine" in shown.err


def test_files_that_are_there_are_not_overwritten(story: Story, yard: Yard) -> None:
    run(yard, "one")
    assert story.p2("import", "docker", yard.name("one"), "-o", "state").code == 0
    again = story.p2("import", "docker", yard.name("one"), "-o", "state")
    assert again.code == 2
    assert "it is there already" in again.err
