"""Where `get`, `describe` and `events` look: a source of files with its home, or a cluster (`--context`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

from controller.surfaces.cli.app import App, tell, tell_elsewhere, tell_lost
from controller.surfaces.cli.braking import note_braked
from controller.surfaces.cli.command import Option, Refused
from controller.surfaces.cli.keys import Selection
from controller.surfaces.cli.words import counted

if TYPE_CHECKING:
    from controller.engine.stores import Event
    from controller.sources.kube.cluster import Cluster
    from controller.surfaces.cli.listing import Listed
    from resources.meta import Key

ContextOption = Annotated[
    str, Option("--context", metavar="NAME", help="Read from the cluster of this context of the kubeconfig.")
]
KubeconfigOption = Annotated[
    Path | None,
    Option("--kubeconfig", metavar="FILE", help="Read from a cluster, by this kubeconfig (default: $KUBECONFIG)."),
]
T = TypeVar("T")
_AGAIN = 1.0  # seconds until a cluster that did not answer is asked again
EVERYTHING = Selection(frozenset(), frozenset())


class View(Protocol):
    """What can be shown, and how it is doing."""

    clustered: bool  # it comes from a cluster
    nothing: str  # what is said when there is nothing

    def look(self, selection: Selection, *, quiet: bool = False) -> list[Listed]:
        """What is there now, sorted by key. What is out of order is told of, unless `quiet`."""

    def looks(self, selection: Selection) -> Iterator[list[Listed]]:
        """At once, and again whenever something may have changed."""

    def absent(self, key: Key) -> str:
        """Why a key that was asked for is not there. Begins "cannot find"."""

    def events(self, keys: Collection[Key], limit: int) -> Mapping[Key, Sequence[Event]]:
        """The newest ones about each resource, oldest first."""


def view_of(app: App, path: Path, context: str, kubeconfig: Path | None) -> AbstractContextManager[View]:
    """The view that the options of a command choose. Raises Refused."""
    if not (context or kubeconfig):
        return nullcontext(FilesView(app, path))
    if path != Path("state"):
        raise Refused("cannot combine --source with --context: a cluster has its resources in no files")
    return _cluster_view(app, context, kubeconfig)


@contextmanager
def _cluster_view(app: App, context: str, kubeconfig: Path | None) -> Iterator[View]:
    with connected(context, kubeconfig) as cluster:
        from controller.surfaces.cli.cluster_view import ClusterView

        yield ClusterView(app, cluster)


@contextmanager
def connected(context: str, kubeconfig: Path | None) -> Iterator[Cluster]:
    """A connection to the cluster. Whatever is refused by it while the body runs is Refused."""
    from controller.sources.kube.cluster import Cluster, ClusterError

    try:
        with closing(Cluster(context, kubeconfig)) as cluster:
            yield cluster
    except ClusterError as error:
        raise Refused(str(error)) from error


def patiently(app: App, ask: Callable[[], T]) -> T:
    """What `ask` returns, once the cluster answers; says once that it does not."""
    from controller.sources.kube.cluster import Unreachable

    told = False
    while True:
        try:
            return ask()
        except Unreachable as error:
            if not told:
                tell(app, f"{error}; trying again")
            told = True
            time.sleep(_AGAIN)


class FilesView:
    """A source of files, and what the home knows of it."""

    clustered = False
    nothing = "nothing is declared or owned"

    def __init__(self, app: App, path: Path) -> None:
        self.app, self.path = app, path
        self._elsewhere: dict[Key, str] = {}  # as of the last look

    def look(self, selection: Selection, *, quiet: bool = False) -> list[Listed]:
        """A source that is not in order is shown as far as it is in force."""
        from controller.surfaces.cli.listing import listed

        app = self.app
        with app.open(self.path, read_only=True) as workspace:
            problems = workspace.load()
            if problems and not quiet:
                app.console.note(f"the source has {counted(len(problems), 'problem')}, see: p2 validate {self.path}")
            if not quiet:
                note_braked(app, workspace.stores)
                tell_lost(app, workspace.home)
                tell_elsewhere(app, workspace)
            self._elsewhere = dict(workspace.elsewhere())
            return listed(workspace, selection)

    def looks(self, selection: Selection) -> Iterator[list[Listed]]:
        from controller.surfaces.cli.watching import changes

        with self.app.kept(read_only=True) as kept:
            database = kept.home.database
        for _ in changes(database):
            yield self.look(selection, quiet=True)

    def absent(self, key: Key) -> str:
        if node := self._elsewhere.get(key):
            return f"cannot find {key.short} here: it is for the machine {node} (spec.node)"
        return f"cannot find {key.short}: it is neither declared in {self.path} nor owned"

    def events(self, keys: Collection[Key], limit: int) -> Mapping[Key, Sequence[Event]]:
        with self.app.kept(read_only=True) as kept:
            return {key: kept.stores.events.since(0.0, key, limit) for key in keys}


def told_absent(app: App, absent: Sequence[str], server: str) -> None:
    """Says which kinds a cluster lacks."""
    if absent:
        tell(
            app,
            f"{server} does not know {', '.join(absent)}: their CRDs were deleted, or never applied; "
            "p2 operator manifest | kubectl apply -f -",
        )
