"""The parse cache makes a start quick, and is never worth a wrong reading."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.engine.revision import Revision
from controller.sources import cache as cache_module
from controller.sources.files import FilesSource
from resources import load
from tests.files.sheets import names, sheet, write


@pytest.fixture
def state(tmp_path: Path) -> Path:
    write(tmp_path / "state/a.yaml", sheet("a", "b"))
    write(tmp_path / "state/sub/c.yaml", sheet("c", source="motd"))
    return tmp_path / "state"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose YAML was read."""
    seen: list[str] = []
    real = load.load_text

    def spy(text: bytes, file: str, base: Path | None) -> load.Loaded:
        seen.append(Path(file).name)
        return real(text, file, base)

    monkeypatch.setattr(load, "load_text", spy)
    return seen


def read(state: Path) -> Revision:
    return FilesSource(state, state.parent / "home/cache").read()


def kept(state: Path) -> Path:
    [path] = (state.parent / "home/cache").iterdir()
    return path


def test_a_second_start_reads_no_yaml_and_says_the_same(state: Path, parsed: list[str]) -> None:
    first = read(state)
    assert sorted(parsed) == ["a.yaml", "c.yaml"]
    parsed.clear()
    second = read(state)
    assert parsed == []
    assert second.documents == first.documents
    assert names(second) == ["a", "b", "c"]


def test_only_a_changed_file_is_parsed_again(state: Path, parsed: list[str]) -> None:
    read(state)
    parsed.clear()
    write(state / "a.yaml", sheet("a", "b", content="new"))
    read(state)
    assert parsed == ["a.yaml"]
    parsed.clear()
    assert read(state).documents == FilesSource(state).read().documents
    assert parsed == ["a.yaml", "c.yaml"]  # by the source without a cache


def test_a_changed_input_counts_although_its_file_is_kept(state: Path, parsed: list[str]) -> None:
    write(state / "sub/motd", "hello")
    before = read(state).documents[str(state / "sub/c.yaml")]
    parsed.clear()
    write(state / "sub/motd", "world")
    after = read(state).documents[str(state / "sub/c.yaml")]
    assert parsed == []
    assert before[0].digest != after[0].digest


def test_a_file_with_problems_is_not_kept(state: Path, parsed: list[str]) -> None:
    write(state / "bad.yaml", sheet("d") + "---\nkind: Fil\n")
    first = read(state)
    parsed.clear()
    assert read(state).problems == first.problems != {}
    assert parsed == ["bad.yaml"]


def test_the_same_content_elsewhere_has_paths_of_its_own(state: Path) -> None:
    read(state)
    write(state / "other/c.yaml", sheet("moved", source="motd"))
    (state / "other/c.yaml").write_text((state / "sub/c.yaml").read_text())
    found = read(state).documents
    [here], [there] = found[str(state / "sub/c.yaml")], found[str(state / "other/c.yaml")]
    assert [list(d.resource.inputs()) for d in (here, there)] == [[state / "sub/motd"], [state / "other/motd"]]
    assert here.digest != there.digest
    assert read(state).documents == found


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"x",
        lambda data: b"x" + data,
        lambda data: bytes(len(data)),
        flipped,
    ],
)
def test_a_damaged_cache_is_none(damage: Callable[[bytes], bytes], state: Path, parsed: list[str]) -> None:
    first = read(state)
    path = kept(state)
    path.write_bytes(damage(path.read_bytes()))
    parsed.clear()
    assert read(state).documents == first.documents
    assert sorted(parsed) == ["a.yaml", "c.yaml"]
    parsed.clear()
    read(state)  # and has been mended
    assert parsed == []


def test_documents_that_are_none_any_more_are_parsed_again(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(state)
    path = kept(state)
    body = path.read_bytes()[:-16].replace(b'"content":"x"', b'"cintent":"x"')
    path.write_bytes(body + cache_module._digest(body))
    assert read(state).documents == first.documents


@pytest.mark.parametrize("other", ["sys.version", "pydantic.VERSION"])
def test_another_version_reads_for_itself(
    other: str, state: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(state)
    parsed.clear()
    monkeypatch.setattr(other, "another")
    read(state)
    assert sorted(parsed) == ["a.yaml", "c.yaml"]


def test_another_home_directory_reads_for_itself(
    state: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(state)
    parsed.clear()
    monkeypatch.setenv("HOME", "/somewhere/else")
    read(state)
    assert sorted(parsed) == ["a.yaml", "c.yaml"]


def test_what_is_gone_from_the_source_is_gone_from_the_cache(state: Path) -> None:
    for number in range(50):
        write(state / f"{number}.yaml", sheet(f"n{number}", content="x" * 1_000))
    read(state)
    large = kept(state).stat().st_size
    for number in range(50):
        (state / f"{number}.yaml").unlink()
    read(state)
    assert kept(state).stat().st_size < large / 10


def test_the_cache_is_for_its_owner_alone(state: Path) -> None:
    read(state)
    assert stat.S_IMODE(kept(state).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept(state).stat().st_mode) == 0o600


def test_two_sources_do_not_share_one(state: Path, parsed: list[str]) -> None:
    read(state)
    parsed.clear()
    FilesSource(state / "sub", state.parent / "home/cache").read()
    read(state)
    assert parsed == ["c.yaml"]
    assert len(list((state.parent / "home/cache").iterdir())) == 2


def test_a_home_that_cannot_be_written_to_does_without(state: Path, parsed: list[str]) -> None:
    (state.parent / "home").write_text("a file where the directory should be")
    assert names(read(state)) == ["a", "b", "c"]
    assert names(read(state)) == ["a", "b", "c"]


def test_without_a_cache_nothing_is_written(state: Path) -> None:
    FilesSource(state, None).read()
    assert not (state.parent / "home").exists()


def test_unchanged_files_leave_the_cache_alone(state: Path) -> None:
    read(state)
    before = kept(state).stat()
    read(state)
    assert (kept(state).stat().st_ino, kept(state).stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
