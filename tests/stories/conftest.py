"""The two modes, each with one running program for all stories, and a world for each story."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from resources.kinds import built_in
from tests.agents.world import World
from tests.agents.worlds import worlds
from tests.stories.mode import FilesMode, KubeMode, Mode

WORLDS = {kind: world for kind, world in worlds().items() if kind in built_in()}


# Not for the whole session: other tests of the same cluster would find an operator at work.
@pytest.fixture(scope="module", params=[FilesMode.name, pytest.param(KubeMode.name, marks=pytest.mark.kube)])
def mode(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mode]:
    """A running program, and the way to tell it what is desired."""
    root = tmp_path_factory.mktemp(f"mode-{request.param}")
    with ExitStack() as closing, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEGASUS2_JOURNAL", "none")
        patch.setenv("NO_COLOR", "1")
        made = _made(request, root, closing)
        made.afterwards = closing  # first the program ends, then what its worlds have left is removed
        made.program.start()
        yield made
        try:
            assert made.program.end() == 0, made.program.log
        finally:
            made.program.kill()


def _made(request: pytest.FixtureRequest, root: Path, closing: ExitStack) -> Mode:
    if request.param == FilesMode.name:
        return FilesMode(root)
    cluster = request.getfixturevalue("cluster")
    made = KubeMode(root, cluster, closing.enter_context(cluster.namespace()))
    closing.callback(made.close)
    return made


@pytest.fixture(
    params=[
        pytest.param(world, id=kind, marks=[getattr(pytest.mark, world.needs)] if world.needs else [])
        for kind, world in WORLDS.items()
    ]
)
def world(request: pytest.FixtureRequest, tmp_path: Path, mode: Mode) -> World[Any]:
    """The hands that reach behind the program's back. What is left of it is removed when that has ended."""
    made: World[Any] = request.param(tmp_path)
    mode.afterwards.callback(made.close)
    return made
