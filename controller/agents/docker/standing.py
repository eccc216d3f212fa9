"""What the engine answered to a look, to be compared with what it answers now. `wiring/standing.py` asks, `client.py` tells it.

Nothing heavy may be imported here: see `ahead.py`.
"""

from __future__ import annotations

import json
from _blake2 import blake2b
from collections.abc import Container, Mapping
from typing import Any

from controller.agents.docker.paths import container, temporary_containers
from controller.agents.docker.wire import Address, Answer, Wire
from resources.docker.names import PASSING

TIMEOUT = 10.0  # seconds for a request


def same(kept: dict[str, Any]) -> bool:
    """Whether the engine gives the answers of which the digests were `kept`."""
    address = Address.of_environment(kept["host"])
    if address is None:
        return False
    reader, seen = Wire(address, TIMEOUT), kept["answers"]
    try:
        answers = reader.read_all(list(seen))
    except OSError:
        return False
    finally:
        reader.close()
    return digests(dict(zip(seen, answers, strict=True))) == dict(seen)


def digests(answers: Mapping[str, Answer]) -> dict[str, str]:
    """Of each answer, by what was asked; without what changes by itself while nothing happens: ages, and what probes have found.

    Of containers that are being replaced those alone count whose place was asked for, for the list has other people's, too.
    """
    passing = temporary_containers()
    return {path: _digest(answer, answers if path == passing else None) for path, answer in answers.items()}


def _digest(answer: Answer, asked: Container[str] | None) -> str:
    if answer.status != 200:
        return str(answer.status)
    try:
        found = answer.json()
    except ValueError:  # a file out of a container
        return blake2b(answer.body, digest_size=16).hexdigest()
    if asked is not None:
        found = [each for each in found or () if any(_place(name) in asked for name in each["Names"])]
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, dict):
            _forget_passing(each)
    return blake2b(json.dumps(found, sort_keys=True).encode(), digest_size=16).hexdigest()


def _place(name: str) -> str:
    """Where a container is asked for whose name for a time is `name`."""
    return container(name.removeprefix("/").rpartition(PASSING)[0])


def _forget_passing(thing: dict[str, Any]) -> None:
    if isinstance(thing.get("Status"), str):
        del thing["Status"]  # "Up 3 minutes"
    thing.pop("ExecIDs", None)  # a probe that runs just now
    state, mounts = thing.get("State"), thing.get("Mounts")
    if isinstance(state, dict) and isinstance(health := state.get("Health"), dict):
        health.pop("Log", None)
    if isinstance(mounts, list):
        thing["Mounts"] = sorted(mounts, key=json.dumps)  # told in any order
