"""Arguments and options that several commands have, each said once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from controller.surfaces.cli.command import Argument, Option, Refused
from controller.surfaces.cli.keys import complete_keys


def duration(text: str | float) -> float:
    """Seconds of `300`, `90s` or `5m`; typer hands it the default, too."""
    from resources.meta import seconds

    if isinstance(text, float):
        return text
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else seconds(text)
    except ValueError as error:
        import typer  # only who has read the command line with it gets here

        raise typer.BadParameter(str(error)) from None


def refuse_unusable_names(names: Iterable[str]) -> None:
    """Raises Refused for the name of a machine or a namespace that no spec and no cluster can have."""
    from resources.meta import DNS_LABEL

    for name in names:
        if not re.fullmatch(DNS_LABEL, name) or len(name) > 63:
            raise Refused(
                f'cannot use the name "{name}" for a machine or a namespace: take lower-case letters, digits and hyphens, '
                "a letter or digit at both ends, at most 63; --node names this machine"
            )


SourcePath = Annotated[Path, Argument(metavar="PATH", help="Directory with the desired state (default: ./state).")]
SourceOption = Annotated[Path, Option("-s", "--source", metavar="PATH", help="The source (default: ./state).")]
Only = Annotated[
    tuple[str, ...],
    Option("--only", metavar="KIND/NAME", autocompletion=complete_keys, help="Only this resource; repeatable."),
]
Prune = Annotated[bool, Option("--prune/--no-prune", help="Delete what has left the source (default), or not.")]
Timeout = Annotated[
    float,
    Option("--timeout", metavar="TIME", parser=duration, help="How long to wait: 90s, 5m (default)."),
]
