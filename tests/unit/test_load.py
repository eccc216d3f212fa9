"""Bad input: every mistake has its place, its field and its remedy, and takes nothing else with it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from resources import documents, kinds
from resources.load import Loaded, load_text
from resources.meta import About, Key, Model, Resource, Spec

GOOD = """\
apiVersion: pegasus2.dev/v1
kind: File
metadata: {name: %s}
spec: {path: /tmp/%s, content: "1"}
"""


def load(text: str | bytes) -> Loaded:
    return load_text(text if isinstance(text, bytes) else text.encode(), "f.yaml", Path("/base"))


def problems(text: str | bytes) -> list[str]:
    return [str(problem) for problem in load(text).problems]


def names(loaded: Loaded) -> list[str]:
    return [declared.key.name for declared in loaded.documents]


def file_with(spec: str, metadata: str = "{name: a}") -> str:
    return f"apiVersion: pegasus2.dev/v1\nkind: File\nmetadata: {metadata}\nspec:\n{spec}"


def test_good_documents_are_loaded_with_their_origin() -> None:
    loaded = load(f"# two\n---\n{GOOD % ('a', 'a')}---\n# nothing\n---\n{GOOD % ('b', 'b')}")
    assert loaded.problems == ()
    assert [(str(d.key), d.origin.file, d.origin.document) for d in loaded.documents] == [
        ("File/default/a", "f.yaml", 0),
        ("File/default/b", "f.yaml", 2),
    ]


# -- text that is no YAML ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n---\n# x\n---\n", "~\n", "\ufeff"])
def test_a_file_without_documents_is_in_order(text: str) -> None:
    assert load(text) == Loaded((), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n\tb: 2\n", "f.yaml:2:1: cannot indent with a tab: use spaces"),
        ("\ta: 1\n", "f.yaml:1:1: cannot indent with a tab: use spaces"),
        ("a: @x\n", 'f.yaml:1:4: cannot begin a value with "@": put the value in quotes'),
        ("a: b: c\n", 'f.yaml:1:5: cannot have ": " here: check the indentation, or put the value in quotes'),
        ("a:\n  - b\n c: 1\n", "f.yaml:3:2: cannot tell what this line belongs to: indent it like its neighbours,"),
        (
            'a: 1\nb: "x\nc: 2\n',
            "f.yaml:2:4: cannot find the end of the text in quotes that begins here: close the quotes",
        ),
        ("a: [1, 2\nb: 3\n", 'f.yaml:1:4: cannot find the end of what begins here: add "," between its parts,'),
        ("a: 1\x00\n", "f.yaml:1:5: cannot read the control character 0x00: this is not a text file, or is damaged"),
        (b"a: 1\nbc: \xff\n", "f.yaml:2:5: cannot read this as text: save the file as UTF-8"),
        ("a: ü\n".encode("utf-16"), "f.yaml:1:1: cannot read this as text: save the file as UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)), "f.yaml:2:118: cannot read this as text"),
        ("a: {{ host }}\n", "f.yaml:1:5: cannot use a mapping as the name of a field: write a name, in quotes where"),
        ("a: *x\n", "f.yaml:1:4: cannot find the anchor &x: define it further up in the same document"),
        ("a: &a [*a]\n", "f.yaml:1:8: cannot use *a inside of what it stands for"),
        ("a: !vault x\n", "f.yaml:1:4: cannot use the tag !vault: nothing here gives it a meaning; remove it"),
        ("a: !!int x\n", 'f.yaml:1:4: cannot read "x" as !!int: remove the tag, or correct the value'),
        ("a: !!binary /w==\n", "f.yaml:1:4: cannot use this !!binary: it is not the base64 form of UTF-8 text"),
        ("a: .inf\n", "f.yaml:1:4: cannot use .inf: JSON has no such number; put it in quotes if text is meant"),
        ("{a: 1, <<: {a: 2}}\n", 'f.yaml:1:8: cannot tell which "a" is meant: write << before the fields'),
        ("<<: 1\n", "f.yaml:1:1: cannot merge this: << takes a mapping, or a list of mappings"),
        ("1.5: a\n", "f.yaml:1:1: cannot use a fraction as the name of a field"),
        ("--- {a: 1}\n", "f.yaml:1:5: cannot begin a document on the line of its ---: begin it on the next line"),
        ("%YAML 1.1\n---\na: 1\n", "f.yaml:1:1: cannot use a % directive: remove the line, and write tags in full"),
        ("a: " + "[" * 101 + "]" * 101, "f.yaml:1:103: cannot read more than 100 levels of nesting: nest less deeply"),
    ],
)
def test_what_is_no_yaml_is_named_with_line_and_column(text: str | bytes, expected: str) -> None:
    found = problems(text)
    assert any(line.startswith(expected) for line in found), found


def test_depth_without_end_does_not_take_the_process_down() -> None:
    for text in ("[" * 200_000, "{a: " * 100_000, "- " * 200_000):
        assert len(load(text).problems) == 1


def test_an_anchor_defined_anew_costs_no_more_than_exact_places() -> None:
    [problem] = load(file_with("  path: &x /x\n  content: &x 5\n")).problems
    assert (problem.line, problem.field) == (1, "spec.content")


def test_aliases_that_multiply_are_given_up() -> None:
    lines = ["l0: &l0 " + "x" * 100] + [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 20)]
    started = time.monotonic()
    assert "cannot expand so many aliases" in problems("\n".join(lines))[0]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("levels", [99, 100, 400])
def test_aliases_that_pile_up_are_given_up_at_the_same_depth(levels: int) -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, levels))
    assert any("100 levels" in line for line in problems(text)) is (levels > 99)


def test_aliases_may_be_used_as_people_use_them() -> None:
    shared = file_with("  path: /tmp/a\n  content: &c |\n    hello\n  template: true\n  variables: {x: *c}\n")
    [declared] = load(shared).documents
    assert declared.resource.spec.model_dump()["variables"] == {"x": "hello\n"}


def test_byte_order_mark_and_windows_line_ends_are_no_matter() -> None:
    plain = load(GOOD % ("a", "a"))
    marked = load(b"\xef\xbb\xbf" + (GOOD % ("a", "a")).replace("\n", "\r\n").encode())
    assert marked == plain


def test_duplicate_key_names_both_places() -> None:
    text = file_with('  path: /tmp/a\n  content: "1"\n  path: /tmp/b\n')
    assert problems(text) == [
        'f.yaml:7:3: cannot have "path" twice: it is already given on line 5, column 3; remove one of them'
    ]
    assert load(text).documents == ()


def test_duplicate_keys_are_found_at_every_depth_and_all_at_once() -> None:
    found = problems("a: {b: 1, b: 2}\nc:\n  - d: 1\n    d: 2\na: 3\n")
    twice = [line.partition(": ")[0] for line in found if "twice" in line]
    assert twice == ["f.yaml:1:11", "f.yaml:4:5", "f.yaml:5:1"]


def test_a_document_that_is_no_yaml_takes_no_other_with_it() -> None:
    text = f"{GOOD % ('a', 'a')}---\nkind: [\n---\n{GOOD % ('b', 'b')}---\nx: 'y\n---\n{GOOD % ('c', 'c')}"
    loaded = load(text)
    assert names(loaded) == ["a", "b", "c"]
    assert [declared.origin.document for declared in loaded.documents] == [0, 2, 4]
    assert [problem.line for problem in loaded.problems] == [7, 13]


def test_all_problems_of_a_file_come_together_in_the_order_of_lines() -> None:
    text = f"a: [\n---\n{file_with('  paht: /x')}\n---\nkind: Fil\n"
    assert [problem.line for problem in load(text).problems] == sorted(p.line for p in load(text).problems)
    assert len(load(text).problems) >= 4


# -- documents that are no resource --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", ["f.yaml:1:1: cannot use a document that is a list: write apiVersion, kind, metadata and spec"]),
        (
            "a\n",
            ["f.yaml:1:1: cannot use a document that is a single value: write apiVersion, kind, metadata and spec"],
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\n",
            [
                'f.yaml:1:13: apiVersion: cannot use apiVersion "apps/v1": write pegasus2.dev/v1, '
                "or keep what is not for Pegasus2 elsewhere"
            ],
        ),
        (
            "apiVersion: pegasus2.dev/v2\nkind: Fiel\n",
            [
                'f.yaml:1:13: apiVersion: cannot use apiVersion "pegasus2.dev/v2": write pegasus2.dev/v1',
                'f.yaml:2:7: kind: unknown kind "Fiel"; did you mean "File"?',
            ],
        ),
        (
            "apiVersion: pegasus2.dev/v1\nkind: files\n",
            ['f.yaml:2:7: kind: unknown kind "files"; did you mean "File"?'],
        ),
        ("apiVersion: pegasus2.dev/v1\nkind: 1\n", ['f.yaml:2:7: kind: unknown kind "1"']),
        (
            "apiVersion: pegasus2.dev/v1\nkind: File\n",
            [
                'f.yaml:1:1: metadata: cannot do without "metadata": add it',
                'f.yaml:1:1: spec: cannot do without "spec": add it',
            ],
        ),
    ],
)
def test_what_is_no_resource_says_what_to_write(text: str, expected: list[str]) -> None:
    found = problems(text)
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True)), found


def test_missing_head_names_the_kinds_there_are() -> None:
    found = problems("spec: {}\n")
    assert found[0] == 'f.yaml:1:1: apiVersion: cannot do without "apiVersion": write apiVersion: pegasus2.dev/v1'
    assert "write one of " in found[1]
    assert "Container, " in found[1]


@pytest.mark.parametrize("name", ["Web", "my_web", "-web", "web-", "a" * 64, "", "a.b", "wéb"])
def test_invalid_name_is_refused_with_the_rule(name: str) -> None:
    [problem] = load(file_with('  {path: /x, content: "1"}', f'{{name: "{name}"}}')).problems
    assert (problem.line, problem.field) == (3, "metadata.name")
    assert "lower-case letters, digits and hyphens" in problem.message or "63" in problem.message or not name


# -- fields --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("  paht: /x", '6:3: spec.paht: unknown field "paht"; did you mean "path"?'),
        ("  content: 5", "6:12: spec.content: cannot be the number 5: it takes text; put it in quotes"),
        ("  content: yes", "6:12: spec.content: cannot be true: it takes text; put it in quotes"),
        ("  content: [a]", "6:3: spec.content: cannot be a list: it takes text"),
        ("  template: 'true'", '6:13: spec.template: cannot be "true": it takes true or false; write it without quotes'),
        ("  template: 1", "6:13: spec.template: cannot be the number 1: it takes true or false"),
        ("  template:", "6:12: spec.template: cannot be empty: give true or false, or leave the field out"),
        ("  variables: x", '6:14: spec.variables: cannot be "x": it takes a mapping (name: value)'),
        ("  variables: {a: 1}", "6:18: spec.variables.a: cannot be the number 1: it takes text; put it in quotes"),
        ("  dependsOn: File/b", '6:14: spec.dependsOn: cannot be "File/b": it takes a list'),
        ("  dependsOn: [b]", '6:15: spec.dependsOn[0]: cannot read the reference "b": write Kind/name or'),
        ("  type: directoy", '6:9: spec.type: cannot be "directoy": write file, directory or symlink; did you mean "directory"?'),
        ("  interval: 5x", '6:13: spec.interval: cannot read the duration "5x": write it like 30s, 5m, 1h30m or 500ms'),
        ("  mode: 0644", "6:9: spec.mode: cannot use the number 420 as a mode: put the octal digits in quotes"),
    ],
)  # fmt: skip
def test_wrong_field_is_named_with_place_and_remedy(spec: str, expected: str) -> None:
    found = problems(file_with(f"  path: /x\n{spec}\n"))
    assert any(line.startswith(f"f.yaml:{expected}") for line in found), found


def test_problem_carries_the_key_of_its_resource() -> None:
    [problem] = load(file_with("  path: /x\n  content: 5\n", "{name: a, namespace: lab}")).problems
    assert problem.key == Key("File", "lab", "a")


def test_rule_over_several_fields_points_at_the_spec() -> None:
    [line] = problems(file_with("  path: /x\n"))
    assert line.startswith("f.yaml:4:1: spec: cannot tell the content of the file: give either content or source")


def test_field_of_a_merged_mapping_is_found_where_it_stands() -> None:
    [problem] = load(file_with("  <<: {content: 5}\n  path: /x\n")).problems
    assert (problem.line, problem.column, problem.field) == (5, 17, "spec.content")


def test_relative_path_starts_beside_the_file() -> None:
    text = file_with("  path: /x\n  source: ./files/motd\n")
    [declared] = load(text).documents
    assert list(declared.resource.inputs()) == [Path("/base/files/motd")]
    [problem] = load_text(text.encode(), "f.yaml", None).problems
    assert problem.field == "spec.source"
    assert "write an absolute path" in problem.message


def test_checks_in_other_words_are_told_in_ours() -> None:
    text = """
apiVersion: pegasus2.dev/v1
kind: Container
metadata: {name: a}
spec:
  image: x
  networks: [{name: front, ipv4Address: 10.0.0}]
  secretEnv:
    A: {env: B, file: /c}
"""
    assert problems(text) == [
        "f.yaml:7:41: spec.networks[0].ipv4Address: cannot be \"10.0.0\": Expected 4 octets in '10.0.0'",
        "f.yaml:9:5: spec.secretEnv.A: cannot use this: give exactly one of env, file and secret",
    ]


class Knob(Model):
    label: str
    steps: int = Field(default=1, ge=1, le=10)


class DialSpec(Spec):
    knob: Knob | str | None = None
    size: int | str | None = None
    ratio: float | None = None
    knobs: dict[str, Knob] = Field(default_factory=dict)


class Dial(Resource):
    about: ClassVar[About] = About("dials")
    kind: Literal["Dial"]
    spec: DialSpec


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{knob: {lable: x}}", ['spec.knob.label: cannot do without "label"', 'spec.knob.lable: unknown field "lable"; did']),
        ("{knob: 5}", ["spec.knob: cannot be the number 5: it takes a mapping (name: value) or text; put it in quotes"]),
        ("{size: [1]}", ["spec.size: cannot be a list: it takes a whole number or text"]),
        ("{size: 1.0, ratio: 2}", []),  # JSON knows no difference between 1.0 and 1
        ("{size: '8080', ratio: 1e3}", []),
        ("{ratio: '0.5'}", ['spec.ratio: cannot be "0.5": it takes a number; write it without quotes']),
        ("{knobs: {a: {label: x, steps: 11}}}", ["spec.knobs.a.steps: cannot be the number 11: it must be at most 10"]),
        ("{knobs: {a: {label: x, steps: 1.5}}}", ["spec.knobs.a.steps: cannot be the number 1.5: it takes a whole number"]),
        ("{knobs: {a: {label: x, stepps: 1}}}", ['spec.knobs.a.stepps: unknown field "stepps"; did you mean "steps"?']),
    ],
)  # fmt: skip
def test_nested_and_either_or_fields_are_told_by_their_path(
    spec: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "model_of", {"Dial": Dial}.get)
    monkeypatch.setattr(kinds, "names", lambda: ["Dial"])
    loaded = load(f"apiVersion: pegasus2.dev/v1\nkind: Dial\nmetadata: {{name: a}}\nspec: {spec}\n")
    found = [f"{problem.field}: {problem.message}" for problem in loaded.problems]
    assert len(found) == len(expected), found
    assert all(any(line.startswith(start) for line in found) for start in expected), found


# -- size and speed ------------------------------------------------------------------------------------------------


def test_one_wrong_field_in_ten_thousand_lines_is_found_at_once() -> None:
    texts = [GOOD % (f"n{n}", f"n{n}") + "# filler\n" * 15 for n in range(500)]
    texts[250] = texts[250].replace("content", "contents")
    text = "---\n".join(texts)
    assert text.count("\n") > 9_900
    started = time.monotonic()
    loaded = load(text)
    assert time.monotonic() - started < 2
    assert len(loaded.documents) == 499
    [problem] = loaded.problems
    assert str(problem) == 'f.yaml:5004:25: spec.contents: unknown field "contents"; did you mean "content"?'


def test_a_file_in_which_everything_is_wrong_is_told_at_once() -> None:
    text = "---\n".join(GOOD.replace("content", "contents") % (f"n{n}", f"n{n}") for n in range(1_000))
    started = time.monotonic()
    assert len(load(text).problems) == 1_000
    assert time.monotonic() - started < 5


def test_without_the_c_library_files_mean_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{GOOD % ('a', 'a')}---\nkind: [\n---\n{file_with('  <<: {content: 5}', '&m {name: b}')}\n---\na: 1\na: 2\n"
    with_c = load(text)
    monkeypatch.setattr(documents, "LOADER", yaml.SafeLoader)
    assert load(text).documents == with_c.documents
    assert [(p.line, p.field) for p in load(text).problems] == [(p.line, p.field) for p in with_c.problems]


@given(st.binary(max_size=200) | st.text("ab:-[]{}&*!|>'\"%@`#,?\n \t~<", max_size=60).map(str.encode))
def test_no_file_can_do_more_than_cause_problems(text: bytes) -> None:
    loaded = load(text)
    assert loaded.documents == ()
    assert all(problem.line >= 1 and problem.message for problem in loaded.problems)
