"""Where desired state comes from, in words that files and Kubernetes have in common: the stories know nothing else.

A `Mode` has a running program behind it that many stories share, as a machine's does; each story's resources have names of
their own.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from controller.sources.objects import place
from resources.conditions import Reason
from resources.meta import API_VERSION, Resource
from tests.apiserver import Kubernetes
from tests.cli.story import Shown, Story
from tests.support import Background, Controller, OperatorProcess, eventually

RESIDENT = "resident"  # a resource that is always there, so that no story leaves the source empty


@dataclass(frozen=True)
class Report:
    """What is said of a resource. Empty where nothing is said."""

    ready: str = ""
    reason: str = ""
    message: str = ""
    stalled: bool = False
    current: bool = False  # about the newest spec
    drift: tuple[str, ...] = ()  # paths of the fields that differ
    handle: str = ""
    declared: bool = True

    @property
    def converged(self) -> bool:
        return self.current and self.ready == "True"


def report_of(document: Mapping[str, Any]) -> Report:
    """Of an object as `kubectl get -o json` and `p2 get -o json` print it."""
    status = document.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    ready = conditions.get("Ready", {})
    return Report(
        ready=ready.get("status", ""),
        reason=ready.get("reason", ""),
        message=ready.get("message", ""),
        stalled=conditions.get("Stalled", {}).get("status") == "True",
        current=status.get("observedGeneration") == document["metadata"].get("generation"),
        drift=tuple(each["path"] for each in status.get("drift") or ()),
        handle=status.get("handle", ""),
        declared=status.get("declared", True),
    )


def document(resource: Resource) -> dict[str, Any]:
    """The resource as its owner writes it: without what a mode adds."""
    found: dict[str, Any] = resource.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    found = {"apiVersion": API_VERSION, "kind": resource.kind, **found}
    found["metadata"].pop("namespace", None)
    return found


class Mode(ABC):
    """One way to tell the program what is desired."""

    name: ClassVar[str]
    program: Background
    home: Path  # the program's
    root: Path  # where its user stands
    afterwards: ExitStack  # what is to be done when the program has ended

    def p2(self, *arguments: str) -> Shown:
        """A command of the user's, in the home of the running program."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PEGASUS2_HOME", str(self.home))
            patch.chdir(self.root)
            return Story(self.root).p2(*arguments)

    def here(self, resource: Resource) -> Resource:
        """The resource with the key, and so the name in the world, that it has in this mode."""
        return resource

    @abstractmethod
    def declare(self, *resources: Resource) -> None:
        """Has these be desired as they are here, whether they were before or not."""

    @abstractmethod
    def withdraw(self, *resources: Resource) -> None:
        """Has these be desired no more, all at once. Returns before anything comes of it."""

    @abstractmethod
    def report(self, resource: Resource) -> Report:
        """What is said of it now."""

    @abstractmethod
    def forgotten(self, resource: Resource) -> bool:
        """Whether what was withdrawn has been dealt with, its thing deleted or left."""

    def happened(self, resource: Resource) -> Mapping[str, int]:
        """Reasons of the events about it, with how often each has come."""
        shown = self.p2("events", str(self.here(resource).key), "-o", "json", "-n", "10000")
        assert shown.code == 0, shown.err
        counts: dict[str, int] = {}
        for each in map(json.loads, shown.out.splitlines()):
            counts[each["reason"]] = counts.get(each["reason"], 0) + each["count"]
        return counts

    def restart(self) -> None:
        """Ends the program as a service manager does, and starts it again."""
        assert self.program.end() == 0, self.program.log
        self.program.start()

    def confirm(self, resource: Resource) -> None:
        """Allows a replacement that loses data. Nothing to allow any more is as good."""
        shown = self.p2("confirm", resource.key.short)
        assert shown.code == 0 or "nothing about it is held back" in shown.err, shown.err

    def settle(self, *resources: Resource) -> None:
        """Waits until these are as they are declared, allowing what a person has to allow."""
        for resource in resources:
            eventually(lambda resource=resource: self.settled(resource), f"{resource.key} is Ready")  # type: ignore[misc]

    def settled(self, resource: Resource) -> bool:
        """Whether it is as declared; what a person has to allow for that is allowed."""
        found = self.report(resource)
        if found.current and found.reason == Reason.IMMUTABLE:
            self.confirm(resource)
        return found.converged

    def stuck(self, resource: Resource, reason: str) -> Report:
        """Waits until it is said to be not Ready for this reason."""
        eventually(
            lambda: (found := self.report(resource)).current and found.ready == "False" and found.reason == reason,
            f"{resource.key} is not Ready for {reason}: {self.report(resource)}",
        )
        return self.report(resource)


class FilesMode(Mode):
    """A directory of YAML and `p2 run`. One file a resource."""

    name = "files"

    def __init__(self, root: Path) -> None:
        self.home, self.root = root / "home", root / "machine"
        story = Story(self.root)
        story.world.mkdir(parents=True)
        story.write(f"{RESIDENT}.yaml", story.file(RESIDENT))
        self.program = Controller(story, {"PEGASUS2_HOME": str(self.home)})

    def declare(self, *resources: Resource) -> None:
        for resource in resources:
            text = yaml.safe_dump(document(resource), sort_keys=False)
            # Written beside and moved, as editors and git do.
            aside = self.root / "aside"
            aside.write_text(text)
            aside.replace(self._file(resource))

    def withdraw(self, *resources: Resource) -> None:
        for resource in resources:
            self._file(resource).unlink(missing_ok=True)

    def report(self, resource: Resource) -> Report:
        found = self._found(resource)
        return report_of(found) if found else Report()

    def forgotten(self, resource: Resource) -> bool:
        found = self.report(resource)
        return not found.reason or (not found.declared and found.reason == Reason.RETAINED)

    def _file(self, resource: Resource) -> Path:
        return self.root / "state" / f"{resource.kind}-{resource.metadata.name}.yaml".lower()

    def _found(self, resource: Resource) -> dict[str, Any] | None:
        shown = self.p2("get", f"{resource.kind}/{resource.metadata.name}", "-o", "json")
        if shown.code != 0:
            return None
        found: dict[str, Any] = json.loads(shown.out)
        return found


class KubeMode(Mode):
    """kubectl and `p2 operator`, in a namespace of its own."""

    name = "kube"

    def __init__(self, root: Path, cluster: Kubernetes, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._client = cluster.client()
        options = ("--default", "--namespace", namespace)
        self.program = OperatorProcess(root, cluster.kubeconfig, f"node-{namespace}", *options)
        self.home, self.root = self.program.home, root

    def here(self, resource: Resource) -> Resource:
        moved = resource.metadata.model_copy(update={"namespace": self._namespace})
        return resource.model_copy(update={"metadata": moved})

    def declare(self, *resources: Resource) -> None:
        text = yaml.safe_dump_all([document(each) for each in resources], sort_keys=False)
        self._cluster.apply(text, namespace=self._namespace)

    def withdraw(self, *resources: Resource) -> None:
        if names := [f"{each.kind}.v1.pegasus2.dev/{each.metadata.name}".lower() for each in resources]:
            self._cluster.kubectl("delete", "-n", self._namespace, "--wait=false", "--ignore-not-found", *names)

    def report(self, resource: Resource) -> Report:
        found = self.found(resource)
        return report_of(found) if found else Report()

    def forgotten(self, resource: Resource) -> bool:
        return self.found(resource) is None

    def found(self, resource: Resource) -> dict[str, Any] | None:
        """The object."""
        return self._client.find(place(self.here(resource).key))

    def close(self) -> None:
        self._client.close()
