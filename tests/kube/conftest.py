"""What the tests of the operator share: one that runs, in a namespace of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver import Kubernetes
from tests.cli.conftest import story as story
from tests.kube.desk import Desk
from tests.support import OperatorProcess


@pytest.fixture
def operator(cluster: Kubernetes, namespace: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    """Takes all objects of the test's namespace. To be started by the test."""
    options = ("--default", "--namespace", namespace)
    made = OperatorProcess(tmp_path / "operator", cluster.kubeconfig, f"node-{namespace}", *options)
    yield made
    made.close()


@pytest.fixture
def desk(cluster: Kubernetes, namespace: str, operator: OperatorProcess, tmp_path: Path) -> Iterator[Desk]:
    """A person with kubectl, while the operator runs."""
    operator.start()
    made = Desk(cluster, namespace, tmp_path / "world", operator)
    yield made
    made.close()
