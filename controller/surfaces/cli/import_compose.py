"""`p2 import compose`: Compose files -> resources. `importing.py` calls it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from controller.surfaces.cli.app import App
from controller.surfaces.cli.command import Refused

if TYPE_CHECKING:
    from controller.surfaces.cli.importing import Import
    from resources.meta import Resource


def compose_resources(app: App, asked: Import) -> Iterable[Resource]:
    """What the Compose files come to. Raises Refused."""
    raise Refused("cannot read Compose files yet")
