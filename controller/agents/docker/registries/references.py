"""Names of images, taken apart: which registry, which repository there, which tag or digest. Used by `registries.py`."""

from __future__ import annotations

from dataclasses import dataclass

from resources.notation import HUB, canonical_image

HUB_SERVER = "registry-1.docker.io"  # where the images of docker.io really are
HUB_ALIASES = frozenset({HUB, "index.docker.io", "registry.hub.docker.com", HUB_SERVER})


@dataclass(frozen=True, slots=True)
class Repository:
    """`host` is what stands in names (docker.io, 127.0.0.1:5000), `path` what follows it (library/nginx)."""

    host: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Repository:
        """Of a repository, or of an image with tag or digest."""
        return Reference.parse(text).repository

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


@dataclass(frozen=True, slots=True)
class Reference:
    """One image: what `tag` names now, or what `digest` is for ever; where both are given the digest counts."""

    repository: Repository
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        name, _, digest = canonical_image(text).partition("@")
        host, _, rest = name.partition("/")
        path, _, tag = rest.partition(":")
        return cls(Repository(host, path), tag, digest)

    @property
    def host(self) -> str:
        return self.repository.host

    @property
    def name(self) -> str:
        """Tag or digest, as it stands in the path of a manifest."""
        return self.digest or self.tag
