"""The status of a custom resource, as an API server has it. `crd.py` makes its schema of it; `publishing.py` writes such ones."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from resources.conditions import Truth
from resources.rules import keyed_by


class Reported(BaseModel):
    """A part of a status. Unlike in a spec, unknown fields are let pass: a newer operator may know more."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class ReportedCondition(Reported):
    """One condition, in the form of metav1.Condition."""

    type: str = Field(min_length=1, description="What it is about: Ready, Reconciling or Stalled.")
    status: Truth = Field(description="Whether it holds: True, False or Unknown.")
    reason: str = Field(description="Why, in one CamelCase word for programs.")
    message: str = Field(default="", max_length=32768, description="Why, for people, and what to do about it.")
    observedGeneration: int = Field(default=0, ge=0, description="The metadata.generation that it was found out of.")
    lastTransitionTime: str = Field(
        json_schema_extra={"format": "date-time"}, description="When its status last changed."
    )


Conditions = Annotated[
    tuple[ReportedCondition, ...],
    Field(json_schema_extra=keyed_by("type")),
]


class Drift(Reported):
    """One field that differs."""

    path: str = Field(description="The field, below spec.")
    observed: Any = Field(default=None, description="What it is; of a secret, never the value.")
    desired: Any = Field(default=None, description="What it should be; of a secret, never the value.")
    why: str = Field(default="", description="What made the difference: edited, drifted, dropped or new.")


class ObjectStatus(Reported):
    """How it is, as the operator of its machine saw it last."""

    observedGeneration: int = Field(default=0, ge=0, description="The metadata.generation that was worked off last.")
    conditions: Conditions = Field(
        default=(),
        description="Ready says whether it is as declared; Reconciling and Stalled are there while they hold.",
    )
    node: str = Field(default="", description="The machine whose operator works on it.")
    handle: str = Field(default="", description="The system's own id of the thing.")
    drift: tuple[Drift, ...] = Field(default=(), description="What differed at the last look; empty when nothing did.")
