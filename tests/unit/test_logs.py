"""Logs: JSON lines for machines, short lines for people, one line for an event and the user's message."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from controller.engine.stores import Event, Level
from controller.surfaces.logs import EventLog, configure, level_from
from resources.meta import Key
from resources.plan import Action, Change, Plan, Why

WEB = Key("Container", "default", "web")

log = logging.getLogger("controller.engine.test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    before = (
        list(root.handlers),
        root.level,
        {name: logging.getLogger(name).level for name in ("controller", "resources")},
    )
    yield
    root.handlers[:], root.level = before[0], before[1]
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_machines_get_one_json_object_a_line() -> None:
    stream = io.StringIO()
    configure(stream, "info")
    log.info("watch lost", extra={"kind": "Container", "key": WEB, "count": 2, "keys": [WEB], "cause": "über\nzwei"})
    (line,) = lines(stream)
    stamp = line.pop("ts")
    assert len(stamp) == len("2026-01-01T00:00:00.000Z")
    assert stamp.endswith("Z")
    assert line == {
        "level": "info",
        "message": "watch lost",
        "kind": "Container",
        "key": "Container/default/web",
        "count": 2,
        "keys": ["Container/default/web"],
        "cause": "über\nzwei",
    }


def test_traceback_of_a_mistake_is_in_its_line() -> None:
    stream = io.StringIO()
    configure(stream, "info")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.exception("agent failed to apply", extra={"kind": "Container"})
    (line,) = lines(stream)
    assert line["message"] == "agent failed to apply"
    assert "ZeroDivisionError" in line["traceback"]


def test_event_is_one_line_with_its_fields() -> None:
    stream = io.StringIO()
    configure(stream, "info")
    EventLog().recorded(Event(1.0, WEB, Level.WARNING, "ImageNotFound", "cannot find the image x: correct its name"))
    (line,) = lines(stream)
    del line["ts"]
    assert line == {
        "level": "warning",
        "message": "event",
        "key": "Container/default/web",
        "kind": "Container",
        "reason": "ImageNotFound",
        "detail": "cannot find the image x: correct its name",
    }


def test_people_get_a_line_that_reads_well() -> None:
    stream = Terminal()
    configure(stream, "info")
    EventLog().recorded(Event(1.0, WEB, Level.WARNING, "ImageNotFound", "cannot find the image x"))
    EventLog().recorded(Event(1.0, None, Level.NORMAL, "SourceEmpty", "nothing in it"))
    log.info("watch lost", extra={"key": WEB, "cause": "connection reset", "seconds": 1.5})
    assert [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()] == [
        "warning  Container/web  ImageNotFound  cannot find the image x",
        "info     SourceEmpty  nothing in it",
        'info     watch lost  key=Container/web  cause="connection reset"  seconds=1.5',
    ]


def test_level_hides_what_is_below_it_and_libraries_are_heard_from_warnings_up() -> None:
    stream = io.StringIO()
    configure(stream, "debug")
    logging.getLogger("urllib3").info("chatter")
    logging.getLogger("urllib3").warning("trouble")
    log.debug("detail")
    configure(stream, "error")
    log.warning("hidden")
    assert [line["message"] for line in lines(stream)] == ["trouble", "detail"]


def test_changes_are_logged_by_path_and_never_by_value() -> None:
    stream = io.StringIO()
    configure(stream, "debug")
    plan = Plan(WEB, Action.UPDATE, (Change("secretEnv.TOKEN", "hunter2", "hunter3", Why.EDITED),))
    listener = EventLog()
    listener.started(plan)
    listener.finished(plan, "done", 0.25)
    listener.converged(WEB, 0.5)
    listener.corrected(WEB, 0.5)
    listener.queued([WEB])
    assert "hunter" not in stream.getvalue()
    assert lines(stream)[1]["changes"] == ["secretEnv.TOKEN"]
    assert lines(stream)[1]["outcome"] == "done"


def test_level_comes_from_the_environment() -> None:
    assert level_from({}) == "info"
    assert level_from({"PEGASUS2_LOG_LEVEL": "DEBUG"}) == "debug"
    with pytest.raises(ValueError, match=r'cannot read PEGASUS2_LOG_LEVEL="loud": write one of debug, info'):
        level_from({"PEGASUS2_LOG_LEVEL": "loud"})
