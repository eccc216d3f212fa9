"""Types of the values in specs of the Docker kinds: each checks what was written, and brings it into its canonical form."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from resources.docker.names import OWN_LABELS
from resources.meta import Duration, beside_the_manifest
from resources.notation import (
    CAPABILITY,
    DEVICE,
    EXPOSED,
    IMAGE,
    PORT,
    SECURITY_OPTION,
    SIGNAL,
    SIZE,
    canonical_capability,
    canonical_device,
    canonical_duration,
    canonical_exposed,
    canonical_ports,
    canonical_security_option,
    canonical_signal,
    canonical_size,
    valid_image,
    valid_ip,
    valid_ipv4,
    valid_ipv6,
    whole_seconds,
)
from resources.rules import MANY, NOT_BESIDE_A_FILE, TEXT_MAX, WORD_MAX, Form, Rule


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
    if not path.startswith("/") or "//" in path:
        raise ValueError(f'cannot use the path "{path}" in a container: write an absolute path, without //')
    return path.rstrip("/") or "/"


def _tmpfs(mounts: dict[str, str]) -> dict[str, str]:
    found = {_absolute(path): options for path, options in mounts.items()}
    if len(found) < len(mounts):
        raise ValueError("cannot mount two things at one path: write each path once")
    return found


def sorted_set(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


OPEN_SYSTEM_PATHS = "systempaths=unconfined"  # a security option that the engine knows as two lists of paths

RESTART = r"^(no|always|unless-stopped|on-failure(:[1-9][0-9]*)?)$"

Image = Annotated[
    str,
    Field(min_length=1, max_length=TEXT_MAX),
    AfterValidator(valid_image),
    Form(IMAGE, "cannot read the image: write it like nginx:1.27, in lower case up to the tag"),
]
_SIZE_FORM = "cannot read the size: write it like 512m, 1g, 1Gi or 4096 (bytes)"
Size = Annotated[str, Field(max_length=WORD_MAX), AfterValidator(canonical_size), Form(SIZE, _SIZE_FORM)]
Swap = Annotated[
    str,
    Field(max_length=WORD_MAX),
    AfterValidator(_swap),
    Rule(f"self == 'unlimited' || self.matches(r'{SIZE}')", f"{_SIZE_FORM}, or unlimited"),
]
Cpus = Annotated[
    float,
    Field(ge=0.01, le=65536),
    AfterValidator(_nano),
    # Of a whole number an API server compares with the whole part of a minimum.
    Rule("self >= 0.01", "cannot do with so little: give cpus of at least 0.01"),
]
Span = Annotated[Duration, AfterValidator(canonical_duration)]
WholeSpan = Annotated[Duration, AfterValidator(whole_seconds)]
Restart = Annotated[
    str,
    Field(max_length=WORD_MAX, pattern=RESTART),
    BeforeValidator(_restart),
    Form(RESTART, 'cannot read restart: write "no" (in quotes), always, unless-stopped, on-failure or on-failure:5'),
]
Signal = Annotated[
    str,
    Field(max_length=WORD_MAX),
    AfterValidator(canonical_signal),
    Form(SIGNAL, 'cannot read the signal: write it like SIGTERM, TERM or "15"'),
]

# The parts of `[ip:]host:container` in CEL, without loops, whose cost nobody can foresee.
_UP_TO_65535 = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_SPAN = f"{_UP_TO_65535}(-{_UP_TO_65535})?"
_NUMBERS = "self.find('[0-9]+-[0-9]+:[0-9]+-[0-9]+').findAll('[0-9]+')"
_FIRST, _LAST, _INNER_FIRST, _INNER_LAST = (f"int({_NUMBERS}[{at}])" for at in range(4))
_IP6, _IP4 = "self.substring(1, self.indexOf(']'))", "self.substring(0, self.indexOf(':'))"


def _upwards(place: str) -> str:
    """Where a range stands alone at this place, it goes upwards."""
    first, last = (f"int(self.find('{place}').findAll('[0-9]+')[{at}])" for at in range(2))
    return f"!self.matches('{place}') || {first} <= {last}"


_NO_RANGE = "cannot publish this: ranges go upwards, and as many host ports are needed as container ports"
Port = Annotated[
    str,
    Field(max_length=WORD_MAX),
    Form(PORT, 'cannot read the port: write [ip:]host:container[/udp], such as "8080:80" or "127.0.0.1:53:53/udp"'),
    Rule(
        f"self.matches('^({_SPAN}:|(\\\\[.*\\\\]|[0-9.]+):({_SPAN})?:)?{_SPAN}(/|$)')",
        "cannot publish this: ports go from 1 to 65535",
    ),
    Rule(
        f"!self.matches('[0-9]-[0-9]+:[0-9]+-') || ({_FIRST} <= {_LAST} && "
        f"{_LAST} - {_FIRST} == {_INNER_LAST} - {_INNER_FIRST})",
        _NO_RANGE,
    ),
    Rule("!self.matches('(^|:)[0-9]+:[0-9]+-')", _NO_RANGE),
    Rule(_upwards("(^|:)[0-9]+-[0-9]+:[0-9]+(/|$)"), _NO_RANGE),
    Rule(_upwards("(^|::)[0-9]+-[0-9]+(/|$)"), _NO_RANGE),
    Rule(
        f"!self.startsWith('[') || (self.contains(']') && isIP({_IP6}) && ip({_IP6}).family() == 6)",
        "cannot publish this: what stands in brackets is no IPv6 address",
    ),
    Rule(
        f"!self.matches('^[0-9.]+:[0-9-]*:') || (isIP({_IP4}) && ip({_IP4}).family() == 4)",
        "cannot publish this: what stands before the first colon is no IPv4 address",
    ),
]
Ports = Annotated[tuple[Port, ...], Field(max_length=MANY), AfterValidator(canonical_ports)]
Exposed = Annotated[
    str,
    Field(max_length=WORD_MAX),
    Form(EXPOSED, 'cannot read the port: write it like "3000", "53/udp" or "8000-8010"'),
    Rule(f"self.matches('^{_SPAN}(/|$)')", "cannot expose this: ports go from 1 to 65535"),
    Rule(_upwards("^[0-9]+-[0-9]+"), "cannot expose this: ranges go upwards"),
]
Expose = Annotated[tuple[Exposed, ...], Field(max_length=MANY), AfterValidator(canonical_exposed)]
Device = Annotated[
    str,
    Field(max_length=TEXT_MAX),
    Form(DEVICE, "cannot read the device: write /dev/host[:/dev/inside][:rwm]"),
]
Devices = Annotated[tuple[Device, ...], Field(max_length=MANY), AfterValidator(_devices)]
Capability = Annotated[
    str, Field(max_length=WORD_MAX), Form(CAPABILITY, "cannot read the capability: write it like NET_ADMIN")
]
Capabilities = Annotated[tuple[Capability, ...], Field(max_length=MANY), AfterValidator(_capabilities)]
SecurityOption = Annotated[
    str,
    Field(max_length=TEXT_MAX),
    Form(SECURITY_OPTION, "cannot read the security option: write name or name=value"),
    Rule(
        "!self.matches('^no-new-privileges([=:]|$)') || self.matches('^no-new-privileges([=:](true|false))?$')",
        "cannot set no-new-privileges to this: write true or false",
    ),
    Rule(
        "!self.matches('^seccomp([=:]|$)') || self.matches('^seccomp[=:](unconfined$|builtin$|/|~/|~$)')",
        f"{NOT_BESIDE_A_FILE}; or seccomp=unconfined",
    ),
]
SecurityOptions = Annotated[tuple[SecurityOption, ...], Field(max_length=MANY), AfterValidator(_security_options)]
Labels = Annotated[
    dict[str, str],
    Field(max_length=MANY),
    AfterValidator(_labels),
    Rule(
        f"self.all(name, !name.startsWith('{OWN_LABELS}'))",
        f"cannot set labels whose names begin with {OWN_LABELS}: they are Pegasus2's own",
    ),
]
EnvNames = AfterValidator(_env_names)
ENV_NAMES = Rule(
    r"self.all(name, name != '' && !name.contains('=') && !name.contains('\x00'))",
    "cannot use an empty name, or one with = in it, for an environment variable",
)
FEW = 8  # entries of a list in each of many
INNER_PATH_MAX = 1024  # characters; each is compared with each
_NO_INNER_PATH = "cannot use this path in a container: write an absolute path, without //"
InnerPath = Annotated[
    str,
    Field(max_length=INNER_PATH_MAX),
    AfterValidator(_absolute),
    Rule("self.startsWith('/') && !self.contains('//')", _NO_INNER_PATH),
]
Tmpfs = Annotated[
    dict[str, str],
    Field(max_length=MANY),
    AfterValidator(_tmpfs),
    Rule("self.all(path, path.startsWith('/') && !path.contains('//'))", _NO_INNER_PATH),
    Rule("self.all(path, !((path + '/') in self))", "cannot mount two things at one path: write each path once"),
]
Names = Annotated[tuple[str, ...], AfterValidator(sorted_set)]

_NO_IP = "cannot use this: it is no IP address"
IP = Annotated[str, Field(max_length=WORD_MAX), AfterValidator(valid_ip), Rule("isIP(self)", _NO_IP)]
Servers = Annotated[tuple[IP, ...], Field(max_length=MANY)]
Addresses = Annotated[tuple[IP, ...], Field(max_length=FEW), AfterValidator(sorted_set)]
IPv4 = Annotated[
    str,
    Field(max_length=WORD_MAX),
    AfterValidator(valid_ipv4),
    Rule("isIP(self) && ip(self).family() == 4", "cannot use this: it is no IPv4 address"),
]
IPv6 = Annotated[
    str,
    Field(max_length=WORD_MAX),
    AfterValidator(valid_ipv6),
    Rule("isIP(self) && ip(self).family() == 6", "cannot use this: it is no IPv6 address"),
]
