"""What the watch makes of what kopf tells it."""

from __future__ import annotations

import asyncio
from typing import Any

from controller.sources.kube.arrivals import RELISTED, Arrival
from controller.sources.kube.watching import Watching


def listed(kind: str, uid: str) -> dict[str, Any]:
    return {"type": None, "object": {"kind": kind, "metadata": {"name": "a", "namespace": "default", "uid": uid}}}


def test_each_kind_whose_list_comes_again_is_noticed() -> None:
    arrived: list[Arrival] = []
    watching = Watching(None, (), arrived.append)  # type: ignore[arg-type]
    for kind in ("File", "Volume", "File", "Volume"):
        asyncio.run(watching._hear(listed(kind, f"uid-{kind}")))
    assert [what for what, _ in arrived].count(RELISTED) == 2
