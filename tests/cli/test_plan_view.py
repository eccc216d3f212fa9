"""What a plan looks like, line for line."""

from __future__ import annotations

from controller.engine.agent import Retry, Stalled
from controller.engine.stores import Hold
from controller.surfaces.cli.console import PLAIN, Paint
from controller.surfaces.cli.plan_view import plan_lines, preview_lines
from controller.wiring.outcome import Preview
from resources.conditions import Reason
from resources.plan import Action, Why
from tests.cli.small_world import CREATE, DELETE, UPDATE, change, key, plan, preview


def shown(found: Preview) -> str:
    return "\n".join(preview_lines(found, PLAIN, {}))


def test_a_plan_shows_fields_and_why_they_differ() -> None:
    drifted = plan(
        "db", Action.UPDATE, change("memory", "1g", "512m", Why.DRIFTED), change("user", "app", None, Why.DROPPED)
    )
    assert shown(preview(UPDATE, drifted, unchanged=197)) == (
        "~ Container/web  update (restart)\n"
        '    env.TZ: "UTC" -> "Europe/Berlin"   edited\n'
        "~ Container/db  update\n"
        '    memory: "1g" -> "512m"   drifted\n'
        '    user: "app" -> (none)   dropped\n'
        "\n"
        "Plan: 0 to create, 2 to update, 0 to delete; 197 unchanged"
    )


def test_every_action_has_its_symbol() -> None:
    found = preview(
        CREATE,
        plan("a", Action.ADOPT),
        plan("r", Action.REPLACE, change("image", "a:1", "a:2"), loses_data=True, notes=("reconnects Container/x",)),
        DELETE,
    )
    assert shown(found) == (
        "+ Container/db  create\n"
        "> Container/a  adopt\n"
        "-/+ Container/r  replace  loses data\n"
        '    image: "a:1" -> "a:2"   edited\n'
        "    note: reconnects Container/x\n"
        "- Container/old  delete\n"
        "\n"
        "Plan: 1 to create, 1 to adopt, 0 to update, 1 to replace, 1 to delete; 0 unchanged"
    )


def test_nothing_to_do_is_one_line() -> None:
    assert shown(preview(unchanged=3)) == "Plan: 0 to create, 0 to update, 0 to delete; 3 unchanged"


def test_what_is_held_and_what_is_not_known_say_why_and_what_to_do() -> None:
    keys = frozenset(key(f"c{number:02}") for number in range(10))
    engine = "cannot reach the Docker engine: start it"
    found = preview(
        holds=(Hold(Reason.TOO_MANY_DELETES, "10 of 20 would go at once; 'p2 confirm' lets them", keys),),
        failures={
            key("a"): Retry(Reason.AGENT_UNAVAILABLE, engine),
            key("b"): Retry(Reason.AGENT_UNAVAILABLE, engine),
            key("x"): Stalled(Reason.NOT_OWNED, "cannot take over x: set adopt: true"),
        },
    )
    assert shown(found) == (
        "! held back (TooManyDeletes): 10 resources\n"
        "    Container/c00, Container/c01, Container/c02, Container/c03, Container/c04, Container/c05, "
        "Container/c06, Container/c07 and 2 more\n"
        "    10 of 20 would go at once; 'p2 confirm' lets them\n"
        "! Container/a, Container/b  AgentUnavailable\n"
        "    cannot reach the Docker engine: start it\n"
        "! Container/x  NotOwned\n"
        "    cannot take over x: set adopt: true\n"
        "\n"
        "Plan: 0 to create, 0 to update, 0 to delete; 0 unchanged; 10 held back; 2 not known; 1 not possible"
    )


def test_what_is_suspended_is_shown_apart_from_what_will_be_done() -> None:
    found = preview(reported=(plan("web", Action.UPDATE, change("user", "a", "b"), notes=("suspended",)),))
    assert shown(found) == (
        "= Container/web  update\n"
        '    user: "a" -> "b"   edited\n'
        "    note: suspended\n"
        "\n"
        "Plan: 0 to create, 0 to update, 0 to delete; 0 unchanged; 1 only reported"
    )


def test_a_text_of_several_lines_is_shown_as_a_diff() -> None:
    old, new = "a\nb\nc\nd\ne\nf\n", "a\nb\nc\nD\ne\nf\n"
    assert list(plan_lines(plan("m", Action.UPDATE, change("content", old, new)), PLAIN)) == [
        "~ Container/m  update",
        "    content:   edited",
        "        @@ -2,5 +2,5 @@",
        "         b",
        "         c",
        "        -d",
        "        +D",
        "         e",
        "         f",
    ]


def test_a_long_diff_is_cut() -> None:
    new = "".join(f"line {number}\n" for number in range(100))
    lines = list(plan_lines(plan("m", Action.UPDATE, change("content", "", new)), PLAIN))
    assert lines[-1] == "        \\ and 71 more lines"


def test_a_long_list_shows_what_came_and_went() -> None:
    ports = [f"{port}:{port}" for port in range(8000, 8020)]
    lines = list(plan_lines(plan("m", Action.UPDATE, change("ports", ports, [*ports[1:], "9000:9000"])), PLAIN))
    assert lines[1:] == ["    ports:   edited", '        -"8000:8000"', '        +"9000:9000"']


def test_a_final_newline_alone_is_told() -> None:
    lines = list(plan_lines(plan("m", Action.UPDATE, change("content", "a\nb", "a\nb\n")), PLAIN))
    assert lines[2] == "        \\ only the newline at the end differs"


def test_content_cannot_drive_the_terminal() -> None:
    evil = "x\n\033]0;owned\007\n"
    lines = list(plan_lines(plan("m", Action.UPDATE, change("content", "x\n", evil)), Paint(True)))
    assert not any("\033]" in line or "\007" in line for line in lines)


def test_colours_only_frame_the_text() -> None:
    import re

    coloured = "\n".join(preview_lines(preview(UPDATE, CREATE, DELETE), Paint(True), {}))
    assert "\033[" in coloured
    assert re.sub(r"\033\[[0-9;]*m", "", coloured) == shown(preview(UPDATE, CREATE, DELETE))
