"""Pulls images, with progress."""

from __future__ import annotations

from controller.agents.docker.client import EngineError, Json, WritableEngine
from controller.agents.docker.pull_failures import pull_failure
from controller.engine.agent import Context, Retry, Stalled
from resources.meta import Key


def pull(engine: WritableEngine, reference: str, key: Key, ctx: Context) -> None:
    """Returns when the image is here. Raises Stalled where there is none, Retry where it could not be brought."""
    ctx.progress(key, None, f"pulling {reference}")
    layers: dict[str, tuple[int, int]] = {}
    try:
        for message in engine.pull(reference):
            if ctx.cancelled.is_set():
                raise Retry("Cancelled", f"cannot go on pulling {reference}: cancelled")
            if problem := message.get("error"):
                raise pull_failure(engine.registries, reference, 500, str(problem))
            if _counted(message, layers):
                _report(reference, key, layers, ctx)
    except EngineError as error:
        raise pull_failure(engine.registries, reference, error.status, error.message) from None
    ctx.progress(key, 1.0, f"pulled {reference}")


def absent(reference: str) -> Stalled:
    """For images that may not be pulled."""
    return Stalled(
        "ImageNotFound",
        f"cannot find the image {reference} on this machine, and pullPolicy is never: build, load or pull it, or change "
        "pullPolicy",
    )


def _counted(message: Json, layers: dict[str, tuple[int, int]]) -> bool:
    """Takes note of how much of a layer has come; False when the message is not about that."""
    detail = message.get("progressDetail") or {}
    if message.get("status") != "Downloading" or "total" not in detail:
        return False
    layers[message["id"]] = (detail["current"], detail["total"])
    return True


def _report(reference: str, key: Key, layers: dict[str, tuple[int, int]], ctx: Context) -> None:
    current, total = (sum(column) for column in zip(*layers.values(), strict=True))
    megabytes = f"{current / 1e6:.1f} of {total / 1e6:.1f} MB"
    ctx.progress(key, current / total if total else None, f"pulling {reference}: {megabytes}")
