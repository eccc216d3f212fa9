"""A person with kubectl: declares files in a directory of the test's own, and reads what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.sources.kube.objects import FINALIZER, place
from resources.meta import Key
from tests.apiserver import Kubernetes, Said
from tests.stories.mode import Report, report_of
from tests.support import OperatorProcess, eventually

Json = dict[str, Any]


class Desk:
    """The things are files in `world`; each is named like its resource."""

    def __init__(self, cluster: Kubernetes, namespace: str, world: Path, operator: OperatorProcess) -> None:
        self.cluster, self.namespace, self.world, self.operator = cluster, namespace, world, operator
        self.client = cluster.client()

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Said:
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin, check=check)

    def apply(self, *documents: str, options: tuple[str, ...] = ()) -> Said:
        return self.kubectl("apply", "-f", "-", *options, stdin="\n---\n".join(documents))

    def file(self, name: str, content: str = "hello", **spec: str) -> str:
        """A document that declares `world/<name>` to have `content`."""
        more = "".join(f"\n  {field}: {value}" for field, value in spec.items())
        return (
            "apiVersion: pegasus2.dev/v1\nkind: File\n"
            f"metadata: {{name: {name}}}\n"
            f"spec:\n  path: {self.world / name}\n  content: {content}{more}\n"
        )

    def content(self, name: str) -> str | None:
        path = self.world / name
        return path.read_text() if path.exists() else None

    # -- what is there -----------------------------------------------------------------------------------------

    def place(self, name: str, sub: str = "", kind: str = "File") -> str:
        """Its path at the API server."""
        return place(Key(kind, self.namespace, name), sub)

    def find(self, name: str, kind: str = "File") -> Json | None:
        return self.client.find(self.place(name, kind=kind))

    def get(self, name: str, kind: str = "File") -> Json:
        found = self.find(name, kind)
        assert found is not None, f"there is no {kind}/{name}"
        return found

    def report(self, name: str, kind: str = "File") -> Report:
        found = self.find(name, kind)
        return report_of(found) if found else Report()

    def held(self, name: str) -> bool:
        """Whether our finalizer is on it."""
        return FINALIZER in (self.get(name)["metadata"].get("finalizers") or ())

    def owners(self, name: str) -> Mapping[tuple[str, str], Json]:
        """The fields of the object that each writer (its name, the subresource) has to itself."""
        fields = self.get(name)["metadata"]["managedFields"]
        return {(each["manager"], each.get("subresource", "")): each["fieldsV1"] for each in fields}

    # -- what is waited for ------------------------------------------------------------------------------------

    def ready(self, *names: str, kind: str = "File") -> None:
        for name in names:
            self._await(name, kind, lambda found: found.converged, "Ready")

    def because(self, name: str, reason: str, kind: str = "File") -> Report:
        """Waits until it is said not to be Ready for this reason."""
        self._await(name, kind, lambda found: found.ready == "False" and found.reason == reason, reason)
        return self.report(name, kind)

    def gone(self, *names: str, kind: str = "File") -> None:
        for name in names:
            eventually(lambda name=name: self.find(name, kind) is None, f"{kind}/{name} is gone: {self.report(name)}")  # type: ignore[misc]

    def _await(self, name: str, kind: str, wanted: Any, what: str) -> None:
        try:
            eventually(lambda: wanted(self.report(name, kind)), f"{kind}/{name} is {what}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.report(name, kind)}\n{self.operator.log[-3000:]}") from None

    def close(self) -> None:
        self.client.close()
