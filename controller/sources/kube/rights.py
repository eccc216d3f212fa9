"""What an operator may do at the API server, and not one thing more. The only list of it: the manifest grants it, and `missing`
asks the API server whether it was granted. `preflight.py` and the manifest of `p2 operator` call it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum

from controller.sources.kube.cluster import Cluster, Json
from controller.sources.kube.leases import NAMESPACE
from controller.sources.kube.objects import GROUP
from resources import kinds

SYSTEM_NAMESPACE = NAMESPACE  # of the account, too
ACCOUNT = "pegasus2-operator"  # the ServiceAccount, and the names of the roles that it is given
MACHINES = "machines"

_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_ONCE = 8  # questions: there are dozens, each takes as long as the way there and back


class Where(StrEnum):
    """Where a rule holds."""

    CLUSTER = "cluster"  # things that are in no namespace
    OBJECTS = "objects"  # in the namespaces whose objects the operator takes: all, unless they are named
    SECRETS = "secrets"  # likewise; can be granted for fewer, as docs/k3s.md explains
    SYSTEM = "system"  # in our own namespace


@dataclass(frozen=True, slots=True)
class Rule:
    """Some verbs on some resources, as RBAC has them. `why` is for the manifest and the documentation."""

    where: Where
    group: str  # empty: the core
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()  # of the objects that it is for; empty: all
    namespace: str = ""  # that it is for, or was found missing in; empty: the whole cluster

    def __str__(self) -> str:
        """As the API server and `kubectl auth can-i` write it: `get, patch files.pegasus2.dev/status in namespace shop`."""
        named = [_qualified(each, self.group) for each in self.resources]
        which = f" {', '.join(self.names)}" if self.names else ""
        place = f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"
        return f"{', '.join(self.verbs)} {', '.join(named)}{which} {place}"

    def role(self) -> Json:
        """The rule of a Role or ClusterRole."""
        made: Json = {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}
        return made | ({"resourceNames": list(self.names)} if self.names else {})


def rules() -> Sequence[Rule]:
    """All that an operator of this program does, with every kind that is installed here."""
    plurals = tuple(sorted(model.about.plural for name in kinds.names() if (model := kinds.model_of(name))))
    definitions = tuple(f"{plural}.{GROUP}" for plural in sorted((*plurals, MACHINES)))
    statuses = tuple(f"{plural}/status" for plural in plurals)
    return (
        Rule(Where.OBJECTS, GROUP, plurals, ("get", "list", "watch", "patch"), "the objects, and their finalizer"),
        Rule(Where.OBJECTS, GROUP, statuses, ("patch",), "how they are"),
        Rule(Where.OBJECTS, "", ("events",), ("create", "patch"), "what happened to them"),
        Rule(Where.SECRETS, "", ("secrets",), ("get",), "the secrets that specs name, each read when it is needed"),
        Rule(Where.CLUSTER, GROUP, (MACHINES,), ("get", "create"), "the machines"),
        Rule(Where.CLUSTER, GROUP, (f"{MACHINES}/status",), ("patch",), "how they are"),
        Rule(Where.CLUSTER, "", ("namespaces",), ("get",), "its UID tells clusters apart", ("kube-system",)),
        Rule(
            Where.CLUSTER,
            "apiextensions.k8s.io",
            ("customresourcedefinitions",),
            ("get",),
            "whether they are those of this program",
            definitions,
        ),
        Rule(
            Where.SYSTEM,
            "coordination.k8s.io",
            ("leases",),
            ("get", "list", "create", "patch"),
            "a sign of life of each machine",
            namespace=SYSTEM_NAMESPACE,
        ),
    )


def rules_of(where: Where) -> Sequence[Rule]:
    """Those that hold there."""
    return tuple(rule for rule in rules() if rule.where is where)


def missing(cluster: Cluster, namespaces: Collection[str] = ()) -> Sequence[Rule]:
    """What of `rules()` was not granted to whom `cluster` is logged in as, each cut down to what is lacking, where it is.

    `namespaces` are those whose objects are taken; none means all. Raises ClusterError.
    """
    asked = [question for rule in rules() for question in _questions(rule, namespaces)]
    with ThreadPoolExecutor(_AT_ONCE, "rights") as pool:
        allowed = list(pool.map(lambda question: _allowed(cluster, question), asked))
    return _joined([question for question, granted in zip(asked, allowed, strict=True) if not granted])


def _questions(rule: Rule, namespaces: Collection[str]) -> Iterator[Rule]:
    """The rule as single questions: one verb, one resource, one name, one place."""
    match rule.where:
        case Where.CLUSTER:
            places: Collection[str] = ("",)
        case Where.OBJECTS | Where.SECRETS:
            places = sorted(namespaces) or ("",)
        case Where.SYSTEM:
            places = (rule.namespace,)
    for place in places:
        for resource in rule.resources:
            for verb in rule.verbs:
                for name in rule.names or ("",):
                    names = (name,) if name else ()
                    yield replace(rule, resources=(resource,), verbs=(verb,), names=names, namespace=place)


def _allowed(cluster: Cluster, question: Rule) -> bool:
    """https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access"""
    resource, _, subresource = question.resources[0].partition("/")
    attributes = {
        "group": question.group,
        "resource": resource,
        "subresource": subresource,
        "verb": question.verbs[0],
        "name": question.names[0] if question.names else "",
        "namespace": question.namespace,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {name: value for name, value in attributes.items() if value}},
    }
    return bool(cluster.request("POST", _REVIEW, review).get("status", {}).get("allowed"))


def _joined(lacking: Iterable[Rule]) -> Sequence[Rule]:
    """Single answers put together again: the names of one resource, then its verbs, then the resources that lack the same."""
    by_name, by_verb, by_resource = (defaultdict[Rule, tuple[str, ...]](tuple) for _ in range(3))
    for each in lacking:
        by_name[replace(each, names=())] += each.names
    for each, names in by_name.items():
        by_verb[replace(each, names=names, verbs=())] += each.verbs
    for each, verbs in by_verb.items():
        by_resource[replace(each, verbs=verbs, resources=())] += each.resources
    return tuple(replace(each, resources=resources) for each, resources in by_resource.items())


def _qualified(resource: str, group: str) -> str:
    """`files.pegasus2.dev/status`."""
    plural, slash, sub = resource.partition("/")
    return f"{plural}{f'.{group}' if group else ''}{slash}{sub}"
