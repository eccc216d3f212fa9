"""Containers in the words of their specs (`translation.py`), put so anew only where something about them is new.

To put fifty of them so takes longer than to ask the engine for them. The agent of containers calls this at each look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from controller.agents.docker.client import Engine, Json
from controller.agents.docker.images import Supplied
from controller.agents.docker.lookup import Found
from controller.agents.docker.marks import mark_in
from controller.agents.docker.remembered import Remembered
from controller.agents.docker.translation import observed_container, written
from controller.engine.agent import Context, Mark, Secrets
from resources.kinds.container import Container, ContainerObserved
from resources.meta import SecretRef


@dataclass(frozen=True, slots=True)
class Worded:
    """What follows from the engine's answers alone."""

    value: ContainerObserved
    mark: Mark | None
    writes: str


class Wording:
    """Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._worded = Remembered[Worded]()
        self.heard = Remembered[Json]()  # what `lookup.look` need not read once more; never what holds secrets

    def of(
        self, resource: Container, found: Found, supplied: Supplied, others: Mapping[str, str], ctx: Context
    ) -> Worded:
        """`found` is there; `others` as `lookup.names_of_companions` has them. Raises Retry for a secret out of reach."""
        assert found.live is not None
        names = tuple(sorted(each["Name"].removeprefix("/") for each in found.leftovers))
        made_of = (found.said, resource, supplied, names, others)
        known = self._worded.find(resource.key, made_of)
        if known is not None:
            return known
        beside = _Beside(ctx.secrets, ctx.read_from, partial(self._engine.file, found.live["Id"]))
        value = observed_container(
            resource, found.live, supplied, beside, names, beside.read_from, others, beside.inside
        )
        worded = Worded(value, mark_in(found.live["Config"]["Labels"]), written(found.live))
        if found.said and not beside.asked and not resource.spec.envFile:
            self._worded.keep(resource.key, made_of, worded)
            self.heard.keep(resource.key, (found.said,), found.live)
        return worded


class _Beside:
    """What has a say beside the engine's answers: secrets, files, the inside of a container. Notes whether it was asked."""

    def __init__(
        self, secrets: Secrets, read_from: Callable[[str], str], inside: Callable[[str], bytes | None]
    ) -> None:
        self._secrets, self._read_from, self._inside = secrets, read_from, inside
        self.asked = False

    def reveal(self, ref: SecretRef, namespace: str) -> str:
        self.asked = True
        return self._secrets.reveal(ref, namespace)

    def digest(self, value: str) -> str:
        self.asked = True
        return self._secrets.digest(value)

    def read_from(self, path: str) -> str:
        self.asked = True
        return self._read_from(path)

    def inside(self, path: str) -> bytes | None:
        self.asked = True
        return self._inside(path)
