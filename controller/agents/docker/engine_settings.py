"""`engine:` and `engines:` in agents/docker.yaml: where engines are. `client.py` reads them when it connects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, model_validator

from controller.agents.docker.settings import checked
from controller.agents.docker.wire import Address, Tls
from resources.meta import DNS_LABEL, LocalPath, Model

HOST_FORM = "write unix:///path/to.sock, tcp://host:2376 or ssh://user@host"


def _host(text: str) -> str:
    if Address.parse(text) is None:
        raise ValueError(f"cannot use this as the place of an engine: {HOST_FORM}")
    return text


class TlsSettings(Model):
    """Files in PEM. `ca`: whose signature the engine's certificate bears; `cert` and `key`: who we are."""

    ca: LocalPath | None = None
    cert: LocalPath | None = None
    key: LocalPath | None = None

    @model_validator(mode="after")
    def _certificate_has_a_key(self) -> TlsSettings:
        if (self.cert is None) is not (self.key is None):
            raise ValueError("cannot use half of a certificate: give both cert and key")
        return self


class EngineSettings(Model):
    """One engine."""

    host: Annotated[str, AfterValidator(_host)]
    tls: TlsSettings | None = None

    @model_validator(mode="after")
    def _tls_is_for_tcp(self) -> EngineSettings:
        if self.tls is not None and not self.host.startswith(("tcp://", "https://")):
            raise ValueError("cannot use tls here: it is for engines at tcp://, ssh brings its own")
        return self


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine is. `host` is what people are told."""

    host: str
    address: Address


def own_engine(config: Mapping[str, Any]) -> Place | None:
    """The agent's own: `engine`, once called `host`, with `tls`. None: nothing is said. Raises ValueError."""
    if config.get("engine") and config.get("host"):
        raise ValueError("host: leave it out; engine says the same, and has taken its place")
    name = "engine" if config.get("engine") else "host"
    host = config.get(name)
    if not host:
        if config.get("tls") is not None:
            raise ValueError("tls: leave it out, or write engine, too: the tcp:// address that it is for")
        return None
    if not isinstance(host, str) or Address.parse(host) is None:
        raise ValueError(f"{name}: {HOST_FORM}; several engines stand under engines, by name")
    return _place(checked(EngineSettings, {"host": host, "tls": config.get("tls")}, "tls"))


def named_engines(found: Any) -> dict[str, Place]:
    """`engines`, by the names that specs use. Raises ValueError."""
    if not isinstance(found, Mapping):
        raise ValueError("engines: write a mapping of names, like engines: {nas: {host: ssh://user@nas}}")
    places = {}
    for name, content in found.items():
        if not isinstance(name, str) or not re.fullmatch(DNS_LABEL, name):
            raise ValueError(f'engines: cannot use "{name}" as a name: write lower-case letters, digits and hyphens')
        places[name] = _place(checked(EngineSettings, content, f"engines.{name}"))
    return places


def _place(settings: EngineSettings) -> Place:
    tls = Tls(settings.tls.ca or "", settings.tls.cert or "", settings.tls.key or "") if settings.tls else None
    address = Address.parse(settings.host, tls)
    assert address is not None  # `_host` has seen to that
    return Place(settings.host, address)
