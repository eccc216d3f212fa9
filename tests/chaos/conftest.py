from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from docker import APIClient

from tests.apiserver import SYSTEM_NAMESPACE, OwnKubernetes, clear, own_missing
from tests.chaos.yard import Yard
from tests.cli.conftest import story as story
from tests.cli.story import Story
from tests.support import Controller


@pytest.fixture
def controller(story: Story) -> Iterator[Controller]:
    """To be started by the test, when the first files are written."""
    made = Controller(story)
    yield made
    made.kill()


@pytest.fixture
def yard() -> Iterator[Yard]:
    """On the engine of this machine."""
    with closing(APIClient(timeout=30)) as engine:
        made = Yard(engine)
        yield made
        made.clear()


@pytest.fixture(scope="session")
def _private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnKubernetes]:
    if why := own_missing():
        pytest.skip(f"{why}, and one of our own is to be killed")
    made = OwnKubernetes(tmp_path_factory.mktemp("kube-to-kill"))
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def server(_private: OwnKubernetes) -> Iterator[OwnKubernetes]:
    """An API server that may be killed and emptied, while the one that other tests use stays as it is."""
    _private.install()
    yield _private
    with closing(_private.client()) as client:
        clear(client, "default")
    # Those that a killed operator has left would keep the next one waiting.
    _private.kubectl("delete", "leases", "--all", "-n", SYSTEM_NAMESPACE)
