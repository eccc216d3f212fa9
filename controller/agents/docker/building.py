"""Builds an image with the engine's BuildKit, over its API: https://docs.docker.com/reference/api/engine/version/v1.41/.

The context goes to the engine as a tar; what .dockerignore keeps out is not even read. Images that FROM names are brought
before, with the credentials that pulling has.
"""

from __future__ import annotations

import json
import re
import stat
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from threading import Thread

from controller.agents.docker import paths
from controller.agents.docker.buildkit import IDENTITY, TRACE, Trace
from controller.agents.docker.client import EngineError, WritableEngine
from controller.agents.docker.failures import disk_full
from controller.agents.docker.pulling import pull
from controller.agents.docker.recipe import BUILT_BY, BUILT_FROM, Dockerfile, Parts, written
from controller.agents.docker.session import session
from controller.engine.agent import Context, Retry, Stalled
from controller.trees import Item, walk
from resources.kinds.image import DOCKERFILE, Build, Image
from resources.notation import size

GLANCE = 0.2  # seconds between looks at whether the build is cancelled
SILENCE = 5.0  # seconds after which it is said again what is being done
LONGEST = 300  # characters of what is said
PIECE = 1 << 20  # bytes of a file that are read at once
SHOWN = 3  # lines of a failed build in the message; all of them are in its log
LIMITS_SINCE = (1, 42)  # of the API: BuildKit is told of limits for RUN from here on
BLOCK = 512  # bytes, of a tar

Parameters = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built: `label` says whose it is, `log` is where all that it prints goes; `anew`: without the cache."""

    image: Image
    dockerfile: Dockerfile
    parts: Parts
    label: str
    log: Path
    anew: bool = False


def build(engine: WritableEngine, order: Order, ctx: Context) -> str:
    """The id of the image, which has its names by then. Raises Stalled where the build fails, Retry where it can't be done."""
    image, name = order.image, order.image.spec.image
    spec = image.spec.build
    assert spec is not None
    if order.dockerfile.trouble:
        raise Stalled("ContextUnreadable", f"cannot build {name}: {order.dockerfile.trouble}; correct build.dockerfile")
    _require_support(engine, name, spec)
    secrets = _secrets(image, spec, ctx)
    ctx.progress(image.key, None, f"building {name}")
    trace, identity, build_id = Trace(), "", uuid.uuid4().hex

    def tell() -> None:
        if now := trace.now:
            (said,) = _without(secrets, [f"building {name}: {now}"])
            ctx.progress(image.key, trace.fraction, said[:LONGEST])

    try:
        with session(engine, secrets) as talk, _attended(engine, build_id, tell, ctx):
            asked = [*_parameters(order, spec), ("buildid", build_id), *([("session", talk)] if talk else [])]
            for message in engine.build(
                asked, _context(image, spec, order.dockerfile), engine.registries.build_header()
            ):
                if problem := message.get("error"):
                    raise EngineError(500, str(problem))
                if message.get("id") == IDENTITY:
                    identity = str(message["aux"]["ID"])
                elif message.get("id") == TRACE:
                    trace.take(message["aux"])
                    tell()
    except EngineError as error:
        raise _failure(order, trace, error, secrets, cancelled=ctx.cancelled.is_set()) from None
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    finally:
        _keep_log(order.log, trace, secrets)
    if not identity:
        raise Retry("BuildFailed", f"cannot build {name}: the engine ended the build without an image")
    ctx.progress(image.key, 1.0, f"built {name}")
    return identity


# -- what the engine is asked --------------------------------------------------------------------------------------


def _parameters(order: Order, build: Build) -> Parameters:
    image = order.image
    labels = {**(build.labels or {}), BUILT_FROM: written(order.parts), BUILT_BY: order.label}
    found: Parameters = [("version", "2"), *(("t", name) for name in (image.spec.image, *image.tags))]
    found += [("labels", json.dumps(labels)), ("buildargs", json.dumps(build.args or {}))]
    found += [("dockerfile", _name_in_context(image, build))]
    optional = {
        "remote": build.context if build.remote else None,
        "target": build.target,
        "platform": image.spec.platform,
        "networkmode": build.network,
        "cachefrom": json.dumps(build.cacheFrom) if build.cacheFrom else None,
        "shmsize": str(size(build.shmSize)) if build.shmSize else None,
        "ulimits": _ulimits(build),
        "nocache": "1" if build.noCache or order.anew else None,
    }
    found += [(name, value) for name, value in optional.items() if value is not None]
    return found + [("extrahosts", f"{name}:{ip}") for name, ip in (build.extraHosts or {}).items()]


def _require_support(engine: WritableEngine, name: str, build: Build) -> None:
    """An older engine would pass over these without a word."""
    wanted = [field for field in ("shmSize", "ulimits") if getattr(build, field)]
    if wanted and engine.api < LIMITS_SINCE:
        raise Stalled(
            "Unsupported",
            f"cannot build {name} with {', '.join(wanted)}: that takes an engine of 23.0 or newer; leave it out",
        )


def _ulimits(build: Build) -> str | None:
    limits = (build.ulimits or {}).items()
    found = [{"Name": name, "Soft": limit.soft, "Hard": limit.hard} for name, limit in limits]
    return json.dumps(found) if found else None


def _secrets(image: Image, build: Build, ctx: Context) -> dict[str, bytes]:
    """Raises Stalled or Retry for one that is not to be had."""
    references = (build.secrets or {}).items()
    return {name: ctx.secrets.reveal(reference, image.metadata.namespace).encode() for name, reference in references}


def bring_bases(engine: WritableEngine, image: Image, bases: Sequence[str], ctx: Context) -> None:
    """Brings the images that FROM names; BuildKit would, too, but without our credentials and without telling how far it is."""
    build = image.spec.build
    assert build is not None
    there = engine.try_each([paths.image(base) for base in bases])
    for base, found in zip(bases, there, strict=True):
        if isinstance(found, dict) and not build.pull:
            continue
        try:
            pull(engine, base, image.key, ctx, image.spec.platform)
        except Stalled as missing:
            if isinstance(found, dict) and missing.reason == "ImageNotFound":
                continue  # it was built here, and no registry has it
            advice = "if it is an Image that is built here, name it in dependsOn"
            raise Stalled(missing.reason, f"{_cannot_build(image, missing)}; {advice}") from None
        except Retry as failure:
            if failure.reason == "Cancelled":
                raise
            raise Retry(failure.reason, _cannot_build(image, failure), failure.after) from None


def _cannot_build(image: Image, why: Retry | Stalled) -> str:
    return f"cannot build {image.spec.image}: {why.message}"


@contextmanager
def _attended(engine: WritableEngine, identity: str, tell: Callable[[], None], ctx: Context) -> Iterator[None]:
    """Ends the build in the engine when we are told to, and says now and then what it does: a step may be silent for long."""
    done = Flag()

    def watch() -> None:
        silent = 0.0
        while not done.wait(GLANCE):
            if ctx.cancelled.is_set():
                with suppress(EngineError, Retry):  # again in a moment: the engine may not know of the build yet
                    engine.cancel_build(identity)
                continue
            silent += GLANCE
            if silent >= SILENCE:
                silent = 0.0
                tell()

    Thread(target=watch, name="docker-build-attendant", daemon=True).start()
    try:
        yield
    finally:
        done.set()


# -- the context ---------------------------------------------------------------------------------------------------


def _name_in_context(image: Image, build: Build) -> str:
    """What the Dockerfile is called within the tar. One that is not in the context, or kept out of it, is put there."""
    if build.remote:
        return build.dockerfile or DOCKERFILE
    if build.dockerfile_path is not None:
        there = _within(build)
        (tree,) = image.trees()
        if there and any(item.path == there for item in walk(tree)):
            return there
    return f".{DOCKERFILE}.pegasus2"


def _within(build: Build) -> str:
    path = build.dockerfile_path
    try:
        return path.relative_to(build.context).as_posix() if path else ""
    except ValueError:
        return ""


def _context(image: Image, build: Build, dockerfile: Dockerfile) -> Iterator[bytes]:
    """The tar, in pieces. Raises Stalled for what can't be read: an OSError would be taken for one of the connection."""
    if build.remote:
        return
    try:
        yield from _tar(image, build, dockerfile)
    except (OSError, ValueError) as error:
        raise _unreadable(image.spec.image, error) from None


def _tar(image: Image, build: Build, dockerfile: Dockerfile) -> Iterator[bytes]:
    """Raises OSError, and ValueError for a pattern that can't be read."""
    (tree,) = image.trees()
    for item in walk(tree):
        yield from _member(item)
    name = _name_in_context(image, build)
    if name != _within(build):
        content = (dockerfile.text or "").encode()
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        yield info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % BLOCK)
    yield bytes(2 * BLOCK)


def _member(item: Item) -> Iterator[bytes]:
    """As Docker sends it: owned by root, with its permissions. The time is left out, for it is not part of the recipe."""
    info = tarfile.TarInfo(item.path)
    info.mode = stat.S_IMODE(item.mode)
    if stat.S_ISDIR(item.mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(item.mode):
        info.type, info.linkname = tarfile.SYMTYPE, item.target
    else:
        info.size = item.stamp[2]
    yield info.tobuf(tarfile.GNU_FORMAT)
    if not stat.S_ISREG(item.mode):
        return
    left = info.size
    with Path(item.at).open("rb") as file:
        while left and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece
    if left:
        raise OSError(0, "it became shorter while it was read", item.at)
    yield bytes(-info.size % BLOCK)


# -- how it went ---------------------------------------------------------------------------------------------------


def _failure(
    order: Order, trace: Trace, error: EngineError, secrets: Mapping[str, bytes], *, cancelled: bool
) -> Retry | Stalled:
    name = order.image.spec.image
    if cancelled:
        return Retry("Cancelled", f"cannot go on building {name}: that was broken off; it begins anew the next time")
    if full := disk_full(f"build {name}", error.message):
        return full
    trace.end()
    failed = trace.failed
    printed = [line.removeprefix(f"{failed.name}: ") for line in trace.lines if failed and line.startswith(failed.name)]
    shown = " | ".join(_without(secrets, printed[-SHOWN:]))
    step = f"step {failed.number}/{failed.count}, {failed.name}: " if failed and failed.number else ""
    what = _cause(error.message)
    message = f"cannot build {name}: {step}{what}" + (f": {shown}" if shown else "")
    if "failed to do request" in error.message:
        return Retry("RegistryUnavailable", f"{message}; see whether that registry is reachable from the engine")
    if error.status == 400 or failed or "failed to" in error.message or "dockerfile" in error.message:
        return Stalled(
            "BuildFailed", f"{message}; correct what it is built from; all that it printed is in {order.log}"
        )
    return Retry("BuildFailed", message)


def _cause(message: str) -> str:
    """The engine's words without those of all the parts that they went through."""
    message = re.sub(r"^(failed to solve( with frontend \S+)?: )+", "", message).removeprefix(
        "failed to create LLB definition: "
    )
    code = re.search(r"exit code: [0-9]+$", message)
    return code[0] if code else message


def _unreadable(name: str, error: OSError | ValueError) -> Stalled:
    what = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return Stalled(
        "ContextUnreadable", f"cannot build {name}: {what}; make the context readable, or correct build.context"
    )


def _keep_log(log: Path, trace: Trace, secrets: Mapping[str, bytes]) -> None:
    trace.end()
    with suppress(OSError):  # on a full disk, say: how the build came out counts, not its log
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.write_text("".join(f"{line}\n" for line in _without(secrets, trace.lines)))


def _without(secrets: Mapping[str, bytes], lines: Sequence[str]) -> list[str]:
    """What a careless step prints of a secret is not kept."""
    hidden = {
        line for value in secrets.values() for line in (value.decode(errors="replace").splitlines()) if line.strip()
    }
    found = list(lines)
    for secret in sorted(hidden, key=len, reverse=True):
        found = [line.replace(secret, "(secret)") for line in found]
    return found
