"""Kind `Image`: an image of the Docker engine, pulled or built. Its agent is `controller/agents/docker/image.py`.

What a build is made from (the context's files, the Dockerfile) is part of the desired state: an edit there is an edit of
the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from resources.docker.engines import EngineSpec, engine_of
from resources.docker.parts import Ulimits
from resources.docker.values import Image as ImageName
from resources.docker.values import Labels, Size
from resources.docker.versions import RANGE, RANGE_FORM, valid_range
from resources.meta import About, Claim, Model, Resource, SecretRef, Tree, beside_the_manifest
from resources.notation import canonical_image
from resources.rules import ABSOLUTE, MANY, NOT_BESIDE_A_FILE, PATH_MAX, TEXT_MAX, WORD_MAX, Form, Rule

EXAMPLE = """\
apiVersion: pegasus2.dev/v1
kind: Image
metadata:
  name: shop
spec:
  image: shop/web:1
  build:
    context: ~/shop/web
    target: production
    args: {VERSION: "1.4"}
    secrets:
      npm: {secret: {name: npm, key: token}}
"""

_REMOTE = "^(https?|git|ssh)://|^git@"
PLATFORM = "^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$"
DOCKERFILE = "Dockerfile"


class UpdatePolicy(StrEnum):
    PINNED = "pinned"
    TAG = "tag"
    SEMVER = "semver"


def _context(text: str, info: ValidationInfo) -> str:
    return text if is_remote(text) else beside_the_manifest(text, info)


def is_remote(context: str) -> bool:
    """Whether a context is a repository or an archive somewhere else, which the engine brings by itself."""
    return re.match(_REMOTE, context) is not None


BuildContext = Annotated[
    str,
    Field(min_length=1, max_length=PATH_MAX),
    AfterValidator(_context),
    Rule(f"{ABSOLUTE} || self.matches(r'{_REMOTE}')", NOT_BESIDE_A_FILE),
]
Platform = Annotated[
    str,
    Field(max_length=WORD_MAX, pattern=PLATFORM),
    Form(PLATFORM, "cannot read the platform: write it like linux/amd64 or linux/arm64/v8"),
]
VersionRange = Annotated[
    str, Field(min_length=1, max_length=WORD_MAX), AfterValidator(valid_range), Form(RANGE, RANGE_FORM)
]


class Build(Model):
    """What the image is built from, and how. The engine's BuildKit does it."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(has(self.dockerfile) && has(self.dockerfileInline))",
            "cannot use both dockerfile and dockerfileInline: give one",
        ),
    )

    context: BuildContext = Field(
        description="Directory that COPY and ADD take from, where a relative path starts at the directory of the manifest; "
        "or the URL of a git repository or archive. What .dockerignore names is left out. Changing a file in the directory "
        "builds the image anew.",
    )
    dockerfile: Annotated[str, Field(min_length=1, max_length=PATH_MAX)] | None = Field(
        default=None, description="The Dockerfile: a path within the context, or an absolute one. Unset: Dockerfile."
    )
    dockerfileInline: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="The Dockerfile's content itself."
    )
    target: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="The stage to build. Unset: the last one."
    )
    args: Annotated[dict[str, str], Field(max_length=MANY)] | None = Field(
        default=None, description="Values for ARG. They can be read in the image's history: secrets go in secrets."
    )
    secrets: Annotated[dict[str, SecretRef], Field(max_length=MANY)] | None = Field(
        default=None, description="What RUN --mount=type=secret,id=… is given, by id. Nothing of it stays in the image."
    )
    labels: Labels | None = Field(default=None, description="Labels on the image.")
    tags: Annotated[tuple[ImageName, ...], Field(max_length=MANY)] | None = Field(
        default=None, description="More names that the image has on this machine, beside image."
    )
    cacheFrom: Annotated[tuple[ImageName, ...], Field(max_length=MANY)] | None = Field(
        default=None, description="Images whose layers may be used again."
    )
    network: Annotated[str, Field(min_length=1, max_length=TEXT_MAX)] | None = Field(
        default=None, description="Network of RUN: default, host or none. Unset: default."
    )
    extraHosts: Annotated[dict[str, str], Field(max_length=MANY)] | None = Field(
        default=None, description="More host names for RUN, each with its address."
    )
    shmSize: Size | None = Field(default=None, description="Size of /dev/shm for RUN, such as 128m. Unset: 64m.")
    ulimits: Ulimits | None = Field(default=None, description="Limits of the kernel for RUN, by name.")
    pull: bool = Field(default=False, description="Bring the images that FROM names anew before each build.")
    noCache: bool = Field(default=False, description="Use no layers of earlier builds.")

    @model_validator(mode="after")
    def _one_dockerfile(self) -> Self:
        if self.dockerfile is not None and self.dockerfileInline is not None:
            raise ValueError("cannot use both dockerfile and dockerfileInline: give one")
        return self

    @property
    def remote(self) -> bool:
        return is_remote(self.context)

    @property
    def dockerfile_path(self) -> Path | None:
        """Where the Dockerfile is on this machine; None where it is none of ours to read."""
        if self.dockerfileInline is not None or self.remote:
            return None
        return Path(self.context, self.dockerfile or DOCKERFILE)


_NAMES_A_DIGEST = "self.image.contains('@')"


class ImageSpec(EngineSpec):
    """An image that is on this machine under a name. Containers that name it are made anew when it changes."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.build) || (self.updatePolicy == 'pinned' && self.pullPolicy == 'missing' && !has(self.source))",
            "cannot use updatePolicy, pullPolicy or source beside build: a built image is not pulled",
        ),
        Rule(
            f"!{_NAMES_A_DIGEST} || (!has(self.build) && self.updatePolicy == 'pinned' && !has(self.source))",
            "cannot use build, source or another updatePolicy than pinned with a digest: it names one image for ever",
        ),
        Rule(
            "has(self.range) == (self.updatePolicy == 'semver')",
            "cannot use range without updatePolicy: semver, nor that without range",
        ),
        Rule(
            "self.pullPolicy != 'never' || self.updatePolicy == 'pinned'",
            "cannot look for newer images with pullPolicy: never",
        ),
        Rule(
            "self.updatePolicy != 'semver' || !has(self.source) || !self.source.matches('[@:][^/]*$')",
            "cannot use a source with a tag or digest with updatePolicy: semver: the range says which tags",
        ),
    )

    image: ImageName = Field(
        description="Its name on this machine, with a tag or a digest: nginx:1.27, shop/web:dev. Containers name it so."
    )
    build: Build | None = Field(default=None, description="How it is built. Unset: it is pulled.")
    source: ImageName | None = Field(
        default=None,
        description="What is pulled, where that is not called as image is. With updatePolicy: semver a repository, without "
        "a tag. Unset: image, or its repository.",
    )
    platform: Platform | None = Field(
        default=None, description="Platform to pull or build for, such as linux/arm64. Unset: the engine's own."
    )
    pullPolicy: Literal["missing", "never"] = Field(
        default="missing", description="missing: pulled where it is not here; never: it has to be here already."
    )
    updatePolicy: UpdatePolicy = Field(
        default=UpdatePolicy.PINNED,
        description="pinned: what was pulled once stays; tag: each interval the registry is asked what the tag names now, "
        "and another image is brought; semver: the highest version within range is.",
    )
    range: VersionRange | None = Field(
        default=None, description='With updatePolicy: semver, which versions will do: ~1.27, ^2, 1.x, ">=1 <3".'
    )
    keep: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=1,
        description="How many former images are kept, to go back to. Older ones that Pegasus2 has pulled or built, and that "
        "no container uses, are removed after an update.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        changing = self.updatePolicy is not UpdatePolicy.PINNED
        if self.build is not None and (changing or self.pullPolicy != "missing" or self.source is not None):
            raise ValueError("cannot use updatePolicy, pullPolicy or source beside build: a built image is not pulled")
        if "@" in self.image and (self.build is not None or changing or self.source is not None):
            raise ValueError(
                "cannot use build, source or another updatePolicy than pinned with a digest: it names one image for ever"
            )
        if (self.range is not None) is not (self.updatePolicy is UpdatePolicy.SEMVER):
            raise ValueError("cannot use range without updatePolicy: semver, nor that without range")
        if self.pullPolicy == "never" and changing:
            raise ValueError("cannot look for newer images with pullPolicy: never")
        if self.updatePolicy is UpdatePolicy.SEMVER and self.source and re.search("[@:][^/]*$", self.source):
            raise ValueError(
                "cannot use a source with a tag or digest with updatePolicy: semver: the range says which tags"
            )
        return self


@dataclass(frozen=True)
class ImageObserved:
    """An image as it is, and what it is to be: that is found out by looking, too, at a registry or at a context.

    `digest` is what the name stands for, `wanted` what it is to stand for: a digest of the registry where the image came from
    one, else the image's id. `build` and `wantedBuild` are recipes: digests of what the image was built from, by field.
    """

    image: str | None = None
    digest: str = ""
    wanted: str = ""
    platform: str | None = None
    tags: tuple[str, ...] = ()  # of those that the spec names
    build: dict[str, str] | None = None
    wantedBuild: dict[str, str] | None = None
    refused: str = ""  # a newer image that was given up: its digest
    former: int = 0  # how many former images there are that are kept no more, and that nothing uses
    message: str = ""
    composed: bool = False  # whether Docker Compose has built it, and nobody has taken it over yet


class Image(Resource):
    """An image of the Docker engine, pulled or built."""

    about: ClassVar[About] = About(
        plural="images",
        short=("img",),
        columns=(("Image", "spec.image"), ("Policy", "spec.updatePolicy"), ("Context", "spec.build.context")),
    )

    kind: Literal["Image"]
    spec: ImageSpec

    @property
    def tags(self) -> tuple[str, ...]:
        """Its names beside `image`."""
        return (self.spec.build.tags or ()) if self.spec.build else ()

    def claims(self) -> Iterable[Claim]:
        for name in dict.fromkeys(map(canonical_image, (self.spec.image, *self.tags))):
            yield Claim("image", name, place=engine_of(self))

    def inputs(self) -> Iterable[Path]:
        if self.spec.build and (dockerfile := self.spec.build.dockerfile_path):
            yield dockerfile

    def trees(self) -> Iterable[Tree]:
        build = self.spec.build
        if build is None or build.remote:
            return
        dockerfile = build.dockerfile_path
        beside = (f"{dockerfile}.dockerignore",) if dockerfile else ()
        yield Tree(build.context, (*beside, f"{build.context}/.dockerignore"))
