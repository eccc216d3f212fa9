"""`registries:` in agents/docker.yaml, read and checked. `connecting.py` calls `registry_settings`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from controller.agents.docker.registries.references import HUB_ALIASES
from controller.agents.docker.settings import checked
from resources.meta import LocalPath, Model, SecretRef
from resources.notation import HUB

_HOST = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A registry that has what another one has, below `prefix` where that is not empty."""

    scheme: str
    host: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Mirror:
        """Raises ValueError."""
        parts = urlsplit(text if "//" in text else f"https://{text}")
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc) or parts.query or parts.fragment:
            raise ValueError("cannot use this mirror: write its address like https://mirror.example.org")
        return cls(parts.scheme, parts.netloc, parts.path.strip("/"))

    def path(self, path: str) -> str:
        """Where the repository `path` is on it."""
        return f"{self.prefix}/{path}" if self.prefix else path


def _mirror(text: str) -> str:
    Mirror.parse(text)
    return text


class RegistrySettings(Model):
    """What is said of one registry."""

    username: Annotated[str, Field(min_length=1)] | None = None
    password: SecretRef | None = None
    token: SecretRef | None = None
    mirrors: tuple[Annotated[str, AfterValidator(_mirror)], ...] = ()
    ca: LocalPath | None = None
    insecure: bool = False

    @model_validator(mode="after")
    def _credentials_are_whole(self) -> RegistrySettings:
        if self.token is not None and (self.username or self.password):
            raise ValueError("cannot use token beside username and password: give one or the other")
        if (self.username is None) is not (self.password is None):
            raise ValueError("cannot use half of the credentials: give both username and password")
        return self


def registry_settings(found: Any) -> dict[str, RegistrySettings]:
    """By host. Raises ValueError naming the field and what to do; it quotes no value, which may be a secret."""
    if not isinstance(found, Mapping):
        raise ValueError("registries: write a mapping of registry hosts, like registries: {registry.example.org: {…}}")
    settings: dict[str, RegistrySettings] = {}
    for host, content in found.items():
        name = _host(host)
        if name in settings:
            raise ValueError(f"registries.{host}: {name} stands here twice; write it once")
        settings[name] = checked(RegistrySettings, content or {}, f"registries.{host}", secret=("password", "token"))
    return settings


def canonical_host(host: str) -> str:
    """Docker Hub has several names."""
    return HUB if host in HUB_ALIASES else host


def _host(written: Any) -> str:
    if not isinstance(written, str) or not _HOST.fullmatch(written):
        raise ValueError(
            f'registries: cannot use "{written}" as a registry: write its host as it stands in names of images, '
            "such as registry.example.org:5000, without https:// and path"
        )
    return canonical_host(written)
