"""What a cluster needs so that operators can work at it: the CRDs, a namespace, and one account with its rights. Pure.

`p2 operator manifest` prints it; docs/k3s.md explains it. The rights come from `sources/kube/rights.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.sources.kube.cluster import Json
from controller.sources.kube.definitions import definitions
from controller.sources.kube.rights import ACCOUNT, SYSTEM_NAMESPACE, Where, rules_of

_RBAC = "rbac.authorization.k8s.io"
_LABELS = {"app.kubernetes.io/name": "pegasus2", "app.kubernetes.io/component": "operator"}


def manifest(namespaces: Sequence[str] = ()) -> Iterator[Json]:
    """The documents, in an order in which they can be applied.

    `namespaces`: the only ones whose objects and secrets the account may see; they must be there already. None: all.
    """
    yield from definitions()
    yield _document("v1", "Namespace", SYSTEM_NAMESPACE)
    yield _document("v1", "ServiceAccount", ACCOUNT, SYSTEM_NAMESPACE)
    yield _role("ClusterRole", Where.CLUSTER)
    yield _binding("ClusterRoleBinding", "ClusterRole", Where.CLUSTER)
    for where in (Where.OBJECTS, Where.SECRETS):
        yield _role("ClusterRole", where)
        if not namespaces:
            yield _binding("ClusterRoleBinding", "ClusterRole", where)
        for namespace in namespaces:
            yield _binding("RoleBinding", "ClusterRole", where, namespace)
    yield _role("Role", Where.SYSTEM, SYSTEM_NAMESPACE)
    yield _binding("RoleBinding", "Role", Where.SYSTEM, SYSTEM_NAMESPACE)


def _document(version: str, kind: str, name: str, namespace: str = "") -> Json:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place, "labels": dict(_LABELS)}}


def _role(kind: str, where: Where, namespace: str = "") -> Json:
    rules = [rule.role() for rule in rules_of(where)]
    return {**_document(f"{_RBAC}/v1", kind, _name(where), namespace), "rules": rules}


def _binding(kind: str, role: str, where: Where, namespace: str = "") -> Json:
    return {
        **_document(f"{_RBAC}/v1", kind, _name(where), namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": role, "name": _name(where)},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": SYSTEM_NAMESPACE}],
    }


def _name(where: Where) -> str:
    """Of a role and its binding."""
    match where:
        case Where.OBJECTS | Where.SECRETS:
            return f"{ACCOUNT}-{where}"
        case Where.CLUSTER | Where.SYSTEM:
            return ACCOUNT
