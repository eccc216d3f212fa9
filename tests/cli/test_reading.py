"""What the reading commands show of real resources, for people and for programs."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.cli.story import Shown, Story


@pytest.fixture
def applied(story: Story) -> Story:
    """Two files, the second of which needs the first."""
    story.write("a.yaml", story.file("one"), story.file("two", dependsOn="[File/one]"))
    assert story.p2("apply").code == 0
    return story


def document(shown: Shown) -> dict[str, object]:
    found: dict[str, object] = json.loads(shown.out)
    return found


def test_get_lists_how_each_resource_is(applied: Story) -> None:
    heading, one, two = applied.p2("get").out.splitlines()
    assert heading.split() == ["NAME", "READY", "REASON", "AGE", "MESSAGE"]
    assert one.split()[:3] == ["File/one", "True", "Converged"]
    assert two.split()[:3] == ["File/two", "True", "Converged"]


def test_get_wide_adds_the_columns_of_the_kind_and_where_it_is_declared(applied: Story) -> None:
    heading, one, _ = applied.p2("get", "files", "-o", "wide").out.splitlines()
    assert {"PATH", "GENERATION", "HANDLE", "FILE"} <= set(heading.split())
    assert {str(applied.world / "one"), "1/1", "state/a.yaml"} <= set(one.split())


def test_get_names_can_be_handed_on(applied: Story) -> None:
    names = applied.p2("get", "-o", "name").out.split()
    assert names == ["File/one", "File/two"]
    assert applied.p2("diff", "--only", names[0]).code == 0


def test_get_of_one_resource_is_a_kubernetes_like_object_and_of_several_a_list(applied: Story) -> None:
    one = document(applied.p2("get", "file/one", "-o", "json"))
    assert (one["kind"], one["spec"]) == ("File", {"path": str(applied.world / "one"), "content": "hello"})
    assert isinstance(one["status"], dict)
    ready = one["status"]["conditions"][0]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "True", "Converged")
    several = document(applied.p2("get", "-o", "json"))
    assert several["kind"] == "List"
    assert isinstance(several["items"], list)
    assert several["items"][0] == one


def test_get_yaml_says_the_same_as_json(applied: Story) -> None:
    as_yaml = list(yaml.safe_load_all(applied.p2("get", "-o", "yaml").out))
    assert as_yaml == document(applied.p2("get", "-o", "json"))["items"]


def test_get_tells_what_was_edited_and_not_applied_yet(applied: Story) -> None:
    applied.write("a.yaml", applied.file("one", "new"), applied.file("two"), applied.file("three"))
    lines = applied.p2("get").out.splitlines()
    assert lines[1].endswith("edited, not applied yet")
    assert lines[2].endswith("not applied yet")
    assert lines[3].startswith("File/two")


def test_get_of_nothing_says_so_on_stderr(story: Story) -> None:
    shown = story.p2("get")
    assert (shown.code, shown.out, shown.err) == (0, "", "nothing is declared or owned\n")
    assert document(story.p2("get", "-o", "json"))["items"] == []


def test_get_of_a_name_that_does_not_exist_is_refused(applied: Story) -> None:
    shown = applied.p2("get", "file/three")
    assert shown.code == 2
    assert shown.err == "error: cannot find File/three: it is neither declared in state nor owned\n"


def test_describe_shows_a_resource_and_what_stands_around_it(applied: Story) -> None:
    (applied.world / "one").write_text("vandal")
    applied.p2("suspend", "file/one")
    applied.p2("apply")
    page = applied.p2("describe", "file/one").out
    assert page.startswith("File/one  not ready since ")
    assert "  declared in  state/a.yaml\n" in page
    assert "  suspended    p2 resume File/one takes it up again\n" in page
    assert 'Differences\n  content: "vandal" -> "hello"   drifted\n' in page
    assert "Needed by\n  File/two  ready\n" in page
    assert "Created" in page.partition("Events\n")[2]
    assert "Needs\n  File/one  Suspended\n" in applied.p2("describe", "file/two").out


def test_describe_for_programs_has_the_relations(applied: Story) -> None:
    (two,) = json.loads(applied.p2("describe", "file/two", "-o", "json").out)
    assert two["needs"] == ["File/default/one"]
    assert "Created" in [event["reason"] for event in two["events"]]


def test_describe_of_nothing_in_particular_is_refused(applied: Story) -> None:
    assert applied.p2("describe").code == 2
    assert applied.p2("describe", "file/three").code == 2


def test_events_tell_what_happened_oldest_first(applied: Story) -> None:
    (applied.world / "one").write_text("vandal")
    applied.p2("apply")
    told = [json.loads(line) for line in applied.p2("events", "file/one", "-o", "json").out.splitlines()]
    assert {event["key"] for event in told} == {"File/default/one"}
    reasons = [event["reason"] for event in told]
    assert reasons.index("Created") < reasons.index("Updated")
    assert len(applied.p2("events", "-n", "1").out.splitlines()) == 2


def test_validate_prints_a_line_for_every_problem(story: Story) -> None:
    story.write("a.yaml", story.file("one", colour="red"), story.file("one"))
    story.write("b.yaml", "kind: [")
    shown = story.p2("validate")
    assert shown.code == 2
    places = [line.split(": ")[0] for line in shown.out.splitlines()]
    assert {place.split(":")[0] for place in places} == {"state/a.yaml", "state/b.yaml"}
    assert shown.err == f"{len(places)} problems in state\n"
    problems = json.loads(story.p2("validate", "-o", "json").out)
    assert {"file", "line", "column", "field", "message", "key"} == set(problems[0])


def test_validate_of_a_sound_source_is_0(applied: Story) -> None:
    shown = applied.p2("validate")
    assert (shown.code, shown.out, shown.err) == (0, "", "2 resources in state, nothing wrong\n")


def test_health_names_every_part_and_passes_when_all_is_well(applied: Story) -> None:
    assert applied.p2("health").code == 0
    found = {each["part"]: each["mark"] for each in json.loads(applied.p2("health", "-o", "json").out)}
    assert found == {
        "home": "ok",
        "database": "ok",
        "brakes": "ok",
        "controller": "note",
        "source": "ok",
        "environment": "ok",
        "resources": "ok",
    }


def test_health_fails_where_the_source_has_mistakes(applied: Story) -> None:
    applied.write("b.yaml", "kind: [")
    shown = applied.p2("health")
    assert shown.code == 1
    assert "p2 validate" in shown.out


def test_the_schema_is_json_and_can_be_written_to_a_file(story: Story) -> None:
    printed = document(story.p2("schema"))
    assert printed["$schema"]
    assert story.p2("schema", "-o", "schema.json").code == 0
    assert json.loads((story.root / "schema.json").read_text()) == printed
    assert story.p2("schema", "-o", "missing/schema.json").code == 2


def test_the_definitions_for_kubernetes_are_printed_or_written_one_file_a_kind(story: Story) -> None:
    printed = list(yaml.safe_load_all(story.p2("crds").out))
    assert {crd["kind"] for crd in printed} == {"CustomResourceDefinition"}
    assert story.p2("crds", "-o", "made/crds").code == 0
    files = (story.root / "made/crds").iterdir()
    assert {path.name: yaml.safe_load(path.read_text()) for path in files} == {
        f"{crd['spec']['names']['plural']}.yaml": crd for crd in printed
    }
    story.write("blocked", "")
    refused = story.p2("crds", "-o", str(next(story.root.rglob("blocked"))))
    assert refused.code == 2
    assert "cannot write" in refused.err


def test_a_kind_and_its_fields_are_explained(story: Story) -> None:
    assert "File" in story.p2("explain", "files").out
    assert "octal" in story.p2("explain", "file.mode").out
    assert story.p2("explain", "file.modee").code == 2
    assert story.p2("explain", "filee").err == 'error: cannot find the kind "filee": did you mean File?\n'
