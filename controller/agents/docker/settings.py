"""Reads agents/docker.yaml's fields into models, and says in plain words what is wrong with one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from resources.meta import Model

M = TypeVar("M", bound=Model)

SECRET = "write where it is found, like {env: NAME}, {file: /path} or {secret: {name: NAME, key: KEY}}, never the value"


def checked(model: type[M], content: Any, where: str, secret: Collection[str] = ()) -> M:
    """`content` of the field `where`. Raises ValueError (field: what to do); it quotes no value, which may be secret.

    `secret` are fields that hold references to secrets.
    """
    try:
        return TypeAdapter(model).validate_python(content)
    except ValidationError as error:
        raise ValueError(f"{where}{_first(error, model, secret)}") from None


def _first(error: ValidationError, model: type[Model], secret: Collection[str]) -> str:
    detail = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in detail["loc"]]
    field = "".join(f".{part}" for part in path)
    if path and path[0] in secret:
        return f".{path[0]}: {SECRET}"
    if detail["type"] == "extra_forbidden":
        known = f"; write {', '.join(sorted(model.model_fields))}" if len(path) == 1 else ""
        return f"{field}: unknown field{known}"
    if detail["type"] == "missing":
        return f"{field}: it is missing; write it"
    return f"{field}: {detail['msg'].removeprefix('Value error, ')}"
