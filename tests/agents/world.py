"""What the contract suite needs to know of an agent: a `World`, one module a kind in `tests/agents/worlds/`.

A world holds one agent over a system of its own (a directory, a name prefix in a real engine, a simulation) and hands
that change the system behind the agent's back. What it says of the system it finds out without the agent.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from controller.engine.agent import Agent, Setup
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from resources.meta import API_VERSION, Resource

INSTALLATION = "0123456789abcdef"

R = TypeVar("R", bound=Resource)

ByHand = Mapping[str, Callable[[], None]]


class World(ABC, Generic[R]):
    """One per test. `agent` may write, `reader` was made with a read-only client."""

    agent_class: ClassVar[type[Agent[Any, Any]]]
    needs: ClassVar[str] = ""  # a real system that must be there: a name in SYSTEMS of tests/conftest.py
    gives_back: ClassVar[bool] = False  # deleting what was adopted brings back what was there before

    agent: Agent[R, Any]
    reader: Agent[R, Any]

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prefix = f"p2c-{uuid.uuid4().hex[:8]}"
        self.environment: dict[str, str] = {}
        self.secrets = HomeSecrets(Home(directory / "home"), self.environment)

    @property
    def model(self) -> type[Resource]:
        return self.agent_class.model

    def setup(self, *, read_only: bool = False, **config: Any) -> Setup:
        return Setup(INSTALLATION, self.directory / "home", self.secrets, read_only, 30.0, config)

    def resource(self, name: str, **spec: Any) -> R:
        """A resource of this kind; its name is this test's own."""
        document = {
            "apiVersion": API_VERSION,
            "kind": self.model.__name__,
            "metadata": {"name": f"{self.prefix}-{name}"},
            "spec": spec,
        }
        made: R = self.model.model_validate(document)  # type: ignore[assignment]
        return made

    @abstractmethod
    def sample(self, name: str = "one") -> R:
        """A resource that can be made; of another name, another one beside it."""

    @abstractmethod
    def edits(self, resource: R) -> Mapping[str, R]:
        """The same resource with other specs, each with what the edit is about."""

    @abstractmethod
    def drifts(self, resource: R) -> ByHand:
        """What somebody may do to the thing by hand so that it is no longer as declared, short of removing it."""

    @abstractmethod
    def remove(self, resource: R) -> None:
        """Removes the thing by hand."""

    @abstractmethod
    def make_strangers(self, resource: R) -> None:
        """Makes by hand a thing in the place of `resource`, and not as that declares it."""

    @abstractmethod
    def state(self, resource: R) -> Any:
        """What the thing is like, to compare with an earlier answer; None when it is not there."""

    @abstractmethod
    def impossible(self, name: str = "impossible") -> R:
        """A resource that can be looked for but not made."""

    def secretive(self, value: str) -> R:
        """A resource that holds the secret `value`; told another value, the same resource. For kinds that have secrets."""
        raise NotImplementedError

    def cut_off(self) -> Any:
        """An agent whose system can't be reached. For systems to which that can happen; the agent tells its health."""
        raise NotImplementedError

    def later(self) -> None:
        """Time passes in a simulated world: what was started goes on, what was remembered is asked for again."""

    def close(self) -> None:
        """Removes everything that the test has made."""
