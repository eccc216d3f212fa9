"""Compose files -> one mapping in long form: documents merged, includes and extends carried out. `project.py` calls `Files`.

Relative paths are made absolute here, file by file: in a file of the project they start at its directory, in one that is
extended at that file's own, in an included one at the directory of the include.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resources.compose import schema
from resources.compose.dotenv import read_env
from resources.compose.filling import Filling
from resources.compose.nodes import NOWHERE, Fields, Place, Report, Stop
from resources.compose.nodes import Path as FieldPath
from resources.compose.parsing import parse
from resources.compose.standing import settle
from resources.meta import Read
from resources.wording import nearest

Why = tuple[Place, FieldPath]  # where another file names this one
_UNNAMED: Why = (NOWHERE, ())

MAX_STEPS = 100  # from one file or service to the next that it includes or extends

SECTIONS = ("services", "networks", "volumes", "configs", "secrets", "models")


class Files:
    """The files of one project; each is read once."""

    def __init__(self, read: Read, report: Report, *, refuse_unset: bool) -> None:
        self.read_files: list[Path] = []
        self._read = read
        self._report = report
        self._refuse_unset = refuse_unset
        self._texts: dict[Path, list[Any]] = {}

    def model(
        self, files: Sequence[Path], directory: Path, variables: Mapping[str, str], within: tuple[Path, ...] = ()
    ) -> Fields:
        """What `files` say, later ones merged over earlier; `within`: the files that include them. Raises Stop."""
        merged = Fields()
        filling = Filling(self._report, variables, str(directory), refuse_unset=self._refuse_unset)
        if not within and not any(self.parsed(file) for file in files):  # as one is for a moment while it is saved
            message = "cannot use an empty Compose file: write services: {} if there are to be none"
            self._report.stop((str(files[0]), 1, 1), (), message)
        for file in files:
            for document in self.documents(file, filling):
                document = self._included(document, filling, (*within, file))
                document = self._extended(document, file, filling)
                merged = schema.FILE.merge(merged, document)
        settle(merged, filling)
        return merged

    def documents(self, file: Path, filling: Filling, why: Why = _UNNAMED) -> list[Fields]:
        """The documents of a file in long form. `why`: where another file names this one. Raises Stop."""
        before = len(self._report.problems)
        formed = []
        for document in self.parsed(file, why):
            if not isinstance(document, Fields):
                what = "a list" if isinstance(document, list) else "a single value"
                message = f"cannot use a document that is {what}: write services and what belongs to them"
                self._report.fail((str(file), 1, 1), (), message)
                continue
            if "version" in document:
                at = document.names["version"]
                self._report.warn(at, ("version",), "version is obsolete and means nothing: remove it")
            formed.append(schema.FILE.form(document, (str(file), 1, 1), (), filling))
        if len(self._report.problems) > before:
            raise Stop
        return formed

    def parsed(self, file: Path, why: Why = _UNNAMED) -> list[Any]:
        """The documents of a file as they are written. Raises Stop."""
        if file not in self._texts:
            self.read_files.append(file)
            try:
                text = self._read(file)
            except OSError as error:
                self._report.stop(*why, f"cannot read the Compose file {file}: {_reason(error)}")
            self._texts[file] = parse(text, str(file), self._report)
        return self._texts[file]

    def environment(self, path: Path, variables: Mapping[str, str], why: Why, *, needed: bool) -> dict[str, str]:
        """The variables of one env file. Raises Stop."""
        try:
            found = read_env(path, read=self._read, variables=variables, report=self._report)
        except OSError as error:
            if not needed and isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
                return {}
            self._report.stop(*why, f"cannot read the env file {path}: {_reason(error)}")
        if path not in self.read_files:
            self.read_files.append(path)
        return found

    # -- include ---------------------------------------------------------------------------------------------------

    def _included(self, document: Fields, filling: Filling, within: tuple[Path, ...]) -> Fields:
        """`document` with what it includes put in. The same thing from two sides is an error, unless it is equal."""
        if not document.get("include"):
            return document
        document = document.copied()
        for index, entry in enumerate(document.pop("include")):
            for section, contents in self._of_include(entry, index, filling, within).items():
                if section in SECTIONS:
                    self._take_in(document, section, contents)
        return document

    def _of_include(self, entry: Fields, index: int, filling: Filling, within: tuple[Path, ...]) -> Fields:
        at = entry.place("path")
        paths = [Path(each) for each in entry["path"]]
        field: FieldPath = ("include", index)
        if not paths:
            self._report.stop(at, field, "cannot include nothing: give the path of a Compose file")
        if repeated := next((path for path in paths if path in within), None):
            chain = " includes ".join(str(path) for path in (*within[within.index(repeated) :], repeated))
            self._report.stop(at, field, f"cannot include a file in itself: {chain}")
        if len(within) > MAX_STEPS:
            self._report.stop(at, field, f"cannot include over more than {MAX_STEPS} files: include them at one place")
        directory = Path(entry.get("project_directory") or paths[0].parent)
        variables = dict(filling.variables)
        given = entry.get("env_file")
        for path in [directory / ".env"] if given is None else [Path(each) for each in given]:
            if str(path) != "/dev/null":
                found = self.environment(path, variables, (entry.place("env_file"), field), needed=given is not None)
                variables = {**variables, **found, **filling.variables}
        for path in paths:
            self.parsed(path, (at, field))  # a file that is missing is reported where it is named
        return self.model(paths, directory, variables, within)

    def _take_in(self, document: Fields, section: str, contents: Fields) -> None:
        if section not in document:
            document.take(_holding(section, contents), section)
            return
        mine = document[section] = document[section].copied()
        for name in contents:
            if name not in mine:
                mine.take(contents, name)
            elif mine[name] != contents[name]:
                other = contents.names[name]
                message = (
                    f'cannot have "{name}" twice: {other[0]}:{other[1]}:{other[2]}, which is included, says otherwise; '
                    "rename one, or put the change in an override file in the same include"
                )
                self._report.fail(mine.names[name], (section, name), message)

    # -- extends ---------------------------------------------------------------------------------------------------

    def _extended(self, document: Fields, file: Path, filling: Filling) -> Fields:
        services = document.get("services")
        if not services or not any(service.get("extends") for service in services.values()):
            return document
        document = document.copied()
        whole = services.copied()
        for name in services:
            whole[name] = self._service(name, services, file, filling, ())
        document["services"] = whole
        return document

    def _service(
        self, name: str, services: Fields, file: Path, filling: Filling, chain: tuple[tuple[Path, str], ...]
    ) -> Fields:
        """A service with all that it extends merged under it."""
        service: Fields = services[name]
        if (extends := service.get("extends")) is None:
            return service
        at, field = service.names["extends"], ("services", name, "extends")
        if (file, name) in chain:
            steps = [*chain[chain.index((file, name)) :], (file, name)]
            told = " extends ".join(f"{each} ({where})" for where, each in steps)
            self._report.stop(at, field, f"cannot extend a service by itself: {told}")
        if len(chain) > MAX_STEPS:
            self._report.stop(at, field, f"cannot extend over more than {MAX_STEPS} services: extend one further down")
        base_name = extends["service"]
        source, base_file, base_filling = services, file, filling
        if extends.get("file"):
            base_file = Path(extends["file"])
            base_filling = filling.moved(str(base_file.parent))
            source = self._services_of(base_file, base_filling, (extends.place("file"), (*field, "file")))
        if base_name not in source:
            hint = nearest(base_name, source)
            place = extends.place("service")
            self._report.stop(place, field, f'cannot extend "{base_name}": {base_file} has no such service{hint}')
        base = self._service(base_name, source, base_file, base_filling, (*chain, (file, name)))
        merged: Fields = schema.service.merge(base, service)
        merged.pop("extends", None)
        return merged

    def _services_of(self, file: Path, filling: Filling, why: Why) -> Fields:
        merged = Fields()
        for document in self.documents(file, filling, why):
            merged = schema.FILE.merge(merged, document)
        return merged.get("services") or Fields()


def _reason(error: OSError) -> str:
    """Why a file can't be read, and what to do."""
    if isinstance(error, IsADirectoryError):
        return "it is no regular file; name a file"
    if isinstance(error, PermissionError):
        return f"{error.strerror}; let the user who runs Pegasus2 read it"
    return f"{error.strerror or error}; correct the path, or add it"


def _holding(section: str, contents: Fields) -> Fields:
    holder = Fields()
    at = next(iter(contents.names.values()), NOWHERE)
    holder.put(section, contents, at, at)
    return holder
