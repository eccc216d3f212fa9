"""Smoke checks: what must answer over HTTP once a deployment is Ready. `deploying.py` calls it.

A resource says it in an annotation, with one address or several:

    metadata: {annotations: {pegasus2.dev/smoke: "http://127.0.0.1:8080/health"}}
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from threading import Event as Flag
from typing import TYPE_CHECKING

from controller.surfaces.cli.command import Refused

if TYPE_CHECKING:
    from resources.meta import Key, Resource

ANNOTATION = "pegasus2.dev/smoke"
_ONCE = 5.0  # seconds for one answer
_AGAIN = 0.5


def checks(resources: Iterable[Resource]) -> list[tuple[Key, str]]:
    """All addresses, each once, with whose they are. Raises Refused for one that is none."""
    found = [
        (resource.key, address)
        for resource in resources
        for address in resource.metadata.annotations.get(ANNOTATION, "").split()
    ]
    for key, address in found:
        if not address.startswith(("http://", "https://")):
            raise Refused(
                f'cannot use "{address}" as a smoke check of {key.short}: write an address of http:// or https://'
            )
    once: dict[str, Key] = {}
    for key, address in sorted(found):  # the containers of a set say what the set does
        once.setdefault(address, key)
    return [(key, address) for address, key in once.items()]


def answers(address: str, seconds: float, stop: Flag) -> str:
    """Empty once it answers with a status of 200 to 299; else what was wrong when the time was up."""
    give_up = time.monotonic() + seconds
    while True:
        wrong = _asked(address)
        if not wrong or time.monotonic() >= give_up or stop.wait(_AGAIN):
            return wrong


def _asked(address: str) -> str:
    # No proxy: what is asked is what was just deployed.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=_ONCE) as answer:
            return "" if 200 <= answer.status < 300 else f"it answers with status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"it answers with status {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"it does not answer: {getattr(error, 'reason', None) or error}"
