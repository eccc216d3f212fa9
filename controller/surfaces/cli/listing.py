"""What `get` and `describe` know of each resource: what is declared, what is owned, and how it is doing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from controller.surfaces.cli.words import moment
from resources.conditions import Condition, Reason, Status, Truth, Type
from resources.meta import API_VERSION, Key

if TYPE_CHECKING:
    from controller.engine.stores import Record
    from controller.sources.kube.objects import Object
    from controller.surfaces.cli.keys import Selection
    from controller.wiring.workspace import Workspace
    from resources.meta import Declared


@dataclass(frozen=True, slots=True)
class Listed:
    """One resource. At least one of `declared`, `record`, `status` and `found` is there."""

    key: Key
    declared: Declared | None
    record: Record | None
    status: Status | None
    generation: int  # of the declaration; 0 when there is none
    suspended: bool = False  # with p2 suspend, beside the files
    found: Object | None = None  # as a cluster has it
    node: str = ""  # in a cluster: the machine that it is on, or is to be

    @property
    def ready(self) -> str:
        """True, False or Unknown: as the last pass found it."""
        found = self.status.condition(Type.READY) if self.status and not self.edited else None
        return found.status if found else "Unknown"

    @property
    def edited(self) -> bool:
        """Whether the declaration is newer than the last pass."""
        status = self.status
        if self.declared is None and self.found is None:
            return False
        if status is None or status.generation < self.generation:
            return True
        return self.declared is not None and status.digest not in ("", self.declared.digest)

    @property
    def reason(self) -> str:
        if self.suspended:
            return Reason.SUSPENDED
        if self.edited or self.status is None:
            return Reason.PENDING
        return self.status.reason

    @property
    def message(self) -> str:
        if self.edited:
            return "edited, not applied yet" if self.status else "not applied yet"
        return self.status.message if self.status else ""

    @property
    def since(self) -> float:
        found = self.status.condition(Type.READY) if self.status else None
        return found.since if found else 0.0

    @property
    def handle(self) -> str:
        return (self.status.handle if self.status else "") or (self.record.handle if self.record else "")

    @property
    def file(self) -> str:
        if self.found:
            return self.found.file
        if self.declared:
            return self.declared.origin.file
        return self.record.file if self.record else ""

    def looks_like(self, other: Listed | None) -> bool:
        """Whether a list shows nothing new; the time of the last look is none."""
        if other is None:
            return False
        return self._shown() == other._shown()

    def _shown(self) -> tuple[object, ...]:
        return self.ready, self.reason, self.message, self.generation, self.handle, self.file, self.node

    def manifest(self) -> dict[str, Any]:
        """The resource as its file or the cluster has it, or as it was applied last; only what was written."""
        if self.found:
            from controller.sources.kube.objects import manifest

            return _readable(manifest(self.found))
        if self.declared:
            return self.declared.resource.model_dump(mode="json", exclude_unset=True)
        if self.record and self.record.applied:
            found: dict[str, Any] = json.loads(self.record.applied)
            return found
        metadata = {"name": self.key.name, "namespace": self.key.namespace}
        return {"apiVersion": API_VERSION, "kind": self.key.kind, "metadata": metadata}

    def document(self) -> dict[str, Any]:
        """The manifest with its status, in the shape of a Kubernetes object."""
        manifest = self.manifest()
        if self.generation:
            manifest["metadata"] = manifest["metadata"] | {"generation": self.generation}
        return manifest | {"status": self._status_document()}

    def _status_document(self) -> dict[str, Any]:
        from controller.surfaces.cli.plan_file import changes_document

        status = self.status or Status(0, 0)
        return {
            "observedGeneration": status.observed_generation,
            "conditions": [
                {
                    "type": c.type,
                    "status": c.status,
                    "reason": c.reason,
                    "message": c.message,
                    "observedGeneration": c.observed_generation,
                    "lastTransitionTime": moment(c.since),
                }
                for c in status.conditions
            ],
            "drift": changes_document(status.drift),
            "declared": bool(self.declared or self.found),
            "suspended": self.suspended,
            "handle": self.handle,
            "file": self.file,
            "observedAt": moment(status.at),
            **({"node": self.node} if self.found else {}),
        }


_COPY = "kubectl.kubernetes.io/last-applied-configuration"
_GONE = Status(0, 0, (Condition(Type.READY, Truth.FALSE, "Gone", "neither declared nor owned any more", 0, 0.0),))


def _readable(found: dict[str, Any]) -> dict[str, Any]:
    """Without the copy of itself that kubectl keeps in an annotation."""
    metadata = dict(found["metadata"])
    notes = {name: text for name, text in (metadata.pop("annotations", None) or {}).items() if name != _COPY}
    return found | {"metadata": metadata | ({"annotations": notes} if notes else {})}


def listed(workspace: Workspace, selection: Selection) -> list[Listed]:
    """All resources that are declared, owned or reported on, as far as `selection` has them, sorted by key."""
    stores, declared = workspace.stores, workspace.declared()
    statuses, suspended = stores.statuses.all(), stores.overrides.suspended()
    records = {key: record for source in stores.inventory.sources() for key, record in _records(workspace, source)}
    keys = sorted(key for key in {*declared, *statuses, *records} if key in selection)
    return [
        Listed(key, declared.get(key), records.get(key), statuses.get(key), workspace.generation(key), key in suspended)
        for key in keys
    ]


def gone(each: Listed) -> Listed:
    """How a watch shows what is neither declared nor owned any more."""
    return Listed(each.key, None, None, replace(_GONE, handle=each.handle), 0)


def _records(workspace: Workspace, source: str) -> list[tuple[Key, Record]]:
    return list(workspace.stores.inventory.records(source).items())
