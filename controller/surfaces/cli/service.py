"""`p2 install-service`: writes the systemd unit that runs the controller. Needs no systemd to do so."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Command, Exit, Option, Refused
from controller.surfaces.cli.parameters import SourcePath, refuse_unusable_names
from controller.surfaces.unit import FIRST_LINE, NAME, Operating, Service, unit_text

PROGRAM = "p2"
SYSTEM_UNITS = Path("/etc/systemd/system")

# What is set now and changes what the controller does; secrets that specs take from the environment are not copied.
_CARRIED = (
    "PEGASUS2_AGENT_TIMEOUT",
    "PEGASUS2_AGENTS_CONFIG",
    "PEGASUS2_LOG_LEVEL",
    "PEGASUS2_METRICS_PORT",
    "PEGASUS2_NODE",
    "PEGASUS2_STOP_TIMEOUT",
    "DOCKER_HOST",
)


@dataclass(frozen=True)
class InstallService(Command):
    """Write a systemd unit that runs the controller.

    For root a unit of the machine (/etc/systemd/system/pegasus2.service), for others one of their own
    (~/.config/systemd/user/pegasus2.service). It is hardened as far as the agents allow; docs/service.md explains each
    line. Settings that are in the environment now (PEGASUS2_*, DOCKER_HOST) are written into it. A unit that somebody
    else wrote is left alone, unless --force is given. It says what to run next, and runs nothing itself.

    With --operator the unit runs p2 operator, which takes the desired state from a Kubernetes cluster instead of files:
    docs/k3s.md.

    Examples:
      p2 install-service /srv/state
      p2 install-service --print          only show it
      p2 install-service --operator --default --kubeconfig /etc/pegasus2/kubeconfig
    """

    name = "install-service"
    changes = True

    path: SourcePath = Path("state")
    user: Annotated[bool, Option("--user", help="A unit of this user.")] = False
    system: Annotated[bool, Option("--system", help="A unit of the machine; needs root.")] = False
    print: Annotated[bool, Option("--print", help="Print it; write nothing.")] = False
    force: Annotated[bool, Option("--force", help="Replace a unit that p2 did not write.")] = False
    operator: Annotated[bool, Option("--operator", help="Run p2 operator at a cluster, not p2 run over files.")] = False
    node: Annotated[str, Option("--node", metavar="NAME", help="Operator: the machine's name in specs.")] = ""
    default: Annotated[bool, Option("--default", help="Operator: take the objects that name no machine.")] = False
    namespace: Annotated[
        tuple[str, ...], Option("--namespace", metavar="NAME", help="Operator: only objects in it; repeatable.")
    ] = ()
    context: Annotated[str, Option("--context", metavar="NAME", help="Operator: context of the kubeconfig.")] = ""
    kubeconfig: Annotated[
        Path | None, Option("--kubeconfig", metavar="FILE", help="Operator: how it logs in (default: $KUBECONFIG).")
    ] = None

    def run(self, app: App) -> Exit:
        if self.user and self.system:
            raise Refused("cannot write a unit of the user and of the machine at once: choose --user or --system")
        system = self.system or (not self.user and os.geteuid() == 0)
        service = self._service(system)
        try:
            text = unit_text(service)
        except ValueError as error:
            raise Refused(str(error)) from error
        if self.print:
            app.console.print(text.rstrip("\n"))
            return Exit.OK
        target = (SYSTEM_UNITS if system else _user_units(os.environ)) / NAME
        before = written_before(target)
        if before is not None and not before.startswith(FIRST_LINE) and not self.force:
            raise Refused(
                f"cannot write {target}: it is there already, and p2 did not write it; look at it, then move it away or "
                "say --force"
            )
        if before == text:
            app.console.print(f"{target} is up to date")
        else:
            write(target, text)
            app.console.print(f"{'changed' if before is not None else 'wrote'} {target}")
            if before is not None:
                app.console.note(changed_lines(before, text))
        app.console.print(f"it runs {service.program} over {service.source}, with its home in {service.home}")
        app.console.print(next_steps(system=system, again=before is not None))
        return Exit.OK

    def _service(self, system: bool) -> Service:
        from controller.wiring.settings import Settings

        source = self._operating() if self.operator else self._files()
        try:
            settings = Settings.from_environment()
            carried = {name: value for name in _CARRIED if (value := os.environ.get(name))}
        except ValueError as error:
            raise Refused(str(error)) from error
        return Service(program(), source, settings.home, system, settings.stop_timeout, carried)

    def _files(self) -> Path:
        if self.node or self.default or self.namespace or self.context or self.kubeconfig:
            raise Refused("cannot give an operator's options to p2 run: say --operator, too, or leave them out")
        source = self.path.absolute()
        if not source.exists():
            raise Refused(f"cannot find {self.path}: name the directory with the desired state that the service is for")
        return source

    def _operating(self) -> Operating:
        if self.path != Path("state"):
            raise Refused(
                f"cannot use {self.path} with --operator: it takes the desired state from the cluster; leave it out"
            )
        refuse_unusable_names((*([self.node] if self.node else []), *self.namespace))
        return Operating(self._kubeconfig(), self.node, self.default, self.namespace, self.context)

    def _kubeconfig(self) -> Path:
        """Raises Refused where there is none: a service has none of the places in which a person's would be looked for."""
        given = self.kubeconfig or Path(os.environ.get("KUBECONFIG") or "")
        if given == Path():
            raise Refused(
                "cannot tell how the operator logs in: give --kubeconfig FILE; p2 operator kubeconfig -o FILE makes one"
            )
        found = given.expanduser().absolute()
        if not os.access(found, os.R_OK):
            raise Refused(
                f"cannot read the kubeconfig {found}: p2 operator kubeconfig -o FILE makes one, as an administrator"
            )
        return found


def program() -> Path:
    """The absolute path of this `p2`. Links are kept: they stay when what they point to is upgraded."""
    called = Path(sys.argv[0])
    own = called.absolute() if called.name == PROGRAM and called.exists() else Path(sys.executable).with_name(PROGRAM)
    if not own.exists():
        raise Refused(f"cannot find {own}: install Pegasus2 where it can be started as {PROGRAM}")
    return own


def _user_units(environment: Mapping[str, str]) -> Path:
    configured = environment.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path("~/.config").expanduser()) / "systemd" / "user"


def written_before(target: Path) -> str | None:
    """What is there now, or None. Raises Refused when that can't be told."""
    try:
        return target.read_text(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"cannot read {target}: {error.strerror}") from error


def write(target: Path, text: str) -> None:
    """Puts the unit there, whole or not at all. Raises Refused."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text)
        draft.chmod(0o644)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Refused(
            f"cannot write {target}: {error.strerror}; a unit of the machine needs root, --user writes one of your own"
        ) from error


def changed_lines(before: str, after: str) -> list[str]:
    """What is different now, as a diff without its headings."""
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]


def next_steps(*, system: bool, again: bool) -> list[str]:
    """What to run now."""
    systemctl = "systemctl" if system else "systemctl --user"
    steps = [f"{systemctl} daemon-reload", f"{systemctl} enable --now {NAME}"]
    if again:
        steps.append(f"{systemctl} restart {NAME}    # if it ran before")
    if not system:
        steps.append("loginctl enable-linger          # it runs also while you are not logged in")
    return ["now run:", *(f"  {step}" for step in steps)]
