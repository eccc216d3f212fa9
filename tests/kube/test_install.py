"""What a cluster is given before an operator can work at it: the manifest, an account, its rights, and a way to log in.

Rights and CRDs are taken away here, so the API server is one of these tests' own.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller import __version__
from controller.sources.kube.cluster import APPLY_PATCH, Cluster, ClusterError, Forbidden, Json, Refusal, Unreachable
from controller.sources.kube.definitions import VERSION, definitions
from controller.sources.kube.preflight import preflight
from controller.sources.kube.rights import ACCOUNT, SYSTEM_NAMESPACE, Rule, Where, rules
from controller.surfaces.cli.operator_install import FIRST_LINE
from controller.surfaces.manifest import manifest
from tests.apiserver import CRDS, TOKEN, OwnKubernetes, own_missing
from tests.cli.story import Story
from tests.service_manager import ServiceManager
from tests.support import OperatorProcess, eventually

pytestmark = pytest.mark.kube

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{ACCOUNT}"
APPLY = "p2 operator manifest | kubectl apply -f -"
METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnKubernetes]:
    """An API server with nothing of ours."""
    if why := own_missing():
        pytest.skip(f"{why}, and rights and CRDs are taken away here")
    made = OwnKubernetes(tmp_path_factory.mktemp("bare"))
    yield made
    made.end()


@pytest.fixture
def admin(server: OwnKubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs p2 in this process is the administrator of that cluster."""
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))


@pytest.fixture
def mighty(server: OwnKubernetes) -> Iterator[Cluster]:
    """The administrator's connection."""
    with closing(server.client()) as made:
        yield made


@pytest.fixture
def installed(server: OwnKubernetes, mighty: Cluster) -> OwnKubernetes:
    """With the manifest, whatever a test before this one took away."""
    install(mighty)
    return server


@pytest.fixture
def operators(installed: OwnKubernetes, admin: None, story: Story, tmp_path: Path) -> Path:
    """A kubeconfig with the rights of an operator and no others."""
    path = tmp_path / "operator.kubeconfig"
    shown = story.p2("operator", "kubeconfig", "-o", str(path))
    assert shown.code == 0, shown.err
    return path


@pytest.fixture
def client(operators: Path) -> Iterator[Cluster]:
    with closing(Cluster(kubeconfig=operators)) as made:
        yield made


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    root = tmp_path / "machine"
    (root / "world").mkdir(parents=True)
    monkeypatch.chdir(root)
    return Story(root)


def install(mighty: Cluster, *documents: Json) -> None:
    """What `kubectl apply --server-side --force-conflicts` does with these (default: the manifest), in a fraction of the time."""
    for each in documents or tuple(manifest()):
        forced: dict[str, str | int] = {"fieldManager": "test", "force": "true"}
        mighty.request("PATCH", place(each), each, forced, content=APPLY_PATCH)
    eventually(lambda: all(map(established, mighty.list(DEFINITIONS))), "the CRDs are served")


def established(crd: Json) -> bool:
    conditions = {each["type"]: each["status"] for each in crd.get("status", {}).get("conditions") or ()}
    return conditions.get("Established") == "True"


def place(document: Json) -> str:
    version, metadata = document["apiVersion"], document["metadata"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    within = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{base}{within}/{document['kind'].lower()}s/{metadata['name']}"


# -- the manifest --------------------------------------------------------------------------------------------------


def test_manifest_is_printed_without_any_cluster(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    shown = story.p2("operator", "manifest")
    assert (shown.code, shown.err) == (0, "")
    assert list(yaml.safe_load_all(shown.out)) == list(manifest())


def test_manifest_applied_again_changes_nothing(server: OwnKubernetes, story: Story) -> None:
    text = story.p2("operator", "manifest").out
    server.kubectl("apply", "-f", "-", stdin=text)
    again = server.kubectl("apply", "-f", "-", stdin=text).out.splitlines()
    assert again and [line for line in again if not line.endswith("unchanged")] == []


def test_manifest_applied_by_the_server_changes_nothing_the_second_time(server: OwnKubernetes) -> None:
    def versions() -> dict[str, str]:
        found = server.kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", "-o", "json", stdin=yaml.safe_dump_all(manifest())
        )
        kept = (each["metadata"] | {"kind": each["kind"]} for each in found.json["items"])
        return {f"{each['kind']}/{each['name']}": each["resourceVersion"] for each in kept}

    assert versions() == versions()


def test_crds_say_which_version_wrote_them(installed: OwnKubernetes) -> None:
    found = installed.kubectl("get", "crd", "files.pegasus2.dev", "-o", "json").json
    assert found["metadata"]["annotations"][VERSION] == __version__


# -- logging in ----------------------------------------------------------------------------------------------------


def test_kubeconfig_is_the_accounts_and_has_nothing_of_who_made_it(operators: Path, installed: OwnKubernetes) -> None:
    assert operators.stat().st_mode & 0o777 == 0o600
    text = operators.read_text()
    assert text.startswith(FIRST_LINE) and TOKEN not in text and str(installed.kubeconfig.parent) not in text
    found = yaml.safe_load(text)
    assert found["clusters"][0]["cluster"].keys() == {"server", "certificate-authority-data"}
    assert found["users"][0]["user"].keys() == {"token"}
    who = installed.kubectl("auth", "whoami", "-o", "json", "--kubeconfig", str(operators)).json
    assert who["status"]["userInfo"]["username"] == USER


def test_kubeconfig_is_printed_where_no_file_is_named(installed: OwnKubernetes, admin: None, story: Story) -> None:
    shown = story.p2("operator", "kubeconfig", "--duration", "1h", "--server", "https://10.0.0.1:6443")
    assert shown.code == 0, shown.err
    assert yaml.safe_load(shown.out)["clusters"][0]["cluster"]["server"] == "https://10.0.0.1:6443"
    assert "lets in until" in shown.err and "lets in until" in shown.out.splitlines()[0]


def test_kubeconfig_takes_no_server_without_its_scheme(admin: None, story: Story) -> None:
    shown = story.p2("operator", "kubeconfig", "--server", "10.0.0.1:6443")
    assert (shown.code, shown.out) == (2, "")
    assert "give --server as https://HOST:PORT" in shown.err


def test_kubeconfig_is_renewed_in_place_and_takes_nobody_elses(
    operators: Path, story: Story, tmp_path: Path, installed: OwnKubernetes
) -> None:
    before = operators.read_text()
    assert story.p2("operator", "kubeconfig", "-o", str(operators), "--duration", "20m").code == 0
    assert operators.read_text() != before
    foreign = tmp_path / "config"
    foreign.write_bytes(installed.kubeconfig.read_bytes())
    shown = story.p2("operator", "kubeconfig", "-o", str(foreign))
    assert shown.code == 2 and "p2 did not write it" in shown.err
    assert foreign.read_bytes() == installed.kubeconfig.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--duration", "1m"], "ten minutes"),
        (["-o", "/proc/kubeconfig"], "cannot write /proc/kubeconfig"),
        (["--context", "elsewhere"], 'cannot use the context "elsewhere"'),
    ],
)
def test_kubeconfig_that_cannot_be_made_is_refused(
    installed: OwnKubernetes, admin: None, story: Story, arguments: list[str], says: str
) -> None:
    shown = story.p2("operator", "kubeconfig", *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert says in shown.err and shown.err.startswith("error: cannot ")


def test_kubeconfig_without_the_account_says_to_apply_the_manifest(
    installed: OwnKubernetes, admin: None, story: Story
) -> None:
    installed.kubectl("delete", "serviceaccount", "-n", SYSTEM_NAMESPACE, ACCOUNT)
    shown = story.p2("operator", "kubeconfig")
    assert (shown.code, shown.out) == (2, "")
    assert f"no ServiceAccount {ACCOUNT}" in shown.err and APPLY in shown.err


def test_operator_may_not_make_kubeconfigs(operators: Path, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(operators))
    shown = story.p2("operator", "kubeconfig")
    assert (shown.code, shown.out) == (2, "")
    assert "serviceaccounts/token" in shown.err


# -- rights --------------------------------------------------------------------------------------------------------


def test_every_right_is_granted(client: Cluster) -> None:
    def refused(right: tuple[Rule, str, str, str]) -> bool:
        try:
            client.request(*attempt(*right))
        except Forbidden:
            return True
        except (Refusal, Unreachable):
            pass  # allowed, and then there was no such thing yet, or nothing in the body
        return False

    rights = [
        (rule, resource, verb, name)
        for rule in rules()
        for resource, verb, name in product(rule.resources, rule.verbs, rule.names or ("probe",))
    ]
    with ThreadPoolExecutor(8) as pool:  # a watch takes a second
        answers = pool.map(refused, rights)
    assert [right for right, no in zip(rights, answers, strict=True) if no] == []
    assert preflight(client) == []


def attempt(rule: Rule, resource: str, verb: str, name: str) -> tuple[str, str, Any, dict[str, str | int]]:
    """Arguments of a request that takes this very right."""
    base = f"/apis/{rule.group}/v1" if rule.group else "/api/v1"
    plural, slash, sub = resource.partition("/")
    within = "" if rule.where is Where.CLUSTER else f"/namespaces/{rule.namespace or 'default'}"
    everywhere = within if rule.namespace else ""
    query: dict[str, str | int] = {"watch": 1, "timeoutSeconds": 1} if verb == "watch" else {}
    path = {
        "list": f"{base}{everywhere}/{plural}",
        "watch": f"{base}{everywhere}/{plural}",
        "create": f"{base}{within}/{plural}",
    }.get(verb, f"{base}{within}/{plural}/{name}{slash}{sub}")
    return METHODS[verb], path, None if METHODS[verb] == "GET" else {}, query


def test_what_an_operator_does_not_need_is_not_granted(client: Cluster) -> None:
    granted = []
    for method, path in (
        ("POST", "/apis/pegasus2.dev/v1/namespaces/default/files"),
        ("PUT", "/apis/pegasus2.dev/v1/namespaces/default/files/x"),
        ("DELETE", "/apis/pegasus2.dev/v1/namespaces/default/files/x"),
        ("DELETE", "/apis/pegasus2.dev/v1/machines/x"),
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/namespaces/default/secrets"),
        ("GET", "/api/v1/namespaces/default"),
        ("GET", "/api/v1/pods"),
        ("GET", "/apis/coordination.k8s.io/v1/namespaces/default/leases"),
        ("GET", DEFINITIONS),
        ("PATCH", f"{DEFINITIONS}/files.pegasus2.dev"),
        ("POST", f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{ACCOUNT}/token"),
    ):
        with suppress(Forbidden):
            client.request(method, path, None if method == "GET" else {})
            granted.append((method, path))
    assert granted == []


@pytest.mark.parametrize("rule", [each for each in rules() if each.where is not Where.SECRETS], ids=str)
def test_right_that_was_taken_away_is_named(installed: OwnKubernetes, client: Cluster, rule: Rule) -> None:
    take_away(installed, rule)
    message = eventually(lambda: complaint(client), "the right is gone")
    assert message == (
        f"cannot work at {client.server}: {USER} may not {rule}; as an administrator of the cluster: {APPLY}"
    )


def test_single_verb_that_is_missing_is_named_alone(installed: OwnKubernetes, client: Cluster) -> None:
    rule = next(each for each in rules() if "files/status" in each.resources)
    take_away(installed, rule)
    kept = {**rule.role(), "verbs": ["get"]}
    installed.kubectl(
        "patch",
        "clusterrole",
        f"{ACCOUNT}-objects",
        "--type=json",
        "-p",
        json.dumps([{"op": "add", "path": "/rules/-", "value": kept}]),
    )
    eventually(lambda: "may not patch " in complaint(client), "only one verb is missing")
    assert "files.pegasus2.dev/status" in complaint(client) and " get" not in complaint(client)


def test_without_secrets_it_works_and_warns(installed: OwnKubernetes, client: Cluster) -> None:
    installed.kubectl("delete", "clusterrolebinding", f"{ACCOUNT}-secrets")
    (warning,) = eventually(lambda: preflight(client), "the right is gone")
    assert warning.startswith("may not get secrets in the whole cluster: ")


def test_operator_of_one_namespace_needs_rights_there_alone(
    installed: OwnKubernetes, operators: Path, mighty: Cluster
) -> None:
    installed.kubectl("create", "namespace", "shop")
    installed.kubectl("delete", "clusterrolebinding", f"{ACCOUNT}-objects", f"{ACCOUNT}-secrets")
    install(mighty, *manifest(["shop"]))
    with closing(Cluster(kubeconfig=operators)) as client:
        eventually(lambda: preflight(client, ["shop"]) == [], "the rights are there")
        with pytest.raises(
            ClusterError, match=r"files\.pegasus2\.dev.* in namespace default; .*manifest --namespace default"
        ):
            preflight(client, ["default"])
        with pytest.raises(ClusterError, match=r"files\.pegasus2\.dev.* in the whole cluster"):
            preflight(client)


def take_away(server: OwnKubernetes, rule: Rule) -> None:
    kind = "role" if rule.where is Where.SYSTEM else "clusterrole"
    name = f"{ACCOUNT}-{rule.where}" if rule.where in (Where.OBJECTS, Where.SECRETS) else ACCOUNT
    place = ["-n", rule.namespace] if rule.namespace else []
    found = server.kubectl("get", kind, name, *place, "-o", "json").json
    kept = [each for each in found["rules"] if each != rule.role()]
    assert len(kept) < len(found["rules"])
    server.kubectl("patch", kind, name, *place, "--type=merge", "-p", json.dumps({"rules": kept}))


def complaint(client: Cluster) -> str:
    """Why it can't work there; empty when it can."""
    try:
        preflight(client)
    except ClusterError as error:
        return str(error)
    return ""


# -- CRDs ----------------------------------------------------------------------------------------------------------


def test_crds_of_the_repository_are_those_of_the_program(installed: OwnKubernetes, client: Cluster) -> None:
    installed.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    assert preflight(client) == []


def test_absent_crd_is_named(installed: OwnKubernetes, client: Cluster) -> None:
    installed.kubectl("delete", "crd", "files.pegasus2.dev")
    with pytest.raises(ClusterError, match=rf"it has no CRD files\.pegasus2\.dev; .*{re.escape(APPLY)}"):
        preflight(client)


def test_what_mends_crds_grants_no_more_than_the_namespaces_that_are_served(
    installed: OwnKubernetes, client: Cluster, mighty: Cluster
) -> None:
    older = definition("files")
    del fields(older)["content"]
    install(mighty, older)
    with pytest.raises(ClusterError, match=r"p2 operator manifest --namespace shop \| kubectl apply"):
        preflight(client, ["shop"])
    installed.kubectl("delete", "crd", "files.pegasus2.dev")
    with pytest.raises(
        ClusterError, match=r"it has no CRD .*; .*p2 operator manifest --namespace shop \| kubectl apply"
    ):
        preflight(client, ["shop"])


def test_older_crd_is_refused_and_the_manifest_mends_it(
    installed: OwnKubernetes, client: Cluster, mighty: Cluster, story: Story
) -> None:
    older = definition("files")
    del fields(older)["content"]
    install(mighty, older)
    with pytest.raises(ClusterError, match=r"CRD files\.pegasus2\.dev is older than this program"):
        preflight(client)
    installed.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=story.p2("operator", "manifest").out
    )
    assert preflight(client) == []


def test_newer_crd_is_worth_a_warning(installed: OwnKubernetes, client: Cluster, mighty: Cluster) -> None:
    newer = definition("files", version="9.1")
    fields(newer)["fresh"] = {"type": "string"}
    install(mighty, newer)
    (warning,) = preflight(client)
    assert warning.startswith(f"the CRD files.pegasus2.dev of 9.1 is newer than this program ({__version__})")


@pytest.mark.parametrize(("version", "word"), [("0.0.9", "older than"), ("", "neither older nor newer")])
def test_crd_with_other_fields_goes_by_its_version(
    installed: OwnKubernetes, client: Cluster, mighty: Cluster, version: str, word: str
) -> None:
    other = definition("files", version=version)
    fields(other)["fresh"] = fields(other).pop("content")
    install(mighty, other)
    with pytest.raises(ClusterError, match=rf"CRD files\.pegasus2\.dev is {word}"):
        preflight(client)


def test_crd_that_is_going_is_waited_for(mighty: Cluster, client: Cluster) -> None:
    path = f"{DEFINITIONS}/files.pegasus2.dev"
    mighty.patch(path, {"metadata": {"finalizers": ["example.org/stays"]}})
    mighty.request("DELETE", path)
    with pytest.raises(Unreachable, match=r"does not serve files\.pegasus2\.dev"):
        preflight(client)
    mighty.patch(path, {"metadata": {"finalizers": None}})


def definition(plural: str, version: str = __version__) -> Json:
    """A copy of one of ours, as another version of the program might have written it."""
    found = next(each for each in definitions() if each["spec"]["names"]["plural"] == plural)
    copied: Json = json.loads(json.dumps(found))
    copied["metadata"]["annotations"][VERSION] = version
    return copied


def fields(definition: Json) -> dict[str, Any]:
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: dict[str, Any] = schema["properties"]["spec"]["properties"]
    schema["properties"]["spec"].pop("x-kubernetes-validations", None)
    return found


# -- the command ---------------------------------------------------------------------------------------------------


def refusal(story: Story) -> str:
    """The one line that `p2 operator` ends with, where it can't begin."""
    shown = story.p2("operator", "--default")
    assert (shown.code, shown.out) == (2, "")
    *_, last = shown.err.splitlines()
    assert last.startswith("error: cannot ")
    return last


def test_operator_without_a_kubeconfig_says_where_one_is(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert "cannot find a kubeconfig" in refusal(story)


@pytest.mark.parametrize("arguments", [["--node", "The_Box"], ["manifest", "--namespace", "a.b"]])
def test_name_that_no_cluster_can_have_is_refused_before_any_is_asked(story: Story, arguments: list[str]) -> None:
    shown = story.p2("operator", *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert shown.err.startswith(f'error: cannot use the name "{arguments[-1]}"') and "--node" in shown.err


def test_machine_whose_host_name_no_spec_can_have_says_how_to_name_it(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEGASUS2_NODE", "the_box")
    assert 'cannot use the name "the_box"' in refusal(story)


def test_operator_with_another_context_is_refused(admin: None, story: Story) -> None:
    shown = story.p2("operator", "--context", "elsewhere")
    assert shown.code == 2 and 'cannot use the context "elsewhere"' in shown.err


def test_operator_at_a_cluster_without_our_crds_says_what_to_apply(
    installed: OwnKubernetes, admin: None, story: Story
) -> None:
    installed.kubectl("delete", "crd", "files.pegasus2.dev")
    eventually(
        lambda: "it has no CRD files.pegasus2.dev" in refusal(story), "it is said, once it is no longer being deleted"
    )


def test_operator_without_a_right_names_it(
    installed: OwnKubernetes, operators: Path, client: Cluster, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(operators))
    take_away(installed, next(each for each in rules() if "files/status" in each.resources))
    eventually(lambda: complaint(client), "the right is gone")
    said = refusal(story)
    assert said.startswith("error: cannot work at ")
    assert "may not patch composes.pegasus2.dev/status, containers.pegasus2.dev/status, " in said


def test_operator_without_an_api_server_says_so(installed: OwnKubernetes, admin: None, story: Story) -> None:
    installed.stop()
    try:
        assert f"cannot reach the API server at {installed.server}" in refusal(story)
    finally:
        installed.start()


def test_exactly_these_rights_are_enough_for_the_whole_life_of_a_file(
    installed: OwnKubernetes, operators: Path, client: Cluster, story: Story, tmp_path: Path
) -> None:
    with pytest.raises(Forbidden):
        client.request("GET", "/api/v1/pods")
    assert (before := forbidden(installed)) > 0
    operator = OperatorProcess(tmp_path / "operator", operators, "box", "--default").start()
    try:
        installed.apply(story.file("one", content="first"))
        installed.kubectl("wait", "--for=condition=Ready", "file/one", "--timeout=30s")
        assert (story.world / "one").read_text() == "first"
        (story.world / "one").write_text("broken")
        eventually(lambda: (story.world / "one").read_text() == "first", "it is put right")
        installed.kubectl("delete", "file", "one", "--timeout=30s")
        assert not (story.world / "one").exists()
        told = ("get", "events", "-o", "jsonpath={.items[*].reason}")
        eventually(lambda: "Deleted" in installed.kubectl(*told).out, "it is told of")
        assert operator.end() == 0, operator.log
    finally:
        operator.close()
    assert forbidden(installed) == before, operator.log


def test_unit_of_an_operator_needs_nothing_but_what_it_says(operators: Path, story: Story, tmp_path: Path) -> None:
    shown = story.p2(
        "install-service", "--operator", "--node", "unit", "--kubeconfig", str(operators), "--user", "--print"
    )
    lines = [line.split("=", 1) for line in shown.out.splitlines() if "=" in line]
    told = dict(shlex.split(value)[0].split("=", 1) for name, value in lines if name == "Environment")
    (command,) = (shlex.split(value) for name, value in lines if name == "ExecStart")
    with ServiceManager(tmp_path) as manager:
        around = {"PEGASUS2_METRICS_PORT": "0", "PEGASUS2_JOURNAL": "none", **manager.environment}
        log = tmp_path / "operator.log"
        with log.open("wb") as told_to:
            running = subprocess.Popen(command, env=told | around, cwd="/", stderr=told_to)
        try:
            try:
                manager.wait_for("READY=1")
            except AssertionError as error:
                raise AssertionError(f"{error}; its log: {log.read_text()}") from None
            running.terminate()
            assert running.wait(20) == 0
        finally:
            running.kill()


def forbidden(server: OwnKubernetes) -> int:
    """How many requests the API server has refused for want of rights, ever."""
    text = server.kubectl("get", "--raw", "/metrics").out
    refused = r'^authorization_attempts_total\{result="(?:denied|no-opinion)"\} (\d+)$'
    return sum(int(found) for found in re.findall(refused, text, re.M))


def test_connection_that_was_closed_keeps_nobody_waiting(mighty: Cluster) -> None:
    mighty.close()
    with pytest.raises(Unreachable, match="was closed"):
        mighty.access()


def test_closing_a_connection_breaks_off_what_is_under_way(installed: OwnKubernetes) -> None:
    """Many times: what is lost just while it is being sent must not be waited for for ever."""
    query = {"watch": 1, "timeoutSeconds": 60}
    for _ in range(20):
        made = Cluster(kubeconfig=installed.kubeconfig)
        pool = ThreadPoolExecutor(1)
        watching = pool.submit(made.request, "GET", "/api/v1/namespaces", query=query)
        eventually(watching.running, "somebody waits for an answer")
        made.request("GET", "/api/v1/namespaces/default")
        made.close()
        with pytest.raises(Unreachable, match="was closed"):
            watching.result(10)
        pool.shutdown()
