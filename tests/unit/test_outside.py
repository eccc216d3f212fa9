"""Contexts of builds that are not as they were in a commit are told of; so are those of which nobody can say."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from controller.sources.outside import contexts_since
from resources.load import load_text
from tests.cli.repository import ENVIRONMENT, git


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    directory = tmp_path / "web"
    directory.mkdir()
    (directory / "page").write_text("one")
    (tmp_path / "notes").write_text("one")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    return directory


def since(context: Path, commit: str) -> list[tuple[str, bool]]:
    spec = {"image": "shop/web:1", "build": {"context": str(context)}}
    content = {"apiVersion": "pegasus2.dev/v1", "kind": "Image", "metadata": {"name": "web"}, "spec": spec}
    return list(contexts_since(commit, load_text(json.dumps(content).encode(), "web.yaml", context).documents))


@pytest.mark.parametrize("file", ["page", "new"])
def test_a_context_with_an_edit_or_a_new_file_has_changed(context: Path, file: str) -> None:
    commit = git(context, "rev-parse", "HEAD").strip()
    (context.parent / "notes").write_text("two")
    assert since(context, commit) == []
    (context / file).write_text("two")
    assert since(context, commit) == [(str(context), True)]
    git(context, "add", "-A")
    git(context, "commit", "-qm", "second")
    assert since(context, commit) == [(str(context), True)]


def test_where_git_cannot_say_it_is_not_known(context: Path) -> None:
    assert since(context, "") == [(str(context), False)]
    assert since(context, "0" * 40) == [(str(context), False)]
    (context.parent / ".git").rename(context.parent / "away")
    assert since(context, "HEAD") == [(str(context), False)]


def test_git_that_fails_in_the_middle_ends_nothing(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(context, "rev-parse", "HEAD").strip()
    programs = context.parent / "bin"
    programs.mkdir()
    fake = programs / "git"
    fake.write_text(f'#!/bin/sh\ncase "$*" in *status*) exit 128;; esac\nexec {shutil.which("git")} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert since(context, commit) == [(str(context), False)]
