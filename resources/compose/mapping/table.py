"""The table of fields for docs/compose.md: `python -m resources.compose.mapping.table` prints it. A test compares the two."""

from __future__ import annotations

from resources.compose.mapping.fields import FIELDS

_SECTIONS = (
    "services.*.deploy.",
    "services.*.build.",
    "services.*.",
    "networks.*.",
    "volumes.*.",
    "configs.*.",
    "secrets.*.",
)


_SHOWN = ("services.*.", "services.*.deploy.", "services.*.build.", *_SECTIONS[3:])


def table() -> str:
    """A table for each part of a Compose file, in the order of a service's own fields."""
    parts: dict[str, list[str]] = {section: [] for section in ("", *_SHOWN)}
    for path, field in FIELDS.items():
        section = next((each for each in _SECTIONS if path.startswith(each)), "")
        name = path.removeprefix(section).replace(".*.", ".")
        parts[section].append(f"| `{name}` | {field.how.value} | {field.text} |")
    blocks = []
    for section, rows in parts.items():
        title = f"`{section.rstrip('.').replace('.*', '.NAME')}`" if section else "The top of a file"
        blocks.append("\n".join([f"### {title}", "", "| field | | |", "|---|---|---|", *rows]))
    return "\n\n".join(blocks)


if __name__ == "__main__":
    print(table())
