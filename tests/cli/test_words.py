"""How values, times and tables are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.surfaces.cli.console import PLAIN, Paint, Style
from controller.surfaces.cli.table import Cell, Table
from controller.surfaces.cli.words import age, counted, moment, names, place, printable, span, value
from tests.cli.small_world import key


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (312, "5m12s"),
        (600, "10m"),
        (3 * 3600 + 240, "3h4m"),
        (36 * 3600, "36h"),
        (49 * 3600, "2d"),
    ],
)
def test_ages_are_written_as_kubectl_does(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_an_unknown_time_is_a_dash_and_a_known_one_is_utc() -> None:
    assert age(0.0, 100.0) == "-"
    assert age(90.0, 100.0) == "10s"
    assert moment(0.0) == ""
    assert moment(1_800_000_000.4) == "2027-01-15T08:00:00Z"


def test_values_are_json_on_one_line_and_cut_when_long() -> None:
    assert value(None) == "(none)"
    assert value({"a": [1, "ü"]}) == '{"a": [1, "ü"]}'
    assert len(value("x" * 500)) == 72
    assert value("sha256:" + "0" * 64).endswith('0…"')
    assert value({"a": ["x" * 500]}).endswith("x…}")
    assert "\n" not in value("a\nb")


def test_control_characters_are_shown_not_sent() -> None:
    assert printable("a\tb\x1b[31mc") == "a\tb\\x1b[31mc"


def test_counts_and_names_are_for_people() -> None:
    assert (counted(1, "file"), counted(2, "file")) == ("1 file", "2 files")
    assert names([key("b"), key("a")]) == "Container/a, Container/b"
    assert names(key(f"n{n}") for n in range(9)).endswith("and 1 more")


def test_places_below_the_working_directory_are_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place(f"{tmp_path}/state/a.yaml") == "state/a.yaml"
    assert place("/elsewhere/a.yaml") == "/elsewhere/a.yaml"


def test_columns_line_up_with_and_without_colour() -> None:
    body = [[Cell("a"), Cell("True", Style.GREEN), Cell("fine")], [Cell("longer"), Cell("False"), Cell("")]]
    assert list(Table(["NAME", "READY", "WHY"], PLAIN).lines(body)) == [
        "NAME     READY   WHY",
        "a        True    fine",
        "longer   False",
    ]
    coloured = list(Table(["NAME", "READY", "WHY"], Paint(True)).lines(body))
    assert coloured[1] == "a        \033[32mTrue\033[0m    fine"


def test_the_last_column_is_cut_at_the_width_of_the_terminal() -> None:
    table = Table(["N", "WHY"], PLAIN, width=30)
    lines = list(table.lines([[Cell("a"), Cell("x" * 100)]]))
    assert len(lines[1]) == 30
    assert lines[1].endswith("…")


def test_rows_that_come_later_have_no_heading() -> None:
    table = Table(["N", "WHY"], PLAIN)
    assert len(list(table.lines([[Cell("a"), Cell("b")]]))) == 2
    assert list(table.lines([[Cell("a"), Cell("c")]])) == ["a   c"]
