"""Metrics: what the loop tells is on the page, the page is what Prometheus wants, and it is served on loopback."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.engine.stores import Brake, Event, Level
from controller.store.stores import open_stores
from controller.surfaces.metrics import Gauges, Metrics
from controller.surfaces.probes import DEFAULT_PORT, ProbeServer, port_from, serve
from controller.wiring.listeners import Listeners
from resources.conditions import Condition, Reason, Status, Truth, Type
from resources.meta import Key
from resources.plan import Action, Plan

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "metrics.md"
WEB = Key("Container", "default", "web")
READY = Status(1, 1, (Condition(Type.READY, Truth.TRUE, Reason.CONVERGED, "", 1, 0.0),))


def gauges() -> Gauges:
    return Gauges(
        resources=lambda: {("Container", Truth.TRUE): 3, ("Container", Truth.FALSE): 1},
        queue_depth=lambda: 7,
        agents=lambda: {"docker": False, "environment": True},
        holds=lambda: {Reason.TOO_MANY_DELETES: 2},
        source_ok=lambda: True,
        brakes=lambda: [Brake(Reason.SAFE_MODE, "")],
        suspended=lambda: 4,
    )


@pytest.fixture
def metrics() -> Metrics:
    """Metrics that were told of everything once."""
    made = Metrics("1.2.3", gauges())
    told = Listeners(made)
    told.queued([WEB])
    told.started(Plan(WEB, Action.CREATE))
    told.progressed(WEB, 0.5, "pulling")
    told.finished(Plan(WEB, Action.CREATE), "done", 0.3)
    told.settled(WEB, READY)
    told.settled(WEB, Status(2, 1))
    told.converged(WEB, 0.4)
    told.corrected(WEB, 0.007)
    told.rolled_back(WEB)
    told.recorded(Event(1.0, WEB, Level.WARNING, "ImageNotFound", "cannot find the image"))
    return made


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """The value of one series on the page."""
    families = text_string_to_metric_families(metrics.page().decode())
    found = [
        sample.value
        for family in families
        for sample in family.samples
        if (sample.name, sample.labels) == (name, labels)
    ]
    assert len(found) == 1, f"{name}{labels} is on the page {len(found)} times"
    return float(found[0])


def test_page_shows_what_the_loop_told(metrics: Metrics) -> None:
    reconcile = {"kind": "Container", "action": "create", "outcome": "done"}
    assert value(metrics, "pegasus2_reconcile_duration_seconds_sum", **reconcile) == 0.3
    assert value(metrics, "pegasus2_reconcile_duration_seconds_bucket", **reconcile, le="0.25") == 0
    assert value(metrics, "pegasus2_reconcile_duration_seconds_bucket", **reconcile, le="0.5") == 1
    assert value(metrics, "pegasus2_reconciles_total", kind="Container", ready="True") == 1
    assert value(metrics, "pegasus2_reconciles_total", kind="Container", ready="Unknown") == 1
    assert value(metrics, "pegasus2_edit_to_converged_seconds_sum", kind="Container") == 0.4
    assert value(metrics, "pegasus2_drift_to_corrected_seconds_bucket", kind="Container", le="0.01") == 1
    assert value(metrics, "pegasus2_rollbacks_total", kind="Container") == 1
    assert value(metrics, "pegasus2_events_total", level="Warning", reason="ImageNotFound") == 1


def test_page_shows_what_is_asked_at_the_scrape(metrics: Metrics) -> None:
    assert value(metrics, "pegasus2_resources", kind="Container", ready="True") == 3
    assert value(metrics, "pegasus2_queue_depth") == 7
    assert value(metrics, "pegasus2_agent_up", agent="docker") == 0
    assert value(metrics, "pegasus2_agent_up", agent="environment") == 1
    assert value(metrics, "pegasus2_holds", reason="TooManyDeletes") == 2
    assert value(metrics, "pegasus2_source_ok") == 1
    assert value(metrics, "pegasus2_brake", reason="SafeMode") == 1
    assert value(metrics, "pegasus2_brake", reason="Paused") == value(metrics, "pegasus2_brake", reason="Stopped") == 0
    assert value(metrics, "pegasus2_suspended") == 4
    assert value(metrics, "pegasus2_build_info", version="1.2.3") == 1
    assert value(metrics, "process_resident_memory_bytes") > 1_000_000


def test_resources_are_counted_by_the_store() -> None:
    stores = open_stores(None)
    stores.statuses.save({WEB: READY})
    made = Metrics("1.2.3", Gauges(stores.statuses.tally, int, dict, dict, bool))
    assert value(made, "pegasus2_resources", kind="Container", ready="True") == 1


@pytest.mark.promtool
def test_prometheus_finds_nothing_to_complain_about(metrics: Metrics) -> None:
    checked = subprocess.run(["promtool", "check", "metrics"], input=metrics.page(), capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")


@pytest.mark.promtool
def test_documented_alerts_are_valid_rules(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(DOCUMENTATION.read_text().split("```yaml\n")[1].split("```")[0])
    subprocess.run(["promtool", "check", "rules", str(rules)], check=True, capture_output=True)


def test_every_metric_is_documented(metrics: Metrics) -> None:
    documented = DOCUMENTATION.read_text()
    for family in text_string_to_metric_families(metrics.page().decode()):
        if not family.name.startswith("process_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            assert f"`{name}" in documented


@pytest.fixture
def server(metrics: Metrics) -> Iterator[ProbeServer]:
    running = ProbeServer(0, metrics.page, alive=lambda: "", ready=lambda: "the source has not been read yet")
    yield running
    running.stop()


def answer(server: ProbeServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_server_answers_metrics_and_both_probes(server: ProbeServer) -> None:
    code, page = answer(server, "/metrics")
    assert code == 200
    assert "pegasus2_queue_depth 7.0" in page
    assert answer(server, "/healthz") == (200, "ok\n")
    assert answer(server, "/readyz?verbose") == (503, "the source has not been read yet\n")
    code, page = answer(server, "/secret")
    assert code == 404
    assert "there are /metrics, /healthz, /readyz" in page


def test_failing_probe_is_an_answer_and_the_server_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bytes:
        raise RuntimeError("database is gone")

    running = ProbeServer(0, broken, alive=str, ready=str)
    try:
        assert answer(running, "/metrics")[0] == 500
        assert "database is gone" in caplog.text
        assert answer(running, "/readyz") == (200, "ok\n")
    finally:
        running.stop()


def test_server_listens_on_its_one_address_only(server: ProbeServer) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=5)


def test_server_sleeps_between_requests(server: ProbeServer) -> None:
    assert answer(server, "/healthz")[0] == 200
    (thread,) = (each for each in threading.enumerate() if each.name == "probes")
    before = times_woken(thread)
    thread.join(0.7)  # a server that polls would wake in this time
    assert times_woken(thread) - before <= 1  # it may just be going to sleep


def times_woken(thread: threading.Thread) -> int:
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])  # type: ignore[index]


def test_stopped_server_gives_its_port_back(metrics: Metrics) -> None:
    first = ProbeServer(0, metrics.page, str, str)
    first.stop()
    again = serve(first.port, metrics.page, str, str)
    assert again is not None
    again.stop()


def test_taken_port_is_a_warning_and_nothing_worse(server: ProbeServer, caplog: pytest.LogCaptureFixture) -> None:
    assert serve(server.port, bytes, str, str) is None
    (record,) = caplog.records
    assert record.getMessage().startswith("cannot serve metrics: set PEGASUS2_METRICS_PORT")
    assert vars(record)["address"] == f"127.0.0.1:{server.port}"


def test_port_comes_from_the_environment() -> None:
    assert port_from({}) == DEFAULT_PORT
    assert port_from({"PEGASUS2_METRICS_PORT": "9999"}) == 9999
    assert serve(port_from({"PEGASUS2_METRICS_PORT": "0"}), bytes, str, str) is None
    for text in ("web", "-1", "65536"):
        with pytest.raises(ValueError, match=rf'cannot read PEGASUS2_METRICS_PORT="{text}"'):
            port_from({"PEGASUS2_METRICS_PORT": text})


def test_prometheus_client_is_imported_only_when_metrics_are_made() -> None:
    code = "import sys, controller.surfaces.metrics; assert 'prometheus_client' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
