"""What an image is built from, as digests by field: two images of one recipe are one. The agent of kind `Image` compares them.

The recipe is written on the image that is built, as a label. Secrets are in it as keyed digests only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.agents.docker.client import Json
from controller.agents.docker.dockerfile import bases
from controller.engine.agent import Context, Retry, Stalled
from controller.engine.diff import plain
from controller.trees import Survey, Trees
from resources.docker.names import OWN_LABELS
from resources.kinds.image import Build, Image

# These are not called as the labels of containers are, which inherit those of their images.
BUILT_FROM = f"{OWN_LABELS}built-from"
_COMPOSE = "com.docker.compose.project"  # a label that Docker Compose puts on what it builds
BUILT_BY = f"{OWN_LABELS}built-by"
BASE = "from "  # the name of a part that is an image which FROM names begins so

# Fields of `build` whose values count as they are. Not among them is what only says how to get there: cacheFrom, pull, noCache.
_VALUES = ("target", "args", "labels", "network", "extraHosts", "shmSize", "ulimits")

Parts = dict[str, str]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """As it was read. Without a `text` there is none that could be, and `trouble` says why; or it is not here to be read."""

    text: str | None
    bases: tuple[str, ...] = ()
    trouble: str = ""


def dockerfile_of(build: Build, ctx: Context) -> Dockerfile:
    text = build.dockerfileInline
    if text is None and (path := build.dockerfile_path):
        try:
            text = Path(ctx.read_from(str(path))).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
            return Dockerfile(None, trouble=f"cannot read {path}: {reason}")
    if text is None:
        return Dockerfile(None)
    return Dockerfile(text, bases(text, build.args or {}, build.target))


def surveyed(image: Image, trees: Trees) -> Survey | None:
    """The context as it is now; None for one that is not on this machine."""
    for tree in image.trees():
        found = trees.survey(tree)
        return trees.survey(tree) if found.trouble else found  # a file may have gone while it was looked at
    return None


def hindrance(image: Image, dockerfile: Dockerfile, context: Survey | None) -> Stalled | None:
    """Why nothing could be built; None where something can be."""
    if context and context.trouble:
        what, advice = context.trouble, "correct what it names, or build.context"
    elif dockerfile.trouble:
        what, advice = dockerfile.trouble, "correct build.dockerfile"
    else:
        return None
    return Stalled("ContextUnreadable", f"cannot build {image.spec.image}: {what}; {advice}")


def recipe(
    image: Image, dockerfile: Dockerfile, found: Mapping[str, Json | None], context: Survey | None, ctx: Context
) -> Parts:
    """`found`: what the engine has under each name that FROM names."""
    build = image.spec.build
    assert build is not None
    parts = {"dockerfile": _digest(dockerfile.trouble or dockerfile.text or build.dockerfile)}
    if context:
        parts["context"] = context.digest[:12]
    if build.remote:
        parts["context"] = _digest(build.context)
    for name in _VALUES:
        if (value := getattr(build, name)) not in (None, {}):
            parts[name] = _digest(plain(value))
    if image.spec.platform:
        parts["platform"] = _digest(image.spec.platform)
    parts |= {
        f"{BASE}{name}": there["Id"].removeprefix("sha256:")[:12]
        for name in dockerfile.bases
        if (there := found.get(name))
    }
    return parts | _secrets(build, image, ctx)


def written(parts: Parts) -> str:
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def built_from(live: Json) -> Parts | None:
    """The recipe on an image, or None where there is none that can be read."""
    text = ((live.get("Config") or {}).get("Labels") or {}).get(BUILT_FROM)
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else None


def differing(there: Parts, wanted: Parts) -> list[str]:
    """Names of the parts in which they differ. An image that FROM names counts while both have it."""
    names = sorted({*there, *wanted})
    return [name for name in names if there.get(name) != wanted.get(name) and _counts(name, there, wanted)]


def _counts(name: str, there: Parts, wanted: Parts) -> bool:
    """A base that is not here just now is no reason to build; nor is a secret that is out of reach just now."""
    if name.startswith(BASE) or (name == "secrets" and wanted.get(name) == ""):
        return name in there and name in wanted and wanted[name] != ""
    return True


def _secrets(build: Build, image: Image, ctx: Context) -> Parts:
    if not build.secrets:
        return {}
    namespace, values = image.metadata.namespace, []
    try:
        for name, reference in sorted(build.secrets.items()):
            values.append((name, ctx.secrets.digest(ctx.secrets.reveal(reference, namespace))))
    except (Stalled, Retry):
        return {"secrets": ""}  # whoever builds is told why
    return {"secrets": _digest(values)}


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=6).hexdigest()


def by_compose(live: Json) -> bool:
    """Whether Docker Compose has built it: then its recipe is not known, and it is taken over as it is."""
    return _COMPOSE in ((live.get("Config") or {}).get("Labels") or {})
