"""Kind `ContainerSet`: several containers of one template. It stands for a `Container` each and has no agent of its own.

With `strategy: rolling` each but the first depends on the one before it, so an edit or a newer image reaches the next one only
when the last is Ready; healing waits for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from resources.docker.beside import has_fixed_address, has_fixed_port, no_address, shared_ports
from resources.docker.parts import Attachment
from resources.kinds.container import Container, ContainerSpec
from resources.meta import COMMON_FIELDS, About, Key, Read, Resource, Spec, inherited
from resources.rules import KEYWORD, MANY, Rule

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

NAME_MAX = 63  # characters that the name of a resource may have

EXAMPLE = """\
apiVersion: pegasus2.dev/v1
kind: ContainerSet
metadata:
  name: web
spec:
  replicas: 3
  template:
    image: shop/web:1
    strategy: startFirst
    minReadySeconds: 5
    ports: ["8080-8089:80"]
    networks: [{name: shop}]
"""

_NAMED = "cannot name the containers of a set: they are named after it, with a number; leave out containerName"
_HOLDS_PORT = (
    "cannot publish a fixed host port from several containers: only one can have it; give a range of ports to choose from "
    "(8080-8089:80), or the container's port alone"
)
_HOLDS_ADDRESS = "cannot give several containers one fixed address: leave it out, or set replicas: 1"


class SetStrategy(StrEnum):
    RECREATE = "recreate"
    ROLLING = "rolling"


class Template(ContainerSpec):
    """The spec of each container, as in a Container. What all kinds have in common stands beside the template."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = super().__get_pydantic_json_schema__(core, handler)
        found = handler.resolve_ref_schema(schema)
        for name in (*COMMON_FIELDS, "containerName"):
            found["properties"].pop(name, None)
        found[KEYWORD] = [each for each in found.get(KEYWORD, ()) if "self.containerName" not in each["rule"]]
        return schema

    @model_validator(mode="after")
    def _is_of_several(self) -> Self:
        if common := sorted(COMMON_FIELDS & self.model_fields_set):
            raise ValueError(f"cannot use {', '.join(common)} in a template: write it beside the template")
        if self.containerName is not None:
            raise ValueError(_NAMED)
        return self


class ContainerSetSpec(Spec):
    """Several containers of one template."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(f"self.replicas < 2 || {shared_ports('self.template')}", _HOLDS_PORT),
        Rule(f"self.replicas < 2 || ({no_address('self.template')})", _HOLDS_ADDRESS),
    )

    replicas: Annotated[int, Field(ge=0, le=MANY)] = Field(
        default=1, description="How many containers there are. Of fewer, those with the highest numbers go."
    )
    strategy: SetStrategy = Field(
        default=SetStrategy.ROLLING,
        description="How an edit, or a newer image, reaches the containers. rolling: one after the other, the next when the last "
        "is Ready; when one is not, the rest stays as it was. recreate: all at once. How each is replaced says the template.",
    )
    template: Template = Field(
        description="The spec of each container, as in a Container. On the networks that it names, all answer to the set's name."
    )

    @model_validator(mode="after")
    def _can_be_several(self) -> Self:
        if self.replicas > 1 and has_fixed_port(self.template):
            raise ValueError(_HOLDS_PORT)
        if self.replicas > 1 and has_fixed_address(self.template):
            raise ValueError(_HOLDS_ADDRESS)
        return self


class ContainerSet(Resource):
    """Several containers of one template."""

    about: ClassVar[About] = About(
        plural="containersets",
        short=("cs",),
        columns=(
            ("Replicas", "spec.replicas"),
            ("Strategy", "spec.strategy"),
            ("Image", "spec.template.image"),
        ),
    )
    expands: ClassVar[bool] = True

    kind: Literal["ContainerSet"]
    spec: ContainerSetSpec

    @model_validator(mode="after")
    def _names_are_short_enough(self) -> Self:
        longest = f"{self.metadata.name}-{self.spec.replicas}"
        if len(longest) > NAME_MAX:
            raise ValueError(
                f"cannot name a container {longest}: give the set a shorter name, {NAME_MAX} characters at most"
            )
        return self

    def expand(self, read: Read) -> Iterable[Container]:
        return [self._container(number) for number in range(1, self.spec.replicas + 1)]

    def _container(self, number: int) -> Container:
        template, common = self.spec.template, inherited(self.spec)
        if self.spec.strategy is SetStrategy.ROLLING and number > 1:
            before = Key("Container", self.metadata.namespace, self._name(number - 1))
            common["dependsOn"] = (*self.spec.dependsOn, before.short)
        own = {"networks": self._networks(template.networks)} if template.networks else {}
        values = {name: getattr(template, name) for name in ContainerSpec.model_fields} | own | common
        spec = ContainerSpec.model_construct(_fields_set=template.model_fields_set | common.keys(), **values)
        metadata = self.metadata.model_copy(update={"name": self._name(number)})
        return Container.model_construct(apiVersion=self.apiVersion, kind="Container", metadata=metadata, spec=spec)

    def _name(self, number: int) -> str:
        return f"{self.metadata.name}-{number}"

    def _networks(self, attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
        """Where names are found out at all, each of them answers to that of the set."""
        return tuple(
            each
            if each.built_in
            else each.model_copy(update={"aliases": tuple(sorted({*(each.aliases or ()), self.world_name}))})
            for each in attachments
        )
