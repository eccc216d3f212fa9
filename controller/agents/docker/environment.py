"""A container's environment variables: what env, envFile and secretEnv come to, and what of it a live container has.

Two labels remember which variables came from secrets and from files, because the engine does not: so a dropped one is
noticed, and a value that was secret once is never shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.engine.agent import Retry, Secrets, Stalled
from resources.conditions import Reason
from resources.docker.env_file import Unreadable, variables_in
from resources.docker.names import OWN_LABELS
from resources.kinds.container import Container, ContainerSpec
from resources.meta import SecretRef

SECRET_NAMES = f"{OWN_LABELS}secret-env"
FILE_NAMES = f"{OWN_LABELS}file-env"


@dataclass(frozen=True, slots=True)
class WantedEnvironment:
    """What to create a container with. `values` hold secrets: they go to the engine and nowhere else."""

    values: tuple[str, ...]
    labels: dict[str, str]

    def __repr__(self) -> str:
        return "WantedEnvironment(…)"


@dataclass(frozen=True, slots=True)
class SeenEnvironment:
    """The three fields of the spec as a live container has them."""

    env: dict[str, str]
    secretEnv: dict[str, SecretRef | str]
    envFile: tuple[str, ...]


def wanted_environment(container: Container, secrets: Secrets) -> WantedEnvironment:
    """Raises Stalled or Retry for a secret or a file that can't be read."""
    spec, namespace = container.spec, container.metadata.namespace
    from_files = env_of_files(spec.envFile or ())
    hidden = {name: secrets.reveal(reference, namespace) for name, reference in (spec.secretEnv or {}).items()}
    merged = {**from_files, **(spec.env or {}), **hidden}
    labels = {SECRET_NAMES: _joined(hidden), FILE_NAMES: _joined(from_files)}
    return WantedEnvironment(
        tuple(f"{name}={value}" for name, value in merged.items()),
        {name: names for name, names in labels.items() if names},
    )


def seen_environment(
    container: Container,
    live: Iterable[str] | None,
    image: Iterable[str] | None,
    labels: Mapping[str, str],
    secrets: Secrets,
) -> SeenEnvironment:
    """`live` and `image` are NAME=value texts of the container and of its image. Raises Retry for a secret out of reach."""
    spec, namespace = container.spec, container.metadata.namespace
    values, supplied = _parsed(live), _parsed(image)
    declared, hidden = spec.env or {}, spec.secretEnv or {}
    secret_names = hidden.keys() | _split(labels, SECRET_NAMES)
    file_names = _split(labels, FILE_NAMES) - declared.keys() - secret_names
    try:
        from_files: dict[str, str] | None = env_of_files(spec.envFile or ())
    except Stalled:
        from_files = None
    shown = values.keys() - secret_names - file_names - ((from_files or {}).keys() - declared.keys())
    return SeenEnvironment(
        env={name: values[name] for name in shown if name in declared or values[name] != supplied.get(name)},
        secretEnv={
            name: _seen_secret(values[name], hidden.get(name), secrets, namespace)
            for name in secret_names
            if name in values
        },
        envFile=_seen_files(spec, from_files, file_names, values, supplied),
    )


def env_of_files(paths: Iterable[str]) -> dict[str, str]:
    """The variables in these files, later files first. Raises Stalled, and never shows a value."""
    found: dict[str, str] = {}
    for path in paths:
        try:
            found |= variables_in(Path(path).read_text(encoding="utf-8"))
        except Unreadable as error:
            raise Stalled("EnvFileUnreadable", f"{error} of {path}: write NAME=value") from None
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise Stalled("EnvFileUnreadable", f"cannot read the envFile {path}: {reason}") from None
    return found


def _seen_secret(value: str, reference: SecretRef | None, secrets: Secrets, namespace: str) -> SecretRef | str:
    """The reference where the value is what it refers to, else a digest."""
    if reference is not None:
        try:
            if secrets.reveal(reference, namespace) == value:
                return reference
        except (Stalled, Retry) as missing:  # creating a container says so; looking at one must go on
            if missing.reason != Reason.SECRET_NOT_FOUND:
                raise
    return f"(secret {secrets.digest(value)[:8]})"


def _seen_files(
    spec: ContainerSpec,
    wanted: Mapping[str, str] | None,
    recorded: set[str],
    values: Mapping[str, str],
    supplied: Mapping[str, str],
) -> tuple[str, ...]:
    """The spec's own paths where the container has what is in them, else which variables differ. Shows no values."""
    paths = ", ".join(spec.envFile or ())
    if wanted is None:
        return (f"{paths} (cannot be read)",)
    expected = {
        name: value for name, value in wanted.items() if name not in {**(spec.env or {}), **(spec.secretEnv or {})}
    }
    different = {name for name, value in expected.items() if values.get(name) != value}
    left_over = {name for name in recorded - wanted.keys() if values.get(name) != supplied.get(name)}
    if names := sorted(different | left_over):
        return (f"{paths} (differs in {', '.join(names)})".lstrip(),)
    return spec.envFile or ()


def _parsed(texts: Iterable[str] | None) -> dict[str, str]:
    pairs = (text.partition("=") for text in texts or ())
    return {name: value for name, separator, value in pairs if separator}


def _joined(names: Iterable[str]) -> str:
    return "\n".join(sorted(names))


def _split(labels: Mapping[str, str], label: str) -> set[str]:
    return set(labels.get(label, "").splitlines())
