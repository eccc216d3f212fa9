"""Files that specs refer to, read as they were in a past revision."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.agents.docker.translation import _security_options
from controller.sources.recorded import recorded_revision
from controller.wiring.revisions import Instead
from tests.files.sheets import sheet, write


@pytest.fixture
def state(tmp_path: Path) -> Path:
    write(tmp_path / "state/a.yaml", sheet("a", source="text.txt"))
    write(tmp_path / "state/text.txt", "now")
    return tmp_path / "state"


def test_a_path_leads_to_the_content_of_then_while_one_is_looked_at(state: Path) -> None:
    instead, path = Instead(), str(state / "text.txt")
    assert instead(path) == path
    with instead.of(state, {"text.txt": b"then", "a.yaml": b""}):
        assert Path(instead(path)).read_text() == "then"
        assert Path(instead(str(state / "../state/text.txt"))).read_text() == "then"
        assert instead(str(state / "a.yaml")) == str(state / "a.yaml"), "what declares resources is no input"
        place = Path(instead(path))
    assert instead(path) == path
    assert not place.exists()


def test_a_seccomp_profile_is_compared_as_it_was(state: Path) -> None:
    write(state / "p.json", '{"defaultAction": "SCMP_ACT_ALLOW"}')
    option, live = f"seccomp={state}/p.json", {"SecurityOpt": ['seccomp={"defaultAction":"SCMP_ACT_KILL"}']}
    instead = Instead()
    assert _security_options((option,), live, instead) == ("seccomp=(another profile)",)
    with instead.of(state, {"p.json": b'{"defaultAction": "SCMP_ACT_KILL"}'}):
        assert _security_options((option,), live, instead) == (option,)


def test_the_content_of_then_is_part_of_what_was_desired(state: Path) -> None:
    file = str(state / "a.yaml")

    def digest(content: bytes) -> str:
        texts = {"a.yaml": sheet("a", source="text.txt").encode(), "text.txt": content}
        return recorded_revision(state, texts).documents[file][0].digest

    assert digest(b"then") != digest(b"now")
    assert digest(b"now") == digest(b"now")


def test_what_was_declared_comes_from_then_alone_but_for_what_lies_outside(state: Path, tmp_path: Path) -> None:
    write(state / "new.yaml", sheet("new"))
    write(tmp_path / "outside.yaml", sheet("outside"))
    (state / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    revision = recorded_revision(state, {"a.yaml": sheet("then").encode(), "note.txt": b"no YAML: ["})
    assert {path: [d.key.name for d in documents] for path, documents in revision.documents.items()} == {
        str(state / "a.yaml"): ["then"],
        str(tmp_path / "outside.yaml"): ["outside"],
    }
    assert not revision.problems
