"""kopf, in a thread of its own: hears what becomes of the objects of a cluster. The only `import kopf`; `source.py` listens.

kopf does the watching alone (`on.event`): it writes nothing to the objects and keeps no state of its own, so that one manager
decides what is done and when. It is begun again whenever it, or one of its watchers, ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Any

from controller.sources.kube.arrivals import NOTHING, RELISTED, Arrival
from controller.sources.kube.cluster import Cluster, ClusterError, Unreachable
from controller.sources.kube.lean import unseen
from controller.sources.kube.objects import GROUP, read_object
from resources import kinds
from resources.meta import API_VERSION

if TYPE_CHECKING:
    import kopf

log = logging.getLogger(__name__)

AGAIN = 2.0  # seconds until a watch that has ended is begun again
SILENCE = 70.0  # seconds without a word, after which a watch is taken for dead; the API server says one each minute
# Seconds in which kopf looks for the kinds. Should the API server go away then, that is given up and begun anew: when it comes
# back it serves some kinds only, at first, and kopf would not look for the others any more.
LOOKING = 3.0
ENDING = 10.0  # seconds for kopf to end
REQUEST = 30.0  # seconds for a list
BACKOFFS = (1, 1, 2, 3, 5)  # seconds between tries at an API server that is away; then once more from the start


class Watching:
    """kopf in a thread of its own, begun again whenever it ends. `arrived` is called with all that it hears.

    `silence`: seconds without a word, after which a connection is taken for dead.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespaces: Sequence[str],
        arrived: Callable[[Arrival], None],
        silence: float = SILENCE,
    ) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        self._arrived = arrived
        self._silence = silence
        self._listed: dict[
            str, set[str]
        ] = {}  # uids of what a list has told of, by kind, since one told of something twice
        self._thread: Thread | None = None
        self._end: Callable[[], None] = lambda: None  # of kopf, this time

    def start(self, stop: Flag) -> None:
        self._thread = Thread(target=self._watch, args=(stop,), name="kube-watch", daemon=True)
        self._thread.start()

    def begin_again(self) -> None:
        """Ends kopf, which is then started anew."""
        with suppress(RuntimeError):  # it has ended
            self._end()

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _watch(self, stop: Flag) -> None:
        told = ""
        while not stop.is_set():
            try:
                self._refuse_partial()
                told = ""
                asyncio.run(self._operate(stop))
            except Exception as error:  # whatever ends kopf, the cluster is watched again
                cause = str(error) or type(error).__name__
                if cause != told:
                    log.warning("the watch of the cluster has ended, and is begun again", extra={"cause": cause})
                told = cause
            stop.wait(AGAIN)

    def _refuse_partial(self) -> None:
        """Raises ClusterError unless all kinds are served: kopf looks for them once, and never again for what it did not find.

        An API server that has just started, or whose definitions are being replaced, serves some of them only.
        """
        groups = self._cluster.request("GET", "/apis").get("groups") or ()
        if not any(each.get("name") == GROUP for each in groups):
            raise Unreachable(f"cannot watch anything at {self._cluster.server}: it does not serve {GROUP} (yet)")
        found = self._cluster.request("GET", f"/apis/{API_VERSION}")
        served = {each.get("name") for each in found.get("resources") or ()}
        if absent := sorted(set(_plurals()) - served):
            raise Unreachable(f"cannot watch {', '.join(absent)} at {self._cluster.server}: they are not served (yet)")

    async def _operate(self, stop: Flag) -> None:
        with unseen("kubernetes_asyncio.client"):
            import kopf

        loop, ending = asyncio.get_running_loop(), asyncio.Event()
        self._end = partial(_call, loop, ending.set)
        if stop.is_set():
            return

        async def clean_up(**_: Any) -> None:
            ending.set()

        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._log_in)
        kopf.on.cleanup(registry=registry)(clean_up)
        group, _, version = API_VERSION.partition("/")
        for plural in _plurals():
            kopf.on.event(group, version, plural, registry=registry, id="pegasus2")(self._hear)
        settings = _settings(self._silence)
        until = asyncio.create_task(ending.wait())
        operating = asyncio.create_task(
            kopf.operator(
                registry=registry,
                settings=settings,
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=ending,
            )
        )
        if not await _ended({until, operating}, LOOKING):
            settings.networking.error_backoffs = BACKOFFS
            watchers = {task for task in asyncio.all_tasks() if task.get_name().startswith("watcher for ")}
            await _ended({until, operating, *watchers})  # kopf can go on for ever with a watcher less
        ending.set()
        # A watcher may swallow that it is to end; kopf would wait for it for ever.
        if not await _ended({operating}, ENDING):
            raise ClusterError("cannot end the watch in time")
        await operating

    def _log_in(self, **_: Any) -> kopf.ConnectionInfo:
        import kopf

        access = self._cluster.access()
        return kopf.ConnectionInfo(
            server=access.server,
            ca_path=access.ca_path,
            insecure=access.insecure,
            certificate_path=access.certificate_path,
            private_key_path=access.private_key_path,
            token=access.token,
        )

    async def _hear(self, event: Mapping[str, Any], **_: Any) -> None:
        what, found = str(event.get("type") or ""), read_object(dict(event["object"]))
        if not what:  # it comes of a list
            listed = self._listed.setdefault(found.key.kind, set())
            if found.uid in listed:
                listed.clear()
                self._arrived((RELISTED, NOTHING))
            listed.add(found.uid)
        self._arrived((what, found))


async def _ended(tasks: Collection[asyncio.Task[Any]], seconds: float | None = None) -> bool:
    """Whether one of them has ended within this time."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(what)


def _settings(silence: float) -> kopf.OperatorSettings:
    import kopf

    logging.getLogger("kopf").setLevel(logging.CRITICAL)  # it tells of each try at a server that is away; we tell once
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True  # the kinds are known, and their definitions are looked for when it starts
    settings.peering.standalone = True
    settings.process.ultimate_exiting_timeout = None  # it would kill the process; here only a watch begins anew
    settings.watching.inactivity_timeout = silence
    settings.networking.request_timeout = REQUEST
    settings.networking.error_backoffs = ()  # at first: see LOOKING
    return settings


def _plurals() -> Collection[str]:
    return [model.about.plural for name in kinds.names() if (model := kinds.model_of(name))]
