"""The objects of a cluster as the reading commands show them; nothing of this machine is asked for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from controller.sources.kube import leases
from controller.sources.kube.cluster import Cluster, Forbidden, Missing, Refusal
from controller.sources.kube.leases import Lease, Standing
from controller.sources.kube.listed import Listing, Watching, not_allowed, read_listing
from controller.sources.kube.objects import Object, declared
from controller.sources.kube.reported import event_of, status_in_force, worker_of
from controller.surfaces.cli.app import App, tell
from controller.surfaces.cli.keys import Selection
from controller.surfaces.cli.listing import Listed
from controller.surfaces.cli.views import told_absent
from resources import kinds
from resources.meta import API_VERSION, Declared

if TYPE_CHECKING:
    from controller.engine.stores import Event
    from resources.meta import Key


class ClusterView:
    """A View (views.py) of one cluster."""

    clustered = True
    nothing = "there is nothing in the cluster"

    def __init__(self, app: App, cluster: Cluster) -> None:
        self._app, self._cluster = app, cluster

    def look(self, selection: Selection, *, quiet: bool = False) -> list[Listed]:
        """Raises ClusterError."""
        listing = read_listing(self._cluster, _wanted(selection))
        if not quiet:
            told_absent(self._app, listing.absent, self._cluster.server)
        return self._listed(listing, selection, quiet=quiet)

    def looks(self, selection: Selection) -> Iterator[list[Listed]]:
        trouble = ""
        with Watching(self._cluster, _wanted(selection)) as watching:
            for listing in watching.listings():
                if watching.trouble and not trouble:
                    tell(self._app, f"{watching.trouble}; trying again")
                trouble = watching.trouble
                if not trouble:
                    yield self._listed(listing, selection, quiet=True)

    def absent(self, key: Key) -> str:
        return f"cannot find {key.short} at {self._cluster.server}"

    def events(self, keys: Collection[Key], limit: int) -> Mapping[Key, Sequence[Event]]:
        try:
            found = all_events(self._cluster)
        except Refusal as error:
            tell(self._app, str(error))
            found = []
        return {key: [event for event in found if event.key == key][-limit:] for key in keys}

    def _listed(self, listing: Listing, selection: Selection, *, quiet: bool) -> list[Listed]:
        now = self._app.now()
        found = self._leases(quiet=quiet)
        standing = Standing(found, leases.lost(found, now), now)
        return [_shown(each, standing) for each in listing.objects if each.key in selection]

    def _leases(self, *, quiet: bool) -> dict[str, Lease]:
        """Of all machines; none where that may not be read."""
        try:
            return leases.read_leases(self._cluster.list(leases.collection(), leases.SELECTED))
        except Missing:
            return {}
        except Refusal as error:
            if not quiet:
                tell(self._app, f"{error}; so what is on a machine that is gone is shown as it was last")
            return {}


def _shown(found: Object, standing: Standing) -> Listed:
    resource = declared(found)
    return Listed(
        found.key,
        resource if isinstance(resource, Declared) else None,
        None,
        status_in_force(found, standing),
        found.generation,
        found=found,
        node=worker_of(found),
    )


def all_events(cluster: Cluster) -> list[Event]:
    """The Events about resources of ours that the cluster still has, oldest first. Raises ClusterError."""
    try:
        bodies = cluster.list("/api/v1/events", {"fieldSelector": f"involvedObject.apiVersion={API_VERSION}"})
    except Forbidden as error:
        raise not_allowed(error, "events", "") from error
    return sorted(map(event_of, bodies), key=lambda event: (event.at, event.first))


def _wanted(selection: Selection) -> Sequence[str]:
    if selection.everything:
        return kinds.names()
    return sorted(selection.kinds | {key.kind for key in selection.keys})
