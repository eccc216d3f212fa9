"""The engine over a cluster: what `p2 operator` runs. The loop, agents and home of files mode; only the source is another.

with Operator.open(cluster, Placement("atlas", default=True), settings, listeners) as operator:
    operator.run(stop)
"""

from __future__ import annotations

import hashlib
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag

from controller.engine.agent import Context
from controller.engine.board import Board
from controller.engine.clock import Clock
from controller.engine.index import Index
from controller.engine.parts import AgentOf, Identity, Parts
from controller.sources.catalogue import Catalogue
from controller.sources.cluster import Cluster, ClusterError
from controller.sources.definitions import Definitions
from controller.sources.kube import KubeSource
from controller.sources.kube_secrets import KubeSecrets
from controller.sources.objects import Object
from controller.sources.publishing import Publisher
from controller.store.home import Home
from controller.store.stores import OpenStores, open_stores
from controller.wiring.agents import Agents
from controller.wiring.listeners import Listeners
from controller.wiring.opened import Opened
from controller.wiring.past import Generations, Recall
from controller.wiring.recovery import rebuild
from controller.wiring.settings import Settings
from controller.wiring.workspace import setup_of
from resources.meta import Key

SCHEME = "kubernetes:"  # what the name of a source that is a cluster begins with
_WHOLE = "/api/v1/namespaces/kube-system"  # lives as long as its cluster, so its UID names that


@dataclass(frozen=True, slots=True)
class Placement:
    """Which objects are for here."""

    node: str
    default: bool = False  # those that name no node, too
    namespaces: tuple[str, ...] = ()  # all if empty

    def takes(self, found: Object) -> bool:
        return found.node == self.node or (not found.node and self.default)


def source_name(cluster: Cluster) -> str:
    """What a cluster is called in the inventory. Raises ClusterError."""
    body = cluster.find(_WHOLE)
    uid = (body or {}).get("metadata", {}).get("uid")
    if not uid:
        raise ClusterError(f"cannot tell which cluster {cluster.server} is: it has no namespace kube-system")
    return f"{SCHEME}{uid}"


def installation_of(source: str, node: str) -> str:
    """The id in the marks of a machine of a cluster: the same again, should its home be lost."""
    return hashlib.blake2b(f"{source} {node}".encode(), digest_size=8).hexdigest()


class Operator(Opened):
    """The objects of one cluster, opened for being worked on by this machine."""

    def __init__(
        self,
        parts: Parts,
        source: KubeSource,
        home: Home,
        publisher: Publisher,
        closing: ExitStack,
        news: tuple[str, ...],
    ) -> None:
        super().__init__(parts, source, home, closing)
        self._source = source
        self._publisher = publisher
        self.news = news  # what was put right when it was opened, for the user

    @classmethod
    def open(cls, cluster: Cluster, placement: Placement, settings: Settings, listeners: Listeners) -> Operator:
        """Raises HomeError (controller/store/errors.py) and ClusterError."""
        name = source_name(cluster)
        home = Home(settings.home, settings.agents_config)
        closing = ExitStack()
        try:
            closing.enter_context(home.lock())
            derived = installation_of(name, placement.node)
            stores = closing.enter_context(open_stores(home, settings.journal, examined=True, derived=derived))
            stores.audit.recover(time.time())
            stores.history.interrupt()
            catalogue = Catalogue()

            def owns(key: Key) -> bool:
                record = stores.inventory.find(key)
                return record is not None and record.source == name

            publisher = Publisher(cluster, catalogue, placement.node, stores.statuses.find, owns)
            closing.enter_context(listeners.joined(publisher))
            source = KubeSource(
                cluster,
                name,
                catalogue,
                placement.takes,
                owns,
                publisher.changed,
                placement.namespaces,
                named=lambda: source_name(cluster),
                leaving=Definitions(cluster).leaving,
            )
            setup = setup_of(home, settings)
            secrets = KubeSecrets(cluster, setup.secrets)
            agents = Agents(replace(setup, secrets=secrets), home, {})
            parts = _parts(home, stores, name, listeners, agents.find, secrets)
            rebuilt = rebuild(stores, parts, agents)
            news = tuple(each for each in (stores.news, rebuilt.news) if each)
            return cls(parts, source, home, publisher, closing, news)
        except BaseException:
            closing.close()
            raise

    def run(self, stop: Flag) -> None:
        self._publisher.start()
        try:
            super().run(stop)
        finally:
            self._publisher.close()

    def died(self) -> str:
        watching = self._source.watching
        own = "kube-watch" if watching and not watching.alive else ""
        return ", ".join(part for part in (super().died(), own) if part)

    def source_trouble(self) -> str:
        return super().source_trouble() or self._source.trouble or self._publisher.trouble


def _parts(
    home: Home, stores: OpenStores, source: str, listeners: Listeners, agent_of: AgentOf, secrets: KubeSecrets
) -> Parts:
    clock = Clock()
    return Parts(
        index=Index(Generations(stores), Recall(stores, source)),
        agent_of=agent_of,
        stores=stores,
        board=Board(stores.statuses, stores.events, listeners, clock),
        listener=listeners,
        clock=clock,
        context=Context(secrets, listeners.progressed),
        # Whether another cluster is still there nobody here can know; taking over what it had takes a confirmation.
        identity=Identity(home.installation, source, source_exists=lambda name: Path(name).exists()),
    )
