"""A directory with a kustomization -> the objects that come out of it, as `kubectl kustomize` has them. Pure but for `read`.

`controller/sources/overlay.py` calls `resolve`, and `p2 build` by way of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from resources.documents import read as read_yaml
from resources.kustomize.configuration import CONFIGURATION
from resources.kustomize.images import set_images
from resources.kustomize.items import Item, Place, lacking
from resources.kustomize.kustomization import NAMES, Kustomization, kustomization_of
from resources.kustomize.patching import Patch, patch
from resources.kustomize.renaming import add_annotations, add_labels, rename
from resources.kustomize.scripts import Script, Unresolvable, dotted
from resources.meta import Problem

Read = Callable[[Path], bytes]  # raises OSError

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|git::|github\.com[/:]|.*[?&]ref=")


@dataclass(frozen=True, slots=True)
class Resolved:
    """`kustomization` is the file of the outermost directory, and what its `metadata` says."""

    items: tuple[Item, ...]
    kustomization: Script
    line: int
    annotations: dict[str, str]


def resolve(
    directory: Path,
    read: Read,
    real: Callable[[str], str] = os.path.realpath,
    known: dict[str, Script] | None = None,
) -> Resolved:
    """What the kustomization in `directory` makes of all that it names. Raises Unresolvable.

    `real` follows links: what a kustomization reads must lie in its own directory. `known` are texts as they were parsed the
    last time, by their paths; it has those of this time afterwards.
    """
    resolver = _Resolver(read, real, known or {})
    try:
        return resolver.resolved(directory)
    finally:
        if known is not None:
            known.update(resolver.scripts)


def find_kustomization(directory: Path, read: Read) -> tuple[Path, bytes] | None:
    """The file and its text; None if there is none. Raises Unresolvable where there are several, and OSError."""
    found = []
    for name in NAMES:
        try:
            found.append((directory / name, read(directory / name)))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
    if len(found) > 1:
        both = " and ".join(path.name for path, _ in found)
        raise Unresolvable(Problem(str(found[1][0]), f"cannot tell which kustomization counts, {both}: remove one"))
    return found[0] if found else None


class _Resolver:
    def __init__(self, read: Read, real: Callable[[str], str], known: Mapping[str, Script]) -> None:
        self._read = read
        self._real = real
        self._known = known
        self.scripts: dict[str, Script] = {}

    def resolved(self, directory: Path) -> Resolved:
        level = self._level(directory, ())
        if level is None:
            raise Unresolvable(Problem(str(directory), f"cannot find a kustomization here: write {NAMES[0]}"))
        items = level.items()
        return Resolved(tuple(items), level.script, level.line, level.written.metadata.annotations)

    def _level(self, directory: Path, around: tuple[Path, ...]) -> _Level | None:
        found = find_kustomization(directory, self._read)
        if found is None:
            return None
        script = self._parsed(*found)
        written, content, line = kustomization_of(script)
        return _Level(self, directory, (*around, directory), script, written, content, line)

    def base(self, directory: Path, around: tuple[Path, ...]) -> list[Item] | None:
        """The items of a kustomization below; None if there is none."""
        level = self._level(directory, around)
        return level.items() if level else None

    def script(self, path: Path) -> Script:
        """Raises OSError."""
        return self.scripts.get(str(path)) or self._parsed(path, self._read(path))

    def _parsed(self, path: Path, text: bytes) -> Script:
        name, known = str(path), self._known.get(str(path))
        if name not in self.scripts:
            self.scripts[name] = known if known and known.text == text else Script(name, text)
        return self.scripts[name]

    def within(self, path: Path, directory: Path) -> bool:
        real, root = self._real(str(path)), self._real(str(directory))
        return real.startswith(root.rstrip("/") + "/")

    def same_or_around(self, directory: Path, place: Path) -> bool:
        real, below = self._real(str(directory)), self._real(str(place))
        return below == real or below.startswith(real.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class _Level:
    """One kustomization. `around`: the directories of those that have led here, this one last."""

    resolver: _Resolver
    directory: Path
    around: tuple[Path, ...]
    script: Script
    written: Kustomization
    content: dict[str, Any]
    line: int

    def items(self) -> list[Item]:
        """In the order of Kustomize's own transformers. Raises Unresolvable."""
        written = self.written
        items = self._gathered()
        self._refuse_other_configurations()
        problems: list[Problem] = []
        items = self._patched(items, self._merge_patches(problems), problems)
        items = self._patched(items, self._patches("patches", written.patches, problems), problems)
        if problems:
            raise Unresolvable(*problems)
        rename(items, written.namePrefix, written.nameSuffix, written.namespace)
        self._refuse_duplicates(items)
        for entry in written.labels:
            add_labels(items, entry.pairs)
        add_labels(items, written.commonLabels)
        add_annotations(items, written.commonAnnotations)
        items = self._patched(items, self._patches("patchesJson6902", written.patchesJson6902, problems), problems)
        if problems:
            raise Unresolvable(*problems)
        set_images(items, written.images, Place(self.script, self.line, ("images",)))
        return items

    # -- resources -------------------------------------------------------------------------------------------------

    def _gathered(self) -> list[Item]:
        items: list[Item] = []
        problems: list[Problem] = []
        for field in ("resources", "bases"):
            for number, entry in enumerate(getattr(self.written, field)):
                try:
                    items += self._resource(entry, (field, number))
                except Unresolvable as error:
                    problems += error.problems
        if problems:
            raise Unresolvable(*dict.fromkeys(problems))
        self._refuse_duplicates(items)
        return items

    def _resource(self, entry: str, path: tuple[str, int]) -> list[Item]:
        place = self._located(entry, path)
        try:
            if not self.resolver.within(place, self.directory):
                raise IsADirectoryError  # only a directory may lie elsewhere
            script = self.resolver.script(place)
        except IsADirectoryError:
            return self._base(entry, place, path)
        except OSError as error:
            raise Unresolvable(self._unreadable(entry, error, path)) from None
        return list(_objects(script))

    def _base(self, entry: str, place: Path, path: tuple[str, int]) -> list[Item]:
        if next((each for each in self.around if self.resolver.same_or_around(place, each)), None):
            reason = (
                "it is, or contains, the directory of a kustomization that has led here; move what they share elsewhere"
            )
            raise Unresolvable(self._blamed(f"cannot use {entry} as a base: {reason}", path))
        try:
            items = self.resolver.base(place, self.around)
        except OSError as error:
            raise Unresolvable(self._unreadable(entry, error, path)) from None
        if items is None:
            raise Unresolvable(self._blamed(self._no_base(entry, place), path))
        return items

    def _no_base(self, entry: str, place: Path) -> str:
        try:
            self.resolver.script(place)
        except FileNotFoundError:
            return f"cannot find {entry}: put it there, or remove this line"
        except OSError:
            return f"cannot use {entry} as a base: it has no {NAMES[0]}; write one there that lists its files"
        return _outside(entry)

    def _refuse_duplicates(self, items: Iterable[Item]) -> None:
        first: dict[Any, Item] = {}
        problems = []
        for item in items:
            other = first.setdefault(item.id, item)
            if other is not item:
                place = other.declared.script.problem("", other.declared.document, ("metadata", "name"))
                reason = f"cannot have {item.id.shown} twice: {place.file}:{place.line} declares it already; rename or remove one"
                found = item.declared
                problems.append(found.script.problem(reason, found.document, ("metadata", "name"), "metadata.name"))
        if problems:
            raise Unresolvable(*problems)

    def _refuse_other_configurations(self) -> None:
        known = read_yaml(CONFIGURATION.encode(), "").documents[0].content
        for number, entry in enumerate(self.written.configurations):
            path = ("configurations", number)
            script = self._text(entry, path)
            if [document.content for document in script.documents] != [known]:
                reason = "only what p2 build --configuration prints is known here"
                raise Unresolvable(self._blamed(f"cannot use the configuration {entry}: {reason}", path))

    # -- patches ---------------------------------------------------------------------------------------------------

    def _patches(self, field: str, entries: Iterable[Any], problems: list[Problem]) -> list[Patch]:
        found = []
        for number, entry in enumerate(entries):
            path = (field, number)
            try:
                text = self._text(entry.path, (*path, "path")) if entry.path else self.script.within((*path, "patch"))
                found.append(Patch(text, entry.target, Place(self.script, self.line, path)))
            except Unresolvable as error:
                problems += error.problems
        return found

    def _merge_patches(self, problems: list[Problem]) -> list[Patch]:
        """Each is a path, or the patch itself."""
        found = []
        for number, entry in enumerate(self.written.patchesStrategicMerge):
            path = ("patchesStrategicMerge", number)
            try:
                text = self.script.within(path) if ":" in entry else self._text(entry, path)
                found.append(Patch(text, None, Place(self.script, self.line, path)))
            except Unresolvable as error:
                problems += error.problems
        return found

    @staticmethod
    def _patched(items: list[Item], patches: Iterable[Patch], problems: list[Problem]) -> list[Item]:
        for each in patches:
            try:
                items = patch(items, each)
            except Unresolvable as error:
                problems += error.problems
        return items

    # -- files -----------------------------------------------------------------------------------------------------

    def _text(self, entry: str, path: tuple[str | int, ...]) -> Script:
        place = self._located(entry, path)
        if not self.resolver.within(place, self.directory):
            raise Unresolvable(self._blamed(_outside(entry), path))
        try:
            return self.resolver.script(place)
        except OSError as error:
            raise Unresolvable(self._unreadable(entry, error, path)) from None

    def _located(self, entry: str, path: tuple[str | int, ...]) -> Path:
        if _REMOTE.match(entry):
            reason = "what is desired lies in these files; put a copy beside them, or add it as a git submodule"
            raise Unresolvable(self._blamed(f"cannot use {entry} from elsewhere: {reason}", path))
        if not entry.strip():
            raise Unresolvable(self._blamed("cannot use an empty path: name a file or a directory", path))
        return Path(os.path.normpath(self.directory / entry))

    def _unreadable(self, entry: str, error: OSError, path: tuple[str | int, ...]) -> Problem:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return self._blamed(f"cannot find {entry}: put it there, or remove this line", path)
        return self._blamed(f"cannot read {entry}: {error.strerror or error}; make it a readable file", path)

    def _blamed(self, message: str, path: tuple[str | int, ...]) -> Problem:
        return self.script.problem(message, self.line, path, dotted(path))


def _outside(entry: str) -> str:
    return (
        f"cannot use {entry}: a kustomization reads files of its own directory only; give that directory a "
        f"{NAMES[0]} and list the directory, or move the file here"
    )


def _objects(script: Script) -> Iterable[Item]:
    problems = []
    items = []
    for document in script.documents:
        if reason := lacking(document.content):
            problems.append(script.problem(reason, document.line, ()))
            continue
        content = from_json(to_json(document.content))  # aliases share what patches would change
        items.append(Item(content, Place(script, document.line), document.number))
    if problems:
        raise Unresolvable(*problems)
    return items
