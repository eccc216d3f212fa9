"""One file means one thing under p2 and under kubectl: plain scalars are read alike.

kubectl_scalars.json holds what kubectl 1.32 made of each. Where kubectl is installed it is asked again, and about random
scalars, too.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.documents import read
from resources.scalars import resolve

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "kubectl_scalars.json").read_text())


def ask_kubectl(lines: str) -> Any:
    """What kubectl reads in the list below `spec`; its error message when it reads nothing."""
    document = f"apiVersion: example.com/v1\nkind: Any\nmetadata: {{name: a}}\nspec:\n{lines}\n"
    done = subprocess.run(
        ["kubectl", "label", "--local", "--dry-run=client", "-f", "-", "x=y", "-o", "json"],
        input=document.encode(),
        capture_output=True,
        timeout=30,
    )
    return json.loads(done.stdout)["spec"] if done.returncode == 0 else done.stderr.decode()


def as_json_numbers(value: Any) -> Any:
    """Beyond 64 bits JSON's numbers are floats for kubectl; Python would print and read them as integers."""
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def same(ours: Any, theirs: Any) -> bool:
    theirs = as_json_numbers(theirs)
    return type(ours) is type(theirs) and ours == theirs


@pytest.mark.parametrize("text", RECORDED)
def test_plain_scalar_is_read_as_kubectl_reads_it(text: str) -> None:
    expected = RECORDED[text]
    if isinstance(expected, dict):  # kubectl has no JSON for it
        assert not math.isfinite(resolve(text))  # type: ignore[arg-type]
        assert read(f"a: {text}\n".encode(), "f.yaml").problems
    else:
        assert same(resolve(text), expected), resolve(text)


@pytest.mark.kubectl
def test_the_record_is_what_kubectl_says() -> None:
    fine = [text for text, value in RECORDED.items() if not isinstance(value, dict)]
    answers = ask_kubectl("\n".join(f"  - {text}" for text in fine))
    assert {text: answer for text, answer in zip(fine, answers, strict=True) if answer != RECORDED[text]} == {}
    for text in RECORDED.keys() - set(fine):
        assert "unsupported value" in ask_kubectl(f"  - {text}")


@pytest.mark.kubectl
@settings(max_examples=8, deadline=None)
@given(st.lists(st.text("0123456789_.+-eExXoObByYnN~:", min_size=1, max_size=9), min_size=100, max_size=200))
def test_random_scalars_are_read_as_kubectl_reads_them(texts: list[str]) -> None:
    plain = [text for text in texts if text != "-" and not text.endswith(":") and not text.startswith(":")]
    answers = ask_kubectl("\n".join(f"  - {text}" for text in ["start", *plain]))[1:]
    assert [text for text, answer in zip(plain, answers, strict=True) if not same(resolve(text), answer)] == []


@given(st.text(max_size=30))
def test_every_scalar_is_read_as_something(text: str) -> None:
    assert resolve(text) is None or isinstance(resolve(text), bool | int | float | str)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_64_bit_integer_is_kept(number: int) -> None:
    assert resolve(str(number)) == number


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('  - "22:22"\n  - "yes"\n  - \'1\'\n  - ! 1', ["22:22", "yes", "1", "1"]),
        ("  - !!str 1\n  - !!int '0x1f'\n  - !!float 1\n  - !!bool off\n  - !!null ''", ["1", 31, 1, False, None]),
        ("  - !!binary aGVsbG8=\n  - !!timestamp 2020-01-01\n  - !!str", ["hello", "2020-01-01", ""]),
        ("  - |\n    x\n    y\n  - >-\n    x\n    y\n\n    z\n  - |+\n    x\n\n  - z", ["x\ny\n", "x y\nz", "x\n\n", "z"]),
        ("  - 'x\n    y'\n  - \"a\\\n    b\\t\\x41\\u263a\"", ["x y", "ab\tA☺"]),
        ("  - {1: a, yes: b, on-: c, 017: d}", [{"1": "a", "true": "b", "on-": "c", "15": "d"}]),
        ("  - {? x, ? z}", [{"x": None, "z": None}]),
        ("  - &a {x: 1}\n  - {<<: *a, z: 2}\n  - {<<: [{x: 3}, *a, {z: 4}]}", [{"x": 1}, {"x": 1, "z": 2}, {"x": 3, "z": 4}]),
        ("  - {<<: {a: 2, b: 3}, a: 1}\n  - {'<<': 5}", [{"a": 1, "b": 3}, {"<<": 5}]),
        ("  - &a 1\n  - &a 2\n  - *a\n  - &k x\n  - {*k : z}", [1, 2, 2, "x", {"x": "z"}]),
        ("  - a\tb\n  - b\t\n  - #c\n  - a#c", ["a\tb", "b", None, "a#c"]),
        ("  - a: b\r\n    c: d\r\n  - - x\n    -\n", [{"a": "b", "c": "d"}, ["x", None]]),
    ],
)  # fmt: skip
def test_other_values_are_read_as_kubectl_reads_them(lines: str, expected: Any) -> None:
    reading = read(f"spec:\n{lines}\n".encode(), "f.yaml")
    assert reading.problems == ()
    assert reading.documents[0].content == {"spec": expected}
    if shutil.which("kubectl"):
        assert ask_kubectl(lines) == expected
