"""Whatever is in a Compose file, it is read or refused: a mistake in a file is never one of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.compose import schema
from resources.compose.dotenv import read_env
from resources.compose.nodes import Report, Stop
from resources.compose.parsing import parse
from resources.compose.project import Unset, load_project
from resources.meta import Unexpandable
from tests.compose.cases import CASES
from tests.compose.environments import environment_of

WORDS = [
    "", "a", "a:b", "a=b", "/a:/b:ro", "80:80", "1-2:3-4/udp", "${A:-b}", "$$", "${", "1g", "10s", "true", "service:a",
    "default", "./x", "all", "x-y", "b", "0", "-1", "é", "'", "a b", "[::1]:1:1", "a:b:c:d", "C:\\x",
]  # fmt: skip
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS + list(schema.service.fields)), inner)
    ),
    max_leaves=5,
)


def _pool() -> dict[str, list[Any]]:
    """What the corpus says in each field of a service."""
    found: dict[str, list[Any]] = {}
    for path in CASES.rglob("*.yaml"):
        try:
            documents = parse(path.read_bytes(), path.name, Report())
        except Stop:
            continue
        for document in documents:
            services = document.get("services") if isinstance(document, dict) else None
            for service in services.values() if isinstance(services, dict) else ():
                for name, value in service.items() if isinstance(service, dict) else ():
                    found.setdefault(name, []).append(json.loads(json.dumps(value)))
    return found


POOL = _pool()
known = st.sampled_from(sorted(POOL)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(POOL[name])))
odd = st.tuples(st.sampled_from(sorted(schema.service.fields)), anything)
fields = st.lists(st.one_of(*[known] * 30, odd), max_size=6).map(dict)
services = st.dictionaries(st.sampled_from(["a", "b", "db"]), fields, min_size=1, max_size=3)
projects = st.fixed_dictionaries(
    {"services": services},
    optional={
        "networks": st.just({"one": None, "front": None, "default": {"driver": "bridge"}}),
        "volumes": st.just({"data": None, "named": {"external": True}}),
        "secrets": st.just({"token": {"file": "x"}, "file": {"environment": "A"}}),
        "configs": st.just({"c": {"content": "x"}, "one": {"file": "y"}}),
        "models": st.just({"llm": {"model": "x"}}),
    },
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(one=projects, two=projects)
def test_anything_is_read_or_refused(one: Any, two: Any) -> None:
    texts = {"one.yaml": json.dumps(one).encode(), "two.yaml": json.dumps(two).encode(), ".env": b"A=1"}

    def read(path: Path) -> bytes:
        if path.name not in texts:
            raise FileNotFoundError(2, "No such file or directory")
        return texts[path.name]

    for service in (each for project in (one, two) for each in project["services"].values()):
        service.setdefault("image", "a")
    files = [Path("/x/one.yaml"), Path("/x/two.yaml")]
    try:
        project = load_project(files, read=read, variables={}, profiles=["*"], unset=Unset.EMPTY)
    except Unexpandable as refused:
        assert refused.problems
        return
    json.dumps([project.services, project.networks, project.volumes, project.configs, project.secrets, project.models])
    for name in project.services:
        try:
            environment_of(project, name, read=read)
        except Unexpandable as refused:
            assert refused.problems


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(alphabet="AB=:#'\"\\$ {}\n-\tx1.", max_size=40))
def test_any_env_file_is_read_or_refused(text: str) -> None:
    report = Report()
    try:
        found = read_env(Path(".env"), read=lambda path: text.encode(), variables={}, report=report)
        assert all(isinstance(value, str) for value in found.values())
    except Stop:
        assert report.problems


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(alphabet="ab:-[]{}&*!<>|'\"#\n ?,$%@`", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        load_project([Path("/x/a.yaml")], read=lambda path: text.encode(), variables={}, env_files=[])
    except Unexpandable as refused:
        assert refused.problems
