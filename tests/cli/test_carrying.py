"""`p2 backup-state` and `p2 restore-state`: a home goes elsewhere and goes on there, or nothing happens at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from controller.store import restore
from controller.store.home import Home
from tests.cli.story import P2, Story
from tests.support import Controller, eventually, fingerprint

Members = dict[str, tuple[bytes, int]]


@pytest.fixture
def used(story: Story, home: Path) -> Story:
    """A home with a bit of everything: an adopted file, settings, an agent's settings, a secret."""
    (story.world / "adopted").write_text("what was there before")
    story.write("a.yaml", story.file("web"), story.file("adopted", adopt="true"))
    assert story.p2("apply").code == 0
    (home / "config.yaml").write_text("audit: {days: 30}\n")
    (home / "config.yaml").chmod(0o640)
    (home / "agents").mkdir()
    (home / "agents/docker.yaml").write_text("host: unix:///run/other.sock\n")
    (home / "secrets/db").mkdir(parents=True)
    (home / "secrets/db/password").write_text("tr0ub4dor&3")
    return story


@pytest.fixture
def backup(used: Story) -> Path:
    path = used.root / "backup.tar.gz"
    assert used.p2("backup-state", str(path)).code == 0
    return path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes another home the one that commands use."""

    def move(name: str = "elsewhere") -> Path:
        monkeypatch.setenv("PEGASUS2_HOME", str(tmp_path / name))
        return tmp_path / name

    return move


def members(backup: Path) -> Members:
    with tarfile.open(backup) as archive:
        found = {info.name: (archive.extractfile(info), info.mode) for info in archive}
        return {name: (content.read() if content else b"", mode) for name, (content, mode) in found.items()}


def packed(path: Path, found: Members, *more: tarfile.TarInfo, consistent: bool = True) -> Path:
    """An archive of these members, with a manifest that fits them."""
    if consistent:
        manifest = json.loads(found["manifest.json"][0])
        manifest["members"] = [
            {"name": name, "mode": mode, "size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
            for name, (text, mode) in found.items()
            if name != "manifest.json"
        ]
        found = {**found, "manifest.json": (json.dumps(manifest).encode(), 0o600)}
    with tarfile.open(path, "w:gz") as archive:
        for info in more:
            archive.addfile(info)
        for name, (text, mode) in found.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), mode
            archive.addfile(info, io.BytesIO(text))
    return path


def test_what_was_carried_elsewhere_goes_on_as_if_nothing_had_happened(
    used: Story, backup: Path, home: Path, elsewhere: Callable[[str], Path]
) -> None:
    world = fingerprint(used.world)
    new = elsewhere("new")
    shown = used.p2("restore-state", str(backup))
    assert shown.code == 0, shown.err
    assert (used.p2("diff").code, used.p2("apply").last.startswith("Converged: nothing to do")) == (0, True)
    assert fingerprint(used.world) == world
    for name in ("id", "config.yaml", "agents/docker.yaml"):
        assert (new / name).read_bytes() == (home / name).read_bytes()
        assert (new / name).stat().st_mode == (home / name).stat().st_mode
    assert new.stat().st_mode & 0o777 == 0o700
    used.remove("a.yaml")
    used.write("b.yaml", used.file("other"))
    assert used.p2("apply", "--yes").code == 0
    assert (used.world / "adopted").read_text() == "what was there before"
    assert not (used.world / "web").exists()


def test_a_backup_is_for_its_owner_alone(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600


def test_secrets_are_left_out_unless_they_are_asked_for(used: Story, elsewhere: Callable[[str], Path]) -> None:
    shown = used.p2("backup-state", "without.tar.gz")
    assert "secrets in the home are left out" in shown.err
    assert "secrets/db/password" not in members(Path("without.tar.gz"))
    assert "plain text" in used.p2("backup-state", "--secrets", "with.tar.gz").err
    new = elsewhere("new")
    assert "put them into" in used.p2("restore-state", "without.tar.gz").err
    assert not (new / "secrets").exists()
    new = elsewhere("newer")
    used.p2("restore-state", "with.tar.gz")
    assert (new / "secrets/db/password").read_text() == "tr0ub4dor&3"


def test_links_in_the_home_are_followed_and_never_in_a_circle(
    used: Story, home: Path, tmp_path: Path, elsewhere: Callable[[str], Path]
) -> None:
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault/token").write_text("linked")
    (home / "secrets/linked").symlink_to(tmp_path / "vault")
    (home / "secrets/db/alias").symlink_to(tmp_path / "vault/token")
    (home / "secrets/circle").symlink_to(home / "secrets")
    (home / "secrets/broken").symlink_to(home / "nowhere")
    os.mkfifo(home / "secrets/pipe")
    assert used.p2("backup-state", "--secrets", "backup.tar.gz").code == 0
    new = elsewhere("new")
    assert used.p2("restore-state", "backup.tar.gz").code == 0
    restored = {str(path.relative_to(new)): path.read_text() for path in (new / "secrets").rglob("*") if path.is_file()}
    assert restored == {
        "secrets/db/password": "tr0ub4dor&3",
        "secrets/db/alias": "linked",
        "secrets/linked/token": "linked",
    }


def test_it_says_that_the_old_machine_must_not_go_on(
    used: Story, backup: Path, home: Path, elsewhere: Callable[[str], Path]
) -> None:
    elsewhere("new")
    said = used.p2("restore-state", str(backup)).err
    assert f"from now on this is the installation {(home / 'id').read_text().strip()}" in said
    assert "stop Pegasus2 there for good" in said


def test_a_restore_is_in_the_audit_of_the_restored_home(
    used: Story, backup: Path, elsewhere: Callable[[str], Path]
) -> None:
    elsewhere("new")
    used.p2("restore-state", str(backup))
    actions = [json.loads(line)["action"] for line in used.p2("audit", "-o", "json").out.splitlines()]
    assert actions[-2:] == ["apply", "restore-state"]


def test_a_pipe_carries_it_from_home_to_home(used: Story, elsewhere: Callable[[str], Path]) -> None:
    made = subprocess.run([P2, "backup-state", "-"], capture_output=True, check=True)
    new = elsewhere("new")
    subprocess.run([P2, "restore-state", "-"], input=made.stdout, capture_output=True, check=True)
    assert (new / "p2.db").exists()
    assert used.p2("diff").code == 0


# -- consistent while the controller works -------------------------------------------------------------------------


@pytest.fixture
def controller(story: Story) -> Iterator[Controller]:
    made = Controller(story)
    yield made
    made.kill()


def test_a_backup_beside_a_busy_controller_is_whole_and_restores_to_a_working_home(
    story: Story, controller: Controller, elsewhere: Callable[[str], Path]
) -> None:
    names = [f"f{number}" for number in range(300)]
    story.write("a.yaml", *[story.file(name) for name in names])
    controller.start()
    eventually((story.world / "f0").exists, "it is at work")
    eventually(lambda: len(list(story.world.iterdir())) >= 300, "it has made all")
    for turn in range(5):
        story.write("a.yaml", *[story.file(name, content=f"turn{turn}") for name in names])
        assert story.p2("backup-state", f"backup{turn}.tar.gz").code == 0
    eventually(lambda: all((story.world / name).read_text() == "turn4" for name in names), "it has done all")
    assert controller.end() == 0
    for turn in range(5):
        Path("copy.db").write_bytes(members(Path(f"backup{turn}.tar.gz"))["p2.db"][0])
        with closing(sqlite3.connect("copy.db")) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        elsewhere(f"home{turn}")
        assert story.p2("restore-state", f"backup{turn}.tar.gz").code == 0
        shown = story.p2("apply")
        assert shown.code == 0, shown.out + shown.err
        assert {path.read_text() for path in story.world.iterdir()} == {"turn4"}
        assert story.p2("diff").code == 0


def test_a_restore_under_a_running_controller_is_refused(
    used: Story, backup: Path, home: Path, controller: Controller
) -> None:
    controller.start()
    eventually(lambda: "watching" in controller.log, "it holds the lock")
    shown = used.p2("restore-state", str(backup), "--force")
    assert shown.code == 2
    assert f"process {controller.pid}" in shown.err
    assert shown.err.endswith("; stop it first\n")
    assert not (home / ".restore").exists()


# -- refused, and nothing changed ----------------------------------------------------------------------------------


def test_a_home_in_use_is_refused_and_with_force_kept_aside(used: Story, backup: Path, home: Path) -> None:
    used.p2("suspend", "file/web")
    before = fingerprint(home)
    shown = used.p2("restore-state", str(backup))
    assert (shown.code, "it is in use" in shown.err) == (2, True)
    assert {name for name in before if not name.startswith("p2.db")} <= fingerprint(home).keys()
    shown = used.p2("restore-state", str(backup), "--force")
    assert shown.code == 0, shown.err
    [aside] = home.glob("before-restore-*")
    assert f"what it had before is in {aside}" in shown.err
    assert {path.name for path in aside.iterdir()} == {"p2.db", "id", "config.yaml", "agents", "kept"}
    assert (home / "secrets/db/password").exists(), "secrets that the backup has not are left alone"
    with closing(sqlite3.connect(aside / "p2.db")) as old:
        assert old.execute("SELECT key FROM suspended").fetchall() == [("File/default/web",)]
    assert used.p2("diff").code == 0


def link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def without(backup: Path, name: str, *, consistent: bool) -> None:
    packed(backup, {n: each for n, each in members(backup).items() if n != name}, consistent=consistent)


def with_member(backup: Path, name: str, content: bytes = b"x") -> None:
    packed(backup, {**members(backup), name: (content, 0o600)})


def with_manifest(backup: Path, **said: Any) -> None:
    found = members(backup)
    packed(
        backup, {**found, "manifest.json": (json.dumps({**json.loads(found["manifest.json"][0]), **said}).encode(), 0)}
    )


def flipped(backup: Path) -> None:
    plain = bytearray(gzip.decompress(backup.read_bytes()))
    plain[5000] ^= 0xFF
    backup.write_bytes(gzip.compress(bytes(plain)))


def cut(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])


def wrong_checksum(backup: Path) -> None:
    whole = backup.read_bytes()
    backup.write_bytes(whole[:-8] + b"\0\0\0\0" + whole[-4:])


# What is said of a backup, and how it came to be like that.
SPOILED: dict[str, Callable[[Path], object]] = {
    "(Compressed file ended": cut,
    "p2.db is not as its manifest says": flipped,
    "CRC check failed": wrong_checksum,
    "no backup of Pegasus2": lambda backup: backup.write_bytes(b"hello"),
    "(empty file)": lambda backup: backup.write_bytes(gzip.compress(b"")),
    "its manifest is missing": lambda backup: without(backup, "manifest.json", consistent=False),
    "id is not as its manifest says": lambda backup: without(backup, "id", consistent=False),
    "it has no database": lambda backup: without(backup, "p2.db", consistent=True),
    "its database is damaged": lambda backup: with_member(
        backup, "p2.db", members(backup)["p2.db"][0][:4096] + b"x" * 9000
    ),
    "'../escaped'": lambda backup: with_member(backup, "../escaped"),
    "'/tmp/escaped'": lambda backup: with_member(backup, "/tmp/escaped"),
    "'agents/../../escaped'": lambda backup: with_member(backup, "agents/../../escaped"),
    "'run/lock'": lambda backup: with_member(backup, "run/lock"),
    "'agents/link'": lambda backup: packed(backup, members(backup), link("agents/link", "/etc")),
    "a newer Pegasus2 (9.9) made it": lambda backup: with_manifest(backup, schema=99, program="9.9"),
    "it has the format 2": lambda backup: with_manifest(backup, format=2),
    "its manifest can't be read": lambda backup: with_manifest(backup, surprise=1),
}


@pytest.mark.parametrize("why", SPOILED)
def test_a_spoiled_backup_is_refused_and_leaves_no_trace(
    used: Story, backup: Path, home: Path, elsewhere: Callable[[str], Path], why: str
) -> None:
    SPOILED[why](backup)
    new = elsewhere("new")
    shown = used.p2("restore-state", str(backup))
    assert (shown.code, why in shown.err) == (2, True), shown.err
    assert shown.err.startswith(f"error: cannot restore {backup}: ")
    assert not new.exists()
    assert not (new.parent / "escaped").exists()


def test_a_spoiled_backup_changes_nothing_in_a_home_that_is_used(used: Story, backup: Path, home: Path) -> None:
    flipped(backup)
    before = {name for name in fingerprint(home) if "p2.db" not in name}
    assert used.p2("restore-state", str(backup), "--force").code == 2
    assert {name for name in fingerprint(home) if "p2.db" not in name} == before
    assert used.p2("diff").code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a home of somebody else's")
@pytest.mark.parametrize("command", ["backup-state", "restore-state"])
def test_the_home_of_another_user_is_refused(used: Story, backup: Path, home: Path, command: str) -> None:
    os.chown(home, 12345, -1)
    shown = used.p2(command, str(backup), *(["--force"] if command == "restore-state" else []))
    assert (shown.code, "it belongs to the user 12345" in shown.err) == (2, True), shown.err


def test_a_place_that_can_not_be_written_is_named(used: Story) -> None:
    for place in ("nowhere/backup.tar.gz", "world"):
        shown = used.p2("backup-state", place)
        assert (shown.code, f"cannot write {place}" in shown.err) == (2, True), shown.err


def test_an_output_that_takes_no_more_is_an_error(used: Story) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([P2, "backup-state", "-"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, "cannot write the backup: No space left on device" in done.stderr) == (2, True), (
        done.stderr
    )


def test_nothing_to_back_up_is_said(story: Story, home: Path) -> None:
    shown = story.p2("backup-state", "backup.tar.gz")
    assert (shown.code, "nothing is kept there yet" in shown.err) == (2, True)
    assert not home.exists()
    assert not Path("backup.tar.gz").exists()


# -- interrupted ---------------------------------------------------------------------------------------------------


def test_a_killed_backup_leaves_the_earlier_one_and_nothing_else(used: Story, backup: Path, home: Path) -> None:
    (home / "kept/large").mkdir()
    with (home / "kept/large/content").open("wb") as large:
        large.truncate(2 << 30)
    before = (backup.read_bytes(), sorted(used.root.iterdir()))
    process = used.start("backup-state", str(backup))
    eventually(lambda: _is_reading(process.pid, "kept/large/content"), "it is in the middle")
    process.kill()
    process.communicate()
    assert (backup.read_bytes(), sorted(used.root.iterdir())) == before


def _is_reading(pid: int, name: str) -> bool:
    def target(link: Path) -> str:
        try:
            return str(link.readlink())
        except OSError:
            return ""

    return any(target(link).endswith(name) for link in Path(f"/proc/{pid}/fd").iterdir())


def test_a_restore_killed_while_it_unpacks_has_changed_nothing(used: Story, backup: Path, home: Path) -> None:
    process = subprocess.Popen([P2, "restore-state", "-", "--force"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    content = backup.read_bytes()
    process.stdin.write(content[: len(content) // 2])
    process.stdin.flush()
    eventually((home / ".restore/new").exists, "it unpacks")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(home.glob("before-restore-*"))
    assert used.p2("diff").code == 0
    assert used.p2("restore-state", str(backup), "--force").code == 0
    assert not (home / ".restore").exists()


class Crash(BaseException):
    """The end of the process."""


@pytest.mark.parametrize("renames", range(1, 12))
def test_a_restore_that_dies_between_any_two_renames_is_finished_by_the_next_command(
    used: Story, backup: Path, home: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    used.p2("suspend", "file/web")  # what is there now differs from the backup in this
    left, rename = [renames], Path.rename

    def mortal(path: Path, target: Path) -> Path:
        if left[0] == 0:
            raise Crash
        left[0] -= 1
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(Crash), backup.open("rb") as archive:
        patch.setattr(Path, "rename", mortal)
        restore.restore(Home(home), archive, "it", force=True, at=1e9)
    shown = used.p2("get")
    assert (shown.code, "a restore into it was interrupted" in shown.err) == (2, True)
    assert used.p2("apply").code == 0
    assert "suspended" not in used.p2("get").out.lower()
    [aside] = home.glob("before-restore-*")
    assert {path.name for path in aside.iterdir()} == {"p2.db", "id", "config.yaml", "agents", "kept"}
    assert not (home / ".restore").exists()
    assert used.p2("diff").code == 0


def test_a_second_restore_finishes_the_first_and_says_so(used: Story, backup: Path, home: Path) -> None:
    (home / ".restore/new").mkdir(parents=True)
    (home / ".restore/placing").touch()
    shown = used.p2("restore-state", str(backup), "--force")
    assert (shown.code, "had been interrupted, and is finished now" in shown.err) == (2, True)
    assert used.p2("restore-state", str(backup), "--force").code == 0
