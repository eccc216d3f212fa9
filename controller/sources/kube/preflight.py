"""Whether an operator can work at a cluster, asked before it begins. `p2 operator` calls it.

One that lacks a right, or meets other CRDs than its own, would seem to work and leave things half done.
"""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from json import loads

from controller import __version__
from controller.sources.kube.cluster import Cluster, ClusterError, Json, Refusal, Unreachable
from controller.sources.kube.definitions import Standing, compare, definitions, version_of
from controller.sources.kube.rights import Rule, Where, missing

SOON = 30 * 24 * 3600  # seconds before a token runs out in which there is a warning

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def preflight(cluster: Cluster, namespaces: Collection[str] = ()) -> Sequence[str]:
    """Warnings: what it can do without. Raises ClusterError for what it can't, Unreachable where waiting helps.

    `namespaces` are those whose objects it takes; none means all.
    """
    lacking = missing(cluster, namespaces)
    if needed := [rule for rule in lacking if rule.where is not Where.SECRETS]:
        raise ClusterError(
            f"cannot work at {cluster.server}: {_user(cluster)} may not {_listed(needed)}; "
            f"as an administrator of the cluster: {way_out(namespaces)}"
        )
    ours = {definition["metadata"]["name"]: definition for definition in definitions()}
    served = {name: found for name in ours if (found := cluster.find(f"{_DEFINITIONS}/{name}"))}
    _refuse_absent(cluster, [name for name in ours if name not in served], namespaces)
    standings = {name: compare(ours[name], found) for name, found in served.items()}
    _refuse_unfit(cluster, standings, namespaces)
    _refuse_unready(cluster, served)
    return [*_newer(served, standings), *_without_secrets(lacking), *_expiring(cluster.access().token or "")]


def way_out(namespaces: Iterable[str] = ()) -> str:
    """What gives a cluster all that is missing."""
    restricted = "".join(f" --namespace {name}" for name in sorted(namespaces))
    return f"p2 operator manifest{restricted} | kubectl apply -f -"


def _listed(rules: Iterable[Rule]) -> str:
    return "; may not ".join(map(str, rules))


def _user(cluster: Cluster) -> str:
    """Who the API server takes us for."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        found = cluster.request("POST", _WHO, review)
    except Refusal:
        return "this user"  # one older than 1.28 can't say
    return str(found.get("status", {}).get("userInfo", {}).get("username") or "this user")


def _refuse_absent(cluster: Cluster, names: Sequence[str], namespaces: Collection[str]) -> None:
    if names:
        raise ClusterError(
            f"cannot work at {cluster.server}: it has no CRD {', '.join(names)}; "
            f"as an administrator of the cluster: {way_out(namespaces)}"
        )


def _refuse_unfit(cluster: Cluster, standings: Mapping[str, Standing], namespaces: Collection[str]) -> None:
    """Raises for CRDs of an older program, or of nobody knows which: they take away fields that this one works with."""
    for standing, words in (
        (Standing.OLDER, "older than this program"),
        (Standing.DIFFERENT, "neither older nor newer than this program, but another"),
    ):
        if names := [name for name, found in standings.items() if found is standing]:
            raise ClusterError(
                f"cannot work at {cluster.server}: its CRD {', '.join(names)} is {words} ({__version__}); "
                f"as an administrator of the cluster, with this version of p2: {way_out(namespaces)}"
            )


def _refuse_unready(cluster: Cluster, served: Mapping[str, Json]) -> None:
    """A CRD is served a moment after it was made, and no more once it is being deleted."""
    for name, found in served.items():
        conditions = {each["type"]: each["status"] for each in found.get("status", {}).get("conditions") or ()}
        if conditions.get("Established") != "True" or found["metadata"].get("deletionTimestamp"):
            raise Unreachable(
                f"cannot work at {cluster.server} now: it does not serve {name}, which is just being made or deleted; "
                f"kubectl describe crd {name} says more"
            )


def _newer(served: Mapping[str, Json], standings: Mapping[str, Standing]) -> Iterator[str]:
    for name, standing in standings.items():
        if standing is Standing.NEWER:
            version = version_of(served[name])
            yield (
                f"the CRD {name}{f' of {version}' if version else ''} is newer than this program ({__version__}); objects with "
                "fields that only the newer one knows will be Stalled here: upgrade Pegasus2 on this machine"
            )


def _without_secrets(lacking: Iterable[Rule]) -> Iterator[str]:
    for rule in lacking:
        if rule.where is Where.SECRETS:
            yield f"may not {rule}: specs that name a Secret there can't be carried out"


def _expiring(token: str) -> Iterator[str]:
    """Of a ServiceAccount's token; others do not tell."""
    try:
        payload = token.split(".")[1]
        left = loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"] - time.time()
    except (IndexError, KeyError, TypeError, ValueError):
        return
    if left < SOON:
        yield f"the token in the kubeconfig runs out in {max(0, round(left / 3600))} hours: renew it with p2 operator kubeconfig"
