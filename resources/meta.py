"""What every resource has in common: key, metadata, the base spec, claims and secret references.

Each kind in `resources/kinds/` subclasses `Spec` and `Resource`; the loader, the index and the agents use only what is
here, so a new kind needs no change in any of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from resources.labels import valid_annotations, valid_labels
from resources.rules import ABSOLUTE, KEYWORD, MANY, NOT_BESIDE_A_FILE, PATH_MAX, TEXT_MAX, WORD_MAX, Form, Rule

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

API_VERSION = "pegasus2.dev/v1"
DEFAULT_NAMESPACE = "default"
# The annotation with the name of the file whose values are filled in for ${NAME}; only a kustomization has it done.
SUBSTITUTE = "pegasus2.dev/substitute"

# DNS-1123 label: https://datatracker.ietf.org/doc/html/rfc1123#section-2.1, as Kubernetes demands of names.
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
Name = Annotated[str, Field(pattern=DNS_LABEL, min_length=1, max_length=63)]


class Key(NamedTuple):
    """The identity of a resource: `Kind/namespace/name`."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @property
    def short(self) -> str:
        """`Kind/name` in the default namespace, the whole key elsewhere: what people read and type."""
        return f"{self.kind}/{self.name}" if self.namespace == DEFAULT_NAMESPACE else str(self)

    @classmethod
    def parse(cls, text: str, namespace: str = DEFAULT_NAMESPACE) -> Key:
        """`Kind/name` (in `namespace`) or `Kind/namespace/name`. Raises ValueError for anything else."""
        match text.split("/"):
            case [kind, name] if kind and name:
                return cls(kind, namespace, name)
            case [kind, space, name] if kind and space and name:
                return cls(kind, space, name)
        raise ValueError(f'cannot read the reference "{text}": write Kind/name or Kind/namespace/name')


def world_name(namespace: str, name: str) -> str:
    """What a resource's thing is called in the world unless its spec names it: `name`, or `namespace-name` elsewhere."""
    return name if namespace == DEFAULT_NAMESPACE else f"{namespace}-{name}"


class Model(BaseModel):
    """A frozen part of a resource. Unknown fields are errors; the loader names the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    # What the validators of this very class say, for an API server: in CEL, where `self` is the whole.
    rules: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        if found := [rule.written for each in reversed(cls.__mro__) for rule in vars(each).get("rules", ())]:
            handler.resolve_ref_schema(schema)[KEYWORD] = found
        return schema


# So many digits that Go's durations, and with them those of an API server, hold the sum.
_FRACTION = r"(?:\.[0-9]{1,9})?"
_DURATION = "".join(
    f"(?:([0-9]{{1,{most}}}{_FRACTION}){unit})?" for unit, most in (("h", 6), ("m", 7), ("s", 9), ("ms", 12))
)


DURATION = f"^{_DURATION}$"


def seconds(text: str) -> float:
    """Seconds in a duration as Go and Kubernetes write it (`1h30m`, `10s`, `500ms`). Raises ValueError."""
    found = re.fullmatch(_DURATION, text)
    if not text or not found:
        raise ValueError(f'cannot read the duration "{text}": write it like 30s, 5m, 1h30m or 500ms')
    hours, minutes, secs, millis = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + secs + millis / 1000


def _valid_duration(text: str) -> str:
    seconds(text)
    return text


Duration = Annotated[
    str,
    Field(max_length=WORD_MAX),
    AfterValidator(_valid_duration),
    Field(json_schema_extra={"format": "duration"}),
    Form(DURATION, "cannot read the duration: write it like 30s, 5m, 1h30m or 500ms"),
    Rule("self != ''", "cannot read an empty duration: write it like 30s, 5m, 1h30m or 500ms"),
]


def _not_too_often(text: str) -> str:
    if seconds(text) < 1:
        raise ValueError(f'cannot look every "{text}": give an interval of at least 1s')
    return text


Interval = Annotated[
    Duration,
    AfterValidator(_not_too_often),
    Rule(
        f"!self.matches(r'{DURATION}') || duration(self) >= duration('1s')",
        "cannot look that often: give an interval of at least 1s",
    ),
]


def _reference(text: str) -> str:
    Key.parse(text)
    return text


Reference = Annotated[
    str,
    Field(max_length=TEXT_MAX),
    AfterValidator(_reference),
    Form("^[^/]+/[^/]+(/[^/]+)?$", "cannot read the reference: write Kind/name or Kind/namespace/name"),
]


def beside_the_manifest(path: str, info: ValidationInfo) -> str:
    """`~` and paths relative to the file that declares the resource, made absolute, and without `..`, as Docker has them.

    Validation context: `base`.
    """
    expanded = Path(path).expanduser() if path == "~" or path.startswith("~/") else Path(path)
    if expanded.is_absolute():
        return os.path.normpath(expanded)
    base = (info.context or {}).get("base")
    if base is None:
        raise ValueError(f'cannot resolve the relative path "{path}" here: write an absolute path')
    return os.path.normpath(Path(base) / expanded)


# A path on this machine that the spec refers to; relative ones start at the file that declares the resource.
LocalPath = Annotated[
    str,
    Field(min_length=1, max_length=PATH_MAX),
    AfterValidator(beside_the_manifest),
    Rule(ABSOLUTE, NOT_BESIDE_A_FILE),
]


class SecretKey(Model):
    """One entry of a named secret."""

    name: Name = Field(description="Name of the secret: a directory in $PEGASUS2_HOME/secrets, or a Kubernetes Secret.")
    key: str = Field(min_length=1, description="Entry of the secret: a file in that directory, or a key of the Secret.")


class SecretRef(Model):
    """Where a secret value is found. Exactly one of the three is given; the value itself never stands in a spec."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.env), has(self.file), has(self.secret)].exists_one(given, given)",
            "give exactly one of env, file and secret",
        ),
    )

    env: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="Environment variable of the controller."
    )
    file: LocalPath | None = Field(
        default=None, description="File whose content, less one final newline, is the value."
    )
    secret: SecretKey | None = Field(default=None, description="Entry of a named secret.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(part is not None for part in (self.env, self.file, self.secret)) != 1:
            raise ValueError("give exactly one of env, file and secret")
        return self

    def __str__(self) -> str:
        if self.env is not None:
            return f"(secret from env {self.env})"
        if self.file is not None:
            return f"(secret from file {self.file})"
        assert self.secret is not None
        return f"(secret {self.secret.name}/{self.secret.key})"


class DriftPolicy(StrEnum):
    CORRECT = "Correct"
    REPORT = "Report"


class DeletionPolicy(StrEnum):
    DELETE = "Delete"
    RETAIN = "Retain"


class Spec(Model):
    """Fields that every kind has. In a kind's spec a field that is None is not managed: it is neither set nor compared."""

    # What a field is in the world when nobody sets it; a field dropped from a spec goes back to this (absent: empty).
    unset: ClassVar[dict[str, Any]] = {}
    # Fields of the kind that say where the thing is and not what it is like: no comparison concerns them.
    apart: ClassVar[frozenset[str]] = frozenset()

    dependsOn: tuple[Reference, ...] = Field(
        default=(),
        max_length=MANY,
        description="Resources (Kind/name or Kind/namespace/name) that must be Ready before this one is created or updated.",
    )
    suspend: bool = Field(default=False, description="Observe and report, but change nothing.")
    driftPolicy: DriftPolicy = Field(
        default=DriftPolicy.CORRECT,
        description="What to do with a difference that no edit made: Correct it, or only Report it.",
    )
    deletionPolicy: DeletionPolicy = Field(
        default=DeletionPolicy.DELETE,
        description="What becomes of the thing when its resource is gone: Delete it, or Retain it.",
    )
    adopt: bool = Field(default=False, description="Take over a thing of this name that Pegasus2 did not create.")
    ignore: tuple[str, ...] = Field(
        default=(),
        description="Paths of fields, below spec, whose differences are neither shown nor corrected (env.TZ, memory).",
    )
    interval: Interval = Field(
        default="10m", description="How often to look at the thing when nothing hints at a change; at least 1s."
    )
    node: Name | None = Field(
        default=None,
        description="Machine that this is for, by its node name; others leave it alone. Unset: any that reads these files, "
        "and on Kubernetes the one whose operator was started with --default.",
    )


COMMON_FIELDS = frozenset(Spec.model_fields)


def inherited(spec: Spec) -> dict[str, Any]:
    """The common fields, and those that say where, as written in the spec of a resource that stands for others, for theirs."""
    return {name: getattr(spec, name) for name in sorted((COMMON_FIELDS | spec.apart) & spec.model_fields_set)}


class Metadata(Model):
    """Name, place and labels of a resource."""

    name: Name = Field(description="Name of the resource: lower-case letters, digits and hyphens, at most 63.")
    namespace: Name = Field(default=DEFAULT_NAMESPACE, description="Keeps equal names apart.")
    labels: Annotated[dict[str, str], AfterValidator(valid_labels)] = Field(
        default_factory=dict, description="Labels to select by."
    )
    annotations: Annotated[dict[str, str], AfterValidator(valid_annotations)] = Field(
        default_factory=dict, description="Notes that Pegasus2 carries and does not read."
    )


class Claim(NamedTuple):
    """One thing in the world that only one resource can have.

    Two claims collide when `what`, `value` and `place` are equal and their scopes are equal or either is "*".
    """

    what: str
    value: str
    scope: str = "*"
    place: str = ""  # where each of several systems has such things for itself: which one

    def collides(self, other: Claim) -> bool:
        return (
            self.what == other.what
            and self.value == other.value
            and self.place == other.place
            and (self.scope == other.scope or "*" in (self.scope, other.scope))
        )

    def __str__(self) -> str:
        where = f" on {self.place}" if self.place else ""
        return f"{self.what} {self.value if self.scope == '*' else f'{self.scope}:{self.value}'}{where}"


# The content of a file that an expansion needs. Raises OSError.
Read = Callable[[Path], bytes]


class Unexpandable(Exception):
    """What a resource stands for can't be told: the files that it is read from have these problems, or, where a problem
    names no file, the resource itself.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Tree(NamedTuple):
    """A directory whose content, all the way down, is part of the desired state.

    `ignore`: files with patterns, in the format of `.dockerignore`, of what does not count; the first that is there is it.
    """

    root: str
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class About:
    """What a kind tells the surfaces about itself."""

    plural: str
    short: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()  # (heading, dotted path below the resource) for `p2 get -o wide`
    holds_data: bool = False  # never replaced without `p2 confirm`


class Resource(Model):
    """One declared object. Subclasses narrow `kind` and `spec` and say what they claim and refer to."""

    about: ClassVar[About]
    expands: ClassVar[bool] = False  # whether it stands for others: see `expand`

    apiVersion: Literal["pegasus2.dev/v1"] = Field(description="Version of the format: pegasus2.dev/v1.")
    kind: str
    metadata: Metadata
    spec: Spec

    @cached_property
    def key(self) -> Key:
        return Key(self.kind, self.metadata.namespace, self.metadata.name)

    @property
    def world_name(self) -> str:
        """Name of the thing in the world unless the spec names it: `name`, or `namespace-name` outside `default`."""
        return world_name(self.metadata.namespace, self.metadata.name)

    def claims(self) -> Iterable[Claim]:
        """What in the world this resource needs for itself alone."""
        return ()

    def within(self) -> Iterable[Claim]:
        """Places that this resource lies in: whoever claims one is a dependency, as if it were referred to."""
        return ()

    def references(self) -> Iterable[Key]:
        """Resources that the spec names without `dependsOn`; they are dependencies all the same."""
        return ()

    def unfit(self, dependency: Resource) -> str:
        """Why it can't refer to `dependency` although that is declared, for people; empty where it can."""
        return ""

    def inputs(self) -> Iterable[Path]:
        """Files whose content is part of the desired state: an edit of one is an edit of this resource."""
        return ()

    def trees(self) -> Iterable[Tree]:
        """Directories whose whole content is part of the desired state, as that of `inputs()` is."""
        return ()

    def confidential(self) -> Iterable[Path]:
        """Those of `inputs()` whose content may be secret: it is neither shown nor kept anywhere."""
        return ()

    def expand(self, read: Read) -> Iterable[Resource]:
        """Children that this resource stands for, where its kind `expands`. Pure but for `read`, of what becomes an input.

        A kind without an agent of its own is nothing in the world: it is Ready when all its children are. Raises Unexpandable.
        """
        return ()

    def warnings(self, read: Read) -> Iterable[Problem]:
        """What of the files that `expand` reads is left out, or doubtful, and changes nothing. Raises Unexpandable."""
        return ()

    def ready_within(self) -> float | None:
        """Seconds in which an edit must have made it Ready. None: this kind, or this resource, knows no such deadline."""
        return None

    def rolls_back(self) -> bool | None:
        """Whether an edit that fails is rolled back. None: yes, unless the thing writes what outlives it."""
        return None

    def dependencies(self) -> frozenset[Key]:
        """All that must be Ready first: `dependsOn` and `references()`."""
        written = (Key.parse(text, self.metadata.namespace) for text in self.spec.dependsOn)
        return frozenset((*written, *self.references()))

    @property
    def resync(self) -> timedelta:
        return timedelta(seconds=seconds(self.spec.interval))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a resource was declared. `document` counts from 0 within the file."""

    file: str
    document: int = 0

    def __str__(self) -> str:
        return self.file


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource with its place and the digest of its desired state (spec, labels, and the content of its inputs).

    `owner` is what stands for it, if it is declared by way of another; `read` are the files that its own children are from.
    """

    resource: Resource
    origin: Origin
    digest: str
    owner: Key | None = None
    read: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.resource.key

    def inputs(self) -> Iterator[str]:
        """Paths of the files whose content is part of the desired state."""
        yield from map(str, self.resource.inputs())
        yield from self.read

    def contents(self) -> Iterator[str | Tree]:
        """The same, and the trees."""
        yield from self.inputs()
        yield from self.resource.trees()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something in the source can't be used. Lines and columns count from 1; 0 is unknown.

    Prints as `file:line:column: field: message`, the form editors jump to.
    """

    file: str
    message: str
    line: int = 0
    column: int = 0
    field: str = ""
    key: Key | None = None
    document: int | None = None  # in which document of the file, from 0, where the line is yet to be found

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return ": ".join(part for part in (place, self.field, self.message) if part)
