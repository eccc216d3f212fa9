"""How a project is loaded: what is asked of the world, where things stand, and what is too much."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from resources.compose.project import Project, Unset, find_files, load_project
from resources.meta import Unexpandable
from tests.compose.environments import environment_of

HERE = Path("/srv/app")


def load(text: str, **more: str) -> Project:
    """The project in /srv/app, of files that exist nowhere but here."""
    return load_project([HERE / "compose.yaml"], read=reader(text, **more), variables={})


def reader(text: str, **more: str):  # type: ignore[no-untyped-def]
    files = {HERE / "compose.yaml": text} | {HERE / name: content for name, content in more.items()}

    def read(path: Path) -> bytes:
        if path not in files:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return files[path].encode()

    return read


def problems(text: str, **more: str) -> list[str]:
    with pytest.raises(Unexpandable) as refused:
        load(text, **more)
    return [str(problem) for problem in refused.value.problems]


def test_nothing_is_read_but_through_read_and_no_variable_but_those_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAG", "of the shell")
    project = load('services: {a: {image: "a:${TAG:-default}", environment: [HOME]}}')
    assert project.services["a"]["image"] == "a:default"
    assert project.services["a"]["environment"] == {"HOME": None}
    assert project.files == (HERE / "compose.yaml",)


def test_files_tell_all_that_were_read() -> None:
    more = {".env": "A=1", "sub.yaml": "services: {b: {extends: {file: base.yaml, service: c}}}"}
    more["base.yaml"] = "services: {c: {image: c}}"
    project = load("include: [sub.yaml]\nservices: {a: {image: a}}", **more)
    assert {path.name for path in project.files} == {"compose.yaml", ".env", "sub.yaml", "base.yaml"}


def test_long_form_is_json() -> None:
    project = load("services: {a: {image: a, ports: ['80:80'], build: .}}")
    assert json.loads(json.dumps(project.services)) == project.services


def test_where_finds_a_field_or_the_nearest_around_it() -> None:
    project = load("services:\n  a:\n    image: a\n    ports:\n      - '80:80'\n    labels: {x: y}\n")
    file = str(HERE / "compose.yaml")
    assert project.where(("services", "a")) == (file, 2, 3)
    assert project.where(("services", "a", "image")) == (file, 3, 12)
    assert project.where(("services", "a", "ports", 0, "target")) == (file, 5, 9)
    assert project.where(("services", "a", "labels", "x")) == (file, 6, 17)
    assert project.where(("services", "a", "hostname")) == (file, 2, 3)
    assert project.where(("networks", "default")) == (file, 1, 1)


def test_where_names_the_file_that_said_it_last() -> None:
    base, over = "services:\n  a: {image: a, command: one}\n", "\n\nservices: {a: {command: two}}\n"
    read = reader(base, **{"over.yaml": over})
    project = load_project([HERE / "compose.yaml", HERE / "over.yaml"], read=read, variables={})
    assert project.where(("services", "a", "image")) == (str(HERE / "compose.yaml"), 2, 14)
    assert project.where(("services", "a", "command"))[:2] == (str(HERE / "over.yaml"), 3)


def test_files_are_found_as_compose_finds_them() -> None:
    def found(*names: str) -> list[str]:
        there = {HERE / name for name in names}
        return [path.name for path in find_files(HERE, there.__contains__)]

    assert found("docker-compose.yml", "compose.yaml", "other.yaml") == ["compose.yaml"]
    assert found("docker-compose.yml", "docker-compose.override.yml") == [
        "docker-compose.yml",
        "docker-compose.override.yml",
    ]
    assert found("compose.yml", "compose.override.yaml") == ["compose.yml", "compose.override.yaml"]
    assert found("compose.override.yaml") == []


def test_unset_variables_are_refused_or_empty() -> None:
    files, read = [HERE / "compose.yaml"], reader('services: {a: {image: "a:$TAG"}}')
    with pytest.raises(Unexpandable, match="cannot fill in the variable TAG"):
        load_project(files, read=read, variables={}, unset=Unset.REFUSE)
    project = load_project(files, read=read, variables={}, unset=Unset.EMPTY)
    assert project.services["a"]["image"] == "a:"
    assert [str(warning) for warning in project.warnings] == [
        f"{HERE}/compose.yaml:1:23: services.a.image: the variable TAG is not set: it is taken as empty text"
    ]


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    found = problems("services:\n  a: {image: 1, portss: []}\n  b: {image: b, cpus: x}\n")
    assert [line.partition(": ")[2] for line in found] == [
        "services.a.image: cannot be the number 1: it takes text; put it in quotes",
        'services.a.portss: unknown field "portss" in a; did you mean "ports"?',
        'services.b.cpus: cannot be "x": it takes a number',
    ]


def test_values_of_variables_are_in_no_message() -> None:
    text = """
    services:
      a: {image: a, cpus: "$SECRET", cgroup: "$SECRET", pull_policy: "$SECRET", privileged: "$SECRET", command: "'$SECRET",
          ports: ["$SECRET"], volumes: [":$SECRET"], devices: ["::$SECRET:x:y"], extra_hosts: ["$SECRET"]}
      b: {image: b, mem_limit: "$SECRET", stop_grace_period: "$SECRET", environment: ["$SECRET =x"]}
    """
    with pytest.raises(Unexpandable) as refused:
        load_project([HERE / "compose.yaml"], read=reader(text), variables={"SECRET": "hunter2"})
    assert len(refused.value.problems) == 12
    assert "hunter2" not in str(refused.value)


def test_values_of_env_files_are_in_no_message() -> None:
    text = "services: {a: {image: a, env_file: secret.env}}"
    read = reader(text, **{"secret.env": "PASSWORD='hunter2\n"})
    project = load_project([HERE / "compose.yaml"], read=read, variables={})
    with pytest.raises(Unexpandable, match=r"secret.env:1:1: cannot find the end of the text in quotes") as refused:
        environment_of(project, "a", read=read)
    assert "hunter2" not in str(refused.value)
    for broken in ("PASSWORD=x${hunter2", "hunter2 and more", "PASSWORD=${A:?hunter2}"):
        with pytest.raises(Unexpandable) as refused:
            load(text, **{".env": broken})
        assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(load(text, **{".env": "PASSWORD=hunter2", "secret.env": ""}))


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{n}: &{n} [{','.join(['*' + p] * 10)}]\n" for p, n in zip("abcdef", "bcdefg", strict=True)),
        "services: {a: {image: a, labels: " + "{a: " * 200 + "}" * 200 + "}}",
        "a: &a {b: *a}",
    ],
    ids=["aliases", "depth", "circle"],
)
def test_what_expands_without_end_is_refused(text: str) -> None:
    (problem,) = problems(text)
    assert "cannot" in problem


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(Unexpandable, match=r"compose.yaml:2:3: cannot read this as text: save the file as UTF-8"):
        load_project([HERE / "compose.yaml"], read=lambda path: b"x:\n- \xff\n", variables={}, env_files=[])


def test_a_file_that_cannot_be_read_is_named() -> None:
    def read(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with pytest.raises(Unexpandable, match=r"cannot read the (Compose|env) file .*: Permission denied"):
        load_project([HERE / "compose.yaml"], read=read, variables={})


def test_no_files_are_no_project() -> None:
    with pytest.raises(Unexpandable, match="cannot load a project without Compose files"):
        load_project([], read=Path.read_bytes, variables={})


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_is_no_project_without_services(text: str) -> None:
    message = "cannot use an empty Compose file: write services: {} if there are to be none"
    assert problems(text) == [f"{HERE}/compose.yaml:1:1: {message}"]
    assert load("services: {}\n").services == {}


def test_an_override_and_what_is_included_may_be_empty() -> None:
    files = [HERE / "compose.yaml", HERE / "more.yaml"]
    read = reader("services: {a: {image: a}}\n", **{"more.yaml": ""})
    assert load_project(files, read=read, variables={}).services
    assert load("include: [more.yaml]\nservices: {a: {image: a}}\n", **{"more.yaml": ""}).services


def test_thousands_of_services_may_wait_for_one_another() -> None:
    chain = "".join(f"  s{at}: {{image: a, depends_on: [s{at + 1}]}}\n" for at in range(3000))
    project = load(f"services:\n{chain}  s3000: {{image: a}}\n")
    assert len(project.services) == 3001
    (problem,) = problems(f"services:\n{chain}  s3000: {{image: a, depends_on: [s0]}}\n")
    assert "s0 -> s1 -> s2" in problem


def test_a_diamond_of_dependencies_is_no_circle() -> None:
    more = {"b": "d", "c": "d"}
    services = "".join(f"  {name}: {{image: a, depends_on: [{other}]}}\n" for name, other in more.items())
    assert load(f"services:\n  a: {{image: a, depends_on: [b, c, d]}}\n{services}  d: {{image: a}}\n").services


def test_endless_chains_of_extends_and_includes_are_refused() -> None:
    chain = "".join(f"  s{at}: {{extends: s{at + 1}}}\n" for at in range(2000))
    (problem,) = problems(f"services:\n{chain}  s2000: {{image: a}}\n")
    assert "cannot extend over more than 100 services" in problem
    files = {f"f{at}.yaml": f"include: [f{at + 1}.yaml]" for at in range(200)}
    (problem,) = problems("include: [f0.yaml]", **files, **{"f200.yaml": "services: {}"})
    assert "cannot include over more than 100 files" in problem
