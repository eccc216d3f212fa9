"""What `p2 validate` takes an API server takes, and what the one refuses the other refuses: a table says what and why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from typing import Any

import pytest

from controller.sources.kube.cluster import Cluster, Refusal
from resources import kinds
from resources.crd import definition
from resources.load import load_text
from resources.meta import COMMON_FIELDS
from resources.pages import example
from resources.rules import KEYWORD
from resources.schema import Field, describe, model_of
from tests.apiserver import Kubernetes
from tests.kube.documents import TABLES, Case, cases

CASES = cases()
KINDS = sorted(kinds.built_in())


@pytest.fixture(scope="module")
def client(cluster: Kubernetes) -> Iterator[Cluster]:
    with closing(cluster.client()) as found:
        yield found


def refusal(client: Cluster, document: Any) -> str:
    """Why an API server does not take it; empty when it does. As kubectl asks: unknown fields are refused, too."""
    plural = model_of(document["kind"]).about.plural
    namespace = document["metadata"].get("namespace", "default")
    path = f"/apis/{document['apiVersion']}/namespaces/{namespace}/{plural}"
    try:
        client.request("POST", path, document, {"dryRun": "All", "fieldValidation": "Strict"})
    except Refusal as refused:
        return str(refused) or "refused"
    return ""


def test_the_table_is_of_some_size_and_its_names_are_its_own() -> None:
    names = [str(case) for case in CASES]
    assert len(names) == len({*names}) >= 100
    assert {*TABLES} == {*KINDS}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_loader_says_what_the_table_says(case: Case) -> None:
    loaded = load_text(json.dumps(case.document).encode(), "x.yaml", None)
    assert (not loaded.problems) is case.loader, loaded.problems


@pytest.mark.kube
@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_api_server_says_what_the_table_says(case: Case, client: Cluster) -> None:
    why = refusal(client, case.document)
    assert (not why) is case.server, why


def test_the_two_differ_only_where_a_reason_is_given() -> None:
    assert [str(case) for case in CASES if (case.loader is not case.server) is not bool(case.reason)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_in_a_valid_document(kind: str) -> None:
    seen = {path for case in CASES if case.kind == kind and case.server for path in paths(case.document)}
    common = {path for case in CASES if case.server for path in paths(case.document) if _is_common(path)}
    fields = [field.path for field in describe(kind).walk() if field.path and _plain(field) not in seen | common]
    assert fields == []


def _is_common(path: str) -> bool:
    """Whether it is the same field of every kind, so that one kind's document will do."""
    head, _, name = path.partition(".")
    return head != "spec" or name in COMMON_FIELDS


def _plain(field: Field) -> str:
    return field.path.replace("[]", "").replace("{}", "")


def paths(value: Any, at: str = "", kind: Field | None = None) -> Iterator[str]:
    """The paths of all that stands in a document, in the way of `Field.path` without marks of lists and maps."""
    here = kind or describe(value["kind"])
    for name, below in value.items():
        field = next((each for each in here.fields if each.name == name), None)
        if field is None or below is None:
            continue
        yield _plain(field)
        entries = below if isinstance(below, list) else [*below.values()] if "{}" in _mark(field) else [below]
        for entry in entries:
            if isinstance(entry, dict) and field.fields:
                yield from paths(entry, _plain(field), field)


def _mark(field: Field) -> str:
    """Whether the fields below are those of the entries of a map."""
    return field.fields[0].path.removeprefix(field.path) if field.fields else ""


@pytest.mark.kube
def test_every_rule_is_broken_by_a_document(client: Cluster) -> None:
    said = "\n".join(refusal(client, case.document) for case in CASES if not case.server)
    unbroken = {rule["message"] for rule in rules() if rule["message"] not in said}
    assert unbroken == set()


@cache
def rules() -> list[dict[str, str]]:
    found: list[dict[str, str]] = []

    def walk(schema: Any) -> None:
        for name, value in schema.items() if isinstance(schema, dict) else ():
            found.extend(value if name == KEYWORD else ())
            walk(value)

    for kind in KINDS:
        walk(definition(model_of(kind)))
    return found


@pytest.mark.kube
@pytest.mark.parametrize("kind", KINDS)
def test_kubectl_takes_the_example_as_it_is(kind: str, cluster: Kubernetes) -> None:
    done = cluster.kubectl("create", "--dry-run=server", "-o", "name", "-f", "-", stdin=example(kind))
    assert done.out.startswith(f"{kind.lower()}.pegasus2.dev/")
