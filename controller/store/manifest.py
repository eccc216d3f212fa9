"""What a backup says of itself: its last member names all others with their digests. backup.py writes it, restore.py reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

NAME = "manifest.json"
FORMAT = 1
DATABASE = "p2.db"

# What a backup may hold: these files, and files in these directories.
FILES = (DATABASE, "id", "digest.key", "config.yaml")
DIRECTORIES = ("agents", "kept")
SECRETS = "secrets"


class SecretsIn(StrEnum):
    """What became of the secrets in the home's own directory."""

    NONE = "none"  # there were none
    LEFT_OUT = "left out"
    INCLUDED = "included"


@dataclass(frozen=True, slots=True)
class Member:
    """One file. `name` is its path in the home."""

    name: str
    mode: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`installation` is empty where nothing was ever made in the world."""

    program: str  # version of the Pegasus2 that made it
    schema: int  # of the database
    installation: str
    at: float  # seconds since the epoch
    secrets: SecretsIn
    members: tuple[Member, ...]
    format: int = FORMAT

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Raises ValueError for what is no manifest, or one of a later format."""
        try:
            found: Mapping[str, Any] = json.loads(text)
            if found["format"] != FORMAT:
                raise ValueError(f"it has the format {found['format']}, this Pegasus2 knows {FORMAT}; upgrade Pegasus2")
            members = tuple(Member(**member) for member in found["members"])
            return cls(**{**found, "secrets": SecretsIn(found["secrets"]), "members": members})
        except (KeyError, TypeError) as error:
            raise ValueError("its manifest can't be read") from error


def is_allowed(name: str) -> bool:
    """Whether a backup may hold a file of this name: nothing that would leave the home, or end up elsewhere in it."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        return False
    return name in FILES if len(parts) == 1 else parts[0] in (*DIRECTORIES, SECRETS)
