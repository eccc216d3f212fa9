"""What the shapes of one file share: its variables, where its relative paths start, and whom they tell of mistakes."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from resources.compose.nodes import Fields, Items, Path, Place, Report
from resources.compose.variables import Unfit, substituted


class Filling:
    def __init__(self, report: Report, variables: Mapping[str, str], directory: str, *, refuse_unset: bool) -> None:
        self.report = report
        self.variables = variables
        self.directory = directory
        self._refuse_unset = refuse_unset
        self._written: dict[Place, str] = {}  # texts with variables, as they are written
        self._broken: set[Place] = set()  # texts that could not be filled in: what is empty there is no further mistake

    def text(self, value: str, at: Place, path: Path) -> str:
        """`value` with its variables filled in."""
        if "$" not in value:
            return value
        self._written[at] = value

        def unset(name: str) -> None:
            if self._refuse_unset:
                raise Unfit(
                    f"cannot fill in the variable {name}: it is not set; set it in an env file, or give it a default: "
                    f"${{{name}:-}} is empty text"
                )
            self.report.warn(at, path, f"the variable {name} is not set: it is taken as empty text")

        try:
            return substituted(value, self.variables, unset, self.report.used)
        except Unfit as error:
            self._broken.add(at)
            self.report.fail(at, path, str(error))
            return ""

    def broken(self, at: Place) -> bool:
        return at in self._broken

    def everything(self, value: Any, at: Place, path: Path) -> Any:
        """`value` with the variables of all texts in it filled in."""
        if isinstance(value, str):
            return self.text(value, at, path)
        if isinstance(value, Items):
            items = Items()
            for index, (item, place) in enumerate(zip(value, value.places, strict=True)):
                items.add(self.everything(item, place, (*path, index)), place)
            return items
        if isinstance(value, Fields):
            fields = value.copied()
            for name, content in value.items():
                fields[name] = self.everything(content, value.place(name), (*path, name))
            return fields
        return value

    def fail(self, at: Place, path: Path, message: str) -> Any:
        """Reports a mistake. Returns None, for a shape to hand on."""
        if at not in self._broken:
            self.report.fail(at, path, message)

    def warn(self, at: Place, path: Path, message: str) -> None:
        self.report.warn(at, path, message)

    def wrong(self, value: Any, at: Place, path: Path, needed: str) -> Any:
        """Reports a value of the wrong type. Returns None."""
        if value is None:
            return self.fail(at, path, f"cannot be empty: give {needed}, or leave the field out")
        hint = ""
        if needed == "text" and isinstance(value, bool | int | float):
            hint = "; put it in quotes"
        return self.fail(at, path, f"cannot be {self.named(value)}: it takes {needed}{hint}")

    def named(self, value: Any) -> str:
        """A value in a message: as it is written, for what variables put into it may be secret."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return f"the number {value}"
        if isinstance(value, str):
            return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
        return "a list" if isinstance(value, list) else "a mapping"

    def quoted(self, text: str, at: Place) -> str:
        """A text in a message, as it was written before variables went into it."""
        return self.named(self._written.get(at, text))

    def absolute(self, path: str) -> str:
        """A path on this machine, relative ones and those below `~` made absolute."""
        if path == "~" or path.startswith("~/"):
            path = str(FilePath(path).expanduser())
        if not path or path.startswith("/"):
            return path
        return posixpath.normpath(posixpath.join(self.directory, path))

    def moved(self, directory: str) -> Filling:
        """The same, with relative paths that start elsewhere."""
        return Filling(self.report, self.variables, directory, refuse_unset=self._refuse_unset)
