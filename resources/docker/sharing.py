"""Types of the values by which a container shares what the machine, or another container, has: see `values.py`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from resources.docker.values import sorted_set
from resources.notation import CPUSET, MAC, canonical_cpuset, canonical_mac, valid_ip
from resources.rules import MANY, TEXT_MAX, WORD_MAX, Form, Rule


def _formed(pattern: str, message: str) -> AfterValidator:
    """The form, for the loader, that `Form` says to an API server."""

    def formed(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(message)
        return text

    return AfterValidator(formed)


CONTAINER = "[a-zA-Z0-9][a-zA-Z0-9_.-]+"  # a name that the engine gives to containers, networks and volumes
_NO_NAME = "cannot use this name: write letters, digits, _ . and -, at least two, the first a letter or digit"
EngineName = Annotated[
    str, Field(max_length=TEXT_MAX), _formed(f"^{CONTAINER}$", _NO_NAME), Form(f"^{CONTAINER}$", _NO_NAME)
]
_NETWORK_MODE = f"^container:{CONTAINER}$"
_NO_NETWORK_MODE = "cannot use this networkMode: write container:NAME; host, none and bridge stand in networks"
NetworkMode = Annotated[
    str,
    Field(max_length=TEXT_MAX),
    _formed(_NETWORK_MODE, _NO_NETWORK_MODE),
    Form(_NETWORK_MODE, _NO_NETWORK_MODE),
]
_PID, _NO_PID = f"^(host|container:{CONTAINER})$", "cannot use this pid: write host or container:NAME"
Pid = Annotated[str, Field(max_length=TEXT_MAX), _formed(_PID, _NO_PID), Form(_PID, _NO_PID)]
_IPC = f"^(none|private|shareable|host|container:{CONTAINER})$"
_NO_IPC = "cannot use this ipc: write none, private, shareable, host or container:NAME"
Ipc = Annotated[str, Field(max_length=TEXT_MAX), _formed(_IPC, _NO_IPC), Form(_IPC, _NO_IPC)]
_CPUSET_FORM = "cannot read the CPUs: write them like 0-3 or 0,2"
Cpuset = Annotated[
    str,
    Field(max_length=WORD_MAX),
    AfterValidator(canonical_cpuset),
    Form(CPUSET, _CPUSET_FORM),
    Rule(
        "self.split(',').all(each, !each.matches('^[0-9]+-[0-9]+$') || "
        "int(each.split('-')[0]) <= int(each.split('-')[1]))",
        "cannot use these CPUs: ranges go upwards",
    ),
]
Mac = Annotated[
    str,
    Field(max_length=WORD_MAX),
    AfterValidator(canonical_mac),
    Form(MAC, "cannot read the MAC address: write it like 02:42:ac:11:65:43"),
]
_PLATFORM = "^[a-z0-9_]+/[a-z0-9_]+(/[a-z0-9_.]+)?$"
_NO_PLATFORM = "cannot read the platform: write it like linux/amd64 or linux/arm/v7"
Platform = Annotated[str, Field(max_length=WORD_MAX), _formed(_PLATFORM, _NO_PLATFORM), Form(_PLATFORM, _NO_PLATFORM)]
_CGROUP_RULE = r"^[abc] ([0-9]{1,9}|[*]):([0-9]{1,9}|[*]) [rwm]{1,3}$"
_NO_CGROUP_RULE = 'cannot read the rule: write type, numbers and rights, such as "c 1:3 mr" or "b 8:* rmw"'
CgroupRule = Annotated[
    str, Field(max_length=WORD_MAX), _formed(_CGROUP_RULE, _NO_CGROUP_RULE), Form(_CGROUP_RULE, _NO_CGROUP_RULE)
]
CgroupRules = Annotated[tuple[CgroupRule, ...], Field(max_length=MANY), AfterValidator(sorted_set)]
_VOLUMES_FROM = f"^{CONTAINER}(:(ro|rw))?$"
_NO_VOLUMES_FROM = "cannot read this: write the name of a container, and :ro behind it to only read"
VolumesFrom = Annotated[
    tuple[
        Annotated[
            str,
            Field(max_length=TEXT_MAX),
            _formed(_VOLUMES_FROM, _NO_VOLUMES_FROM),
            Form(_VOLUMES_FROM, _NO_VOLUMES_FROM),
        ],
        ...,
    ],
    Field(max_length=MANY),
    AfterValidator(lambda names: tuple(sorted({name.removesuffix(":rw") for name in names}))),
]
_NO_ALIAS = "cannot use this name for another container: write letters, digits, _ . and -"


def _links(links: dict[str, str]) -> dict[str, str]:
    if not all(re.fullmatch("[a-zA-Z0-9][a-zA-Z0-9_.-]*", alias) for alias in links):
        raise ValueError(_NO_ALIAS)
    return links


Links = Annotated[
    dict[str, EngineName],
    Field(max_length=MANY),
    AfterValidator(_links),
    Rule("self.all(alias, alias.matches('^[a-zA-Z0-9][a-zA-Z0-9_.-]*$'))", _NO_ALIAS),
]
ADDRESSES_MAX = 200  # characters; each part is looked at
HOSTS_MAX = 64
_NO_ADDRESSES = "cannot use this: write an IP address or host-gateway, several with commas between them"


def _addresses(text: str) -> str:
    try:
        return ",".join(each if each == "host-gateway" else valid_ip(each) for each in text.split(","))
    except ValueError:
        raise ValueError(_NO_ADDRESSES) from None


HostAddresses = Annotated[
    str,
    Field(max_length=ADDRESSES_MAX),
    AfterValidator(_addresses),
    Rule("self.split(',').all(each, each == 'host-gateway' || isIP(each))", _NO_ADDRESSES),
]
Hosts = Annotated[dict[str, HostAddresses], Field(max_length=HOSTS_MAX)]
