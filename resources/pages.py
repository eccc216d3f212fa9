"""A page a kind for the documentation: what it is, an example, every field. Made from the models by

    python -m resources.pages docs/kinds

A test fails when the pages there are not what this would write.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from resources import kinds
from resources.meta import COMMON_FIELDS, Resource
from resources.schema import Field, describe, model_of


def pages() -> dict[str, str]:
    """The pages of all built-in kinds by the names of their files."""
    names = sorted(kinds.built_in())
    return {"README.md": _contents(names), **{f"{name.lower()}.md": page(name) for name in names}}


def page(kind: str) -> str:
    """The page of one kind, in Markdown."""
    model, tree, spec = model_of(kind), describe(kind), describe(kind, "spec")
    common = [field for field in spec.fields if field.name in COMMON_FIELDS]
    own = [field for field in spec.fields if field.name not in COMMON_FIELDS]
    parts = [
        f"# {kind}",
        tree.description,
        spec.description,
        f"On the command line: {', '.join(f'`{name}`' for name in (kind.lower(), model.about.plural, *model.about.short))}.",
        f"With kubectl: `{model.about.plural}.pegasus2.dev`, or any of these where no other kind of the cluster has the name.",
        *_notes(model),
        "## Example",
        f"```yaml\n{example(kind).strip()}\n```",
        "## Fields of `spec`",
        _table(own, "spec"),
    ]
    for field in own:
        if field.fields:
            parts += [f"### `{field.name}`", f"{field.description} ({_type(field)})", _table(field.fields, field.path)]
    parts += [
        "## Fields that every kind has",
        _table(common, "spec"),
        "## `metadata`",
        _table(describe(kind, "metadata").fields, "metadata"),
    ]
    return "\n\n".join(parts) + "\n"


def example(kind: str) -> str:
    """The example that a kind's module brings along: a complete document."""
    text: str = importlib.import_module(model_of(kind).__module__).EXAMPLE
    return text


def _contents(names: list[str]) -> str:
    lines = [f"- [{name}]({name.lower()}.md): {describe(name).description}" for name in names]
    return (
        "# Kinds\n\nWhat can be declared. `p2 explain KIND` shows the same in a terminal.\n\n" + "\n".join(lines) + "\n"
    )


def _notes(model: type[Resource]) -> list[str]:
    if not model.about.holds_data:
        return []
    return [
        "It holds data: unless `deletionPolicy: Delete` is written it stays when its resource goes, and it is never "
        "replaced without `p2 confirm`."
    ]


def _table(fields: list[Field] | tuple[Field, ...], below: str) -> str:
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for field in (each for top in fields for each in (top.walk() if below != "spec" else [top])):
        name = field.path.removeprefix(below).lstrip("[]{}.")
        default = "**required**" if field.required else f"`{field.default}`" if field.default else ""
        rows.append(f"| `{name}` | {_type(field)} | {default} | {_cell(field.description)} |")
    return "\n".join(rows)


def _type(field: Field) -> str:
    return ", ".join(f"`{each}`" for each in field.type.split(" | ")) if " | " in field.type else field.type


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    directory = Path(sys.argv[1])
    for name, text in pages().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main()
