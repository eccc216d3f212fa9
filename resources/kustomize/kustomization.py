"""The kustomization file itself: the fields that are taken, and the refusal, by name and with the reason, of all others.

`resolving.py` reads them with it. Names and meanings are Kustomize's
(https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_core import to_json

from resources.kustomize.scripts import Script, Unresolvable
from resources.meta import SUBSTITUTE, Model, Problem
from resources.wording import Mistake, spec_mistakes

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
VERSION = "kustomize.config.k8s.io/v1beta1"

_Texts = dict[str, str]


class Target(Model):
    """Which resources a patch is for: all that fit each of these. Names and kinds are patterns for the whole of it."""

    group: str | None = None
    version: str | None = None
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    labelSelector: str | None = None
    annotationSelector: str | None = None


class PatchEntry(Model):
    path: str | None = None
    patch: str | None = None
    target: Target | None = None


class Json6902Entry(Model):
    target: Target
    path: str | None = None
    patch: str | None = None


class ImageEntry(Model):
    name: Annotated[str, Field(min_length=1)]
    newName: str | None = None
    newTag: str | None = None
    digest: str | None = None


class LabelEntry(Model):
    pairs: _Texts = {}
    includeSelectors: bool = False
    includeTemplates: bool = False


class Head(Model):
    name: str | None = None
    namespace: str | None = None
    labels: _Texts = {}
    annotations: _Texts = {}


class Kustomization(Model):
    """What `resolving.py` works from."""

    apiVersion: Literal["kustomize.config.k8s.io/v1beta1"] = "kustomize.config.k8s.io/v1beta1"
    kind: Literal["Kustomization"] = "Kustomization"
    metadata: Head = Head()
    resources: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    patches: tuple[PatchEntry, ...] = ()
    patchesStrategicMerge: tuple[str, ...] = ()
    patchesJson6902: tuple[Json6902Entry, ...] = ()
    images: tuple[ImageEntry, ...] = ()
    labels: tuple[LabelEntry, ...] = ()
    commonLabels: _Texts = {}
    commonAnnotations: _Texts = {}
    namePrefix: str = ""
    nameSuffix: str = ""
    namespace: str = ""
    configurations: tuple[str, ...] = ()


# Fields of Kustomize's that are refused, and what to do instead.
_REFUSED = {
    "components": "make it a base and list it under resources",
    "configMapGenerator": "Pegasus2 has no ConfigMap; refer to the files where they are used",
    "secretGenerator": "secrets are references (env, file, secret), never values",
    "generatorOptions": "there is nothing that generates",
    "generators": "no plugin is run",
    "transformers": "no plugin is run; write a patch",
    "validators": "no plugin is run; p2 validate checks",
    "helmCharts": "declare resources",
    "helmGlobals": "declare resources",
    "helmChartInflationGenerator": "declare resources",
    "replacements": "write a patch, or a variable",
    "vars": f"write variables like ${{NAME}} and declare them with the annotation {SUBSTITUTE}",
    "replicas": "write a patch of spec.replicas",
    "imageTags": "write images",
    "crds": "the kinds are known",
    "openapi": "the kinds are known, and their lists are replaced as a whole",
    "buildMetadata": "p2 get shows where a resource is declared",
    "sortOptions": "the order of resources means nothing; write dependsOn",
}
_REFUSED_BELOW = {
    "options": "names and kinds are not changed by a patch; use namePrefix or nameSuffix",
    "fields": "labels are put into metadata",
    "tagSuffix": "write newTag",
    "includeVolumeClaimTemplates": "no kind has them",
}


def kustomization_of(script: Script) -> tuple[Kustomization, dict[str, Any], int]:
    """What the file says, the same as plain values, and the line on which it begins. Raises Unresolvable."""
    documents = script.documents
    if len(documents) > 1:
        raise Unresolvable(
            script.problem("cannot use a second document here: write one kustomization", documents[1].line, ())
        )
    if not documents or not isinstance(documents[0].content, dict) or not documents[0].content:
        raise Unresolvable(Problem(script.file, "cannot use an empty kustomization: list something under resources"))
    line = documents[0].line
    content = {name: value for name, value in documents[0].content.items() if value is not None}
    try:
        found = Kustomization.model_validate_json(to_json(content), strict=True)
    except ValidationError as error:
        mistakes = [_worded(mistake) for mistake in spec_mistakes(error, Kustomization, content)]
        raise Unresolvable(*_placed(script, line, mistakes)) from None
    if mistakes := list(_contradictions(found)):
        raise Unresolvable(*_placed(script, line, mistakes))
    return found, content, line


def _worded(mistake: Mistake) -> Mistake:
    last = mistake.path[-1] if mistake.path else ""
    known = _REFUSED if len(mistake.path) == 1 else _REFUSED_BELOW
    if mistake.name and (way_out := known.get(str(last))):
        return Mistake(mistake.path, f"cannot use {last}: {way_out}", name=True)
    if mistake.path == ("kind",):
        return Mistake(mistake.path, "cannot be another kind: a kustomization has kind: Kustomization, or none")
    return mistake


def _contradictions(found: Kustomization) -> Iterator[Mistake]:
    patches = [(("patches", number), each.path, each.patch) for number, each in enumerate(found.patches)]
    patches += [
        (("patchesJson6902", number), each.path, each.patch) for number, each in enumerate(found.patchesJson6902)
    ]
    for place, path, patch in patches:
        if bool(path) == bool((patch or "").strip()):
            yield Mistake(place, "cannot tell what the patch is: write either path or patch")
    for number, image in enumerate(found.images):
        if not (image.newName or image.newTag or image.digest):
            yield Mistake(("images", number), "cannot tell what to set: write newName, newTag or digest")
    written = [key for entry in found.labels for key in entry.pairs]
    for number, entry in enumerate(found.labels):
        for key in entry.pairs:
            if written.count(key) > 1 or key in found.commonLabels:
                yield Mistake(
                    ("labels", number, "pairs", key),
                    f'cannot set the label "{key}" twice: remove one of them',
                    name=True,
                )


def _placed(script: Script, line: int, mistakes: list[Mistake]) -> Iterator[Problem]:
    for mistake in mistakes:
        yield script.problem(mistake.message, line, mistake.path, mistake.field, name=mistake.name)
