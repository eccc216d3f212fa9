"""What stands in an env file, as a container has it."""

from __future__ import annotations

import pytest

from resources.docker.env_file import Unreadable, variables_in


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("A = 1 ", "1"),
        ("export A=1", "1"),
        ("A=", ""),
        ("A='a b'", "a b"),
        ('A="a b"', "a b"),
        ('A=""', ""),
        ("A=a=b", "a=b"),
        ("A=$B", "$B"),
        ("A=1 # one", "1"),
        ("A=1#one", "1#one"),
        ('A="1 # one" # two', "1 # one"),
        ('A="open', '"open'),
        ("A='it''s'", "it''s"),
    ],
)
def test_a_line_gives_a_variable_its_value(line: str, value: str) -> None:
    assert variables_in(f"# first\n\n{line}\n") == {"A": value}


def test_later_lines_win() -> None:
    assert variables_in("A=1\nB=2\nA=3\n") == {"A": "3", "B": "2"}


@pytest.mark.parametrize("line", ["A", "=1", "just words"])
def test_a_line_that_is_none_is_named_by_its_number_alone(line: str) -> None:
    with pytest.raises(Unreadable, match=r"^cannot read line 2$"):
        variables_in(f"A=1\n{line}\n")
