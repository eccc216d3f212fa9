"""Rules that a validator and the API server share: each stands beside the validator that says the same in Python.

The models carry them, `crd.py` writes them into CustomResourceDefinitions; nothing in Python evaluates them. A rule is an
expression of CEL (https://kubernetes.io/docs/reference/using-api/cel/) in which `self` is the value that it is put on: the
field of an `Annotated` type, or the whole of a model that lists it in `rules`.

The API server adds up what an expression may cost at worst, so a text, list or map that a rule walks through needs a limit;
the limits below are wide, and `Field(max_length=...)` makes the loader keep them, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

KEYWORD = "x-kubernetes-validations"

PATH_MAX = 4096  # characters, as Linux has it
TEXT_MAX = 512  # characters of names, options and the like
WORD_MAX = 100  # characters of an address, a port, a size
MANY = 256  # entries of a list or map that a rule walks through


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


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a text, for editors as a pattern and for an API server as a rule that says what to write.

    `pattern` means the same in RE2 and in Python's `re` with ASCII: no look-ahead, and no `\\d` or `\\w`.
    """

    pattern: str
    message: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = {**handler(core), "pattern": self.pattern}
        return {**schema, KEYWORD: [*schema.get(KEYWORD, ()), self.written]}

    @property
    def written(self) -> dict[str, str]:
        return {"rule": f"self.matches(r'{self.pattern}')", "message": self.message}


def said_by_a_rule(pattern: str, rules: Iterable[Mapping[str, str]]) -> bool:
    """Whether one of the rules, as written into a schema, demands this form already."""
    return any(rule["rule"] == f"self.matches(r'{pattern}')" for rule in rules)


def keyed_by(field: str) -> dict[str, Any]:
    """For `json_schema_extra` of a list whose entries are told apart by one field, which two of them can't share.

    With `kubectl apply --server-side`, several writers may each have entries of their own in it.
    """
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field]}


# A path on this machine that is not taken from the place of a file: an API server knows no such place.
ABSOLUTE = "(self.startsWith('/') || self == '~' || self.startsWith('~/'))"
NOT_BESIDE_A_FILE = (
    "cannot resolve a relative path here, for it has a meaning only beside a file: write an absolute path, "
    "or one that starts with ~/"
)
