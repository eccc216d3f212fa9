"""Types of the values in specs of the Docker kinds: each checks what was written, and brings it into its canonical form."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from resources.docker.names import OWN_LABELS
from resources.meta import Duration, beside_the_manifest
from resources.notation import (
    IMAGE,
    canonical_capability,
    canonical_device,
    canonical_duration,
    canonical_ports,
    canonical_security_option,
    canonical_size,
    valid_image,
)


def _restart(value: Any) -> Any:
    if value is False:
        raise ValueError('cannot read restart: YAML takes an unquoted no for false; write "no" in quotes')
    return value


def _security_options(options: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    found = []
    for option in map(canonical_security_option, options):
        name, _, profile = option.partition("=")
        if name == "seccomp" and profile not in ("unconfined", "builtin"):
            option = f"seccomp={beside_the_manifest(profile, info)}"
        found.append(option)
    return tuple(sorted(set(found)))


def _swap(text: str) -> str:
    return text if text == "unlimited" else canonical_size(text)


def _nano(cpus: float) -> float:
    """The engine counts in billionths."""
    return round(cpus, 9)


def _capabilities(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({canonical_capability(name) for name in names}))


def _devices(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({canonical_device(text) for text in texts}))


def _labels(labels: dict[str, str]) -> dict[str, str]:
    if own := [name for name in labels if name.startswith(OWN_LABELS)]:
        raise ValueError(f'cannot set the label "{own[0]}": names that begin with {OWN_LABELS} are Pegasus2\'s own')
    return labels


def _env_names(env: dict[str, Any]) -> dict[str, Any]:
    if wrong := [name for name in env if not name or "=" in name or "\0" in name]:
        raise ValueError(f'cannot use "{wrong[0]}" as the name of an environment variable')
    return env


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f'cannot use the path "{path}" in a container: write an absolute path')
    return "/" + path.strip("/")


def _tmpfs(mounts: dict[str, str]) -> dict[str, str]:
    return {_absolute(path): options for path, options in mounts.items()}


def _sorted_set(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


RESTART = r"^(no|always|unless-stopped|on-failure(:[1-9][0-9]*)?)$"

Image = Annotated[str, AfterValidator(valid_image), Field(min_length=1, json_schema_extra={"pattern": IMAGE})]
Size = Annotated[str, AfterValidator(canonical_size)]
Swap = Annotated[str, AfterValidator(_swap)]
Cpus = Annotated[float, Field(gt=0), AfterValidator(_nano)]
Span = Annotated[Duration, AfterValidator(canonical_duration)]
Restart = Annotated[str, BeforeValidator(_restart), Field(pattern=RESTART)]
Ports = Annotated[tuple[str, ...], AfterValidator(canonical_ports)]
Devices = Annotated[tuple[str, ...], AfterValidator(_devices)]
Capabilities = Annotated[tuple[str, ...], AfterValidator(_capabilities)]
SecurityOptions = Annotated[tuple[str, ...], AfterValidator(_security_options)]
Labels = Annotated[dict[str, str], AfterValidator(_labels)]
EnvNames = AfterValidator(_env_names)
InnerPath = Annotated[str, AfterValidator(_absolute)]
Tmpfs = Annotated[dict[str, str], AfterValidator(_tmpfs)]
Names = Annotated[tuple[str, ...], AfterValidator(_sorted_set)]
IPv4 = Annotated[str, AfterValidator(lambda text: str(IPv4Address(text)))]
IPv6 = Annotated[str, AfterValidator(lambda text: str(IPv6Address(text)))]
