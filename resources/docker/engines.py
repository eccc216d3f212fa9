"""`engine:` in the specs of Docker's kinds: which of the engines in agents/docker.yaml a thing is on. Pure."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from pydantic import Field

from resources.meta import Name, Resource, Spec

R = TypeVar("R", bound=Resource)


class EngineSpec(Spec):
    """What the specs of all Docker kinds have."""

    apart: ClassVar[frozenset[str]] = frozenset({"engine"})

    engine: Name | None = Field(
        default=None,
        description="Engine that this is on: a name under engines in agents/docker.yaml. Unset: the agent's own. Another one "
        "moves it there.",
    )


def engine_of(resource: Resource | None) -> str:
    """The name of its engine; empty: the agent's own."""
    return getattr(resource.spec, "engine", None) or "" if resource is not None else ""


def on_engine(resource: R, engine: str) -> R:
    """The same on the engine of this name."""
    return resource.model_copy(update={"spec": resource.spec.model_copy(update={"engine": engine})})


def engines_apart(resource: Resource, other: Resource) -> str:
    """Why `resource` can't refer to `other`, for people; empty where it can."""
    ours, theirs = engine_of(resource), engine_of(other)
    if ours == theirs or other.key not in set(resource.references()):
        return ""
    return (
        f"cannot use {other.key.short}, which {resource.key.short} needs: it is on {_named(theirs)}, and this on "
        f"{_named(ours)}; give both the same engine"
    )


def _named(engine: str) -> str:
    return f"the engine {engine}" if engine else "the agent's own engine"
