"""Files that are put into a container when it is made: the type of `files` in its spec."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from resources.docker.values import InnerPath
from resources.meta import Model, SecretRef
from resources.rules import MANY, Rule

_EITHER = "cannot tell what the file holds: give either content or secret"
_DIRECTORY = "cannot put a file there: name the file, not just the root directory"


class InnerFile(Model):
    """A file in the container."""

    rules: ClassVar[tuple[Rule, ...]] = (Rule("has(self.content) != has(self.secret)", _EITHER),)

    content: str | None = Field(default=None, description="What it holds, as text.")
    secret: SecretRef | None = Field(default=None, description="Where what it holds is found, if that is secret.")
    mode: Annotated[str, Field(pattern="^[0-7]{3,4}$")] = Field(
        default="0444", description='Permissions in octal, in quotes: "0400".'
    )
    uid: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=0, description="Its owner in the container, by number."
    )
    gid: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=0, description="Its group in the container, by number."
    )

    @model_validator(mode="after")
    def _holds_one_thing(self) -> Self:
        if (self.content is None) is (self.secret is None):
            raise ValueError(_EITHER)
        return self


def _no_root(files: dict[str, InnerFile]) -> dict[str, InnerFile]:
    if "/" in files:
        raise ValueError(_DIRECTORY)
    return files


InnerFiles = Annotated[
    dict[InnerPath, InnerFile],
    Field(max_length=MANY),
    AfterValidator(_no_root),
    Rule("self.all(path, path.startsWith('/') && path != '/' && !path.contains('//'))", _DIRECTORY),
]
