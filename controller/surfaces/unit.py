"""The text of the systemd unit that runs the controller. Pure; `p2 install-service` writes it, docs/service.md explains it.

A directive that would be tighter and is not here would keep an agent from its work: they write files wherever their owner
declares them, give them away, set any mode, talk to the Docker engine, and will install packages, whose own scripts do all
sorts of things. docs/service.md says what to add where that is not wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NAME = "pegasus2.service"
FIRST_LINE = "# Written by p2 install-service"

WATCHDOG = 60  # seconds
SPARE = 15  # seconds beside the controller's own deadline until systemd kills it: the agents' time for breaking off, and more

_PLAIN = re.compile(r"[\w-]+")  # a word that needs no quotes


@dataclass(frozen=True)
class Operating:
    """That a unit runs an operator at a cluster: how, and which kubeconfig (an absolute path) it logs in with."""

    kubeconfig: Path
    node: str = ""  # empty: called as the machine is
    default: bool = False  # takes the objects that name no node
    namespaces: tuple[str, ...] = ()  # takes only the objects in these
    context: str = ""  # of the kubeconfig; empty: its current one

    def words(self) -> list[str]:
        """The command line after the program's name."""
        return [
            "operator",
            *(["--node", self.node] if self.node else []),
            *(["--default"] if self.default else []),
            *(word for namespace in self.namespaces for word in ("--namespace", namespace)),
            *(["--context", self.context] if self.context else []),
        ]

    def __str__(self) -> str:
        return f"the cluster of {self.kubeconfig}"


@dataclass(frozen=True)
class Service:
    """What one unit runs. All paths are absolute."""

    program: Path
    source: Path | Operating  # of the desired state
    home: Path
    system: bool  # of the whole machine, as root; else of one user
    stop_timeout: float
    environment: Mapping[str, str] = field(default_factory=dict)  # beside PEGASUS2_HOME


def unit_text(service: Service) -> str:
    """The whole file. Raises ValueError for a path that a unit can't hold."""
    sandbox = _SYSTEM_SANDBOX if service.system else _USER_SANDBOX
    return "\n".join(
        [
            f"{FIRST_LINE}, which also writes it anew. What you want otherwise belongs in a drop-in, which stays:",
            f"# systemctl {'' if service.system else '--user '}edit {NAME}",
            "",
            "[Unit]",
            f"Description=Pegasus2: keeps this {'machine' if service.system else 'user'} as {_percent(service.source)} says",
            *_ordering(service),
            *_limits(service),
            "",
            "[Service]",
            "# Started: the desired state was read. Alive: all threads of the loop live, and the queue moves.",
            "Type=notify",
            "NotifyAccess=main",
            f"ExecStart={_quoted(service.program, dollar=True)} {_words(service)}",
            *_environment(service),
            "TimeoutStartSec=300",
            f"WatchdogSec={WATCHDOG}",
            "# Not after p2 stop or systemctl stop. 3 and 4: it was told to stop, and some work took longer than its deadline.",
            "Restart=on-failure",
            "RestartPreventExitStatus=3 4",
            f"RestartSec={5 if isinstance(service.source, Path) else 10}",
            "# SIGTERM: finish what is under way, begin nothing new. The controller's own deadline comes before this one.",
            "KillMode=mixed",
            f"TimeoutStopSec={round(service.stop_timeout) + SPARE}",
            "# Nothing that it writes for itself is for others to read; files that you declare have the mode that you declare.",
            "UMask=0077",
            "",
            *sandbox,
            "",
            "[Install]",
            f"WantedBy={'multi-user.target' if service.system else 'default.target'}",
            "",
        ]
    )


def _ordering(service: Service) -> list[str]:
    if not service.system:
        return []  # a user's manager knows no units of the machine
    return [
        "# Neither is needed: what is not there yet is tried again until it is.",
        f"After=network-online.target docker.service{'' if isinstance(service.source, Path) else ' k3s.service'}",
        "Wants=network-online.target",
    ]


def _limits(service: Service) -> list[str]:
    if isinstance(service.source, Path):
        return [
            "# Six starts in ten minutes, then no more. After three crashes the controller only observes (safe mode).",
            "StartLimitIntervalSec=600",
            "StartLimitBurst=6",
        ]
    return [
        "# Without an API server, or its rights, it can't start: it is started until both are there. After three crashes it",
        "# only observes (safe mode).",
        "StartLimitIntervalSec=0",
    ]


def _words(service: Service) -> str:
    """The command line after the program's name."""
    source = service.source
    if isinstance(source, Path):
        return f"run {_quoted(source, dollar=True)}"
    return " ".join(word if _PLAIN.fullmatch(word) else _quoted(word, dollar=True) for word in source.words())


def _environment(service: Service) -> list[str]:
    told = {"PEGASUS2_HOME": str(service.home)}
    if isinstance(service.source, Operating):
        told["KUBECONFIG"] = str(service.source.kubeconfig)
    told |= service.environment
    return [f"Environment={_quoted(f'{name}={value}')}" for name, value in told.items()]


def _percent(text: object) -> str:
    return _safe(str(text)).replace("%", "%%")


def _quoted(text: object, *, dollar: bool = False) -> str:
    """One word of a setting: https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html#Quoting."""
    escaped = _percent(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped.replace("$", "$$") if dollar else escaped}"'


def _safe(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"cannot write {text!r} into a unit: it has characters that do not show; choose another path")
    return text


# Enforced by seccomp alone, so that a user's manager can do it, too.
_EVERYWHERE = [
    "# No program that it starts gains privileges by a set-user-ID bit.",
    "NoNewPrivileges=yes",
    "# What the agents and their tools never need: namespaces, real-time priority, other personalities and architectures.",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "# The Docker engine and systemd (unix), registries and remote systems (inet), the list of addresses (netlink).",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "# What services commonly call, changing owners included; not mount, reboot, swap, the clock, modules, or tracing.",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
]

_USER_SANDBOX = [
    *_EVERYWHERE,
    "# More than this takes a user namespace, in which files of other users can no longer be told apart.",
]

_SYSTEM_SANDBOX = [
    *_EVERYWHERE,
    "# Files: give them away, and read and write those of others (CHOWN, DAC_*, FOWNER, FSETID, SETFCAP). Packages: apt",
    "# fetches as a user of its own (SETUID, SETGID, KILL), and adding users is audited (AUDIT_WRITE). Nothing else of root.",
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_SETFCAP",
    "CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_KILL CAP_AUDIT_WRITE",
    "AmbientCapabilities=",
    "# Settings of the kernel are declared in files (/etc/sysctl.d), never written here; cgroups belong to systemd.",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "ProtectKernelLogs=yes",
    "# /etc/hostname can be declared; the name of the running machine is not ours to set.",
    "ProtectHostname=yes",
    "# Keys of root's session are no business of a service.",
    "KeyringMode=private",
]
