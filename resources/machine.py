"""Kind `Machine`: a machine with an operator. Nobody declares it: each operator keeps the one of its node up to date.

It has no agent and no spec, so it is none of `resources.kinds`; `crd.py` makes its CustomResourceDefinition of what is here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from resources.reported import Conditions, Reported
from resources.rules import keyed_by


class MachineAgent(Reported):
    """One agent of the operator."""

    name: str = Field(min_length=1, description="The system that it works on: docker, environment.")
    available: bool = Field(description="Whether that system can be reached.")
    version: str = Field(default="", description="Version of that system.")
    message: str = Field(default="", description="Why it cannot be reached, and what to do.")


class Capacity(Reported):
    """What the machine has."""

    cpus: int = Field(default=0, ge=0, description="How many CPUs.")
    memory: str = Field(default="", description="Memory, as a Kubernetes quantity: 16318Mi.")
    disk: str = Field(default="", description="Size of the file system of the operator's home, likewise.")


class System(Reported):
    """What the machine runs."""

    os: str = Field(default="", description="Name and version of the distribution.")
    kernel: str = Field(default="", description="Release of the kernel.")
    architecture: str = Field(default="", description="Such as x86_64 or aarch64.")


class Counts(Reported):
    """How many resources the machine has."""

    total: int = Field(default=0, ge=0, description="All that its operator works on.")
    ready: int = Field(default=0, ge=0, description="Those of them that are Ready.")


class Summary(Reported):
    """What columns of `kubectl get machines` show, for a column shows one text and no list."""

    agents: str = Field(
        default="", description="Names of the agents whose systems can be reached: docker, environment."
    )
    resources: str = Field(default="", description="Ready ones of all: 12/14.")


Agents = Annotated[
    tuple[MachineAgent, ...],
    Field(json_schema_extra=keyed_by("name")),
]


class MachineStatus(Reported):
    """How the machine is, as its operator last said."""

    conditions: Conditions = Field(default=(), description="Ready says whether its operator is at work.")
    version: str = Field(default="", description="Version of the operator.")
    agents: Agents = Field(default=(), description="Its agents.")
    capacity: Capacity = Field(default=Capacity(), description="What the machine has.")
    system: System = Field(default=System(), description="What the machine runs.")
    resources: Counts = Field(default=Counts(), description="How many resources it has.")
    summary: Summary = Field(default=Summary(), description="Agents and resources on one line each.")


def summary(agents: tuple[MachineAgent, ...], counts: Counts) -> Summary:
    """What the columns show of these."""
    reached = ", ".join(sorted(agent.name for agent in agents if agent.available))
    return Summary(agents=reached, resources=f"{counts.ready}/{counts.total}")
