"""What the engine says when a container does not start, and what is done about it."""

from __future__ import annotations

import pytest

from controller.agents.docker.client import EngineError
from controller.agents.docker.failures import TASK_LEFT_BEHIND, failure, start_failure
from controller.engine.agent import Retry


@pytest.mark.parametrize(
    "said",
    [
        "task 6b673afe6959 already exists",
        "AlreadyExists: task 6b673afe6959: already exists",
        "id already in use",
        "failed to start shim: mkdir /run/docker/io.containerd.runtime.v2.task/moby/6b673afe6959: file exists: unknown",
    ],
)
def test_what_a_killed_engine_has_left_of_a_start_is_seen_so_that_the_container_is_made_anew(said: str) -> None:
    failure = start_failure("web", EngineError(500, said))
    assert isinstance(failure, Retry)
    assert failure.reason == TASK_LEFT_BEHIND


@pytest.mark.parametrize("status", [400, 404, 500])
def test_two_networks_of_one_name_are_waited_for_until_one_is_removed(status: int) -> None:
    error = EngineError(status, "network web is ambiguous (2 matches found on name)")
    for found in (failure("change the container web", error), start_failure("web", error)):
        assert (type(found), found.reason) == (Retry, "NetworkAmbiguous")


def test_other_trouble_with_the_shim_is_tried_again() -> None:
    failure = start_failure("web", EngineError(500, "failed to start shim: fork: resource temporarily unavailable"))
    assert (type(failure), failure.reason) == (Retry, "StartFailed")
