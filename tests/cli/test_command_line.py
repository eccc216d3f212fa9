"""How command lines are read: defaults, repeated options, kinds in any spelling, and what is said of a wrong one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from controller.surfaces.cli.apply import Apply
from controller.surfaces.cli.catalogue import GROUPS, command_class
from controller.surfaces.cli.command import Refused, summary
from controller.surfaces.cli.diff import Diff
from controller.surfaces.cli.get import Get
from controller.surfaces.cli.keys import key_named, selected
from controller.surfaces.cli.main import command_of
from controller.surfaces.cli.reading import read_line
from resources.meta import Key
from tests.cli.small_world import UPDATE, SmallWorkspace, p2, preview
from tests.cli.story import Story

HEAVY = {"docker", "github", "kopf", "deepdiff", "prometheus_client", "rich", "yaml", "watchfiles"}
COMMANDS = [
    *("diff", "apply", "run", "confirm", "delete", "suspend", "resume"),
    *("get", "describe", "events", "health"),
    *("deploy", "restart", "exec", "logs", "top"),
    *("explain", "validate", "schema", "crds", "completion", "version"),
]


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], HEAVY | {"pydantic"}),
        (["version"], HEAVY | {"pydantic", "typer"}),
        (["diff", "state"], HEAVY - {"yaml"} | {"typer"}),
        (["apply", "--help"], HEAVY),  # typer reads typed options by pydantic
        (["completion", "bash"], HEAVY),
    ],
)
def test_what_needs_no_resources_imports_nothing_heavy(arguments: list[str], heavy: set[str]) -> None:
    program = (
        "import sys; from controller.surfaces.cli.app import App; from controller.surfaces.cli.console import Console\n"
        "from controller.surfaces.cli.main import run\n"
        f"run({arguments!r}, App(Console.standard()))\n"
        f"print('imported', *sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr == "imported\n"
    assert done.stdout


@pytest.mark.parametrize("line", [[], ["--help"]])
def test_the_front_page_names_every_command(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert p2(SmallWorkspace(), *line).code == 0
    page = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in page] == []


def test_the_front_page_says_of_each_command_what_the_command_says_of_itself() -> None:
    said = {name: words for group in GROUPS.values() for name, (_, words) in group.items()}
    assert said == {name: summary(command_class(name)) for name in said}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_of([name, "--help"]) == 0
    assert f"  p2 {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        "diff",
        "diff /srv",
        "apply x",
        "get",
        "get containers pods/x",
        "delete a/b c/d",
        "confirm",
        "completion zsh",
        "explain x.y",
    ],
)
def test_plain_words_mean_what_the_parser_reads_in_them(line: str) -> None:
    assert command_of(line.split()) == read_line(line.split())


@pytest.mark.parametrize(
    "line", ["diff a b", "version x", "completion nonsense", "nonsense", "--nonsense", "explain a b c"]
)
def test_words_that_are_wrong_are_refused_as_ever(line: str) -> None:
    with pytest.raises(Refused, match="cannot read the command line"):
        command_of(line.split())


def test_path_defaults_to_state() -> None:
    assert command_of(["diff"]) == Diff(path=Path("state"), only=(), prune=True)


def test_options_are_read() -> None:
    line = [
        "apply",
        "/srv",
        "--only",
        "a/b",
        "--only",
        "c/d",
        "-f",
        "x.yaml",
        "--no-prune",
        "-y",
        "--keep-going",
        "--timeout",
        "5m",
    ]
    assert command_of(line) == Apply(
        path=Path("/srv"),
        file=(Path("x.yaml"),),
        only=("a/b", "c/d"),
        plan=None,
        prune=False,
        yes=True,
        keep_going=True,
        timeout=300.0,
    )


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("1.5", 1.5), ("2m", 120.0), ("1h30m", 5400.0)])
def test_timeouts_are_seconds_or_durations(text: str, seconds: float) -> None:
    command = command_of(["apply", "--timeout", text])
    assert isinstance(command, Apply)
    assert command.timeout == seconds


def test_several_kinds_and_names_can_be_listed() -> None:
    command = command_of(["get", "files", "container/web", "-o", "json", "-w"])
    assert command == Get(what=("files", "container/web"), output="json", watch=True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["dif"], "Did you mean 'diff'?; see p2 --help"),
        (["apply", "--prunee"], "No such option: --prunee"),
        (["apply", "--timeout", "soon"], 'cannot read the duration "soon"'),
        (["get", "-o", "xml"], "'xml' is not one of 'table', 'wide', 'yaml', 'json', 'name'; see p2 get --help"),
        (["explain"], "Missing argument 'KIND[.FIELD]'"),
        (["apply", "--plan", "p.json", "--only", "file/a"], "cannot combine --plan with"),
        (["delete"], "name at least one KIND/NAME"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(line: list[str], says: str) -> None:
    shown = p2(SmallWorkspace(), *line)
    assert shown.code == 2
    assert shown.err.startswith("error: cannot ")
    assert shown.err.count("\n") == 1
    assert says in shown.err


@pytest.mark.parametrize("text", ["file/a", "FILE/a", "files/a", "File/default/a"])
def test_kinds_are_known_in_any_spelling(text: str) -> None:
    assert key_named(text) == Key("File", "default", "a")


def test_a_name_in_another_namespace_is_written_in_full() -> None:
    assert key_named("file/shop/a") == Key("File", "shop", "a")


def test_a_kind_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(Refused, match="did you mean File\\?"):
        key_named("fil/a")
    with pytest.raises(Refused, match="write Kind/name"):
        key_named("file/a/b/c")


def test_a_selection_of_kinds_and_names_holds_both() -> None:
    chosen = selected(["files", "container/web"])
    assert Key("File", "x", "y") in chosen
    assert Key("Container", "default", "web") in chosen
    assert Key("Container", "default", "db") not in chosen
    assert Key("Any", "default", "thing") in selected([])


def test_a_resource_that_is_nowhere_is_refused_with_what_there_is() -> None:
    shown = p2(SmallWorkspace(preview(UPDATE)), "diff", "--only", "container/wep")
    assert shown.code == 2
    assert shown.err == "error: cannot find Container/wep in the source: there is nothing\n"


IDLE = HEAVY | {"typer", "tarfile", "difflib"}
AT_WORK = IDLE - {"yaml"}  # a file was edited


def test_apply_imports_nothing_that_its_work_does_not_need(story: Story) -> None:
    story.write("a.yaml", story.file("one"))
    assert story.p2("apply").code == 0
    program = (
        "import sys; from controller.surfaces.cli.main import main\n"
        "code = main(['apply'])\n"
        "print(code, *sorted(set(sys.argv[1:]) & set(sys.modules)), file=sys.stderr)"
    )
    for edit, heavy in ("hello", IDLE), ("goodbye", AT_WORK):
        story.write("a.yaml", story.file("one", edit))
        words = [sys.executable, "-c", program, *sorted(heavy)]
        done = subprocess.run(words, cwd=story.root, capture_output=True, text=True, timeout=60)
        assert done.stderr.splitlines()[-1] == "0"  # the code, and no module
        assert (story.world / "one").read_text() == edit


def test_kind_that_stands_for_others_has_no_agent_looked_for_in_other_packages() -> None:
    program = (
        "import sys; from controller.agents.discovery import agent_of\n"
        "print(agent_of('Compose'), 'importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "None False\n"


LEAVES = """
import atexit, sys, threading
from controller.surfaces.cli.main import leave
atexit.register(print, "taken down")
{before}
print("said", end="")
sys.exit(leave(3))
"""


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("", "said"),  # at once, with all that was printed
        (
            "threading.Thread(target=lambda: (threading.main_thread().join(), print(', and done'))).start()",
            "said, and done\ntaken down\n",
        ),
    ],
)
def test_process_ends_at_once_unless_something_still_runs_in_it(before: str, said: str) -> None:
    code = LEAVES.format(before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, said, "")
