"""Kind `Volume`: a named volume of the Docker engine. Its agent is `controller/agents/docker/volume.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from resources.docker.engines import EngineSpec, engine_of
from resources.docker.sharing import EngineName
from resources.docker.values import Labels
from resources.meta import About, Claim, DeletionPolicy, Resource

EXAMPLE = """\
apiVersion: pegasus2.dev/v1
kind: Volume
metadata:
  name: scratch
spec:
  driver: local
  options:
    type: tmpfs
    device: tmpfs
    o: size=64m
  labels: {backup: "no"}
  deletionPolicy: Delete
"""


class VolumeSpec(EngineSpec):
    """A named volume. The engine can't change one: any change would replace it and lose what it holds."""

    deletionPolicy: DeletionPolicy = Field(
        default=DeletionPolicy.RETAIN,
        description="What becomes of the volume when its resource is gone: Retain it with all it holds, or Delete it.",
    )
    volumeName: EngineName | None = Field(
        default=None,
        description="Name in the engine. Unset: the resource's name, after its namespace if not the default. Containers refer "
        "to a volume with one by that name, with external: true.",
    )
    driver: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Driver of the engine. Unset: local."
    )
    options: dict[str, str] | None = Field(
        default=None, description="Options of the driver; those of local are mount options: type, device, o."
    )
    labels: Labels | None = Field(default=None, description="Labels on the volume.")


@dataclass(frozen=True)
class VolumeObserved:
    """A volume as it is, in the words of its spec."""

    volumeName: str | None = None
    driver: str | None = None
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class Volume(Resource):
    """A named volume of the Docker engine."""

    about: ClassVar[About] = About(
        plural="volumes", short=("vol",), columns=(("Driver", "spec.driver"),), holds_data=True
    )

    kind: Literal["Volume"]
    spec: VolumeSpec

    @property
    def volume_name(self) -> str:
        """Its name in the engine."""
        return self.spec.volumeName or self.world_name

    def claims(self) -> Iterable[Claim]:
        yield Claim("volume name", self.volume_name, place=engine_of(self))
