"""An apply that has nothing to do stands on the look of the one before, and leaves behind what it would have left anyway."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from controller.engine.audit import AuditEntry
from controller.store.audit import SqliteAudit
from controller.store.database import DatabaseError
from controller.store.home import Home
from controller.store.identity import REBUILD
from controller.store.saying import said
from controller.store.stores import open_stores
from controller.surfaces.cli import entry
from controller.surfaces.cli.main import main
from controller.wiring.standing import Look
from tests.cli.desk import Desk
from tests.cli.story import P2
from tests.support import eventually

pytestmark = [pytest.mark.docker, pytest.mark.bare]

PLAN = "Plan: 0 to create, 0 to update, 0 to delete; 1 unchanged\n"
SHOWN = f"{PLAN}Converged: nothing to do; 1 ready\n"


def test_it_shows_and_leaves_behind_what_a_whole_apply_does(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(_journal(tmp_path / "journal")) as journal:
        monkeypatch.setenv("PEGASUS2_JOURNAL", str(tmp_path / "journal"))
        capsys.readouterr()
        left = []
        for apply in (main, lambda words: desk.unchanged(*words[1:])):
            entries, starts = _rows(desk, "audit"), _starts(desk)
            assert apply(["apply", "state", "-y"]) == 0
            assert capsys.readouterr() == (SHOWN, "")
            assert (_rows(desk, "audit")[:-1], _starts(desk)) == (entries, starts + 1)
            assert b"PEGASUS2_COMMAND=p2 apply state -y\n" in journal.recv(65536)
            _, _, *said, _ = _rows(desk, "audit")[-1]  # less its number, when it was, and how long it took
            left.append((said, *(_rows(desk, table) for table in ("status", "inventory", "revision", "begun"))))
    assert left[0] == left[1]
    assert left[0][0][:3] == ["apply", "done", None]


def test_it_imports_no_model(desk: Desk) -> None:
    program = (
        "import sys, time; from controller.surfaces.cli.entry import unchanged; code = unchanged(['apply'], time.monotonic());"
        "sys.exit(code or 99 * bool({'pydantic', 'resources.meta', 'docker', 'hashlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=desk.story.root, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, SHOWN, "")


def test_look_outlives_the_applies_that_stand_on_it(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for words in ([], ["state"], ["--yes"], ["-y", str(desk.story.root / "state")]):
        assert desk.unchanged(*words) == 0
        assert capsys.readouterr().out == SHOWN
        assert desk.stands
    for words in (["--only", f"volume/{desk.name}"], ["-f", "state/all.yaml"], ["--no-prune"], ["elsewhere"]):
        assert desk.unchanged(*words) is None


def test_applies_of_two_sources_do_not_end_each_others_looks(desk: Desk) -> None:
    other = desk.story.root / "other"
    other.mkdir()
    (other / "net.yaml").write_text(
        f"apiVersion: pegasus2.dev/v1\nkind: Volume\nmetadata: {{name: {desk.name}-x}}\nspec: {{}}\n"
    )
    try:
        assert main(["apply", "other", "--yes"]) == 0
        assert desk.unchanged() is None
        for source in ("other", "state"):
            assert main(["apply", source]) == 0
        for source in ("other", "state", "other"):
            assert desk.unchanged(source) == 0
    finally:
        desk.engine.remove_volume(f"{desk.name}-x")


def test_mere_look_is_none_for_an_apply_which_has_a_revision_to_write_down(desk: Desk) -> None:
    file = desk.story.root / "state" / "all.yaml"
    file.write_text(f"# only a comment\n{file.read_text()}")
    revisions = len(_rows(desk, "revision"))
    assert main(["diff"]) == 0
    assert desk.stands
    assert desk.unchanged() is None
    assert main(["apply"]) == 0
    assert len(_rows(desk, "revision")) == revisions + 1
    assert desk.unchanged() is None  # that one had something to write down
    assert main(["apply"]) == 0
    assert desk.unchanged() == 0
    assert len(_rows(desk, "revision")) == revisions + 1


def test_what_another_command_writes_meanwhile_ends_the_look(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come when the stamps are compared, and before they are taken again."""
    answered = Look.stands_there

    def suspended_meanwhile(look: Look) -> bool:
        assert desk.story.p2("suspend", f"volume/{desk.name}").code == 0
        return answered(look)

    monkeypatch.setattr(Look, "stands_there", suspended_meanwhile)
    assert desk.unchanged() == 0  # as it was when it looked
    monkeypatch.undo()
    assert said(desk.home) is None
    assert not desk.stands


def test_who_holds_the_home_is_named_as_ever(desk: Desk) -> None:
    with Home(desk.home).lock():
        assert desk.unchanged() is None
        code, out, err = _ran(desk, "apply")
    assert (code, out) == (2, "")
    assert f"cannot start: process {os.getpid()}" in err
    assert _rows(desk, "audit")[-1][2:4] == ("apply", "refused")


def test_applies_at_once_are_each_carried_out_or_refused(desk: Desk) -> None:
    before = len(_rows(desk, "audit"))
    started = [desk.story.start("apply") for _ in range(4)]
    ended = [(each.communicate(timeout=120), each.returncode) for each in started]
    for (out, err), code in ended:
        assert (code, out, err) == (0, SHOWN, "") or (code == 2 and "cannot start" in err)
    assert 0 in [code for _, code in ended]
    outcomes = [row[3] for row in _rows(desk, "audit")[before:]]
    assert sorted(outcomes) == sorted("done" if code == 0 else "refused" for _, code in ended)
    assert _rows(desk, "begun") == []


def test_apply_that_is_killed_is_told_of_by_the_next(desk: Desk) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"." * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(writing, True)
    process = subprocess.Popen([P2, "apply"], cwd=desk.story.root, stdout=writing)  # it can't say that it is done
    eventually(lambda: _rows(desk, "begun"), "it is written down that it has begun")
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    os.close(reading)
    os.close(writing)
    assert desk.unchanged() is None
    assert not desk.stands
    assert _ran(desk, "apply") == (0, SHOWN, "")
    assert [row[3] for row in _rows(desk, "audit")[-2:]] == ["interrupted", "done"]


def test_apply_with_something_to_recover_is_carried_out_whole(desk: Desk) -> None:
    """A command that has begun is still under way when the look is kept, and dies."""
    with open_stores(Home(desk.home)) as stores:
        stores.audit.begin({"a-command": AuditEntry(at=1000.0, action="suspend")})
    assert main(["apply"]) == 0
    assert desk.stands
    assert desk.unchanged() is None
    assert _rows(desk, "audit")[-1][2:4] != ("suspend", "interrupted")  # its process, which is this one, lives


def test_apply_that_is_interrupted_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(look: Look) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Look, "stands_there", interrupted)
    monkeypatch.setattr(sys, "argv", ["p2", "apply"])
    assert entry.main() == 130
    assert _rows(desk, "audit")[-1][2:4] == ("apply", "interrupted")


def test_reader_that_has_gone_is_written_down(desk: Desk) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen([P2, "apply"], cwd=desk.story.root, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (process.communicate(timeout=60)[1], process.returncode) == (b"", 141)
    assert _rows(desk, "audit")[-1][2:4] == ("apply", "failed")
    assert desk.stands  # all is as it was


def _not_kept(*_: object) -> None:
    raise DatabaseError("cannot write p2.db: the disk is full")


def test_apply_that_cannot_be_written_down_is_left_to_the_whole_program(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    with monkeypatch.context() as full:
        full.setattr(SqliteAudit, "begin", _not_kept)
        assert desk.unchanged() is None
    assert capsys.readouterr().out == ""
    assert _starts(desk)  # the database is not behind: else the next start would take it for an older copy
    assert main(["apply"]) == 0
    assert REBUILD not in dict(_rows(desk, "meta"))


@pytest.mark.parametrize("words", [["apply"], ["diff"]])
def test_output_that_takes_no_more_is_an_error(words: list[str], desk: Desk) -> None:
    assert desk.stands
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([P2, *words], cwd=desk.story.root, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "error: cannot write the output: No space left on device\n")


def test_apply_whose_end_cannot_be_written_down_warns(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    monkeypatch.setattr(SqliteAudit, "end", _not_kept)
    assert desk.unchanged() == 0
    said = "warning: this command is missing in the audit: cannot write p2.db: the disk is full\n"
    assert capsys.readouterr() == (SHOWN, said)


@pytest.mark.parametrize("gone", ["cache/database.said", "p2.db-wal", "id", "cache"])
def test_home_that_lacks_something_is_looked_at_again(gone: str, desk: Desk) -> None:
    path = desk.home / gone
    if path.is_dir():
        path.rename(desk.home / "run" / "cache")
    else:
        path.unlink(missing_ok=True)
    assert (desk.unchanged() == 0) == (gone == "p2.db-wal")  # which is not there when nobody writes


def _ran(desk: Desk, *words: str) -> tuple[int, str, str]:
    process = desk.story.start(*words)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def _rows(desk: Desk, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{desk.home / 'p2.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


def _starts(desk: Desk) -> int:
    found = dict(_rows(desk, "meta"))["starts"]
    assert found == Home(desk.home).starts()
    return int(str(found))


def _journal(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(path))
    made.settimeout(30)
    return made
