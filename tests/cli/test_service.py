"""p2 install-service: the unit is what systemd accepts, and nobody's file is lost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from controller.surfaces.cli import service
from controller.surfaces.cli.main import command_of
from controller.surfaces.cli.operator import Operator
from controller.surfaces.unit import NAME, Operating, Service, unit_text
from tests.cli.story import P2, Story

# Tenths of systemd's own scale from 0 to 10; docs/service.md says what the rest is for, and how to tighten it.
EXPOSURE = {"system": 45, "user": 67}
TIGHTENED = 27
SERVICE_PAGE = Path(__file__).parents[2] / "docs" / "service.md"


@pytest.fixture
def units(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a user's units go."""
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    story.write("a.yaml", story.file("one"))
    return tmp_path / "person" / ".config" / "systemd" / "user"


@pytest.fixture
def machine_units(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the machine's units go, in this test."""
    monkeypatch.setattr(service, "SYSTEM_UNITS", tmp_path / "system")
    story.write("a.yaml", story.file("one"))
    return tmp_path / "system"


@pytest.fixture
def kubeconfig(story: Story) -> Path:
    path = story.root / "kubeconfig"
    path.write_text("{}")
    return path


def settings(unit: Path) -> dict[str, str]:
    """The settings of a unit; of one that is there several times the last."""
    lines = (line for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def test_user_unit_runs_this_program_over_this_source_with_this_home(
    story: Story, units: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEGASUS2_METRICS_PORT", raising=False)
    shown = story.p2("install-service", "--user")
    assert shown.code == 0, shown.err
    found = settings(units / NAME)
    assert found["ExecStart"] == f'"{P2}" run "{story.root / "state"}"'
    assert found["Environment"] == f'"PEGASUS2_HOME={home}"'
    assert found["WantedBy"] == "default.target"
    assert shown.out.splitlines()[1] == f"it runs {P2} over {story.root / 'state'}, with its home in {home}"
    assert [line.strip().split("  ")[0] for line in shown.out.splitlines()[2:]] == [
        "now run:",
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {NAME}",
        "loginctl enable-linger",
    ]
    assert (units / NAME).stat().st_mode & 0o777 == 0o644
    assert [path.name for path in units.iterdir()] == [NAME]


def test_machine_unit_is_for_root_and_says_what_to_run(story: Story, machine_units: Path) -> None:
    shown = story.p2("install-service", "--system")
    assert shown.code == 0, shown.err
    assert settings(machine_units / NAME)["WantedBy"] == "multi-user.target"
    assert f"  systemctl enable --now {NAME}" in shown.out.splitlines()
    assert "linger" not in shown.out


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_gets_a_unit_of_the_machine_without_asking(story: Story, machine_units: Path) -> None:
    assert story.p2("install-service").code == 0
    assert (machine_units / NAME).exists()


def test_print_writes_nothing(story: Story, units: Path) -> None:
    shown = story.p2("install-service", "--user", "--print")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("# Written by p2 install-service")
    assert not units.exists()


def test_settings_of_the_environment_are_carried_over_and_secrets_are_not(
    story: Story, units: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEGASUS2_STOP_TIMEOUT", "90")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    story.p2("install-service", "--user")
    text = (units / NAME).read_text()
    assert 'Environment="PEGASUS2_STOP_TIMEOUT=90"' in text
    assert 'Environment="DOCKER_HOST=unix:///run/user/1000/docker.sock"' in text
    assert int(settings(units / NAME)["TimeoutStopSec"]) > 90 + 5
    assert "hunter2" not in text


def test_unit_of_somebody_else_is_left_alone(story: Story, units: Path) -> None:
    units.mkdir(parents=True)
    (units / NAME).write_text("[Service]\nExecStart=/bin/true\n")
    shown = story.p2("install-service", "--user")
    assert (shown.code, shown.out) == (2, "")
    assert "p2 did not write it" in shown.err and "--force" in shown.err
    assert (units / NAME).read_text() == "[Service]\nExecStart=/bin/true\n"
    assert story.p2("install-service", "--user", "--force").code == 0
    assert "ExecStart" in settings(units / NAME)


def test_own_unit_is_brought_up_to_date_and_what_changed_is_shown(
    story: Story, units: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.p2("install-service", "--user")
    again = story.p2("install-service", "--user")
    assert "is up to date" in again.out and again.err == ""
    monkeypatch.setenv("PEGASUS2_LOG_LEVEL", "debug")
    changed = story.p2("install-service", "--user")
    assert changed.out.startswith("changed ")
    assert '+Environment="PEGASUS2_LOG_LEVEL=debug"' in changed.err.splitlines()
    assert f"systemctl --user restart {NAME}" in changed.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--user", "--system"], "choose --user or --system"),
        (["nowhere", "--user"], "cannot find nowhere"),
    ],
)
def test_what_cannot_be_meant_is_refused(story: Story, units: Path, arguments: list[str], says: str) -> None:
    shown = story.p2("install-service", *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert says in shown.err


def test_unit_that_cannot_be_written_names_the_way_out(story: Story, units: Path) -> None:
    units.parent.mkdir(parents=True)
    units.write_text("a file where a directory should be")
    shown = story.p2("install-service", "--user")
    assert shown.code == 2
    assert shown.err.startswith(f"error: cannot read {units / NAME}") and shown.err.count("\n") == 1


def test_operator_unit_logs_in_with_the_kubeconfig_it_was_given(
    story: Story, units: Path, home: Path, kubeconfig: Path
) -> None:
    shown = story.p2(
        "install-service", "--user", "--operator", "--default", "--node", "box", "--kubeconfig", kubeconfig.name
    )
    assert shown.code == 0, shown.err
    text = (units / NAME).read_text()
    assert settings(units / NAME)["ExecStart"] == f'"{P2}" operator --node box --default'
    assert f'Environment="PEGASUS2_HOME={home}"\nEnvironment="KUBECONFIG={kubeconfig}"\n' in text
    assert shown.out.splitlines()[1] == f"it runs {P2} over the cluster of {kubeconfig}, with its home in {home}"


def test_operator_unit_waits_for_its_cluster_without_end(story: Story, units: Path, kubeconfig: Path) -> None:
    story.p2("install-service", "--user", "--operator", "--kubeconfig", str(kubeconfig))
    assert settings(units / NAME)["StartLimitIntervalSec"] == "0"
    story.p2("install-service", "--user")
    assert settings(units / NAME)["StartLimitBurst"] == "6"


def test_operator_unit_takes_the_kubeconfig_of_the_environment(
    story: Story, units: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    shown = story.p2("install-service", "--user", "--operator", "--print")
    assert f'Environment="KUBECONFIG={kubeconfig}"' in shown.out.splitlines()


def test_command_line_of_an_operator_unit_is_one_that_p2_reads() -> None:
    operating = Operating(Path("/etc/kubeconfig"), "box", True, ("shop", "web"), "admin@k3s")
    command = command_of(operating.words())
    assert isinstance(command, Operator)
    assert (command.node, command.default, command.namespaces) == ("box", True, ("shop", "web"))
    assert command.context == "admin@k3s"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--operator"], "give --kubeconfig FILE"),
        (["--operator", "--kubeconfig", "none"], "cannot read the kubeconfig"),
        (["--operator", "--kubeconfig", "kubeconfig", "elsewhere"], "leave it out"),
        (["--operator", "--kubeconfig", "kubeconfig", "--node", "The Box"], 'cannot use the name "The Box"'),
        (["--default"], "say --operator, too"),
    ],
)
def test_operator_unit_that_could_not_run_is_refused(
    story: Story, units: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    shown = story.p2("install-service", "--user", *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert says in shown.err and shown.err.startswith("error: cannot ")
    assert not units.exists()


def sample_operator(place: Path, *, system: bool) -> Service:
    operating = Operating(place / "kubeconfig", "box", True, ("shop",), "of $HOME & 100% @ k3s")
    return Service(Path(P2), operating, place / "home", system, 25.0)


def sample(place: Path, *, system: bool, name: str = "state") -> Service:
    source = place / name
    source.mkdir()
    return Service(Path(P2), source, place / "home", system, 25.0, {"DOCKER_HOST": "unix:///run/docker.sock"})


def analyse(unit: Path, *arguments: str, system: bool) -> subprocess.CompletedProcess[str]:
    who = [] if system else ["--user"]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(unit.parent)}
    command = ["systemd-analyze", *who, *arguments, str(unit)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


@pytest.mark.systemd
@pytest.mark.parametrize("system", [True, False], ids=["system", "user"])
@pytest.mark.parametrize("name", ["state", 'of "ada" & 100% for $HOME \\n'], ids=["plain", "odd"])
def test_systemd_finds_nothing_to_complain_about(tmp_path: Path, system: bool, name: str) -> None:
    unit = tmp_path / NAME
    unit.write_text(unit_text(sample(tmp_path, system=system, name=name)))
    checked = analyse(unit, "verify", system=system)
    complaints = [line for line in checked.stderr.splitlines() if NAME in line or "pegasus2" in line]
    assert (checked.returncode, complaints) == (0, []), checked.stderr


@pytest.mark.systemd
@pytest.mark.parametrize("system", [True, False], ids=["system", "user"])
def test_systemd_finds_nothing_to_complain_about_an_operator(tmp_path: Path, system: bool) -> None:
    unit = tmp_path / NAME
    unit.write_text(unit_text(sample_operator(tmp_path, system=system)))
    checked = analyse(unit, "verify", system=system)
    complaints = [line for line in checked.stderr.splitlines() if NAME in line or "pegasus2" in line]
    assert (checked.returncode, complaints) == (0, []), checked.stderr


@pytest.mark.systemd
@pytest.mark.parametrize("where", EXPOSURE)
def test_operator_is_exposed_no_more_than_a_controller_over_files(tmp_path: Path, where: str) -> None:
    unit = tmp_path / NAME
    unit.write_text(unit_text(sample_operator(tmp_path, system=where == "system")))
    checked = analyse(unit, "security", "--offline=yes", f"--threshold={EXPOSURE[where]}", system=True)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.systemd
@pytest.mark.parametrize("where", EXPOSURE)
def test_exposure_stays_below_the_documented_one(tmp_path: Path, where: str) -> None:
    unit = tmp_path / NAME
    unit.write_text(unit_text(sample(tmp_path, system=where == "system")))
    # Offline there is no manager to ask, and so no difference between a user's and the machine's.
    checked = analyse(unit, "security", "--offline=yes", f"--threshold={EXPOSURE[where]}", system=True)
    assert checked.returncode == 0, checked.stdout
    assert f"{EXPOSURE[where] / 10:.1f}" in SERVICE_PAGE.read_text()


@pytest.mark.systemd
def test_documented_drop_in_is_valid_and_tightens(tmp_path: Path) -> None:
    unit, drop_in = tmp_path / NAME, tmp_path / f"{NAME}.d" / "override.conf"
    unit.write_text(unit_text(sample(tmp_path, system=True)))
    drop_in.parent.mkdir()
    drop_in.write_text(SERVICE_PAGE.read_text().split("```ini\n")[1].split("```")[0])
    checked = analyse(unit, "verify", system=True)
    assert (checked.returncode, NAME in checked.stderr) == (0, False), checked.stderr
    exposure = analyse(unit, "security", "--offline=yes", f"--threshold={TIGHTENED}", system=True)
    assert exposure.returncode == 0, exposure.stdout
    assert f"{TIGHTENED / 10:.1f}" in SERVICE_PAGE.read_text()


def test_path_with_a_line_break_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot write"):
        unit_text(sample(tmp_path, system=True, name="a\nb"))
