"""A source opened for a command: all that a surface can ask for.

    with Workspace.open(Path("state"), Settings.from_environment(), read_only=True) as workspace:
        problems = workspace.load()
        preview = workspace.preview()

Opened read-only, no part of it can write: agents get clients that refuse, the database is opened for reading.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from threading import Event as Flag
from typing import Any

from controller.engine.agent import Context, Setup
from controller.engine.board import Board
from controller.engine.clock import Clock
from controller.engine.errand import Errand
from controller.engine.groups import with_groups
from controller.engine.index import Index
from controller.engine.manager import Manager
from controller.engine.parts import AgentOf, Identity, Parts
from controller.engine.passes import Pass, Verdict
from controller.engine.prune import Pruning
from controller.engine.requests import Request, Requests
from controller.engine.revision import Revision
from controller.engine.stores import Listener, Silent, Stores
from controller.sources.files import FilesSource
from controller.sources.texts import FilesTexts
from controller.sources.tree import KUSTOMIZATIONS, is_overlay
from controller.store.database import Database
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from controller.store.stores import open_stores
from controller.wiring.agents import Agents
from controller.wiring.opened import Opened
from controller.wiring.outcome import Preview, Summary
from controller.wiring.past import Generations, Recall
from controller.wiring.preview import preview_of
from controller.wiring.recovery import Rebuilt, rebuild, taken_back
from controller.wiring.revisions import Instead, Revisions, keyed
from controller.wiring.settings import Settings
from resources.meta import Key, Problem

DEFAULT_TIMEOUT = 300.0  # seconds that `p2 apply` waits for convergence
STILL_TRUE = 3.0  # seconds for which a look at the world is believed


class Workspace(Opened):
    """One source, opened for one command."""

    attended = False  # whether it is opened within the controller that works on this very source

    def __init__(
        self, parts: Parts, source: FilesSource, home: Home, only: Path | None, instead: Instead, closing: ExitStack
    ) -> None:
        super().__init__(parts, source, home, closing)
        self.source = source
        self.revisions = Revisions(parts.stores.history, Path(source.name), home)
        self._instead = instead
        self._inside = only  # a path within the source that this command is confined to
        self.looked: Mapping[Key, Pass] = {}
        self._looked_at = 0.0  # monotonic seconds
        self.seen: Callable[[], Mapping[str, Any]] = dict  # what each system has answered, see `Agents.seen`
        self.opened_at = parts.clock.wall()  # before anything was read
        self.database: Database | None = None  # behind the stores, if it was opened for this command
        self.written_before = 0  # rows, by opening it
        self.rebuilt = Rebuilt()  # what of the inventory had been lost
        self.beside: Opened | None = None  # the loop of the controller that has opened it for a command
        self.news: tuple[str, ...] = ()  # what was put right when it was opened, for the user

    @classmethod
    def open(
        cls,
        path: Path,
        settings: Settings,
        *,
        read_only: bool = False,
        listener: Listener | None = None,
        ahead: Mapping[str, Any] | None = None,
        request: Request | None = None,
    ) -> Workspace:
        """Raises HomeError (controller/store/errors.py) when the home can't be used or another process holds it.

        `ahead` is what `read_ahead` has begun; `request` says who asks, the controller by itself if nobody.
        """
        home = Home(settings.home, settings.agents_config, read_only=read_only)
        closing = ExitStack()
        try:
            if not read_only:
                closing.enter_context(home.lock())
            stores = closing.enter_context(open_stores(home, settings.journal, examined=not read_only))
            if not read_only:
                stores.audit.recover(time.time())
                stores.history.interrupt()
            root, inside = source_of(path, stores.inventory.sources())
            agents = Agents(setup_of(home, settings), home, ahead or {})
            source = FilesSource(root, cache=None if read_only and not home.path.exists() else home.path / "cache")
            requests, instead = Requests(request or Request()), Instead()
            parts = parts_of(home, stores, source, listener or Silent(), agents.find, requests, instead, settings.node)
            workspace = cls(parts, source, home, inside, instead, closing)
            workspace.seen = agents.seen
            workspace.rebuilt = Rebuilt() if read_only else rebuild(stores, parts, agents)
            workspace.database, workspace.written_before = stores.database, stores.database.changes
            workspace.news = tuple(news for news in (stores.news, workspace.rebuilt.news) if news)
            return workspace
        except BaseException:
            closing.close()
            raise

    @property
    def _loop(self) -> Manager:
        return self.beside.manager if self.beside else self.manager

    # -- desired state -----------------------------------------------------------------------------------------

    def load(self, *, partly: bool = False) -> tuple[Problem, ...]:
        """Reads the whole source. Returns what is wrong with it, in files and across resources, in file order.

        With `partly`, good documents count although others in their file are wrong.
        """
        revision = self.source.read()
        self.manager.chronicle.read(revision)
        return self.take(revision, partly=partly)

    def take(self, revision: Revision, *, partly: bool = False) -> tuple[Problem, ...]:
        """Makes `revision` what is desired. Returns what is wrong with it."""
        self.parts.index.take(revision, partly=partly)
        problems = self.parts.index.problems()
        return tuple(located(problems)) if problems else ()

    def load_revision(self, number: int, *, partly: bool = False) -> tuple[Problem, ...]:
        """As `load`, of the source as the history has it in this revision. Raises UnknownRevision. To be looked at only."""
        texts = self.revisions.texts(number)
        self._closing.enter_context(self._instead.of(self.revisions.root, texts))
        self.parts.index.take(self.revisions.read(texts), partly=partly)
        problems = self.parts.index.problems()
        return tuple(located(problems, self.revisions.text_of(texts))) if problems else ()

    def asking(self) -> AbstractContextManager[None]:
        """What is done to the source's resources while the body runs is done for who has opened this workspace."""
        return nullcontext()

    def selected(self, only: Collection[Key] | None) -> tuple[Collection[Key], bool]:
        """The keys a command is about, and whether they are the whole source."""
        entries = self.entries()
        if only is not None:
            return only, False
        if self._inside is None:
            return entries.keys(), self.source.is_directory
        inside = str(self._inside)
        return [k for k, e in entries.items() if _within(e.declared.origin.file, inside)], False

    # -- one-off -----------------------------------------------------------------------------------------------

    def preview(self, only: Collection[Key] | None = None, *, prune: bool = True) -> Preview:
        """Looks at the world and plans. Changes nothing. With `only`: those keys and no pruning."""
        keys, whole = self.selected(only)
        pruning = self.decide(prune and whole)
        preview, self.looked = preview_of(self.parts, self.manager.reconciler, keys, pruning)
        self._looked_at = self.parts.clock.monotonic()
        return preview

    def take_up(self) -> Preview:
        """Looks at everything, writes down what is as declared, and changes nothing in the world."""
        preview = self.preview()
        self.looked = {key: taken_back(each) for key, each in self.looked.items()}
        self._settle_unchanged(self.looked.keys())
        self.parts.stores.holds.replace(self.parts.identity.source, preview.holds)
        return preview

    def converge(
        self,
        only: Collection[Key] | None = None,
        *,
        prune: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
        cancelled: Flag | None = None,
    ) -> Summary:
        """Works until everything is settled, `timeout` seconds have passed, or `cancelled` is set.

        What is under way when it is cancelled is finished, nothing new is begun.
        """
        cancelled = cancelled or Flag()
        keys, whole = self.selected(only)
        pruning = self.decide(prune and whole)
        if prune and whole:
            self.parts.stores.holds.replace(self.parts.identity.source, pruning.holds)
            self.manager.pruner.protect(pruning)
        wanted = {*keys, *pruning.deletes}
        held = {key for hold in pruning.holds for key in hold.keys}
        self._settle_unchanged(wanted)
        unchanged = self.looked.keys()
        errand = Errand(wanted - unchanged | held, cancelled, settled_before=unchanged)
        self.manager.chronicle.begin(errand.begun())
        finished = self.manager.converge(errand, timeout)
        board = self.parts.board
        if whole:
            self._forget_ghosts()
        statuses = {key: status for key in wanted if (status := board.status(key))}
        stopped = cancelled.is_set()
        return Summary(statuses, tuple(errand.done), pruning.holds, not finished and not stopped, stopped)

    def _forget_ghosts(self) -> None:
        """Statuses of what was declared once and never came to be."""
        entries, stores = self.parts.index.entries(), self.parts.stores
        ghosts = [key for key in stores.statuses.all() if key not in entries and not stores.inventory.find(key)]
        if ghosts:
            stores.statuses.forget(ghosts)

    @property
    def still_true(self) -> bool:
        """Whether what the preview has found is to be believed still."""
        return self.parts.clock.monotonic() - self._looked_at <= STILL_TRUE

    def _settle_unchanged(self, wanted: Collection[Key]) -> None:
        """What a preview has just found as declared needs no second look, unless somebody took time to think about it."""
        looked = self.looked if self.still_true else {}
        fine = [each for each in looked.values() if each.verdict is Verdict.READY and each.key in wanted]
        self.manager.reconciler.keep(fine)
        self.parts.board.settle(fine)
        self.looked = {each.key: each for each in fine}

    def delete(
        self, keys: Collection[Key], *, timeout: float = DEFAULT_TIMEOUT, cancelled: Flag | None = None
    ) -> Summary:
        """Removes things that we own and nobody declares (retained, held, orphaned) and forgets them."""
        cancelled = cancelled or Flag()
        orphans = frozenset(key for key in keys if self.parts.index.find(key) is None)
        self.manager.reconciler.prune(Pruning(orphans, ()))
        errand = Errand(orphans, cancelled)
        finished = self.manager.converge(errand, timeout)
        statuses = {key: status for key in orphans if (status := self.parts.board.status(key))}
        stopped = cancelled.is_set()
        return Summary(statuses, tuple(errand.done), (), not finished and not stopped, stopped)

    def decide(self, wanted: bool) -> Pruning:
        """What may be deleted, and what is held back."""
        pruning = self.manager.pruner.decide()[0] if wanted else Pruning(frozenset(), ())
        self.manager.reconciler.prune(pruning)
        return pruning


def setup_of(home: Home, settings: Settings) -> Setup:
    """What agents are made with."""
    return Setup(home.installation, home.path, HomeSecrets(home), home.read_only, settings.agent_timeout)


def parts_of(
    home: Home,
    stores: Stores,
    source: FilesSource,
    listener: Listener,
    agent_of: AgentOf,
    requests: Requests,
    instead: Instead,
    node: str,
) -> Parts:
    """What a loop over `source` works with; `node` is what this machine is called in specs."""
    clock = Clock()
    index = Index(
        Generations(stores), Recall(stores, source.name), mine=lambda resource: resource.spec.node in (None, node)
    )
    board = Board(stores.statuses, stores.events, listener, clock)
    return Parts(
        index=index,
        agent_of=with_groups(agent_of, index, board, home.installation),
        stores=stores,
        board=board,
        listener=listener,
        clock=clock,
        context=Context(HomeSecrets(home), listener.progressed, read_from=instead),
        identity=Identity(
            home.installation,
            source.name,
            source_exists=lambda name: Path(name).exists(),
            is_part=lambda name: _within(name, source.name) and not is_overlay(name),
        ),
        requests=requests,
        texts=None if home.read_only else FilesTexts(Path(source.name), keyed(home)),
    )


def source_of(path: Path, known: Collection[str]) -> tuple[Path, Path | None]:
    """The source a path belongs to, and the path itself when it is only a part of that source."""
    real = path.resolve()
    if real.name in KUSTOMIZATIONS and real.is_file():
        real = real.parent
    around = [name for name in known if _within(str(real), name) and Path(name).is_dir()]
    around += [str(place) for place in (real, real.parent)[: 1 + real.is_file()] if is_overlay(str(place))]
    nearest = max(around, key=len, default=str(real))
    return (real, None) if nearest == str(real) else (Path(nearest), real)


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def located(
    problems: Sequence[Problem], texts: Callable[[str], bytes] = lambda file: Path(file).read_bytes()
) -> Sequence[Problem]:
    """With lines and columns; `texts` has the content of each file."""
    from resources.load import locate  # reads YAML, which a sound source that is cached does without

    try:
        return locate(problems, texts)
    except OSError:
        return problems  # the file has gone meanwhile
