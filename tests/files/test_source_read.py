"""What a directory of YAML says, whatever state its files are in; real directories, read at one moment."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.engine.revision import Condition, Revision
from controller.sources import contents
from controller.sources.contents import Contents
from controller.sources.files import FilesSource
from tests.files.sheets import names, sheet, write


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir()
    return path


def read(path: Path) -> Revision:
    return FilesSource(path).read()


def messages(revision: Revision) -> list[str]:
    return [str(problem) for problems in revision.problems.values() for problem in problems]


def test_a_tree_is_read_with_all_its_folders_and_both_suffixes(state: Path) -> None:
    write(state / "a.yaml", sheet("a", "b"))
    write(state / "deep/er/c.yml", sheet("c"))
    write(state / "notes.txt", "no: yaml: here")
    revision = read(state)
    assert names(revision) == ["a", "b", "c"]
    assert revision.documents.keys() == {str(state / "a.yaml"), str(state / "deep/er/c.yml")}
    assert revision.whole and revision.condition is Condition.OK and not revision.problems


@pytest.mark.parametrize(
    "name",
    [
        *(".hidden.yaml", ".hidden/a.yaml", ".git/a.yaml", "#a.yaml#", ".#a.yaml", "#a.yaml", "a.yaml~", "~a.yaml"),
        *(".a.yaml.swp", "4913", "a.yaml.tmp", "a.yaml.bak", "a.yaml___jb_tmp___", "sedAbCdEf", ".goutputstream-X"),
    ],
)  # fmt: skip
def test_hidden_files_and_editors_temporaries_are_no_desired_state(state: Path, name: str) -> None:
    write(state / "real.yaml", sheet("real"))
    write(state / name, sheet("temporary"))
    assert names(read(state)) == ["real"]


def test_one_file_is_a_source_too(state: Path) -> None:
    write(state / "a.yaml", sheet("a"))
    write(state / "b.yaml", sheet("b"))
    source = FilesSource(state / "a.yaml")
    assert names(source.read()) == ["a"]
    assert (source.name, source.is_directory) == (str(state / "a.yaml"), False)
    assert FilesSource(state).is_directory


def test_the_source_is_named_by_its_real_path(state: Path) -> None:
    link = state.parent / "link"
    link.symlink_to(state)
    write(state / "a.yaml", sheet("a"))
    assert FilesSource(link).name == str(state)
    assert read(link).documents.keys() == {str(state / "a.yaml")}


# -- good and bad side by side -------------------------------------------------------------------------------------


def test_a_bad_file_leaves_the_others_alone_and_offers_its_good_documents(state: Path) -> None:
    write(state / "good.yaml", sheet("a"))
    bad = write(state / "bad.yaml", sheet("b") + "---\nkind: [\n")
    revision = read(state)
    assert names(revision) == ["a"]
    assert str(bad) not in revision.documents
    assert [declared.key.name for declared in revision.partial[str(bad)]] == ["b"]
    assert messages(revision)[0].startswith(f"{bad}:7:1: cannot find a value here")


def test_empty_files_are_in_order(state: Path) -> None:
    write(state / "a.yaml", sheet("a"))
    write(state / "empty.yaml", "")
    write(state / "comments.yaml", "---\n# nothing\n---\n")
    revision = read(state)
    assert names(revision) == ["a"]
    assert revision.documents[str(state / "empty.yaml")] == ()
    assert not revision.problems


def test_a_binary_file_is_named(state: Path) -> None:
    path = state / "photo.yaml"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    assert messages(read(state)) == [f"{path}:1:1: cannot read this as text: save the file as UTF-8"]


def test_a_file_of_ten_megabytes_is_refused_unread(state: Path) -> None:
    write(state / "a.yaml", sheet("a"))
    big = write(state / "big.yaml", "# filler\n" * (10 * 2**20 // 9))
    revision = read(state)
    assert names(revision) == ["a"]
    assert messages(revision) == [f"{big}: cannot read a file of 10.0 MiB: 8 MiB is the most; split it"]


def test_a_file_that_may_not_be_read_is_named(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(state / "a.yaml", sheet("a"))
    secret = write(state / "secret.yaml", sheet("b"))

    def refuse(file: str, found: os.stat_result) -> bytes:
        if file == str(secret):  # root, who may run this test, can read everything
            raise PermissionError(13, "Permission denied")
        return Path(file).read_bytes()

    monkeypatch.setattr(contents, "_text", refuse)
    revision = read(state)
    assert names(revision) == ["a"]
    assert messages(revision) == [f"{secret}: cannot read this file: Permission denied; make it readable"]


@pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv, of util-linux, is not installed")
def test_what_the_permissions_forbid_is_named(state: Path) -> None:
    """Runs in a process without root's powers, for root can read everything."""
    write(state / "a.yaml", sheet("a"))
    (hidden := write(state / "hidden.yaml", sheet("b"))).chmod(0)
    (folder := state / "folder").mkdir(mode=0)
    script = f"""
from pathlib import Path
from controller.sources.files import FilesSource
print(*sorted(FilesSource(Path({str(state)!r})).read().problems), sep="\\n")
"""
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", script]
    without_powers = command if os.geteuid() == 0 else command[3:]
    try:
        done = subprocess.run(without_powers, capture_output=True, text=True, timeout=60, check=True)
    finally:
        folder.chmod(0o700)
    assert done.stdout.split() == sorted([str(hidden), str(folder)])


def test_what_is_no_regular_file_is_named_and_not_waited_for(state: Path) -> None:
    write(state / "a.yaml", sheet("a"))
    os.mkfifo(state / "pipe.yaml")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(state / "socket.yaml"))
        revision = read(state)
    assert names(revision) == ["a"]
    assert len(messages(revision)) == 2
    assert all("it is not a regular file; remove it, or name it otherwise" in each for each in messages(revision))


def test_a_file_that_vanishes_between_listing_and_reading_is_gone(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(state / "a.yaml", sheet("a"))
    passing = write(state / "b.yaml", sheet("b"))

    def vanish(file: str, found: os.stat_result) -> bytes:
        passing.unlink(missing_ok=True)
        return Path(file).read_bytes()

    monkeypatch.setattr(contents, "_text", vanish)
    revision = read(state)
    assert names(revision) == ["a"]
    assert not revision.problems and str(passing) not in revision.documents


def test_a_name_that_is_not_utf8_is_named(state: Path) -> None:
    write(state / "a.yaml", sheet("a"))
    (Path(os.fsdecode(os.fsencode(state) + b"/\xff.yaml"))).write_text(sheet("b"))
    revision = read(state)
    assert names(revision) == ["a"]
    assert messages(revision) == [f"{state}/\\xff.yaml: cannot use a name that is not UTF-8: rename it"]


# -- links ---------------------------------------------------------------------------------------------------------


def test_links_to_files_and_folders_are_followed_and_nothing_is_read_twice(state: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside/shared.yaml", sheet("shared"))
    folder = write(tmp_path / "folder/in.yaml", sheet("in")).parent
    write(state / "a.yaml", sheet("a"))
    (state / "again.yaml").symlink_to("a.yaml")
    (state / "shared.yaml").symlink_to(outside)
    (state / "folder").symlink_to(folder)
    (state / "folder-again").symlink_to(folder)
    revision = read(state)
    assert names(revision) == ["a", "in", "shared"]
    assert revision.documents.keys() == {str(state / "a.yaml"), str(outside), str(folder / "in.yaml")}


def test_a_loop_of_links_is_named_and_the_rest_is_read(state: Path) -> None:
    write(state / "sub/a.yaml", sheet("a"))
    (state / "sub/up").symlink_to("..")
    (state / "one.yaml").symlink_to("two.yaml")
    (state / "two.yaml").symlink_to("one.yaml")
    revision = read(state)
    assert names(revision) == ["a"]
    assert messages(revision) == [
        f"{state}/one.yaml: cannot follow this link: it leads back to itself; remove it",
        f"{state}/two.yaml: cannot follow this link: it leads back to itself; remove it",
        f"{state}/sub/up: cannot follow this link: it leads back to {state}; remove it",
    ]


def test_folders_that_link_to_each_other_are_read_once(state: Path) -> None:
    write(state / "x/a.yaml", sheet("a"))
    write(state / "y/b.yaml", sheet("b"))
    (state / "x/to-y").symlink_to("../y")
    (state / "y/to-x").symlink_to("../x")
    assert names(read(state)) == ["a", "b"]


def test_a_link_to_nothing_is_named(state: Path) -> None:
    write(state / "a.yaml", sheet("a"))
    (state / "lost.yaml").symlink_to("elsewhere.yaml")
    (state / "irrelevant").symlink_to("elsewhere")
    assert messages(read(state)) == [
        f"{state}/lost.yaml: cannot follow this link: elsewhere.yaml is not there; put it back, or remove the link"
    ]


# -- the source as a whole -----------------------------------------------------------------------------------------


def test_a_missing_source_says_so(tmp_path: Path) -> None:
    revision = read(tmp_path / "nowhere")
    assert revision.condition is Condition.MISSING
    assert revision.message == f"cannot find {tmp_path}/nowhere: put it back, or name another"


@pytest.mark.parametrize("text", [None, "", "# nothing\n"])
def test_a_source_without_resources_says_so(state: Path, text: str | None) -> None:
    if text is not None:
        write(state / "a.yaml", text)
    revision = read(state)
    assert revision.condition is Condition.EMPTY
    assert revision.message == f"cannot find any resource in {state}: declare one in a .yaml file there"


def test_a_source_of_which_nothing_can_be_used_is_not_empty(state: Path) -> None:
    write(state / "a.yaml", "kind: [")
    revision = read(state)
    assert revision.condition is Condition.OK
    assert len(revision.problems) == 1


def test_an_unreadable_source_says_so(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> Iterator[os.DirEntry[str]]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    revision = read(state)
    assert (revision.condition, revision.message) == (
        Condition.UNREADABLE,
        f"cannot read {state}: Permission denied; make it readable",
    )


# -- inputs --------------------------------------------------------------------------------------------------------


def digest(revision: Revision) -> str:
    [declared] = [declared for documents in revision.documents.values() for declared in documents]
    return declared.digest


def test_the_content_of_an_input_is_part_of_what_is_desired(state: Path) -> None:
    write(state / "a.yaml", sheet("a", source="motd"))
    without = digest(read(state))
    write(state / "motd", "hello")
    with_it = digest(read(state))
    write(state / "motd", "world")
    other = digest(read(state))
    write(state / "motd", "hello")
    assert len({without, with_it, other}) == 3
    assert digest(read(state)) == with_it


def test_an_input_that_is_none_is_left_to_the_agent(state: Path) -> None:
    write(state / "a.yaml", sheet("a", source="motd"))
    os.mkfifo(state / "motd")
    revision = read(state)
    assert names(revision) == ["a"] and not revision.problems


# -- only what has changed is read again ---------------------------------------------------------------------------


def aged(path: Path) -> Path:
    """Long unchanged, so that its stamp can be relied on."""
    before = path.stat().st_mtime_ns - 10**10
    os.utime(path, ns=(before, before))
    return path


def test_a_second_survey_reads_only_changed_files(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = aged(write(state / "one.yaml", sheet("a"))), aged(write(state / "two.yaml", sheet("b")))
    known = Contents(str(state))
    known.survey()
    opened: list[str] = []
    monkeypatch.setattr(contents, "_text", lambda file, found: opened.append(file) or Path(file).read_bytes())
    assert not known.survey()
    assert opened == []
    write(two, sheet("c"))
    assert known.survey().documents.keys() == {str(two)}
    assert opened == [str(two)]
    assert one.exists()


def test_a_file_changed_within_the_grain_of_the_clock_is_seen(state: Path) -> None:
    path = write(state / "a.yaml", sheet("a"))
    known = Contents(str(state))
    known.survey()
    found = path.stat()
    write(path, sheet("b"))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert stat.S_ISREG(found.st_mode) and path.stat().st_size == found.st_size
    assert known.survey().documents.keys() == {str(path)}


def test_what_is_as_it_was_stays_the_same_object(state: Path) -> None:
    path = write(state / "a.yaml", sheet("a", "b"))
    known = Contents(str(state))
    known.survey()
    before = known.all().documents[str(path)]
    write(path, sheet("a") + "---\n" + sheet("b", content="other"))
    after = known.look([str(path)]).documents[str(path)]
    assert before and after
    assert after[0] is before[0] and after[1] is not before[1]


def test_a_new_comment_is_no_news(state: Path) -> None:
    path = write(state / "a.yaml", sheet("a"))
    known = Contents(str(state))
    known.survey()
    write(path, "# new\n" + sheet("a"))
    assert not known.look([str(path)])


def test_a_file_that_cannot_be_used_keeps_what_was_good(state: Path) -> None:
    path = write(state / "a.yaml", sheet("a"))
    known = Contents(str(state))
    known.survey()
    write(path, "kind: [")
    look = known.look([str(path)])
    assert look.problems.keys() == {str(path)} and not look.documents
    assert not known.survey()  # said once
    write(path, sheet("a"))
    assert known.look([str(path)]).documents.keys() == {str(path)}  # in order again, though nothing else is new


def test_a_folder_that_cannot_be_listed_any_more_keeps_what_was_good(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(state / "a.yaml", sheet("a"))
    write(state / "sub/b.yaml", sheet("b"))
    known = Contents(str(state))
    known.survey()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path == str(state / "sub"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    look = known.survey()
    assert look.documents == {}
    assert [str(problem) for [problem] in look.problems.values()] == [
        f"{state}/sub: cannot list this directory: Permission denied; make it readable"
    ]
    monkeypatch.undo()
    assert known.survey().documents == {str(state / "sub"): None}  # the complaint is gone, and that is all
