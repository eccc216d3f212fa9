"""`p2 import docker`: containers that run -> resources that take them over. `importing.py` calls it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from controller.surfaces.cli.app import App, settings, tell
from controller.surfaces.cli.command import Refused

if TYPE_CHECKING:
    from controller.surfaces.cli.importing import Import
    from resources.meta import Resource


def docker_resources(app: App, asked: Import) -> Iterable[Resource]:
    """The containers, and the networks and volumes that they use. Raises Refused."""
    from controller.engine.agent import Retry, Stalled
    from controller.engine.by_hand import Describes
    from controller.wiring.agents import by_hand

    with app.kept(read_only=True) as kept:
        home, inventory = kept.home, kept.stores.inventory
        records = [record for source in inventory.sources() for record in inventory.records(source).values()]
    agent = by_hand(home, settings(), read_only=True).find("Container")
    assert isinstance(agent, Describes)
    try:
        found = agent.describe(asked.what, {record.handle: record.key for record in records}, plain=asked.plain_env)
    except (Retry, Stalled) as failure:
        raise Refused(failure.message) from None
    for note in found.notes:
        tell(app, note)
    for name, variable, place in found.secrets:
        path = home.secrets / place
        tell(app, f"{variable} of {name} looks secret: write its value into {path} (chmod 600), or use --plain-env")
    if not found.resources:
        raise Refused("cannot find a container that runs and is not Pegasus2's already: name those that are stopped")
    return found.resources
