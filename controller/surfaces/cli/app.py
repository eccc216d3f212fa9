"""What a command is run in: its console, and its way to a workspace. `main.py` makes one, tests make their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, Protocol

from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.console import Console
from controller.surfaces.cli.words import counted, place, problem_line

if TYPE_CHECKING:
    from controller.engine.requests import Cause, Request
    from controller.engine.stores import Audit, Listener, Stores
    from controller.store.home import Home
    from controller.wiring.opened import Opened
    from controller.wiring.outcome import Preview
    from controller.wiring.recovery import Recovery
    from controller.wiring.settings import Settings
    from controller.wiring.workspace import Workspace
    from resources.meta import Key, Problem


class Opener(Protocol):
    def __call__(
        self, path: Path, *, read_only: bool, listener: Listener | None = None, request: Request | None = None
    ) -> Workspace: ...


def open_workspace(
    path: Path,
    *,
    read_only: bool,
    listener: Listener | None = None,
    request: Request | None = None,
    ahead: Mapping[str, Any] | None = None,
) -> Workspace:
    """The workspace of `path` under the settings of the environment. Raises Refused and HomeError."""
    from controller.wiring.workspace import Workspace

    return Workspace.open(path, settings(), read_only=read_only, listener=listener, ahead=ahead, request=request)


@dataclass(frozen=True)
class Kept:
    """What a home keeps, without a source: what the user said outside the files is written here, also beside a controller."""

    home: Home
    stores: Stores
    examine: Callable[[], None] = lambda: None  # looks for damage in the whole database; raises HomeError
    news: str = ""  # what was put right when it was opened, for the user


@contextmanager
def open_kept(*, read_only: bool) -> Iterator[Kept]:
    """The home and stores of the environment. Raises Refused and HomeError."""
    from controller.store.home import Home
    from controller.store.stores import open_stores

    found = settings()
    home = Home(found.home, found.agents_config, read_only=read_only)
    with open_stores(home, found.journal) as stores:
        yield Kept(home, stores, lambda: stores.database.examine(whole=True), stores.news)


def open_recovery() -> Recovery:
    """The home of the environment, whatever state it is in. Raises Refused."""
    from controller.wiring.recovery import Recovery

    return Recovery(settings())


def open_home(*, read_only: bool) -> Home:
    """The home of the environment, of which nothing is opened yet. Raises Refused."""
    from controller.store.home import Home

    found = settings()
    return Home(found.home, found.agents_config, read_only=read_only)


def settings() -> Settings:
    """What the environment says. Raises Refused."""
    from controller.wiring.settings import Settings

    try:
        return Settings.from_environment()
    except ValueError as error:
        raise Refused(str(error)) from error


def interruptible() -> AbstractContextManager[Flag]:
    """A flag that Ctrl-C sets."""
    from controller.surfaces.cli.stopping import say_stopping, stoppable

    return stoppable(say_stopping)


def _ends_when_it_returns(audit: Audit, code: int) -> None:
    """Nothing: that a command has ended is written down by who runs it."""


@dataclass(frozen=True)
class App:
    """`stoppable` gives the flag by which the person who waits breaks off. `ended` writes down now how a command ends, which
    otherwise is done when it returns.

    `user` and `typed` say who runs which command: what is changed for it is written down with their names.
    """

    console: Console
    open: Opener = open_workspace
    kept: Callable[..., AbstractContextManager[Kept]] = open_kept
    recovery: Callable[[], Recovery] = open_recovery
    stoppable: Callable[[], AbstractContextManager[Flag]] = interruptible
    home: Callable[..., Home] = open_home
    now: Callable[[], float] = time.time  # seconds since the epoch
    user: str = ""  # a login name
    typed: str = ""  # the command line: "p2 apply state"
    ended: Callable[[Audit, int], None] = _ends_when_it_returns

    def request(self, cause: Cause | None = None) -> Request:
        """What a workspace that changes something is opened with."""
        from controller.engine.requests import Request

        return Request(self.user, self.typed, cause)


def tell_news(app: App, workspace: Workspace) -> None:
    """Says what of the home was put right when the workspace was opened."""
    for news in workspace.news:
        tell(app, news)


def tell(app: App, news: str) -> None:
    """`note: …` on stderr."""
    from controller.surfaces.cli.console import Style

    app.console.note(f"{app.console.paint_err('note:', Style.BOLD, Style.YELLOW)} {news}")


def tell_elsewhere(app: App, opened: Opened) -> None:
    """Says how much of what is declared is for other machines, if any is."""
    if others := opened.elsewhere():
        verb = "is" if len(others) == 1 else "are"
        machines = ", ".join(sorted({node or "that of --default" for _, node in others}))
        tell(app, f"{counted(len(others), 'resource')} {verb} for other machines ({machines}), and left alone here")


def tell_lost(app: App, home: Home) -> None:
    """Says beside what is shown that the database has gone, so that there is little to show."""
    if home.lacks_database:
        tell(app, f"{home.database} is gone; p2 apply, p2 run or p2 recover rebuilds it from the marks in the world")


def load(app: App, workspace: Workspace, *, keep_going: bool, revision: int | None = None) -> tuple[Problem, ...]:
    """Loads the source, shows and returns what is wrong with it. Raises Refused if it must be sound and is not.

    With `revision`: as the history has it, to be looked at only.
    """
    tell_news(app, workspace)
    if revision is None:
        problems = workspace.load(partly=keep_going)
    else:
        problems = _past(workspace, revision, partly=keep_going)
    app.console.note(problem_line(problem) for problem in problems)
    tell_elsewhere(app, workspace)
    if problems and not keep_going:
        raise Refused(
            f"cannot use the source: it has {counted(len(problems), 'problem')}; "
            "correct what is named above, or leave it out with --keep-going"
        )
    return problems


def _past(workspace: Workspace, revision: int, *, partly: bool) -> tuple[Problem, ...]:
    from controller.wiring.revisions import UnknownRevision

    try:
        return workspace.load_revision(revision, partly=partly)
    except UnknownRevision as error:
        raise Refused(str(error)) from error


def refuse_unusable(workspace: Workspace, preview: Preview) -> None:
    """Raises Refused when the source can't be used, unless a confirmation has made plans of what it held back."""
    if (trouble := workspace.source_trouble()) and not preview.plans:
        raise Refused(f"cannot use {place(workspace.source.name)}: {trouble}")


def chosen(only: Collection[str], opened: Opened) -> frozenset[Key] | None:
    """The keys named with --only and what they stand for, None for all. Raises Refused for one neither declared nor owned."""
    if not only:
        return None
    from controller.surfaces.cli.keys import key_named, known

    keys = [key_named(text) for text in only]
    inventory, elsewhere = opened.stores.inventory, dict(opened.elsewhere())
    unowned = [key for key in keys if not inventory.find(key)]
    for key in unowned:
        if key in elsewhere and key not in opened.declared():
            raise Refused(f"cannot look at {key.short} from here: it is for the machine {elsewhere[key]} (spec.node)")
    named = known(unowned, opened.declared(), "the source") | frozenset(keys)
    return opened.parts.index.with_children(named)
