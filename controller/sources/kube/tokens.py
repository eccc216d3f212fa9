"""A kubeconfig for the operators' account, made with somebody else's. `p2 operator kubeconfig` calls it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from controller.sources.kube.cluster import Cluster, ClusterError, Json, Missing
from controller.sources.kube.preflight import way_out
from controller.sources.kube.rights import ACCOUNT, SYSTEM_NAMESPACE

_TOKEN = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{ACCOUNT}/token"


@dataclass(frozen=True)
class Pass:
    """A kubeconfig, and until when it lets in: a moment as the API server writes it."""

    kubeconfig: Json
    until: str


def kubeconfig(cluster: Cluster, seconds: int, server: str = "") -> Pass:
    """With the address (or `server`) and the CA of `cluster`, and a token of the account's own; nothing else of who asks.

    The API server may let the token run out before `seconds` have passed. Raises ClusterError.
    """
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds},
    }
    try:
        status = cluster.request("POST", _TOKEN, review)["status"]
    except Missing as error:
        raise ClusterError(
            f"cannot make a token: {cluster.server} has no ServiceAccount {ACCOUNT} in namespace {SYSTEM_NAMESPACE}; "
            f"first: {way_out()}"
        ) from error
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "pegasus2", "cluster": {"server": server or cluster.server, **_trust(cluster)}}],
        "users": [{"name": ACCOUNT, "user": {"token": status["token"]}}],
        "contexts": [{"name": "pegasus2", "context": {"cluster": "pegasus2", "user": ACCOUNT}}],
        "current-context": "pegasus2",
    }
    return Pass(made, status["expirationTimestamp"])


def _trust(cluster: Cluster) -> Json:
    """How the API server is known again: its CA, or not at all where whoever asks does not look either."""
    access = cluster.access()
    if access.insecure:
        return {"insecure-skip-tls-verify": True}
    if access.ca_path is None:
        return {}  # one of those that the system trusts
    return {"certificate-authority-data": b64encode(Path(access.ca_path).read_bytes()).decode()}
