"""What Prometheus may know: counters and histograms fed by the loop, gauges read when somebody asks. `p2 run` makes one.

Names and units follow https://prometheus.io/docs/practices/naming/; docs/metrics.md explains each. The page itself is
served by `probes.py`. prometheus_client is imported when a `Metrics` is made, by no other command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.engine.stores import Brake, Event, Silent
from resources.conditions import Reason, Status, Truth, Type
from resources.meta import Key
from resources.plan import Plan

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

# Seconds: from one edit of a file's content to an image pulled over a slow line.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class Gauges:
    """Questions asked at each scrape, from the server's threads; they must be cheap and must not touch the world."""

    resources: Callable[[], Mapping[tuple[str, Truth], int]]  # by kind and Ready
    queue_depth: Callable[[], int]
    agents: Callable[[], Mapping[str, bool]]  # whether each agent's system was reached when last asked
    holds: Callable[[], Mapping[str, int]]  # resources that wait for a person's decision, by reason
    source_ok: Callable[[], bool]
    brakes: Callable[[], Sequence[Brake]] = tuple  # those that are on
    suspended: Callable[[], int] = int  # resources that p2 suspend leaves alone


class Metrics(Silent):
    """A listener that counts. `page` is what it has counted so far."""

    def __init__(self, version: str, gauges: Gauges) -> None:
        import prometheus_client as prometheus

        # A second series beside every histogram, telling when it began, is of no use to anybody here.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = prometheus.CollectorRegistry()
        self._gauges = gauges
        self._reconcile = prometheus.Histogram(
            "pegasus2_reconcile_duration_seconds",
            "Time to carry out one change and to look at its result.",
            ("kind", "action", "outcome"),
            registry=self._registry,
            buckets=BUCKETS,
        )
        self._converged = prometheus.Histogram(
            "pegasus2_edit_to_converged_seconds",
            "Time from noticing an edit to the resource being Ready.",
            ("kind",),
            registry=self._registry,
            buckets=BUCKETS,
        )
        self._corrected = prometheus.Histogram(
            "pegasus2_drift_to_corrected_seconds",
            "Time from the first hint of drift to the resource being Ready again.",
            ("kind",),
            registry=self._registry,
            buckets=BUCKETS,
        )
        self._passes = prometheus.Counter(
            "pegasus2_reconciles_total",
            "Passes over a resource, by what they found.",
            ("kind", "ready"),
            registry=self._registry,
        )
        self._rollbacks = prometheus.Counter(
            "pegasus2_rollbacks_total",
            "Edits that did not become Ready in time and were taken back.",
            ("kind",),
            registry=self._registry,
        )
        self._events = prometheus.Counter(
            "pegasus2_events_total", "Events recorded for the user.", ("level", "reason"), registry=self._registry
        )
        build = prometheus.Gauge(
            "pegasus2_build_info", "Always 1; the version is in the label.", ("version",), registry=self._registry
        )
        build.labels(version).set(1)
        self._registry.register(_AtScrape(gauges))
        prometheus.ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """All metrics in the text format that Prometheus scrapes."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    def finished(self, plan: Plan, outcome: str, seconds: float) -> None:
        self._reconcile.labels(plan.key.kind, plan.action, outcome).observe(seconds)

    def settled(self, key: Key, status: Status) -> None:
        ready = status.condition(Type.READY)
        self._passes.labels(key.kind, ready.status if ready else Truth.UNKNOWN).inc()

    def converged(self, key: Key, seconds: float) -> None:
        self._converged.labels(key.kind).observe(seconds)

    def corrected(self, key: Key, seconds: float) -> None:
        self._corrected.labels(key.kind).observe(seconds)

    def rolled_back(self, key: Key) -> None:
        self._rollbacks.labels(key.kind).inc()

    def recorded(self, event: Event) -> None:
        self._events.labels(event.level, event.reason).inc()


class _AtScrape:
    """Reads the gauges when the page is made, so that at rest nothing is computed."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[GaugeMetricFamily]:
        from prometheus_client.core import GaugeMetricFamily as Gauge

        resources = Gauge("pegasus2_resources", "Resources by kind and Ready.", labels=("kind", "ready"))
        for (kind, ready), count in self._gauges.resources().items():
            resources.add_metric((kind, ready), count)
        yield resources
        yield Gauge("pegasus2_queue_depth", "Keys that wait for a worker now.", self._gauges.queue_depth())
        up = Gauge("pegasus2_agent_up", "1 when the agent reached its system at the last try.", labels=("agent",))
        for agent, reached in self._gauges.agents().items():
            up.add_metric((agent,), reached)
        yield up
        holds = Gauge("pegasus2_holds", "Resources about which something is held back, by reason.", labels=("reason",))
        for reason, count in self._gauges.holds().items():
            holds.add_metric((reason,), count)
        yield holds
        brakes = Gauge("pegasus2_brake", "1 while nothing is changed for this reason.", labels=("reason",))
        on = {brake.reason for brake in self._gauges.brakes()}
        for reason in (Reason.PAUSED, Reason.SAFE_MODE, Reason.STOPPED):
            brakes.add_metric((reason,), reason in on)
        yield brakes
        suspended = self._gauges.suspended()
        yield Gauge("pegasus2_suspended", "Resources that p2 suspend leaves alone.", suspended)
        yield Gauge("pegasus2_source_ok", "1 when the source can be read.", self._gauges.source_ok())
