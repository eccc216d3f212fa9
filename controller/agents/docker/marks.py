"""Our mark on Docker objects: the labels that say whose a thing is, and the names a replacement uses while it lasts.

Labels of a container, network or volume can't be changed after its creation; what they say of the generation is that of
the creation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from controller.engine.agent import Mark, Owned, found_again
from resources.docker.names import INSTALLATION, NEW_SUFFIX, OLD_SUFFIX, OWN_LABELS
from resources.meta import Key, Resource

KEY = f"{OWN_LABELS}key"
GENERATION = f"{OWN_LABELS}generation"
DIGEST = f"{OWN_LABELS}digest"
# Where anonymous volumes of a predecessor are mounted, a path in each line.
CARRIED = f"{OWN_LABELS}carried-volumes"
# The id of the container that this one replaces, and the restart policy that it had before that was taken away.
PREDECESSOR = f"{OWN_LABELS}predecessor"
PREDECESSOR_RESTART = f"{OWN_LABELS}predecessor-restart"

# The id of the image that the predecessor was made of, where the tag had come to name another one.
FORMER_IMAGE = f"{OWN_LABELS}former-image"


def labels_of(mark: Mark) -> dict[str, str]:
    return {
        KEY: str(mark.key),
        INSTALLATION: mark.installation,
        GENERATION: str(mark.generation),
        DIGEST: mark.digest,
    }


def mark_in(labels: Mapping[str, str] | None) -> Mark | None:
    """The mark in these labels, or None where there is none that can be read."""
    if not labels or KEY not in labels:
        return None
    try:
        key, generation = Key.parse(labels[KEY]), int(labels.get(GENERATION) or 0)
    except ValueError:
        return None
    return Mark(key, labels.get(INSTALLATION, ""), generation, labels.get(DIGEST, ""))


def marked_by(installation: str) -> list[str]:
    """The filter for what carries the mark of an installation; of any, when it isn't known."""
    return [f"{INSTALLATION}={installation}" if installation else INSTALLATION]


def owned_in(
    model: type[Resource], listed: Iterable[tuple[str, Mapping[str, str] | None, Mapping[str, Any]]]
) -> list[Owned]:
    """What is ours of `listed`: ids, labels, and the fields of a spec that find the thing again. The first of each key."""
    found: dict[tuple[str, Key], Owned] = {}
    for handle, labels, spec in listed:
        mark = mark_in(labels)
        if mark and mark.key.kind == model.__name__:
            found.setdefault((mark.installation, mark.key), Owned(mark, handle, found_again(model, mark.key, **spec)))
    return list(found.values())


def foreign_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """All labels but ours."""
    return {name: value for name, value in (labels or {}).items() if not name.startswith(OWN_LABELS)}


def new_name(name: str) -> str:
    """What a container is called until it takes the place of the one named `name`."""
    return name + NEW_SUFFIX


def old_name(name: str) -> str:
    """What the container named `name` is called from the moment that its successor takes the name."""
    return name + OLD_SUFFIX


def temporary(name: str) -> bool:
    return name.endswith((NEW_SUFFIX, OLD_SUFFIX))
