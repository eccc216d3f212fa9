"""Kind `Oven`: a loaf in a directory."""

from __future__ import annotations

from typing import ClassVar, Literal

from resources.meta import About, Resource, Spec


class OvenSpec(Spec):
    directory: str


class Oven(Resource):
    """Bakes a loaf named after the resource."""

    about: ClassVar[About] = About(plural="ovens")
    kind: Literal["Oven"]
    spec: OvenSpec

    @property
    def loaf(self) -> str:
        return f"{self.spec.directory}/{self.metadata.name}"
