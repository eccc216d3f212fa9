"""The same overlay on a cluster: `kubectl apply -k` takes it as it is, and what `p2 build` prints changes nothing after it."""

from __future__ import annotations

import json

import pytest

from resources.kustomize.configuration import CONFIGURATION
from tests.apiserver import Kubernetes
from tests.cli.story import Story

pytestmark = pytest.mark.kube

BASE = """\
apiVersion: pegasus2.dev/v1
kind: Network
metadata: {name: front}
spec: {}
---
apiVersion: pegasus2.dev/v1
kind: Container
metadata: {name: web}
spec:
  image: shop/web:1
  networks: [{name: front}]
  env: {LEVEL: info}
"""
OVERLAY = """\
resources: [../../base]
namespace: %s
namePrefix: st-
labels: [{pairs: {environment: staging}}]
images: [{name: shop/web, newTag: "2"}]
configurations: [p2.yaml]
patches:
- target: {kind: Container}
  patch: |-
    - {op: replace, path: /spec/env/LEVEL, value: debug}
"""


def specs(cluster: Kubernetes, namespace: str) -> dict[str, tuple[object, object]]:
    found = cluster.kubectl("get", "containers.pegasus2.dev,networks.pegasus2.dev", "-n", namespace, "-o", "json").out
    return {each["metadata"]["name"]: (each["spec"], each["metadata"]["labels"]) for each in json.loads(found)["items"]}


def test_kubectl_and_p2_make_the_same_objects(cluster: Kubernetes, namespace: str, story: Story) -> None:
    story.write("base/kustomization.yaml", "resources: [all.yaml]\n")
    story.write("base/all.yaml", BASE)
    overlay = story.write("overlays/staging/kustomization.yaml", OVERLAY % namespace).parent
    story.write("overlays/staging/p2.yaml", CONFIGURATION)
    cluster.kubectl("apply", "-k", str(overlay))
    by_kubectl = specs(cluster, namespace)
    assert by_kubectl["st-web"][0]["image"] == "shop/web:2"  # type: ignore[index]
    assert by_kubectl["st-web"][0]["networks"][0]["name"] == "st-front"  # type: ignore[index]
    built = story.p2("build", str(overlay))
    assert built.code == 0, built.err
    told = cluster.apply(built.out, namespace=namespace).out
    assert sorted(line.rpartition(" ")[2] for line in told.splitlines()) == ["unchanged", "unchanged"]
    assert specs(cluster, namespace) == by_kubectl
