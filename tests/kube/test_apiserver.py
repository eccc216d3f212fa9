"""The cluster that the other tests here stand on."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.apiserver import Kubernetes, OwnKubernetes

pytestmark = pytest.mark.kube


def test_api_server_answers_kubectl_and_us(cluster: Kubernetes, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "note", "--from-literal=a=b", "-n", namespace)
    with closing(cluster.client()) as client:
        found = client.find(f"/api/v1/namespaces/{namespace}/configmaps/note")
        assert found is not None
        assert found["data"] == {"a": "b"}


def test_restarted_api_server_has_what_it_had(cluster: Kubernetes, namespace: str) -> None:
    if not isinstance(cluster, OwnKubernetes):
        pytest.skip("this API server is not ours to restart")
    cluster.kubectl("create", "configmap", "note", "-n", namespace)
    before = cluster.pid
    cluster.restart()
    assert cluster.pid != before
    assert cluster.kubectl("get", "configmap", "note", "-n", namespace, "-o", "name").out == "configmap/note\n"


def test_namespace_of_a_test_goes_with_it(cluster: Kubernetes) -> None:
    with cluster.namespace() as name:
        assert cluster.kubectl("get", "namespace", name, check=False).code == 0
    assert cluster.kubectl("get", "namespace", name, check=False).code != 0
