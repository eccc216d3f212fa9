"""The objects of a cluster, opened for a look: what the operator of a node would do about them. `p2 diff --context` opens one.

with Reading.open(cluster, settings, "atlas") as reading:
    problems = reading.load()
    preview = reading.preview()

No part of it can write: agents get clients that refuse, the database is opened for reading, and the cluster is only listed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from controller.engine.parts import Parts
from controller.engine.prune import Pruning
from controller.engine.stores import Inventory, Silent
from controller.sources.kube import leases
from controller.sources.kube.catalogue import Catalogue
from controller.sources.kube.cluster import Cluster, Forbidden, Missing, Refusal
from controller.sources.kube.leases import Standing
from controller.sources.kube.listed import not_allowed
from controller.sources.kube.objects import Object
from controller.sources.kube.secrets import KubeSecrets
from controller.sources.kube.source import KubeSource
from controller.store.home import Home
from controller.store.stores import open_stores
from controller.wiring.agents import Agents
from controller.wiring.opened import Opened
from controller.wiring.operator import Placement, installation_of, owned, parts_made, parts_of, source_name
from controller.wiring.outcome import Preview
from controller.wiring.preview import preview_of
from controller.wiring.settings import Settings
from controller.wiring.workspace import setup_of
from resources.meta import Key, Problem


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Implements `sources.kube.source.Post` for who takes what one node's operator takes, and only looks at it."""

    name: str
    placement: Placement
    inventory: Inventory
    others: dict[Key, str] = field(default_factory=dict)  # what is another node's, with its name

    def takes(self, found: Object) -> bool:
        return self.placement.takes(found, owned=self.owns(found.key))

    def owns(self, key: Key) -> bool:
        return owned(self.inventory, self.name, key)

    def parts(self, key: Key) -> Mapping[Key, bool]:
        return parts_made(self.inventory, self.name, key)

    def changed(self, keys: Iterable[Key]) -> None: ...

    def elsewhere(self, found: Object) -> None:
        if not found.deleting:
            self.others[found.key] = found.node

    def left(self) -> Iterable[Key]:
        return ()

    def leaving(self, found: Object, at: float) -> bool:
        return False

    def keeps(self, key: Key) -> bool:
        record = self.inventory.find(key)
        return record is not None and record.retain

    def cluster_now(self) -> str:
        return self.name


class Reading(Opened):
    """What one node's operator takes of a cluster, as it is now."""

    def __init__(
        self, parts: Parts, source: KubeSource, home: Home, others: Mapping[Key, str], closing: ExitStack
    ) -> None:
        super().__init__(parts, source, home, closing)
        self._source = source
        self._others = others

    @classmethod
    def open(cls, cluster: Cluster, settings: Settings, node: str = "") -> Reading:
        """As the operator of `node` would, of this machine if empty. Raises HomeError and ClusterError."""
        node = node or settings.node
        name = _name_of(cluster)
        placement = Placement(node, _is_default(cluster, node))
        home = Home(settings.home, settings.agents_config, read_only=True)
        closing = ExitStack()
        try:
            stores = closing.enter_context(open_stores(home, settings.journal))
            if not home.database.exists():
                home.installation = installation_of(name, node)
            onlooker = Onlooker(name, placement, stores.inventory)
            source = KubeSource(cluster, name, Catalogue(), onlooker)
            setup = setup_of(home, settings)
            secrets = KubeSecrets(cluster, setup.secrets)
            agents = Agents(replace(setup, secrets=secrets), home, {})
            parts = parts_of(home, stores, name, placement, Silent(), agents.find, secrets)
            return cls(parts, source, home, onlooker.others, closing)
        except BaseException:
            closing.close()
            raise

    @property
    def source_name(self) -> str:
        """What the cluster is called in the inventory."""
        return self._source.name

    def load(self) -> tuple[Problem, ...]:
        """Lists the cluster. Returns what is wrong with the objects that are for this node. Raises ClusterError."""
        try:
            revision = self._source.read()
        except Forbidden as error:
            raise not_allowed(error) from error
        edits = self.parts.index.take(revision)
        self.manager.pruner.note(edits, revision.orders, keep=False)
        return tuple(self.parts.index.problems())

    def elsewhere(self) -> Sequence[tuple[Key, str]]:
        return list(self._others.items())

    def preview(self, only: Collection[Key] | None = None, *, prune: bool = True) -> Preview:
        """Looks at the world and plans. Changes nothing. With `only`: those keys and no pruning."""
        whole = prune and only is None
        pruning = self.manager.pruner.decide()[0] if whole else Pruning(frozenset(), ())
        self.manager.reconciler.prune(pruning)
        keys = self.entries().keys() if only is None else only
        return preview_of(self.parts, self.manager.reconciler, keys, pruning)[0]


def _name_of(cluster: Cluster) -> str:
    try:
        return source_name(cluster)
    except Forbidden as error:
        raise not_allowed(error, "namespaces", "") from error


def _is_default(cluster: Cluster, node: str) -> bool:
    """Whether what names no node is this one's: so say the leases, or nobody says that it is another's."""
    try:
        found = leases.read_leases(cluster.list(leases.collection(), leases.SELECTED))
    except (Missing, Refusal):
        return True
    defaults = Standing(found, {}, 0.0).defaults
    return node in defaults or not defaults
