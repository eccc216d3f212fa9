"""The agents of one process and the clients they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from threading import RLock
from typing import Any

from controller.agents.discovery import agent_of, client_module
from controller.engine.agent import Agent, Setup
from controller.store.errors import HomeError
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from controller.wiring.settings import Settings


class Agents:
    """The agents, each made when first asked for; those of one system share one client. Thread-safe.

    `ahead` has, by system, what was read before the agents were there (see `ahead.py`).
    """

    def __init__(self, setup: Setup, home: Home, ahead: Mapping[str, Any]) -> None:
        self._setup = setup
        self._home = home
        self._ahead = ahead
        self._clients: dict[str, Any] = {}
        self._agents: dict[str, Agent[Any, Any] | None] = {}
        self._lock = RLock()

    def find(self, kind: str) -> Agent[Any, Any] | None:
        """The agent of a kind, or None."""
        with self._lock:
            if kind not in self._agents:
                self._agents[kind] = self._made(agent) if (agent := agent_of(kind)) else None
            return self._agents[kind]

    def seen(self) -> Mapping[str, Any]:
        """What each system that was asked has answered, by its name; None for one that can't tell (`standing.py`)."""
        found = {system: getattr(client, "seen", None) for system, client in self._clients.items()}
        return {system: told() if told else None for system, told in found.items()}

    def _made(self, agent: type[Agent[Any, Any]]) -> Agent[Any, Any]:
        system, client = agent.system, client_module(agent)
        config = self._home.agent_config(system, getattr(client, "SETTINGS", frozenset()))
        setup = replace(self._setup, config=config, ahead=self._ahead.get(system))
        if system not in self._clients:
            try:
                self._clients[system] = client.connect(setup)
            except ValueError as error:
                raise HomeError(f"cannot use {self._home.agents / f'{system}.yaml'}: {error}") from None
        made: Agent[Any, Any] = getattr(client, "assemble", _assembled)(agent, self._clients[system], setup)
        return made


def _assembled(agent: type[Agent[Any, Any]], client: Any, setup: Setup) -> Agent[Any, Any]:
    return agent(client, setup)  # type: ignore[call-arg]  # the contract of `Agent`, in its docstring


def by_hand(home: Home, settings: Settings, *, read_only: bool = False) -> Agents:
    """Agents for what a person does beside the loop: p2 exec, and p2 import. It is no change of what the loop works on."""
    setup = Setup(home.installation, home.path, HomeSecrets(home), read_only, settings.agent_timeout)
    return Agents(setup, home, {})
