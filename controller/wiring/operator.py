"""The engine over a cluster: what `p2 operator` runs. The loop, agents and home of files mode; only the source is another.

with Operator.open(cluster, Placement("atlas", default=True), settings, listeners) as operator:
    operator.run(stop)
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag

from controller.engine.agent import Context
from controller.engine.board import Board
from controller.engine.clock import Clock
from controller.engine.groups import with_groups
from controller.engine.index import Index
from controller.engine.parts import AgentOf, Identity, Parts
from controller.engine.stores import Inventory, Listener
from controller.sources.kube.catalogue import Catalogue
from controller.sources.kube.cluster import Cluster, ClusterError
from controller.sources.kube.leaving import Leaving
from controller.sources.kube.machines import Reports
from controller.sources.kube.nodes import Nodes
from controller.sources.kube.objects import Object
from controller.sources.kube.publishing import Publisher
from controller.sources.kube.secrets import KubeSecrets
from controller.sources.kube.source import KubeSource
from controller.store.database import Database
from controller.store.home import Home
from controller.store.stores import OpenStores, open_stores
from controller.wiring.agents import Agents
from controller.wiring.listeners import Listeners
from controller.wiring.opened import Opened
from controller.wiring.past import Generations, Recall
from controller.wiring.recovery import rebuild
from controller.wiring.reports import brake, health, tally
from controller.wiring.settings import Settings
from controller.wiring.workspace import setup_of
from resources.kinds import model_of
from resources.meta import Key

log = logging.getLogger(__name__)

SCHEME = "kubernetes:"  # what the name of a source that is a cluster begins with
NODE = "node"  # in the table `meta`
_WHOLE = "/api/v1/namespaces/kube-system"  # lives as long as its cluster, so its UID names that


@dataclass(frozen=True, slots=True)
class Placement:
    """Which objects are for here."""

    node: str
    default: bool = False  # those that name no node, too
    namespaces: tuple[str, ...] = ()  # all if empty

    def takes(self, found: Object, *, owned: bool) -> bool:
        """What names no node, and was made here, stays here until the operator of another node has taken it.

        So an operator that is started without --default by mistake removes nothing.
        """
        if found.node:
            return found.node == self.node
        return self.default or (owned and found.worker in ("", self.node))

    def covers(self, key: Key) -> bool:
        """Whether its object would be seen here."""
        return not self.namespaces or key.namespace in self.namespaces


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


class NodeKept:
    """Which node this home worked as last. What was made as one is no other's to remove, whatever the objects say."""

    def __init__(self, database: Database, node: str) -> None:
        self._database, self._node = database, node
        self._before = database.meta(NODE)
        self.another = self._before not in ("", node)
        if self.another:
            log.warning(
                "this home was another node before: what was made as that one stays, until its objects name this one",
                extra={"node": node, "before": self._before},
            )

    def keep(self) -> None:
        """What is to stay because of the name is written down with each record by now. Raises DatabaseError."""
        if self._before != self._node:
            self._database.keep_meta(NODE, self._node)
        self._before, self.another = self._node, False


@dataclass(frozen=True, slots=True)
class Post:
    """Implements `sources.kube.source.Post` for one operator."""

    cluster: Cluster
    name: str  # of the cluster, as a source
    placement: Placement
    inventory: Inventory
    publisher: Publisher
    nodes: Nodes
    definitions: Leaving
    node: NodeKept

    def takes(self, found: Object) -> bool:
        return self.placement.takes(found, owned=self.owns(found.key))

    def owns(self, key: Key) -> bool:
        return owned(self.inventory, self.name, key)

    def parts(self, key: Key) -> Mapping[Key, bool]:
        return parts_made(self.inventory, self.name, key)

    def changed(self, keys: Iterable[Key]) -> None:
        self.publisher.changed(keys)
        self.node.keep()

    def elsewhere(self, found: Object) -> None:
        self.nodes.notice(found)

    def left(self) -> Iterable[Key]:
        return self.nodes.left()

    def leaving(self, found: Object, at: float) -> bool:
        return self.definitions.leaving(found, at)

    def keeps(self, key: Key) -> bool:
        record = self.inventory.find(key)
        return record is not None and (record.retain or self.node.another)

    def cluster_now(self) -> str:
        return source_name(self.cluster)


class Operator(Opened):
    """The objects of one cluster, opened for being worked on by this machine."""

    def __init__(
        self, parts: Parts, source: KubeSource, home: Home, post: Post, closing: ExitStack, news: tuple[str, ...]
    ) -> None:
        super().__init__(parts, source, home, closing)
        self._source = source
        self._post = post
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
            setup = setup_of(home, settings)
            secrets = KubeSecrets(cluster, setup.secrets)
            agents = Agents(replace(setup, secrets=secrets), home, {})
            parts = parts_of(home, stores, name, placement, listeners, agents.find, secrets)
            post, source = _posted(cluster, placement, home, parts, stores)
            closing.enter_context(listeners.joined(post.publisher))
            rebuilt = rebuild(stores, parts, agents)
            news = tuple(each for each in (stores.news, rebuilt.news) if each)
            return cls(parts, source, home, post, closing, news)
        except BaseException:
            closing.close()
            raise

    def run(self, stop: Flag) -> None:
        """As `Opened.run`, while the node is ours. Raises ClusterError when we may not have it, or another operator has it."""
        holders: list[str] = []

        def end(holder: str) -> None:
            holders.append(holder)
            stop.set()

        post = self._post
        if not post.nodes.join(stop):
            return
        where = {"node": post.placement.node, "server": post.cluster.server}
        log.info("watching the cluster; Ctrl-C stops", extra=where)
        with post.nodes.kept(end, self.begun):
            post.publisher.start()
            try:
                super().run(stop)
            finally:
                post.publisher.close()
        if holders:
            raise ClusterError(
                f"cannot go on: another operator has this node now ({holders[0]}); end one of the two, "
                "or give one another name with --node"
            )

    def died(self) -> str:
        watching, found = self._source.watching, [super().died()]
        if watching:  # before that, not all has begun
            found += ["kube-watch"] if not watching.alive else []
            found += ["publisher"] if not self._post.publisher.alive else []
        return ", ".join(part for part in found if part)

    def source_trouble(self) -> str:
        return super().source_trouble() or self._source.trouble or self._post.publisher.trouble


def parts_made(inventory: Inventory, source: str, key: Key) -> Mapping[Key, bool]:
    """What was made of all that `key` stands for, and whether each is retained."""
    model = model_of(key.kind)
    records = inventory.records(source) if model and model.expands else {}
    return {part: record.retain for part, record in records.items() if record.owner == key}


def owned(inventory: Inventory, source: str, key: Key) -> bool:
    """Whether anything was made of a key for this source."""
    record = inventory.find(key)
    return record is not None and record.source == source


def _posted(
    cluster: Cluster, placement: Placement, home: Home, parts: Parts, stores: OpenStores
) -> tuple[Post, KubeSource]:
    """The operator's place in the cluster, and what it hears of there."""
    name, catalogue = parts.identity.source, Catalogue()
    publisher = Publisher(
        cluster, catalogue, placement.node, stores.statuses.find, lambda key: owned(stores.inventory, name, key)
    )
    nodes = Nodes(
        cluster,
        placement.node,
        home.path,
        Reports(lambda: health(parts), lambda: tally(stores), lambda: brake(stores)),
        default=placement.default,
        namespaces=placement.namespaces,
    )
    kept = NodeKept(stores.database, placement.node)
    post = Post(cluster, name, placement, stores.inventory, publisher, nodes, Leaving(cluster), kept)
    return post, KubeSource(cluster, name, catalogue, post, placement.namespaces)


def parts_of(
    home: Home,
    stores: OpenStores,
    source: str,
    placement: Placement,
    listener: Listener,
    agent_of: AgentOf,
    secrets: KubeSecrets,
) -> Parts:
    """What a loop over the cluster that is called `source` works with."""
    clock = Clock()
    index = Index(Generations(stores), Recall(stores, source))
    board = Board(stores.statuses, stores.events, listener, clock)
    return Parts(
        index=index,
        agent_of=with_groups(agent_of, index, board, home.installation),
        stores=stores,
        board=board,
        listener=listener,
        clock=clock,
        context=Context(secrets, listener.progressed),
        # Whether another cluster is still there nobody here can know; taking over what it had takes a confirmation.
        identity=Identity(
            home.installation, source, source_exists=lambda name: Path(name).exists(), covers=placement.covers
        ),
    )
