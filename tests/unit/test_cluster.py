"""What an API server may answer, and what is made of it: errors that say what to do, and lists in pieces."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from controller.sources.kube.cluster import (
    Cluster,
    ClusterError,
    Conflict,
    Forbidden,
    Missing,
    Refusal,
    Unreachable,
)

pytestmark = pytest.mark.asyncio

PATH = "/apis/pegasus2.dev/v1/files"
TOKEN = "correct-horse-battery"


def kubeconfig(directory: Path, server: str) -> Path:
    path = directory / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "user", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
        "current-context": "test",
    }
    path.write_text(json.dumps(document))
    return path


@pytest_asyncio.fixture
async def cluster(kmock: Any, tmp_path: Path) -> AsyncIterator[Cluster]:
    made = await asyncio.to_thread(Cluster, kubeconfig=kubeconfig(tmp_path, str(kmock.url).rstrip("/")))
    yield made
    await asyncio.to_thread(made.close)


async def refusal(work: Callable[..., Any], *arguments: Any) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        await asyncio.to_thread(work, *arguments)
    assert str(caught.value).startswith("cannot ")
    assert TOKEN not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, Refusal, "renew the credentials"),
        (403, Forbidden, "because of it"),
        (404, Missing, "because of it"),
        (409, Conflict, "because of it"),
        (422, Refusal, "because of it"),
        (429, Unreachable, "because of it"),
        (500, Unreachable, "because of it"),
        (503, Unreachable, "because of it"),
    ],
)
async def test_refusal_is_told_with_the_servers_own_words(
    kmock: Any, cluster: Cluster, status: int, kind: type[ClusterError], said: str
) -> None:
    kmock[f"get {PATH}"] << status << {"kind": "Status", "message": "because of it", "reason": "Because"}
    error = await refusal(cluster.request, "GET", PATH)
    assert type(error) is kind
    assert said in str(error)
    assert cluster.server in str(error)
    if isinstance(error, Refusal):
        assert (error.status, error.reason) == (status, "Because")


async def test_answer_that_is_no_json_is_told_as_it_is(kmock: Any, cluster: Cluster) -> None:
    kmock[f"get {PATH}"] << 502 << b"<html>bad gateway</html>"
    assert "bad gateway" in str(await refusal(cluster.request, "GET", PATH))


async def test_server_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        server = f"http://127.0.0.1:{taken.getsockname()[1]}"
        cluster = await asyncio.to_thread(Cluster, kubeconfig=kubeconfig(tmp_path, server))
        try:
            error = await refusal(cluster.request, "GET", PATH)
        finally:
            await asyncio.to_thread(cluster.close)
    assert isinstance(error, Unreachable)
    assert server in str(error)
    assert "is it running" in str(error)


async def test_server_that_hangs_is_given_up(kmock: Any, cluster: Cluster) -> None:
    kmock[f"get {PATH}"] << (lambda: asyncio.sleep(5))

    def ask() -> None:
        cluster.request("GET", PATH, timeout=0.2)

    assert isinstance(await refusal(ask), Unreachable)


async def test_what_is_not_there_is_found_to_be_none(kmock: Any, cluster: Cluster) -> None:
    kmock[f"get {PATH}"] << 404 << {"message": "no"}
    assert await asyncio.to_thread(cluster.find, PATH) is None


async def test_list_comes_in_pieces_and_is_whole(kmock: Any, cluster: Cluster) -> None:
    pages = {
        None: {"items": [{"n": 1}, {"n": 2}], "metadata": {"continue": "two"}},
        "two": {"items": [{"n": 3}], "metadata": {"continue": "three"}},
        "three": {"items": [{"n": 4}], "metadata": {}},
    }
    kmock[f"get {PATH}"] << (lambda request: pages[request.params.get("continue")])
    found = await asyncio.to_thread(cluster.list, PATH)
    assert [each["n"] for each in found] == [1, 2, 3, 4]
    assert all(int(each.params["limit"]) > 0 for each in kmock[f"get {PATH}"])


async def test_list_that_fails_midway_is_no_list(kmock: Any, cluster: Cluster) -> None:
    kmock[f"get {PATH}", {"continue": "two"}] << 410 << {"message": "the continue parameter is too old"}
    kmock[f"get {PATH}"] << {"items": [{"n": 1}], "metadata": {"continue": "two"}}
    await refusal(cluster.list, PATH)


async def test_request_carries_the_token(kmock: Any, cluster: Cluster) -> None:
    kmock[f"get {PATH}"] << {"items": []}
    await asyncio.to_thread(cluster.list, PATH)
    assert kmock["get"][0].headers["Authorization"] == f"Bearer {TOKEN}"


async def test_patch_merges_and_names_its_writer(kmock: Any, cluster: Cluster) -> None:
    before = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"path": "/x"}}
    kmock.objects["files.v1.pegasus2.dev", "default", "a"] = before
    place = "/apis/pegasus2.dev/v1/namespaces/default/files/a"
    after = await asyncio.to_thread(cluster.patch, place, {"spec": {"content": "y"}})
    assert after["spec"] == {"path": "/x", "content": "y"}
    sent = kmock["patch"][0]
    assert sent.params["fieldManager"] == "pegasus2"
    assert sent.headers["Content-Type"] == "application/merge-patch+json"


async def test_missing_kubeconfig_says_where_to_get_one(tmp_path: Path) -> None:
    error = await refusal(lambda: Cluster(kubeconfig=tmp_path / "absent"))
    assert "set KUBECONFIG" in str(error)
    assert str(tmp_path / "absent") in str(error)


async def test_unknown_context_says_how_to_list_them(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")
    error = await refusal(lambda: Cluster("nowhere", path))
    assert '"nowhere"' in str(error)
    assert "get-contexts" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        f"users: [\ntoken: {TOKEN}\n",
        f"- {TOKEN}\n",
        f"users: {TOKEN}\nclusters: []\ncontexts: []\n",
        f"token: {TOKEN}\n",
        f"{{contexts: [{{name: a}}], current-context: a, token: {TOKEN}}}\n",
        "",
    ],
)
async def test_kubeconfig_that_is_none_is_to_be_corrected_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    error = await refusal(lambda: Cluster(kubeconfig=path))
    assert str(path) in str(error)
    assert "correct it" in str(error)
    assert error.__cause__ is None or TOKEN not in str(error.__cause__)
