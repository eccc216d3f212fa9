"""Rules that a validator and the API server share: each stands beside the validator that says the same in Python.

The models carry them, `crd.py` writes them into CustomResourceDefinitions; nothing in Python evaluates them. A rule is an
expression of CEL (https://kubernetes.io/docs/reference/using-api/cel/) in which `self` is the value that it is put on: the
field of an `Annotated` type, or the whole of a model that lists it in `rules`.

The API server adds up what an expression may cost at worst, so a text, list or map that a rule walks through needs a limit;
the limits below are wide, and `Field(max_length=...)` makes the loader keep them, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

KEYWORD = "x-kubernetes-validations"

PATH_MAX = 4096  # characters, as Linux has it
MANY = 256  # entries of a list or map that a rule walks through
TEXT_MAX = 253  # characters of names, addresses and the like


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold, and what is said where it does not. In an `Annotated` type, or in the `rules` of a model."""

    cel: str
    message: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        return {**schema, KEYWORD: [*schema.get(KEYWORD, ()), self.written]}

    @property
    def written(self) -> dict[str, str]:
        return {"rule": self.cel, "message": self.message}
