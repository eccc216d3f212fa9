"""What the model of kind `File` takes and refuses, with the words that it says so in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from resources.kinds.file import FileSpec
from resources.meta import Claim
from tests.agents.file_driver import declare


def spec(**fields: Any) -> FileSpec:
    return FileSpec.model_validate({"path": "/x"} | fields, context={"base": "/manifests"})


def refusal(**fields: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        spec(**fields)
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/etc/motd", "/etc/motd"),
        ("//etc//./motd/", "/etc/motd"),
        ("~/notes", "/home/ann/notes"),
        ("~", "/home/ann"),
        ("/etc/~x", "/etc/~x"),
        ("/ with spaces ", "/ with spaces "),
    ],
)
def test_path_has_one_form(written: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert spec(path=written, content="").path == path


@pytest.mark.parametrize("path", ["etc/motd", "./motd", "", "~bob/x", "/etc/../motd", "/a\0b"])
def test_path_that_is_not_absolute_or_plain_is_refused(path: str) -> None:
    assert "path" in refusal(path=path, content="")


def test_source_is_found_beside_the_manifest() -> None:
    assert spec(source="motd.txt").source == "/manifests/motd.txt"


@pytest.mark.parametrize(("written", "mode"), [("644", "0644"), ("0644", "0644"), ("4755", "4755")])
def test_mode_has_one_form(written: str, mode: str) -> None:
    assert spec(content="", mode=written).mode == mode


@pytest.mark.parametrize("number", [420, 644, 0o755])
def test_mode_without_quotes_is_refused_with_the_way_to_write_it(number: int) -> None:
    assert f'cannot use the number {number} as a mode: put the octal digits in quotes, like "0644"' in refusal(
        content="", mode=number
    )


@pytest.mark.parametrize("mode", ["rw-r--r--", "8", "99", "0o644", "00644", "", "9644"])
def test_mode_that_is_not_octal_is_refused(mode: str) -> None:
    assert "mode" in refusal(content="", mode=mode)


def test_numeric_owner_wants_quotes() -> None:
    assert 'put the id in quotes, like "1000"' in refusal(content="", owner=1000)
    assert spec(content="", owner="1000").owner == "1000"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "give either content or source"),
        ({"content": "x", "source": "y"}, "give either content or source"),
        ({"content": "x", "target": "/y"}, "cannot use target with type: file"),
        ({"type": "directory", "content": ""}, "cannot use content with type: directory"),
        ({"type": "directory", "source": "y", "template": True}, "cannot use source, template with type: directory"),
        ({"type": "symlink"}, "cannot make a symlink without target"),
        ({"type": "symlink", "target": "/y", "mode": "0644"}, "cannot use mode with type: symlink"),
        ({"content": "x", "variables": {"a": "b"}}, "cannot use variables without template: true"),
        ({"content": "\n{{ a }}", "template": True}, 'line 2: no variable is named "a"'),
        ({"type": "socket"}, "type"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields: dict[str, Any], message: str) -> None:
    assert message in refusal(**fields)


def test_template_marks_in_a_plain_content_are_plain() -> None:
    assert spec(content="{{ .Names }}").content == "{{ .Names }}"


def test_target_may_start_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert spec(type="symlink", target="~/x").target == "/home/ann/x"
    assert spec(type="symlink", target="../x").target == "../x"


def test_path_is_claimed_and_the_source_is_an_input() -> None:
    resource = declare("/etc//motd", source="/srv/motd")
    assert list(resource.claims()) == [Claim("path", "/etc/motd")]
    assert list(resource.inputs()) == [Path("/srv/motd")]
