"""What the status of an object says, taken back into our words."""

from __future__ import annotations

from typing import Any

import pytest

from controller.engine.stores import Level
from controller.sources.kube.leases import Lease, Standing
from controller.sources.kube.objects import read_object
from controller.sources.kube.reported import event_of, status_in_force, status_of, worker_of
from resources.conditions import Reason, Truth, Type
from resources.meta import Key

AT = "2026-01-01T00:00:00Z"
SECONDS = 1767225600.0


def body(status: Any = None, generation: int = 1, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "pegasus2.dev/v1",
        "kind": "File",
        "metadata": {"name": "motd", "namespace": "default", "generation": generation, **metadata},
        "spec": {"path": "/etc/motd"},
        "status": status,
    }


def said(kind: str = "Ready", truth: str = "True", reason: str = "Converged", generation: int = 1) -> dict[str, Any]:
    return {
        "type": kind,
        "status": truth,
        "reason": reason,
        "message": "so",
        "observedGeneration": generation,
        "lastTransitionTime": AT,
    }


def test_published_status_comes_back_as_it_was() -> None:
    drift = [{"path": "mode", "observed": "0777", "desired": "0600", "why": "drifted"}]
    found = status_of(
        read_object(body({"observedGeneration": 1, "conditions": [said()], "handle": "file:/etc/motd", "drift": drift}))
    )
    assert found is not None
    assert found.ready
    assert (found.observed_generation, found.handle, found.reason) == (1, "file:/etc/motd", Reason.CONVERGED)
    assert found.conditions[0].since == SECONDS
    assert [(change.path, change.observed, change.desired) for change in found.drift] == [("mode", "0777", "0600")]


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        "rubbish",
        {"conditions": "rubbish"},
        {"conditions": ["rubbish", None, {"type": "Ready"}, {"type": "Ready", "status": "Perhaps"}]},
    ],
    ids=str,
)
def test_status_that_says_nothing_of_use_is_none(status: Any) -> None:
    assert status_of(read_object(body(status))) is None


def test_rubbish_beside_what_is_of_use_is_left_out() -> None:
    status = {
        "observedGeneration": "many",
        "conditions": [said(), said("Weather")],
        "drift": [None, {"path": "x"}, {"path": "y", "why": "because"}],
    }
    found = status_of(read_object(body(status)))
    assert found is not None
    assert (len(found.conditions), found.drift, found.observed_generation) == (1, (), 0)


def test_status_of_an_older_generation_counts_that_one() -> None:
    found = status_of(read_object(body({"observedGeneration": 1, "conditions": [said()]}, generation=2)))
    assert found is not None
    assert found.generation == 1


def test_status_of_what_is_being_worked_on_counts_the_newest_generation() -> None:
    conditions = [said(truth="False", reason="ApplyFailed"), said("Reconciling", reason="ApplyFailed")]
    found = status_of(read_object(body({"observedGeneration": 1, "conditions": conditions}, generation=2)))
    assert found is not None
    assert (found.generation, found.observed_generation, found.reason) == (2, 1, "ApplyFailed")


@pytest.mark.parametrize(("truth", "shown"), [("True", Reason.DELETING), ("False", "Retained")])
def test_object_that_is_being_deleted_is_not_ready_whatever_was_said(truth: str, shown: str) -> None:
    conditions = [said(truth=truth, reason="Converged" if truth == "True" else "Retained")]
    leaving = body({"observedGeneration": 1, "conditions": conditions}, generation=2, deletionTimestamp=AT)
    found = status_of(read_object(leaving))
    assert found is not None
    ready = found.condition(Type.READY)
    assert ready is not None
    assert (ready.status, ready.reason, found.generation) == (Truth.FALSE, shown, 2)


def test_what_was_said_holds_while_no_machine_has_a_lease() -> None:
    found = read_object(body({"observedGeneration": 1, "conditions": [said()]}))
    status = status_in_force(found, Standing({}, {}, SECONDS))
    assert status is not None
    assert status.ready


def test_what_is_on_a_lost_machine_is_unknown_whatever_was_said() -> None:
    found = read_object(body({"observedGeneration": 1, "conditions": [said()], "node": "beta"}))
    lease = Lease("beta", "x", SECONDS, default=True)
    status = status_in_force(found, Standing({"beta": lease}, {"beta": SECONDS}, SECONDS + 100))
    assert status is not None
    assert (status.reason, status.conditions[0].status) == (Reason.NODE_LOST, Truth.UNKNOWN)


def test_object_is_its_specs_machine_s_before_it_is_who_works_on_it() -> None:
    found = body({"node": "beta"})
    assert worker_of(read_object(found)) == "beta"
    found["spec"]["node"] = "atlas"
    assert worker_of(read_object(found)) == "atlas"


@pytest.mark.parametrize(
    "moments",
    [
        {"firstTimestamp": AT, "lastTimestamp": "2026-01-01T00:01:00Z", "count": 2},
        {"eventTime": AT, "series": {"lastObservedTime": "2026-01-01T00:01:00Z", "count": 2}},
    ],
    ids=["core", "events.k8s.io"],
)
def test_event_of_either_api_is_read(moments: dict[str, Any]) -> None:
    about = {"kind": "File", "namespace": "default", "name": "motd"}
    document = {
        "metadata": {"name": "x", "creationTimestamp": AT},
        "involvedObject": about,
        "type": "Warning",
        "reason": "Drifted",
        "message": "mode",
    }
    event = event_of({**document, **moments})
    assert event.key == Key("File", "default", "motd")
    assert (event.first, event.at, event.count) == (SECONDS, SECONDS + 60, 2)
    assert (event.level, event.reason, event.message) == (Level.WARNING, "Drifted", "mode")
    once = event_of(document)
    assert (once.at, once.count) == (SECONDS, 1)
