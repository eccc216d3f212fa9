"""Going back to an earlier revision where there is no git, and looking at one before that."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import zlib
from pathlib import Path

import pytest

from tests.cli.story import Story


def aside(story: Story) -> dict[str, str]:
    """What was kept aside, by its path below the directory of its rollback."""
    root = story.root.parent / "p2home" / "aside"
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {"/".join(path.relative_to(root).parts[1:]): path.read_text() for path in files}


def apply(story: Story, *contents: str) -> None:
    for content in contents:
        story.write("a.yaml", story.file("one", content))
        assert story.p2("apply", "--yes").code == 0


def test_the_last_edit_is_undone_and_the_newer_file_kept_aside(story: Story) -> None:
    apply(story, "first", "second")
    shown = story.p2("rollback")
    assert shown.code == 0, shown.err
    assert 'content: "second" -> "first"   edited' in shown.out
    assert (story.world / "one").read_text() == "first"
    assert aside(story) == {"a.yaml": story.file("one", "second")}
    assert f"1 file put back as in revision 1; the newer ones are in {story.root.parent}/p2home/aside/" in shown.err
    assert story.p2("diff").code == 0


def test_a_second_rollback_undoes_the_first(story: Story) -> None:
    apply(story, "first", "second", "third")
    story.p2("rollback")
    assert (story.world / "one").read_text() == "second"
    story.p2("rollback")
    assert (story.world / "one").read_text() == "third"


def test_a_number_goes_further_back(story: Story) -> None:
    apply(story, "first", "second", "third")
    assert story.p2("rollback", "1").code == 0
    assert (story.world / "one").read_text() == "first"
    newest = story.p2("history", "-n", "1", "-o", "json").out
    found = json.loads(newest)[0]
    assert (found["cause"], found["restored"], found["outcome"]) == ("rollback", 1, "converged")
    assert story.p2("history", "-n", "1").out.splitlines()[1].split()[2:5] == ["rollback", "to", "1"]


def test_an_edit_that_was_never_applied_is_undone_too(story: Story) -> None:
    apply(story, "first")
    story.write("a.yaml", "this: [is no YAML")
    story.write("new.yaml", "nor: is: this")
    assert story.p2("rollback").code == 0
    assert (story.root / "state/a.yaml").read_text() == story.file("one", "first")
    assert not (story.root / "state/new.yaml").exists()
    assert aside(story) == {"a.yaml": "this: [is no YAML", "new.yaml": "nor: is: this"}


def test_what_came_since_is_deleted_only_with_consent(story: Story) -> None:
    apply(story, "first")
    story.write("deep/b.yaml", story.file("two"))
    story.p2("apply")
    refused = story.p2("rollback")
    assert (refused.code, "cannot delete 1 resource without being told: add --yes" in refused.err) == (2, True)
    assert (story.root / "state/deep/b.yaml").exists()
    assert aside(story) == {}
    assert story.p2("rollback", "--yes").code == 0
    assert sorted(path.name for path in story.world.iterdir()) == ["one"]
    assert list(aside(story)) == ["deep/b.yaml"]
    assert story.p2("rollback").code == 0  # and back again
    assert (story.world / "two").read_text() == "hello"


def test_files_that_specs_refer_to_are_part_of_a_revision(story: Story) -> None:
    document = story.file("one").replace("content: hello", "source: text/one.txt")
    story.write("a.yaml", document)
    story.write("text/one.txt", "first")
    story.p2("apply")
    story.write("text/one.txt", "second")
    story.p2("apply")
    shown = story.p2("diff", "--revision", "1")
    assert (shown.code, 'content: "second" -> "first"   edited' in shown.out) == (1, True)
    assert story.p2("diff").code == 0
    assert (story.world / "one").read_text() == "second"
    assert story.p2("rollback").code == 0
    assert (story.root / "state/text/one.txt").read_text() == "first"
    assert (story.world / "one").read_text() == "first"
    assert story.p2("diff").code == 0


def test_a_template_of_a_past_revision_is_filled_in_as_it_was(story: Story) -> None:
    document = story.file("one", template="true", variables="{name: Ada}")
    story.write("a.yaml", document.replace("content: hello", "source: one.txt"))
    story.write("one.txt", "hello {{ name }}")
    story.p2("apply")
    story.write("one.txt", "bye {{ name }}")
    story.p2("apply")
    shown = story.p2("diff", "--revision", "1")
    assert (shown.code, 'content: "bye Ada" -> "hello Ada"   edited' in shown.out) == (1, True)


def test_diff_of_the_present_revision_is_empty_and_of_a_past_one_changes_nothing(story: Story) -> None:
    apply(story, "first")
    story.write("b.yaml", story.file("two"))
    apply(story, "second")
    assert story.p2("diff", "--revision", "2").code == 0
    shown = story.p2("diff", "--revision", "1", "-o", "json")
    assert shown.code == 1
    actions = {each["key"]: each["action"] for each in json.loads(shown.out)["actions"]}
    assert actions == {"File/default/one": "update", "File/default/two": "delete"}
    assert (story.world / "one").read_text() == "second"
    assert len(story.p2("history").out.splitlines()) == 3


def test_a_comment_that_was_edited_comes_back(story: Story) -> None:
    story.write("a.yaml", "# why\n" + story.file("one"))
    story.p2("apply")
    story.write("a.yaml", "# because\n" + story.file("one"))
    story.p2("apply")
    assert "only files" in story.p2("history").out.splitlines()[1]
    shown = story.p2("rollback")
    assert shown.last == "Converged: nothing to do; 1 ready"
    assert (story.root / "state/a.yaml").read_text().startswith("# why\n")


@pytest.mark.parametrize("command", [("rollback", "9"), ("diff", "--revision", "9"), ("history", "--revision", "9")])
def test_an_unknown_revision_is_refused_with_those_there_are(story: Story, command: tuple[str, ...]) -> None:
    apply(story, "first", "second")
    shown = story.p2(*command)
    assert shown.code == 2
    assert re.search(r"error: cannot find revision 9.*: there is 1 to 2", shown.err)


@pytest.mark.parametrize("command", [("rollback",), ("rollback", "1"), ("diff", "--revision", "1")])
def test_without_a_history_there_is_nothing_to_go_back_to(story: Story, command: tuple[str, ...]) -> None:
    story.write("a.yaml", story.file("one"))
    shown = story.p2(*command)
    assert shown.code == 2
    assert shown.err.startswith("error: cannot ")
    assert not list(story.world.iterdir())


def test_a_revision_of_another_source_is_refused(story: Story) -> None:
    apply(story, "first")
    other = story.root / "other"
    other.mkdir()
    (other / "b.yaml").write_text(story.file("two"))
    assert story.p2("apply", "other").code == 0
    shown = story.p2("rollback", "2")
    assert shown.code == 2
    assert f"it is one of {other}: there is 1;" in shown.err


def test_a_single_file_is_a_source_that_can_be_rolled_back(story: Story) -> None:
    file = story.root / "only.yaml"
    for content in ("first", "second"):
        file.write_text(story.file("one", content))
        assert story.p2("apply", "only.yaml").code == 0
    neighbour = story.root / "neighbour.yaml"
    neighbour.write_text("none of our business")
    assert story.p2("rollback", "-s", "only.yaml").code == 0
    assert (story.world / "one").read_text() == "first"
    assert neighbour.read_text() == "none of our business"


def test_a_part_of_a_source_cannot_be_rolled_back_alone(story: Story) -> None:
    apply(story, "first")
    story.write("sub/b.yaml", story.file("two"))
    story.p2("apply")
    shown = story.p2("rollback", "-s", "state/sub", "--yes")
    assert (shown.code, f"it is a part of {story.root}/state" in shown.err) == (2, True)
    assert (story.root / "state/sub/b.yaml").exists()


def test_a_source_that_is_not_there_is_named(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the one that the working directory happens to lie in."""
    apply(story, "first")
    monkeypatch.chdir(story.root / "state")
    shown = story.p2("rollback")
    assert shown.code == 2
    assert f"cannot find the source state: say which one with -s, such as -s {story.root}/state" in shown.err


def test_a_source_that_was_deleted_comes_back(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    story.write("sub/b.yaml", story.file("two"))
    story.p2("apply")
    shutil.rmtree(story.root / "state")
    assert story.p2("apply", "--yes").code == 2
    shown = story.p2("rollback")
    assert (shown.code, "2 files put back as in revision 1\n" in shown.err) == (0, True), shown
    assert (story.root / "state/sub/b.yaml").read_text() == story.file("two")
    assert story.p2("diff").code == 0


def test_a_revision_that_is_not_valid_any_more_is_refused(story: Story) -> None:
    apply(story, "first", "second")
    database = story.root.parent / "p2home" / "p2.db"
    broken = zlib.compress(b"kind: Nothing")
    with sqlite3.connect(database) as connection:
        digest = connection.execute("SELECT digest FROM text WHERE number = 1").fetchone()
        connection.execute("UPDATE blob SET content = ? WHERE digest = ?", (broken, *digest))
    shown = story.p2("rollback", "1", "--yes")
    assert (shown.code, "this Pegasus2 finds wrong in it what is named above" in shown.err) == (2, True)
    assert "a.yaml:1:1: apiVersion: " in shown.err
    assert (story.root / "state/a.yaml").read_text() == story.file("one", "second")


def test_modes_stay_and_a_link_is_not_followed_out_of_the_source(story: Story) -> None:
    apply(story, "first", "second")
    path = story.root / "state/a.yaml"
    path.chmod(0o640)
    story.p2("rollback")
    assert path.stat().st_mode & 0o777 == 0o640
    elsewhere = story.root / "elsewhere.yaml"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    shown = story.p2("rollback", "2")
    assert (shown.code, "is a link now" in shown.err) == (2, True)
    assert elsewhere.read_text() == story.file("one", "first")


def test_a_file_that_cannot_be_put_back_undoes_the_others(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(story, "first")
    story.write("b.yaml", story.file("two", "first"))
    story.p2("apply")
    story.write("a.yaml", story.file("one", "second"))
    story.write("b.yaml", story.file("two", "second"))
    story.p2("apply")
    from controller.sources import restoring

    real = restoring.write

    def failing(path: Path, content: bytes) -> None:
        if path.name == "b.yaml" and b"first" in content:
            raise OSError(28, "No space left on device", str(path))
        real(path, content)

    monkeypatch.setattr(restoring, "write", failing)
    shown = story.p2("rollback")
    assert shown.code == 2
    assert "cannot roll back: " in shown.err
    assert "No space left on device" in shown.err
    assert (story.root / "state/a.yaml").read_text() == story.file("one", "second")
    assert (story.world / "one").read_text() == "second"


def project(story: Story) -> Path:
    """A Compose project beside the source, none of whose services is wanted. Returns its directory."""
    directory = story.root / "shop"
    directory.mkdir()
    (directory / "compose.yaml").write_text("services: {a: {image: b, profiles: [c]}}\n")
    (directory / ".env").write_text("TAG=1\n")
    document = "apiVersion: pegasus2.dev/v1\nkind: Compose\nmetadata: {name: shop}\nspec: {directory: ../shop}\n"
    story.write("shop.yaml", document)
    return directory


def test_a_compose_file_outside_of_the_source_is_named_and_left_to_its_owner(story: Story) -> None:
    directory = project(story)
    story.write("a.yaml", story.file("one", "first"))
    assert story.p2("apply").code == 0
    story.write("a.yaml", story.file("one", "second"))
    (directory / "compose.yaml").write_text("services: {a: {image: d, profiles: [c]}}\n")
    assert story.p2("apply").code == 0
    for words in (["rollback"], ["rollback", "1"]):
        done = story.p2(*words)
        assert done.code == 2
        assert "files that lie outside of the source are others than then" in done.err
        assert "../shop/compose.yaml" in done.err
        assert "put those back by themselves, then roll back to revision 1" in done.err
    assert (story.world / "one").read_text() == "second"
    (directory / "compose.yaml").write_text("services: {a: {image: b, profiles: [c]}}\n")
    assert story.p2("rollback", "1").code == 0
    assert (story.world / "one").read_text() == "first"


def test_an_edit_whose_text_is_not_in_the_history_is_not_passed_over(story: Story) -> None:
    directory = project(story)
    story.write("a.yaml", story.file("one", "first"))
    assert story.p2("apply").code == 0
    (directory / ".env").write_text("TAG=2\n")
    assert story.p2("apply").code == 0
    for words in (["rollback"], ["rollback", "1"]):
        done = story.p2(*words)
        assert done.code == 2
        assert "cannot roll back to revision 1: only ../shop/.env differs from it" in done.err
    story.write("a.yaml", story.file("one", "second"))
    assert story.p2("apply").code == 0
    done = story.p2("rollback", "1")
    assert (done.code, (story.world / "one").read_text()) == (0, "first")
    assert "left as it is: ../shop/.env, which was another then" in done.err


def test_a_file_elsewhere_that_changes_by_itself_does_not_hold_up_the_last_edit(story: Story) -> None:
    generated = story.root / "list.txt"
    generated.write_text("1")
    story.write("list.yaml", story.file("list").replace("content: hello", "source: ../list.txt"))
    apply(story, "first", "second")
    for text in "23":  # what the loop took in by itself, and what it did not
        assert story.p2("apply").code == 0
        generated.write_text(text)
    done = story.p2("rollback")
    assert (done.code, (story.world / "one").read_text()) == (0, "first"), done.err
    assert "left as it is: ../list.txt, which was another then" in done.err
    assert (story.world / "list").read_text() == "3"


def test_where_nothing_but_a_file_elsewhere_differs_it_is_named(story: Story) -> None:
    generated = story.root / "list.txt"
    generated.write_text("1")
    story.write("list.yaml", story.file("list").replace("content: hello", "source: ../list.txt"))
    assert story.p2("apply").code == 0
    generated.write_text("2")
    done = story.p2("rollback")
    assert (done.code, "cannot roll back to revision 1: only ../list.txt differs from it" in done.err) == (2, True)


def test_a_file_elsewhere_that_came_since_is_named(story: Story) -> None:
    directory = project(story)
    story.write("a.yaml", story.file("one", "first"))
    assert story.p2("apply").code == 0
    (directory / "compose.override.yaml").write_text("services: {a: {image: d}}\n")
    story.write("a.yaml", story.file("one", "second"))
    assert story.p2("apply").code == 0
    done = story.p2("rollback", "1")
    assert (done.code, (story.world / "one").read_text()) == (0, "first")
    assert "left as it is: ../shop/compose.override.yaml, of which revision 1 knows nothing" in done.err
