"""What a directory with a kustomization says, resolved again whenever anything has changed of what it was made from.

`said.py` uses it in place of contents.py, and it answers as that does. A resource counts as declared by the file that it is in,
which may lie elsewhere, in a base. While the whole does not come out, all that was good before stays in force.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from controller.engine.revision import Condition, Revision
from controller.sources.cache import ParseCache
from controller.sources.contents import MAX_SIZE, Documents, Look
from controller.sources.inputs import Input, Inputs, together
from resources.kustomize.kustomization import NAMES
from resources.kustomize.loading import Loaded, load
from resources.kustomize.resolving import resolve
from resources.kustomize.scripts import Script, Unresolvable
from resources.meta import Problem

SAVED_IN = 0.5  # seconds in which a file that is being saved is whole again
_US = "overlay"  # the one user of all inputs


class Overlay:
    """Not safe for concurrent use."""

    def __init__(self, root: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._inputs = Inputs()
        self._documents: dict[str, Documents] = {}  # in force
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._partial: dict[str, Documents] = {}
        self._texts: set[str] = set()  # the files that were read for it
        self._scripts: dict[str, Script] = {}  # as they were parsed
        self._loaded: dict[Hashable, Loaded] = {}
        self._known = False
        self._spoilt: float | None = None  # since when it does not come out, while nobody is told of it
        self.condition = Condition.OK
        self.message = ""

    def survey(self, cache: ParseCache | None = None) -> Look:
        """Looks at all that it was made from. Of a source that is not there all stays as it was."""
        return self._looked(bool(self._inputs.changed()))

    def look(self, hints: Collection[str]) -> Look:
        """The same, with what the hints name read whatever its stamps say."""
        hinted = self._inputs.changed_at(hints)
        return self._looked(bool(self._inputs.changed() or hinted))

    def all(self) -> Look:
        """Everything there is."""
        sound = {file: documents for file, documents in self._documents.items() if file not in self._problems}
        return Look({**sound}, dict(self._problems), dict(self._partial))

    def digests(self, files: Iterable[str]) -> dict[str, bytes]:
        """Of the texts of all that was read."""
        return self._inputs.digests(_US)

    def directories(self) -> set[str]:
        """All directories in which something that matters can change."""
        return self._inputs.directories() | {self._root}

    def looked_at(self) -> set[str]:
        """All paths that have a say in what is desired, those among them that are not there."""
        return {self._root, *self._inputs.looked_at()}

    @property
    def files(self) -> frozenset[str]:
        """The texts that it is made from: kustomizations, files with resources, patches, values of variables."""
        return frozenset(self._texts)

    def _missing(self) -> tuple[Condition, str]:
        try:
            os.listdir(self._root)
        except FileNotFoundError:
            return Condition.MISSING, f"cannot find {self._root}: put it back, or name another"
        except OSError as error:
            return Condition.UNREADABLE, f"cannot read {self._root}: {error.strerror}; make it readable"
        return Condition.OK, ""

    # -- resolving -------------------------------------------------------------------------------------------------

    def _looked(self, changed: bool) -> Look:
        self.condition, self.message = self._missing()
        if self.condition is not Condition.OK:
            return Look()
        look = self._resolve() if changed or self._spoilt is not None or not self._known else Look()
        if self.condition is Condition.OK and not self._problems and not any(self._documents.values()):
            self.condition = Condition.EMPTY
            self.message = f"cannot find any resource in what {self._kustomization()} lists: list one under resources"
        return look

    def _resolve(self) -> Look:
        reading = _Reading(self._inputs)
        try:
            resolved = resolve(Path(self._root), reading, known=self._scripts)
            loaded = load(resolved, reading, known=self._loaded)
        except Unresolvable as error:
            self._use(reading.tried, in_force=True)
            self._texts |= reading.found.keys()
            return Look() if self._hesitates(error.problems) else self._failed(error.problems)
        documents: dict[str, Documents] = dict.fromkeys(reading.found, ())
        problems: dict[str, tuple[Problem, ...]] = {}
        inputs: list[Input] = [*reading.tried]
        for file, each in _by_file(loaded):
            folded = together(self._inputs.fold(one.declared) for one in each if one.declared)
            inputs += folded.inputs
            documents[file] = folded.documents
            if wrong := (*(problem for one in each for problem in one.problems), *folded.problems):
                problems[file] = wrong
        self._use(inputs, in_force=bool(problems))
        first = [problem for each in problems.values() for problem in each]
        return Look() if first and self._hesitates(first) else self._compared(documents, problems)

    def _use(self, inputs: Iterable[Input], *, in_force: bool) -> None:
        declared = [one for each in self._documents.values() for one in each] if in_force else ()
        self._inputs.use(_US, (*inputs, *(path for one in declared for path in one.contents())))

    def _hesitates(self, problems: Sequence[Problem]) -> bool:
        """Whether to wait for a moment before anybody is told: a file is empty, gone or half written while it is saved."""
        if not self._known or self._problems:
            return False
        now = self._clock()
        self._spoilt = now if self._spoilt is None else self._spoilt
        if now - self._spoilt >= SAVED_IN:
            return False
        self.condition, self.message = Condition.UNREADABLE, f"a file is being written, or has a mistake: {problems[0]}"
        return True

    def _failed(self, problems: tuple[Problem, ...]) -> Look:
        """All files are in trouble: which of them would be other than before can't be told."""
        self._known, self._spoilt = True, None
        files = (file for file, documents in self._documents.items() if documents)
        whole = dict.fromkeys((self._kustomization(), *files), problems)
        if whole == self._problems:
            return Look()
        self._problems, self._partial = whole, dict.fromkeys(whole, ())
        return Look(problems=dict(whole), partial=dict(self._partial))

    def _kustomization(self) -> str:
        places = [os.path.join(self._root, name) for name in NAMES]
        return next((place for place in places if os.path.lexists(place)), places[0])

    def _compared(self, documents: dict[str, Documents], problems: dict[str, tuple[Problem, ...]]) -> Look:
        look = Look()
        before, was_known, self._known = self._documents, self._known, True
        self._spoilt = None
        in_force = {}
        for file, found in documents.items():
            if file in problems:
                in_force[file] = before.get(file, ())
                if problems[file] != self._problems.get(file):
                    look.problems[file], look.partial[file] = problems[file], found
                continue
            in_force[file] = _as_before(found, before.get(file, ()))
            if in_force[file] != before.get(file) or file in self._problems or not was_known:
                look.documents[file] = in_force[file]
        look.documents |= dict.fromkeys((before.keys() | self._problems.keys()) - documents.keys())
        self._documents, self._problems = in_force, problems
        self._partial = {file: documents[file] for file in problems}
        self._texts = set(documents)
        self._scripts = {file: script for file, script in self._scripts.items() if file in documents}
        return look


def built(directory: Path) -> list[Loaded]:
    """What the kustomization in `directory` comes to, as the files are now. `p2 build` prints it. Raises Unresolvable."""
    reading = _Reading(Inputs())
    return load(resolve(directory, reading), reading)


def revision_of(root: Path, contents: Mapping[str, bytes], inputs: Inputs) -> Revision:
    """What the overlay at `root` said when the files were these, by their absolute paths, and there were no others."""

    def read(path: Path) -> bytes:
        if (content := contents.get(str(path))) is not None:
            return content
        if any(other.startswith(f"{path}/") for other in contents):
            raise IsADirectoryError
        raise FileNotFoundError

    documents: dict[str, Documents] = {}
    problems: dict[str, tuple[Problem, ...]] = {}
    try:
        loaded = load(resolve(root, read, real=str), read)
    except Unresolvable as error:
        return Revision({}, problems={str(root / NAMES[0]): error.problems})
    for file, each in _by_file(loaded):
        folded = together(inputs.fold(one.declared) for one in each if one.declared)
        documents[file] = folded.documents
        if wrong := (*(problem for one in each for problem in one.problems), *folded.problems):
            problems[file] = wrong
    condition = Condition.OK if documents else Condition.EMPTY
    message = "" if documents else f"cannot find any resource in {root} as it was then"
    return Revision(documents, problems=problems, condition=condition, message=message)


class _Reading:
    """What resolving reads: which paths it asked for, and at which there was something."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self.tried: dict[str, None] = {}
        self.found: dict[str, None] = {}

    def __call__(self, path: Path) -> bytes:
        name = str(path)
        self.tried[name] = None
        content = self._inputs.content(name)
        if len(content) > MAX_SIZE:
            raise OSError(0, f"it is longer than {MAX_SIZE // 2**20} MiB")
        self.found[name] = None
        return content


def _by_file(loaded: list[Loaded]) -> Iterator[tuple[str, list[Loaded]]]:
    files: dict[str, list[Loaded]] = {}
    for each in loaded:
        files.setdefault(each.file, []).append(each)
    yield from files.items()


def _as_before(found: Documents, before: Documents) -> Documents:
    """What is as it was stays the same object, which the index need not look at."""
    known = {declared.key: declared for declared in before}
    return tuple(old if (old := known.get(new.key)) == new else new for new in found)
