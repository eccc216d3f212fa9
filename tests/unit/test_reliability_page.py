"""docs/reliability.md names tests that exist, and every complaint in it has one or says why not."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reliability.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    written = "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    there = set(re.findall(r"def (test_\w+)\(", written))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert named - there == set()


def test_every_complaint_has_a_test_or_a_reason_why_not() -> None:
    table = PAGE.partition("complain of")[2].splitlines()
    rows = [line.split(" | ") for line in table if line.startswith("| ") and "#" in line]
    assert len(rows) >= 25
    assert [row[0] for row in rows if not re.search(r"`test_\w+`|there (is|are) no", row[2])] == []


def test_every_path_in_a_command_exists() -> None:
    paths = re.findall(r"\btests/[\w/.]+", PAGE)
    assert [path for path in paths if not (ROOT / path.rstrip(".")).exists()] == []
