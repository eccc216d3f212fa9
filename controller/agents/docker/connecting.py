"""What agents/docker.yaml and the environment say of engines and registries. `client.connect` asks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING

from controller.agents.docker.ahead import DEFAULT_HOST
from controller.agents.docker.wire import Address
from controller.engine.agent import Setup

if TYPE_CHECKING:
    from controller.agents.docker.registries.registries import Registries
    from controller.agents.docker.registries.settings import RegistrySettings


def own_place(setup: Setup) -> tuple[str, Address]:
    """The agent's own engine: what people are told, and the address. Raises ValueError for settings that can't be used."""
    if any(setup.config.get(field) for field in ("engine", "host", "tls")):
        from controller.agents.docker.engine_settings import own_engine

        if own := own_engine(setup.config):
            return own.host, own.address
    host = os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    address = Address.of_environment(host)
    if address is None:
        raise ValueError(f"DOCKER_HOST is {host}: write unix:///path/to.sock, tcp://host:2376 or ssh://user@host")
    return host, address


class OnDemand:
    """The registries, made when they are first asked for: most commands need none, and importing them takes time."""

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError for settings that can't be used."""
        self._setup, self._lock = setup, Lock()
        self._made = _registries(setup) if setup.config.get("registries") else None

    @property
    def made(self) -> bool:
        return self._made is not None

    def get(self) -> Registries:
        with self._lock:
            if self._made is None:
                self._made = _registries(self._setup)
            return self._made


def _registries(setup: Setup) -> Registries:
    from controller.agents.docker.registries.registries import Registries

    settings: Mapping[str, RegistrySettings] = {}
    if found := setup.config.get("registries"):
        from controller.agents.docker.registries.settings import registry_settings

        settings = registry_settings(found)
    return Registries(settings, setup.secrets, setup.timeout)
