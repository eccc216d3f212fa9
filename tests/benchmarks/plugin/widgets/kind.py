"""Kind `Widget`: a text in a world that is a dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from resources.meta import About, Resource, Spec


class WidgetSpec(Spec):
    text: str = Field(description="What the widget says.")
    colour: str = Field(default="grey", description="Colour of the widget.")
    sizes: tuple[int, ...] = Field(default=(), description="Sizes it comes in.")


@dataclass(frozen=True, slots=True)
class WidgetObserved:
    text: str
    colour: str
    sizes: tuple[int, ...]


class Widget(Resource):
    """A text with a colour."""

    about: ClassVar[About] = About(plural="widgets")

    kind: Literal["Widget"]
    spec: WidgetSpec
