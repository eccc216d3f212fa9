"""Makes and starts containers: what creating and replacing one have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from controller.agents.docker import paths
from controller.agents.docker.abilities import refuse_unsupported
from controller.agents.docker.client import EngineError, Json, WritableEngine
from controller.agents.docker.creation import NO_LEGACY, Legacy, create_config
from controller.agents.docker.failures import explained, failure, start_failure
from controller.agents.docker.joining import endpoint_of, wanted_networks
from controller.agents.docker.placing import wanted_files
from controller.agents.docker.pulling import absent, pull
from controller.agents.docker.stopping import grace
from controller.engine.agent import Context, Mark, Retry, Stalled
from resources.docker.parts import MountType, PullPolicy, State
from resources.kinds.container import Container

# Pulls an image that is here already; given what pulls.
Bring = Callable[[Callable[[], None]], None]


def make(
    engine: WritableEngine,
    container: Container,
    name: str,
    mark: Mark,
    ctx: Context,
    legacy: Legacy = NO_LEGACY,
    bring: Bring | None = None,
) -> str:
    """Creates the container, not started, with its networks; pulls the image if need be. Returns the id."""
    _require_volumes(engine, container)
    refuse_unsupported(container, engine.api)
    config = create_config(container, mark, ctx.secrets, engine.api, legacy)
    placed = wanted_files(container, ctx.secrets)
    config["Labels"] |= placed.labels
    if container.spec.pullPolicy is PullPolicy.ALWAYS:
        pulls = partial(pull, engine, container.spec.image, container.key, ctx)
        bring(pulls) if bring else pulls()
    identity = _create(engine, container, name, config, ctx)
    for attachment in wanted_networks(container.spec)[1:]:
        network = container.network_name(attachment)
        with explained(f"connect the container {name} to the network {network}"):
            engine.connect_network(network, identity, endpoint_of(container, attachment))
    if placed.archive:
        with explained(f"put files into the container {name}"):
            engine.place(identity, placed.archive)
    return identity


def start(engine: WritableEngine, container: Container, identity: str) -> None:
    """Starts a container. One at rest knows its networks by id: where one was made anew meanwhile, it joins that first."""
    try:
        try:
            engine.start(identity)
        except EngineError as error:
            if error.status != 404 or "network" not in error.message:
                raise
            _rejoin(engine, container, identity)
            engine.start(identity)
    except EngineError as error:
        raise start_failure(container.container_name, error) from None


def restart(engine: WritableEngine, container: Container, live: Json) -> None:
    """Stops and starts a container as it is. One that has ended is started again."""
    name = container.container_name
    if container.spec.state is State.STOPPED:
        raise Stalled("Stopped", f"cannot restart the container {name}: its spec says 'state: stopped'")
    if live["State"].get("Paused"):
        with explained(f"unpause the container {name}"):
            engine.unpause(live["Id"])
    try:
        engine.restart(live["Id"], grace(live))
    except EngineError as error:
        raise start_failure(name, error) from None


def _rejoin(engine: WritableEngine, container: Container, identity: str) -> None:
    for attachment in wanted_networks(container.spec):
        network = container.network_name(attachment)
        engine.disconnect_network(network, identity)
        engine.connect_network(network, identity, endpoint_of(container, attachment))


def _create(engine: WritableEngine, container: Container, name: str, config: Json, ctx: Context) -> str:
    reference = container.spec.image
    for attempt in (1, 2):
        try:
            return engine.create_container(name, config, container.spec.platform)
        except EngineError as error:
            # That an image is missing is learned from this answer: asking first would cost a request each time.
            image_missing = error.status == 404 and "image" in error.message.lower()
            if not image_missing or attempt == 2:
                raise _refused(name, error) from None
        if container.spec.pullPolicy is PullPolicy.NEVER:
            raise absent(reference)
        pull(engine, reference, container.key, ctx)
    raise AssertionError("unreachable")


def _refused(name: str, error: EngineError) -> Exception:
    if error.status == 409:
        return Retry("NameTaken", f"cannot create the container {name}: {error.message}")
    return failure(f"create the container {name}", error)


def _require_volumes(engine: WritableEngine, container: Container) -> None:
    """The engine would make a missing volume by itself: one of its own kind, without the driver and options declared."""
    mounts = [mount for mount in container.spec.volumes or () if mount.type is MountType.VOLUME and mount.source]
    names = [container.volume_name(mount) for mount in mounts]
    if not names:
        return
    answers = engine.read_each([paths.volume(name) for name in names])
    if missing := [name for name, answer in zip(names, answers, strict=True) if answer is None]:
        advice = "declare it as a Volume, or create it if it is external"
        raise Retry("VolumeMissing", f"cannot mount the volume {', '.join(missing)}: there is none; {advice}")
