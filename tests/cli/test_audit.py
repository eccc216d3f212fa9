"""`p2 audit`: who did what and how it ended, as a person asks for it afterwards."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from controller.engine.audit import AuditEntry
from controller.store.home import Home
from controller.store.schema import NEVER_PRUNED
from controller.store.stores import open_stores
from controller.surfaces.cli.audit import beginning
from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.person import person
from controller.surfaces.cli.recording import without_secrets
from tests.cli.story import Story
from tests.cli.test_processes import PLUGIN, oven
from tests.support import Controller, eventually

NOW = 1_800_000_000.0
PASSWORD = "tr0ub4dor&3"


def audited(story: Story, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in story.p2("audit", "-o", "json", *arguments).out.splitlines()]


def outcomes(story: Story, *arguments: str) -> list[tuple[str, str | None, str]]:
    return [(each["action"], each["key"], each["outcome"]) for each in audited(story, *arguments)]


@pytest.fixture
def applied(story: Story) -> Story:
    story.write("a.yaml", story.file("web"))
    assert story.p2("apply").code == 0
    return story


def test_an_apply_is_told_with_what_it_did(applied: Story) -> None:
    made, apply = audited(applied)
    assert (made["action"], made["key"], made["cause"]) == ("create", "File/default/web", "edit")
    assert (apply["action"], apply["key"], apply["code"]) == ("apply", None, 0)
    assert made["user"] == apply["user"] == "ada"
    assert made["command"] == apply["command"] == "p2 apply"
    assert made["file"] == str(applied.root / "state/a.yaml")


def test_every_command_that_changes_something_is_told_and_no_other(applied: Story) -> None:
    before = len(audited(applied))
    for reading in ("diff", "get", "events", "audit", "health", "confirm", "validate"):
        applied.p2(reading)
    assert len(audited(applied)) == before
    applied.p2("suspend", "file/web")
    applied.p2("resume", "file/web")
    applied.p2("confirm", "--all")
    applied.p2("delete", "file/web", "--yes")
    assert outcomes(applied)[before:] == [
        ("suspend", None, "done"),
        ("resume", None, "done"),
        ("confirm", None, "done"),
        ("delete", None, "refused"),
    ]


def test_a_refusal_is_told_in_its_words(applied: Story) -> None:
    assert applied.p2("delete", "file/web", "--yes").code == 2
    refused = audited(applied)[-1]
    assert refused["code"] == 2
    assert refused["message"].startswith("cannot delete File/web: state/a.yaml:1 declares it")


def test_a_deletion_by_p2_delete_has_the_command_for_its_cause(applied: Story) -> None:
    applied.write("a.yaml", applied.file("web", deletionPolicy="Retain"))
    applied.p2("apply")
    applied.remove("a.yaml")
    applied.write("b.yaml", applied.file("other"))
    applied.p2("apply")
    assert applied.p2("delete", "file/web", "--yes").code == 0
    deleted, command = audited(applied)[-2:]
    assert (deleted["action"], deleted["cause"], deleted["outcome"]) == ("delete", "delete", "done")
    assert (command["action"], command["outcome"]) == ("delete", "done")


def test_a_table_has_what_a_person_asks_for(applied: Story) -> None:
    applied.write("a.yaml", applied.file("web", content="bye"))
    (applied.world / "web").chmod(0o600)
    applied.p2("apply")
    heading, *rows = applied.p2("audit").out.splitlines()
    assert heading.split() == ["TIME", "USER", "ACTION", "RESOURCE", "OUTCOME", "WHY", "DETAIL"]
    assert [row.split()[1:6] for row in rows] == [
        ["ada", "create", "File/web", "done", "edit"],
        ["ada", "apply", "-", "done", "-"],
        ["ada", "update", "File/web", "done", "edit"],
        ["ada", "apply", "-", "done", "-"],
    ]
    assert "bye" not in "".join(rows)


def test_filters_choose(applied: Story) -> None:
    applied.write("a.yaml", applied.file("web"), applied.file("db"))
    applied.p2("apply")
    assert outcomes(applied, "file/db") == [("create", "File/default/db", "done")]
    assert len(outcomes(applied, "file")) == 2
    assert [each["action"] for each in audited(applied, "--action", "apply")] == ["apply", "apply"]
    assert len(audited(applied, "--user", "ada")) == 4
    assert audited(applied, "--user", "eve") == []
    assert audited(applied, "--outcome", "failed") == []
    assert len(audited(applied, "--since", "1h")) == 4
    assert audited(applied, "--since", "2999-01-01") == []
    assert outcomes(applied, "--limit", "1") == [("apply", None, "done")]


def test_what_is_not_there_is_said(applied: Story) -> None:
    shown = applied.p2("audit", "--user", "eve")
    assert (shown.code, shown.err) == (0, "nothing like that was recorded\n")
    assert "did you mean File?" in applied.p2("audit", "fil").err


def test_without_a_home_there_is_nothing_and_none_is_made(story: Story, home: Path) -> None:
    assert story.p2("audit").code == 0
    assert story.p2("delete", "file/web").code == 2
    assert not home.exists()


def test_times_are_read_as_people_write_them() -> None:
    assert beginning("2h", NOW) == NOW - 7200
    assert beginning("7d", NOW) == NOW - 7 * 86400
    assert beginning("2026-11-24T15:00Z", NOW) == beginning("2026-11-24T16:00+01:00", NOW) == 1_795_532_400
    for wrong in ("yesterday", "5", "-2h", "2026-13-01", "d"):
        with pytest.raises(Refused, match="cannot read the time"):
            beginning(wrong, NOW)


def test_a_killed_apply_and_what_it_was_doing_are_interrupted(applied: Story) -> None:
    before = len(audited(applied))
    applied.write("b.yaml", oven(applied, "loaf"))
    process = applied.start("apply", env=PLUGIN)
    eventually(lambda: (applied.world / "loaf.begun").exists(), "it bakes")
    process.kill()
    process.communicate()
    assert len(audited(applied)) == before, "nobody can know yet"
    (applied.world / "loaf.door").touch()
    again = applied.start("apply", env=PLUGIN)
    assert (again.communicate(timeout=30), again.returncode)[1] == 0
    found = outcomes(applied)[before:]
    assert sorted(found[:2], key=str) == [
        ("apply", None, "interrupted"),
        ("create", "Oven/default/loaf", "interrupted"),
    ]
    assert found[2:] == [("create", "Oven/default/loaf", "done"), ("apply", None, "done")]


@pytest.fixture
def controller(story: Story) -> Iterator[Controller]:
    made = Controller(story)
    yield made
    made.kill()


def test_a_controller_is_told_when_it_starts_when_it_heals_and_when_it_ends(
    story: Story, controller: Controller
) -> None:
    story.write("a.yaml", story.file("web"))
    controller.start()
    eventually(lambda: (story.world / "web").exists(), "it is made")
    eventually(lambda: "File/default/web" in {each["key"] for each in audited(story)}, "that is written down")
    (story.world / "web").write_text("something else")
    eventually(lambda: (story.world / "web").read_text() == "hello", "it is healed")
    assert controller.end() == 0
    found = audited(story)
    assert [(each["action"], each["outcome"], each["cause"]) for each in found] == [
        ("run", "started", None),
        ("create", "done", "edit"),
        ("update", "done", "drift"),
        ("run", "done", None),
    ]
    assert [each["user"] for each in found[1:3]] == ["controller", "controller"]


def test_what_the_controller_does_for_somebody_is_told_of_them_and_once(
    story: Story, home: Path, controller: Controller
) -> None:
    story.write("a.yaml", story.file("web", deletionPolicy="Retain"), story.file("other"))
    controller.start()
    eventually(lambda: len(audited(story, "file")) == 2, "both are made")
    eventually((home / "run/p2.sock").exists, "it takes commands")
    story.write("a.yaml", story.file("other"))
    eventually(lambda: "Retained" in story.p2("get", "file/web").out, "it has noticed")
    for words in (["suspend", "file/other"], ["delete", "file/nothing", "--yes"], ["delete", "file/web", "--yes"]):
        story.start(*words).communicate(timeout=20)
    assert not (story.world / "web").exists()
    found = [(each["action"], each["outcome"], each["user"], each["command"]) for each in audited(story)[-4:]]
    assert found == [
        ("suspend", "done", person(), "p2 suspend file/other"),
        ("delete", "refused", person(), "p2 delete file/nothing --yes"),
        ("delete", "done", person(), "p2 delete file/web --yes"),
        ("delete", "done", person(), "p2 delete file/web --yes"),
    ]
    assert controller.end() == 0
    assert outcomes(story)[-1] == ("run", None, "done")


def test_a_controller_forgets_what_is_older_than_its_setting_says(
    applied: Story, home: Path, controller: Controller
) -> None:
    now = time.time()
    ages = [40.0] * 20 + [20.0] * 20 + [0.0] * NEVER_PRUNED  # days
    with open_stores(Home(home)) as stores:
        entries = [AuditEntry(now - days * 86_400, f"{days:.0f} days old") for days in ages]
        stores.audit.end({str(number): entry for number, entry in enumerate(entries)})
    (home / "config.yaml").write_text("audit: {days: 30}")
    controller.start()

    def old() -> list[str]:
        return [each["action"] for each in audited(applied, "-n", "20000") if each["action"].endswith("0 days old")]

    eventually(lambda: "40 days old" not in old(), "it has pruned")
    assert old().count("20 days old") == 20


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("audit: 30", "audit: expected fields"),
        ("audit: {days: soon}", "audit.days: expected a number of days"),
        ("audit: {days: 0}", "audit.days: expected a number of days"),
        ("audit: {days: true}", "audit.days: expected a number of days"),
        ("audit: {dais: 30}", "audit.dais: unknown field"),
    ],
)
def test_a_wrong_retention_is_refused_by_name(applied: Story, home: Path, config: str, why: str) -> None:
    (home / "config.yaml").write_text(config)
    process = applied.start("run", env={"PEGASUS2_METRICS_PORT": "0"})
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert f"cannot read {home / 'config.yaml'}: {why}" in err


def test_the_journal_is_told_by_the_program(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    monkeypatch.setenv("PEGASUS2_JOURNAL", str(path))
    story.write("a.yaml", story.file("web"))
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as journald:
        journald.bind(str(path))
        journald.settimeout(10)
        assert story.p2("apply").code == 0
        assert b"PEGASUS2_KEY=File/default/web\n" in journald.recv(1 << 16)
        assert b"MESSAGE=p2 apply: done for ada\n" in journald.recv(1 << 16)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (f"p2 apply https://ada:{PASSWORD}@host/state", "p2 apply https://ada:(secret)@host/state"),
        (f"p2 apply --token={PASSWORD}", "p2 apply --token=(secret)"),
        (f"p2 apply --db-password '{PASSWORD} x' state", "p2 apply --db-password (secret) state"),
        ("p2 backup-state --secrets", "p2 backup-state --secrets"),
        ("p2 apply -f state/secrets.yaml --yes", "p2 apply -f state/secrets.yaml --yes"),
    ],
)
def test_a_password_in_a_command_line_is_not_kept(typed: str, kept: str) -> None:
    assert without_secrets(typed) == kept


def test_a_wrong_command_line_with_a_password_leaves_no_password(applied: Story, home: Path) -> None:
    applied.p2("apply", f"postgres://ada:{PASSWORD}@host/db")
    assert audited(applied)[-1]["outcome"] == "refused"
    assert not [path for path in home.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]


@pytest.mark.docker
def test_neither_audit_nor_journal_nor_home_learn_what_a_container_is_told(
    story: Story, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docker import APIClient

    from tests.agents.worlds.docker import IMAGE, need_image

    monkeypatch.setenv("AUDIT_PASSWORD", PASSWORD)
    monkeypatch.setenv("PEGASUS2_JOURNAL", str(tmp_path / "journal"))
    name = f"p2audit-{uuid4().hex[:8]}"
    story.write(
        "a.yaml",
        f"apiVersion: pegasus2.dev/v1\nkind: Container\nmetadata: {{name: {name}}}\n"
        f"spec:\n  image: '{IMAGE}'\n  command: [/no/such/program]\n"
        "  secretEnv: {DB_PASSWORD: {env: AUDIT_PASSWORD}}\n",
    )
    with (
        closing(APIClient(timeout=30)) as engine,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as journald,
    ):
        need_image(engine)
        journald.bind(str(tmp_path / "journal"))
        journald.settimeout(10)
        try:
            assert story.p2("apply", "--timeout", "10s").code == 1
            assert f"DB_PASSWORD={PASSWORD}" in engine.inspect_container(name)["Config"]["Env"]
        finally:
            engine.remove_container(name, force=True, v=True)
        said = journald.recv(1 << 16) + journald.recv(1 << 16)
    create, apply = audited(story)[-2:]
    assert (create["outcome"], create["reason"], apply["outcome"]) == ("failed", "StartFailed", "failed")
    assert b"PEGASUS2_REASON=StartFailed" in said
    assert PASSWORD.encode() not in said
    assert not [path for path in home.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
