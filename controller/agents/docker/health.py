"""Whether a container that is as declared also works. Pure: the clock is given."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from controller.agents.docker.client import Json
from controller.agents.docker.restarts import SETTLED
from controller.engine.agent import HEALTHY, Health
from resources.docker.parts import State
from resources.kinds.container import ContainerSpec
from resources.notation import duration_text

STOPPED_BY_SIGNAL = (130, 137, 143)  # exit codes after SIGINT, SIGKILL and SIGTERM
GONE_SOON = 0.2  # seconds between looks at a container that is being removed
PROBE = 1.0  # seconds between looks at a health check that has not decided yet


def health_of(
    spec: ContainerSpec, live: Json, now: float, last_words: Callable[[], str] = str, settling: float = SETTLED
) -> Health:
    """`now`: seconds since the epoch; `last_words`: what it has logged last, asked for where it has failed; `settling`: see
    `Restarts`.

    Differences are not its business: a container that should run and doesn't is drift.
    """
    state = live["State"]
    if state["Status"] == "removing":
        return Health(False, "Removing", "the engine is removing it", again=GONE_SOON)
    match spec.state:
        case State.STOPPED:
            return HEALTHY
        case State.COMPLETED:
            return _completed(state, last_words)
        case State.RUNNING:
            return _running(spec, live, now, last_words, settling)


def _completed(state: Json, last_words: Callable[[], str]) -> Health:
    if state["Running"] or state["Status"] == "created":
        return Health(False, "Progressing", "running; Ready when it has ended with exit code 0")
    if state["ExitCode"] == 0:
        return Health(message="completed")
    said = f"failed with exit code {state['ExitCode']}{_detail(state)}{last_words()}"
    message = f"{said}; it runs again when its spec changes or it is removed"
    return Health(False, "Failed", message, stalled=not state.get("Restarting"))


def _running(spec: ContainerSpec, live: Json, now: float, last_words: Callable[[], str], settling: float) -> Health:
    state, restarts = live["State"], live.get("RestartCount", 0)
    keeps_exiting = settling > SETTLED
    if state.get("Restarting") and not keeps_exiting:
        return Health(
            False, "CrashLoop", f"exits with code {state['ExitCode']}{_detail(state)}; the engine restarts it"
        )
    if not (state["Running"] or state.get("Restarting")):
        name = live.get("Name", "").removeprefix("/")
        said = f"it has exited with code {state['ExitCode']}{_detail(state)}{last_words()}"
        return Health(message=f"{said}; see docker logs {name}", ended=_by_itself(state))
    since = running_for(live, now)
    if keeps_exiting and (state.get("Restarting") or since < settling):
        span = duration_text(settling)
        message = f"it exits again and again, and the engine restarts it; Ready when it has run for {span}"
        return Health(False, "CrashLoop", message, again=None if state.get("Restarting") else settling - since)
    if restarts and since < SETTLED:
        message = f"restarted {restarts} times, last {max(since, 0):.0f} s ago"
        return Health(False, "CrashLoop", message, again=SETTLED - since)
    if spec.minReadySeconds and since < spec.minReadySeconds:
        left = spec.minReadySeconds - since
        return Health(False, "Progressing", f"running; Ready after {spec.minReadySeconds} s", again=left)
    return _probed(state.get("Health") or {})


def running_for(live: Json, now: float) -> float:
    """Seconds since its last start.

    One that lies ahead was before somebody set the clock back: how long ago can't be known, nor need be waited for.
    """
    passed = now - epoch(live["State"]["StartedAt"])
    return passed if passed > -SETTLED else math.inf


def _probed(check: Json) -> Health:
    match check.get("Status", "none"):
        case "starting":
            return Health(False, "Progressing", "waits for its healthcheck", again=PROBE)
        case "unhealthy":
            log = check.get("Log") or [{}]
            output = str(log[-1].get("Output", "")).strip()[:200]
            return Health(False, "Unhealthy", f"its healthcheck fails{': ' if output else ''}{output}")
    return HEALTHY


def _by_itself(state: Json) -> bool:
    """Whether it has ended, as far as can be told, and was not stopped by somebody."""
    return bool(state.get("OOMKilled")) or state["ExitCode"] not in STOPPED_BY_SIGNAL


def _detail(state: Json) -> str:
    if state.get("OOMKilled"):
        return " (out of memory)"
    return f" ({state['Error']})" if state.get("Error") else ""


def epoch(stamp: str) -> float:
    """Seconds since the epoch of an engine's time stamp, which has nanoseconds."""
    whole, _, rest = stamp.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}")
