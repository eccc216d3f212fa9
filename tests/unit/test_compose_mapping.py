"""What a project of Compose files comes to: each field in the spec of a resource, and none lost without a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.compose.mapping.fields import FIELDS, How
from resources.compose.mapping.mapping import Mapped, resources_of
from resources.compose.project import load_project
from resources.writing import document

CASES = Path(__file__).resolve().parents[1] / "compose" / "mapping"
KEPT: list[dict[str, Any]] = yaml.safe_load((CASES / "fields.yaml").read_text())
FILE = Path("/srv/p/compose.yaml")


def mapped(compose: str | Mapping[str, Any], files: Mapping[str, str] | None = None, **how: Any) -> Mapped:
    """`files`: more of them, by their paths."""
    text = compose if isinstance(compose, str) else yaml.safe_dump(dict(compose), sort_keys=False)
    texts = {str(FILE): text, **(files or {})}

    def read(path: Path) -> bytes:
        if str(path) not in texts:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return texts[str(path)].encode()

    return resources_of(load_project([FILE], read=read, variables={}), read=read, **how)


def specs(found: Mapped) -> dict[str, dict[str, Any]]:
    return {each.key.short: document(each)["spec"] for each in found.resources}


def merged(base: Any, more: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(more, dict)):
        return more
    both = {name: merged(base.get(name), more.get(name, base.get(name))) for name in {**base, **more}}
    return {name: value for name, value in both.items() if value is not None}


@pytest.mark.parametrize("case", KEPT, ids=lambda case: str(case["field"]))
def test_a_field_that_is_kept_is_found_in_the_spec_of_a_resource(case: dict[str, Any]) -> None:
    base = {"name": "p", "services": {"a": {"image": "a:1"}}}
    found = mapped(merged(base, case["compose"]), {"/srv/p/web.env": "A=1\n"})
    assert [str(problem) for problem in found.problems] == []
    given = specs(found)
    for name, wanted in case["gives"].items():
        spec = given.get(name)
        if wanted is None or spec is None:
            assert (wanted, spec) == (None, None)
            continue
        seen = {field: spec.get(field) for field in wanted}
        if isinstance(labels := seen.get("labels"), dict) and name.startswith("Container/"):
            seen["labels"] = {label: value for label, value in labels.items() if not label.startswith("com.docker.")}
        assert seen == wanted


def test_there_is_a_case_for_every_field_that_is_kept() -> None:
    tried = {field for case in KEPT for field in ([case["field"]] if isinstance(case["field"], str) else case["field"])}
    kept = {path for path, field in FIELDS.items() if field.how is How.KEPT}
    assert (sorted(kept - tried), sorted(tried - kept)) == ([], [])


@pytest.mark.parametrize(
    ("service", "wanted"),
    [
        ({"pids_limit": -1, "cpus": 0, "mem_limit": 0}, {"pidsLimit": None, "cpus": None, "memory": None}),
        ({"restart": "no"}, {"restart": "no"}),
        ({"deploy": {"restart_policy": {"condition": "any", "max_attempts": 3}}}, {"restart": "always"}),
        ({"deploy": {"restart_policy": {"condition": "none"}}}, {"restart": "no"}),
        ({"deploy": {"restart_policy": {"condition": "on-failure"}}}, {"restart": "on-failure"}),
        ({"command": [], "entrypoint": []}, {"command": None, "entrypoint": []}),
        ({"healthcheck": {"test": ["NONE"]}}, {"healthcheck": {"disable": True}}),
        ({"security_opt": ["seccomp:./p.json"]}, {"securityOpt": ["seccomp=/srv/p/p.json"]}),
        ({"security_opt": ["seccomp=unconfined"]}, {"securityOpt": ["seccomp=unconfined"]}),
        (
            {"ports": ["80", "127.0.0.1::81", "8080-8081:80-81/udp"]},
            {"ports": ["80", "8080:80/udp", "127.0.0.1::81", "8081:81/udp"]},
        ),
        ({"extra_hosts": {"a": ["10.0.0.1", "10.0.0.2"]}}, {"extraHosts": {"a": "10.0.0.1,10.0.0.2"}}),
        (
            {"logging": {"options": {"max-size": "10m"}}},
            {"logging": {"driver": "json-file", "options": {"max-size": "10m"}}},
        ),
        ({"tmpfs": "/run"}, {"tmpfs": {"/run": ""}}),
        ({"pull_policy": "if_not_present"}, {"pullPolicy": None}),
        (
            {"gpus": [{"driver": "nvidia", "count": 2}]},
            {"deviceRequests": [{"capabilities": ["gpu"], "driver": "nvidia", "count": 2}]},
        ),
        ({"network_mode": "none"}, {"networks": [{"name": "none"}]}),
        ({"deploy": {"mode": "global", "replicas": 3}}, {"image": "a:1"}),
    ],
)
def test_what_is_written_in_several_ways_is_one_thing(service: dict[str, Any], wanted: dict[str, Any]) -> None:
    found = mapped({"name": "p", "services": {"a": {"image": "a:1", **service}}})
    assert [str(problem) for problem in found.problems] == []
    assert [name for name in specs(found) if name.startswith("Container/")] == ["Container/p-a-1"]
    spec = specs(found)["Container/p-a-1"]
    assert {field: spec.get(field) for field in wanted} == wanted


@pytest.mark.parametrize(
    ("services", "how", "message"),
    [
        ({"a": {"scale": 2, "ports": ["80:80"]}}, {}, "services.a.ports[0]: cannot publish port 80 for 2 containers: "),
        ({"a": {"models": {"llm": None}}}, {}, "models: cannot keep "),
        ({"a": {}}, {"scale": {"b": 2}}, "services: cannot scale b: there is no such service; known here: a"),
        ({"a": {}}, {"completed": ["b"]}, "services: cannot let b complete: there is no such service; known here: a"),
        ({"a": {"restart": "always"}}, {"completed": ["a"]}, "services.a: cannot complete with restart: always"),
        ({"a": {"cpu_count": 2}}, {}, "services.a.cpu_count: cannot keep cpu_count: only engines on Windows have it"),
        ({"a": {"volumes": [{"type": "npipe", "source": "x", "target": "/x"}]}}, {}, "a thing of type npipe"),
        ({"a": {"image": "Web:1"}}, {}, 'services.a.image: cannot read the image "Web:1"'),
        ({"a": {"labels": {"pegasus2.dev/x": "1"}}}, {}, 'services.a.labels: cannot set the label "pegasus2.dev/x"'),
        ({"a": {"restart": "sometimes"}}, {}, "services.a.restart: cannot "),
        (
            {"a": {"build": "."}, "b": {"image": "a:1", "build": "./b"}},
            {},
            "services.b: cannot keep a:1 in two ways: a says something else of it",
        ),
        (
            {"a": {"ports": ["80:80"], "deploy": {"update_config": {"order": "start-first"}}}},
            {},
            "services.a",
        ),
        ({"a": {"env_file": "web.env"}}, {}, "write B without variables, escapes and comments behind the value"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(
    services: dict[str, Any], how: dict[str, Any], message: str
) -> None:
    models = {"models": {"llm": {"model": "x"}}} if "models" in str(services) else {}
    project = {"name": "p", "services": {name: {"image": "a:1", **spec} for name, spec in services.items()}, **models}
    found = mapped(project, {"/srv/p/web.env": "A=1\nB=${A}\n"}, **how)
    assert any(message in str(problem) for problem in found.problems), found.problems
    assert all(str(problem).startswith("/srv/p/compose.yaml:") for problem in found.problems)


def test_names_of_resources_are_unique_and_those_of_containers_are_kept() -> None:
    services = {
        "my_web": {"image": "a"},
        "my.web": {"image": "a"},
        "My-Other": {"image": "a"},
        "x" * 80: {"image": "a"},
    }
    found = mapped({"name": "p", "services": services})
    containers = {
        each.metadata.name: document(each)["spec"].get("containerName", each.metadata.name)
        for each in found.resources
        if each.kind == "Container"
    }
    assert len(containers) == 4
    assert sorted(containers.values()) == sorted(f"p-{name}-1" for name in services)
    assert containers["p-my-other-1"] == "p-My-Other-1"
    assert all(len(name) <= 63 for name in containers)


def test_in_another_namespace_things_are_called_the_same_in_the_engine() -> None:
    project = {"name": "p", "services": {"a": {"image": "a", "volumes": ["data:/d"]}}, "volumes": {"data": {}}}
    found = specs(mapped(project, namespace="shop"))
    assert found["Container/shop/p-a-1"]["containerName"] == "p-a-1"
    assert found["Network/shop/p-default"]["networkName"] == "p_default"
    assert found["Volume/shop/p-data"]["volumeName"] == "p_data"


def test_version_1_names_with_underscores() -> None:
    project = {"name": "p", "services": {"a": {"build": ".", "links": ["b"]}, "b": {"image": "b"}}}
    found = specs(mapped(project, underscores=True))
    assert found["Container/p-a-1"]["containerName"] == "p_a_1"
    assert found["Container/p-a-1"]["links"] == {"b": "p_b_1", "b_1": "p_b_1", "p_b_1": "p_b_1"}
    assert found["Container/p-a-1"]["networks"][0]["aliases"] == ["a"]
    assert found["Image/p-a"]["image"] == "p_a"


def test_a_service_can_be_said_to_complete() -> None:
    project = {"name": "p", "services": {"a": {"image": "a"}, "b": {"image": "b"}}}
    found = specs(mapped(project, completed=["a"]))
    assert [name for name, spec in found.items() if spec.get("state") == "completed"] == ["Container/p-a-1"]


def test_common_fields_hold_for_all_and_are_added_to_their_own() -> None:
    project = {"name": "p", "services": {"a": {"image": "a", "depends_on": ["b"]}, "b": {"image": "b"}}}
    common = {"adopt": True, "dependsOn": ("Container/x",), "ignore": ("memory",)}
    found = specs(mapped(project, common=common))
    assert all(spec["adopt"] for spec in found.values())
    assert found["Container/p-a-1"]["dependsOn"] == ["Container/x", "Container/p-b-1"]
    assert found["Network/p-default"]["ignore"] == ["memory", "labels.com.docker.compose"]


def test_what_the_environment_holds_is_no_part_of_a_spec_and_no_label() -> None:
    secret = {"secrets": {"key": {"environment": "KEY"}}}
    project = {
        "name": "p",
        "services": {"a": {"image": "a", "secrets": ["key"], "environment": {"P": "hunter2"}}},
        **secret,
    }
    spec = specs(mapped(project))["Container/p-a-1"]
    assert spec["files"] == {"/run/secrets/key": {"secret": {"env": "KEY"}}}
    again = specs(mapped({**project, "services": {"a": {**project["services"]["a"], "environment": {"P": "other"}}}}))
    assert again["Container/p-a-1"]["labels"] == spec["labels"]


def test_an_env_file_that_is_not_there_is_told_of_once_where_it_stands() -> None:
    service = {"image": "a", "env_file": "missing.env", "scale": 2}
    found = mapped({"name": "p", "services": {"a": service}})
    assert found.problems == ()
    assert [str(warning) for warning in found.warnings] == [
        "/srv/p/compose.yaml:5:15: services.a.env_file[0]: "
        "/srv/p/missing.env is not there, and the container is not made without it"
    ]
    assert specs(found)["Container/p-a-1"]["envFile"] == ["/srv/p/missing.env"]


def test_a_service_runs_the_image_it_is_given_and_what_the_files_build_is_still_built() -> None:
    services = {"a": {"build": "./a"}, "b": {"image": "b:1"}}
    found = mapped({"name": "p", "services": services}, images={"a": "p-a:2", "gone": "x:1"})
    given = specs(found)
    assert (given["Container/p-a-1"]["image"], given["Container/p-b-1"]["image"]) == ("p-a:2", "b:1")
    assert given["Image/p-a"]["image"] == "p-a"
    assert found.problems == ()
    assert "the image of gone is left out: there is no such service; known here: a, b" in str(found.warnings[0])
