"""Kind `File`: a file, directory or symbolic link on this machine. Its agent is `controller/agents/environment/file.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from posixpath import normpath
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from resources.meta import About, Claim, LocalPath, Resource, Spec
from resources.rules import PATH_MAX, WORD_MAX, Form, Rule
from resources.template import render

EXAMPLE = """\
apiVersion: pegasus2.dev/v1
kind: File
metadata:
  name: motd
spec:
  path: ~/pegasus2-demo/motd
  content: |
    Welcome to {{ host }}.
  template: true
  variables:
    host: atlas
  mode: "0644"
"""


_OCTAL = "^[0-7]{3,4}$"


class FileType(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


def _path(text: str) -> str:
    """`text` without doubled and final slashes, `~` replaced by the controller's home directory."""
    expanded = str(Path(text).expanduser()) if text == "~" or text.startswith("~/") else text
    if not expanded.startswith("/"):
        raise ValueError(f'cannot use the path "{text}": write an absolute path, or one that starts with ~/')
    if ".." in expanded.split("/"):
        raise ValueError(f'cannot use the path "{text}": write it without ".."')
    if "\0" in expanded:
        raise ValueError("cannot use a path with a NUL character in it")
    return normpath("/" + expanded.lstrip("/"))


def _link_target(text: str) -> str:
    return str(Path(text).expanduser()) if text.startswith("~/") else text


def _mode(value: Any) -> Any:
    """Four octal digits. YAML reads an unquoted 0644 as the number 420, so numbers are refused."""
    if isinstance(value, int):
        raise ValueError(f'cannot use the number {value} as a mode: put the octal digits in quotes, like "0644"')
    if isinstance(value, str) and not re.fullmatch(_OCTAL, value):
        raise ValueError(f'cannot use the mode "{value}": write three or four octal digits in quotes, like "0644"')
    return value.zfill(4) if isinstance(value, str) else value


def _account(value: Any) -> Any:
    if isinstance(value, int):
        raise ValueError(f'cannot use the number {value} here: put the id in quotes, like "{value}"')
    return value


# The patterns are for editors and Kubernetes; here the validators refuse with better words.
TargetPath = Annotated[
    str,
    Field(max_length=PATH_MAX),
    AfterValidator(_path),
    Form("^(/|~/|~$)", "cannot use this path: write an absolute path, or one that starts with ~/"),
    Rule("!self.split('/').exists(part, part == '..')", 'cannot use this path: write it without ".."'),
    Rule(r"!self.contains('\x00')", "cannot use a path with a NUL character in it"),
]
Mode = Annotated[
    str,
    Field(max_length=WORD_MAX),
    BeforeValidator(_mode),
    Form(_OCTAL, 'cannot use this mode: write three or four octal digits in quotes, like "0644"'),
]
Account = Annotated[str, BeforeValidator(_account), Field(min_length=1)]


class FileSpec(Spec):
    """What is at a path. A field that is not written is neither set nor compared."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self.type != 'file' || !has(self.target)", "cannot use target with type: file"),
        Rule(
            "self.type == 'file' || !(has(self.content) || has(self.source) || self.template || "
            "(has(self.variables) && size(self.variables) > 0))",
            "cannot use content, source, template or variables with a type other than file",
        ),
        Rule("self.type != 'directory' || !has(self.target)", "cannot use target with type: directory"),
        Rule("self.type != 'symlink' || !has(self.mode)", "cannot use mode with type: symlink"),
        Rule(
            "self.type != 'symlink' || has(self.target)",
            "cannot make a symlink without target: say where it points to",
        ),
        Rule(
            "self.type != 'file' || has(self.content) != has(self.source)",
            'cannot tell the content of the file: give either content or source (content: "" for none)',
        ),
        Rule(
            "self.template || !has(self.variables) || size(self.variables) == 0",
            "cannot use variables without template: true",
        ),
    )

    path: TargetPath = Field(
        description="Where it is: an absolute path, or one that starts with ~/ (the home directory of the controller's user)."
    )
    type: FileType = Field(default=FileType.FILE, description="What it is: a file, a directory or a symlink.")
    content: str | None = Field(default=None, description='The content of a file, as text; "" for an empty file.')
    source: LocalPath | None = Field(
        default=None,
        description="A file that holds the content; a relative path starts at the directory of the manifest. "
        "Changing that file changes this one.",
    )
    template: bool = Field(
        default=False, description="Whether {{ name }} in the content or source is replaced by a variable's value."
    )
    variables: dict[str, str] = Field(default_factory=dict, description="Values for the template, by name.")
    target: Annotated[str, Field(min_length=1), AfterValidator(_link_target)] | None = Field(
        default=None, description="Where a symlink points to; it is not required to exist."
    )
    mode: Mode | None = Field(
        default=None,
        description='Permissions in octal, in quotes: "0644". Unset: 0644 for a new file, 0755 for a new directory.',
    )
    owner: Account | None = Field(
        default=None, description='Name of the owner, or a numeric id in quotes ("1000"). Changing it takes root.'
    )
    group: Account | None = Field(default=None, description="Name of the group, or a numeric id in quotes.")

    @model_validator(mode="after")
    def _fits_the_type(self) -> Self:
        unfit = {
            FileType.FILE: ("target",),
            FileType.DIRECTORY: ("target", "content", "source", "template", "variables"),
            FileType.SYMLINK: ("mode", "content", "source", "template", "variables"),
        }[self.type]
        if wrong := [name for name in unfit if getattr(self, name) not in (None, False, {})]:
            raise ValueError(f"cannot use {', '.join(wrong)} with type: {self.type}")
        if self.type is FileType.SYMLINK and self.target is None:
            raise ValueError("cannot make a symlink without target: say where it points to")
        if self.type is FileType.FILE and (self.content is None) is (self.source is None):
            raise ValueError(
                'cannot tell the content of the file: give either content or source (content: "" for none)'
            )
        return self

    @model_validator(mode="after")
    def _template_can_be_filled_in(self) -> Self:
        if self.variables and not self.template:
            raise ValueError("cannot use variables without template: true")
        if self.template and self.content is not None:
            render(self.content, self.variables)
        return self


@dataclass(frozen=True, slots=True)
class FileObserved:
    """What is at the path. Accounts are named as the spec names them: by name, or by id.

    `content` and `wanted` (what the spec's content, source or template come to) are texts to compare and to show; what
    is no text, or a long one, is represented by its size and digest. They are None for anything but files.
    """

    type: str  # a FileType, or what else there is: fifo, socket, device
    content: str | None = None
    wanted: str | None = None
    target: str | None = None
    mode: str | None = None
    owner: str | None = None
    group: str | None = None


class File(Resource):
    """A file, directory or symbolic link."""

    about: ClassVar[About] = About(plural="files", columns=(("Type", "spec.type"), ("Path", "spec.path")))

    kind: Literal["File"]
    spec: FileSpec

    def claims(self) -> Iterable[Claim]:
        yield Claim("path", self.spec.path)

    def within(self) -> Iterable[Claim]:
        directory = self.spec.path
        while (end := directory.rfind("/")) > 0:
            directory = directory[:end]
            yield Claim("path", directory)

    def inputs(self) -> Iterable[Path]:
        if self.spec.source is not None:
            yield Path(self.spec.source)
