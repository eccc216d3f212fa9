"""Pulls images, with progress layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.agents.docker.client import EngineError, Json, WritableEngine
from controller.engine.agent import Context, Failure, Retry, Stalled
from resources.meta import Key

_DONE = frozenset({"Pull complete", "Already exists"})
_UNDER_WAY = frozenset({"Downloading", "Extracting", "Verifying Checksum", "Download complete"})


def pull(engine: WritableEngine, reference: str, key: Key, ctx: Context, platform: str | None = None) -> None:
    """Returns when the image is here. Raises Stalled where there is none, Retry where it could not be brought."""
    ctx.progress(key, None, f"pulling {reference}")
    layers = Layers()
    try:
        for message in engine.pull(reference, platform):
            if ctx.cancelled.is_set():
                raise Retry(
                    "Cancelled", f"cannot go on pulling {reference}: that was broken off; it begins anew the next time"
                )
            if problem := message.get("error"):
                raise _failure(engine, reference, 500, str(problem))
            if layers.take(message):
                ctx.progress(key, layers.fraction, f"pulling {reference}: {layers}")
    except EngineError as error:
        raise _failure(engine, reference, error.status, error.message) from None
    ctx.progress(key, 1.0, f"pulled {reference}")


def absent(reference: str) -> Stalled:
    """For images that may not be pulled."""
    return Stalled(
        "ImageNotFound",
        f"cannot find the image {reference} on this machine, and pullPolicy is never: build, load or pull it, or change "
        "pullPolicy",
    )


def _failure(engine: WritableEngine, reference: str, status: int, message: str) -> Failure:
    from controller.agents.docker.pull_failures import pull_failure

    return pull_failure(engine.registries, reference, status, message)


@dataclass(slots=True)
class _Layer:
    status: str = ""
    current: int = 0
    total: int = 0


@dataclass(slots=True)
class Layers:
    """How far each layer of an image is."""

    known: dict[str, _Layer] = field(default_factory=dict)
    latest: str = ""

    def take(self, message: Json) -> bool:
        """Takes in one message of the engine; False when it says nothing of how far a layer is."""
        identity, status = str(message.get("id") or ""), str(message.get("status") or "")
        detail = message.get("progressDetail")
        if not identity or (detail is None and status not in _DONE):
            return False
        layer = self.known.setdefault(identity, _Layer())
        layer.status = status
        if status == "Downloading" and "total" in (detail or {}):
            layer.current, layer.total = (
                int(message["progressDetail"]["current"]),
                int(message["progressDetail"]["total"]),
            )
        elif status in _DONE or status in ("Download complete", "Extracting"):
            layer.current = layer.total
        if status in _UNDER_WAY or status in _DONE:
            self.latest = identity
            return True
        return False

    @property
    def fraction(self) -> float | None:
        """Of the bytes; None before any of them is known to come."""
        total = sum(layer.total for layer in self.known.values())
        return sum(layer.current for layer in self.known.values()) / total if total else None

    def __str__(self) -> str:
        layers = self.known.values()
        done, current = sum(layer.status in _DONE for layer in layers), sum(layer.current for layer in layers)
        megabytes = f"{current / 1e6:.1f} of {sum(layer.total for layer in layers) / 1e6:.1f} MB"
        layer = self.known[self.latest]
        now = f"; {self.latest}: {layer.status.lower()}"
        if layer.status == "Downloading":
            now += f" {layer.current / 1e6:.1f} of {layer.total / 1e6:.1f} MB"
        return f"{megabytes}, {done} of {len(layers)} layers{now}"
