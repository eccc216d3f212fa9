"""When a container counts as Ready, from what the engine says of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from controller.agents.docker.health import SETTLED, health_of
from resources.kinds.container import ContainerSpec

STARTED = "2026-11-22T14:00:00.250000001Z"
NOW = datetime(2026, 11, 22, 14, 0, 0, 250000, tzinfo=UTC).timestamp()

RUNNING: dict[str, Any] = {"Status": "running", "Running": True, "StartedAt": STARTED, "ExitCode": 0}
EXITED: dict[str, Any] = {"Status": "exited", "Running": False, "StartedAt": STARTED, "ExitCode": 0}
RESTARTING: dict[str, Any] = {**RUNNING, "Status": "restarting", "Restarting": True, "ExitCode": 7}


@pytest.mark.parametrize(
    ("spec", "state", "restarts", "age", "ready", "reason", "again"),
    [
        ({}, RUNNING, 0, 0, True, "Converged", None),
        ({}, RUNNING, 3, 4, False, "CrashLoop", SETTLED - 4),
        ({}, RUNNING, 3, SETTLED, True, "Converged", None),
        ({}, RUNNING, 3, -3600, True, "Converged", None),
        ({"minReadySeconds": 20}, RUNNING, 0, -3600, True, "Converged", None),
        ({}, RESTARTING, 3, 1, False, "CrashLoop", None),
        ({}, {**RUNNING, "Health": {"Status": "starting"}}, 0, 1, False, "Progressing", 1.0),
        ({}, {**RUNNING, "Health": {"Status": "healthy"}}, 0, 1, True, "Converged", None),
        ({}, {**RUNNING, "Health": {"Status": "unhealthy", "Log": []}}, 0, 1, False, "Unhealthy", None),
        ({}, {**RUNNING, "Health": {"Status": "none"}}, 0, 1, True, "Converged", None),
        ({}, {**EXITED, "Status": "removing"}, 0, 1, False, "Removing", 0.2),
        ({"minReadySeconds": 30}, RUNNING, 0, 10, False, "Progressing", 20),
        ({"minReadySeconds": 30}, RUNNING, 0, 30, True, "Converged", None),
        ({"state": "stopped"}, EXITED, 0, 1, True, "Converged", None),
        ({"state": "completed"}, RUNNING, 0, 1, False, "Progressing", None),
        ({"state": "completed"}, EXITED, 0, 1, True, "Converged", None),
        ({"state": "completed"}, {**EXITED, "ExitCode": 3}, 0, 1, False, "Failed", None),
    ],
    ids=lambda value: "",
)
def test_readiness(
    spec: dict[str, Any],
    state: dict[str, Any],
    restarts: int,
    age: float,
    ready: bool,
    reason: str,
    again: float | None,
) -> None:
    live = {"State": state, "RestartCount": restarts}
    health = health_of(ContainerSpec(image="nginx", **spec), live, NOW + age)
    assert (health.ready, health.reason) == (ready, reason)
    assert health.again == (again and pytest.approx(again, abs=0.001))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({**EXITED, "ExitCode": 137, "OOMKilled": True}, "failed with exit code 137 (out of memory)"),
        ({**EXITED, "ExitCode": 127, "Error": "no such program"}, "failed with exit code 127 (no such program)"),
    ],
    ids=["memory", "program"],
)
def test_failure_says_what_is_known(state: dict[str, Any], message: str) -> None:
    health = health_of(ContainerSpec(image="nginx", state="completed"), {"State": state}, NOW)
    assert health.stalled
    assert message in health.message
