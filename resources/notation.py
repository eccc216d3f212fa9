"""How quantities are written in a spec, each in one canonical form: sizes, durations, ports, devices, capabilities.

The kinds' models bring what a user wrote into this form when they are loaded, and agents report in the same form, so
that equal things are equal text: `1m` and `60s`, `1Gi` and `1024m`, `8080:80/tcp` and `8080:80`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from resources.meta import seconds

SIZE = r"^([0-9]{1,15}(?:\.[0-9]{1,9})?) *([bB]|[kKmMgGtT][iI]?[bB]?)?$"
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

_IP, _NUMBERS = r"\[[0-9a-fA-F:.]+\]|[0-9.]+", "([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?"
_PROTOCOL = "(?:/([tT][cC][pP]|[uU][dD][pP]|[sS][cC][tT][pP]))?"
# With an address the place of the host port is kept where it is left out: 127.0.0.1::80.
PORT = rf"^(?:({_IP}):(?:{_NUMBERS})?:|{_NUMBERS}:)?{_NUMBERS}{_PROTOCOL}$"
EXPOSED = f"^{_NUMBERS}{_PROTOCOL}$"


def size(text: str) -> int:
    """Bytes in `512m`, `1Gi`, `1.5g` or `4096`; every unit is a power of 1024, as Docker reads it. Raises ValueError."""
    found = re.fullmatch(SIZE, text)
    if not found:
        raise ValueError(f'cannot read the size "{text}": write it like 512m, 1g, 1Gi or 4096 (bytes)')
    return int(float(found[1]) * _UNITS[(found[2] or "")[:1].lower()])


def size_text(count: int) -> str:
    """`count` bytes in the largest unit that leaves no fraction."""
    for unit in ("t", "g", "m", "k"):
        if count and count % _UNITS[unit] == 0:
            return f"{count // _UNITS[unit]}{unit}"
    return f"{count}b"


def duration_text(secs: float) -> str:
    """`secs` as Go writes durations, without zero parts: `1h30m`, `10s`, `500ms`."""
    millis = round(secs * 1000)
    if not millis:
        return "0s"
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, rest = divmod(rest, 1000)
    parts = ((hours, "h"), (minutes, "m"), (whole, "s"), (rest, "ms"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)


def canonical_size(text: str) -> str:
    return size_text(size(text))


def canonical_duration(text: str) -> str:
    return duration_text(seconds(text))


class Port(NamedTuple):
    """One published port. An empty `ip` means every address of the machine; a `host` of 0 any port that is free, and
    with `last` any that is free from `host` to there."""

    inner: int
    protocol: str
    host: int = 0
    ip: str = ""
    last: int = 0

    @property
    def fixed(self) -> bool:
        """Whether it needs a host port of its own, and not just one that is free."""
        return bool(self.host) and not self.last

    def __str__(self) -> str:
        ip = f"[{self.ip}]:" if ":" in self.ip else f"{self.ip}:" if self.ip else ""
        host = f"{self.host}-{self.last}" if self.last else str(self.host or "")
        between = ":" if ip or host else ""
        return f"{ip}{host}{between}{self.inner}" + ("" if self.protocol == "tcp" else f"/{self.protocol}")


def ports(text: str) -> list[Port]:
    """The ports in `[[ip:][host]:]container[/udp]`, where host and container may be ranges of one length, or the host
    alone a range of ports to choose from. Raises ValueError."""
    found = re.fullmatch(PORT, text)
    if not found:
        raise ValueError(
            f'cannot read the port "{text}": write [ip:]host:container[/udp], such as "8080:80" or "127.0.0.1:53:53/udp", '
            "or the container's port alone where any host port will do"
        )
    address, beside_ip, beside_ip_last, first, last, inner_first, inner_last, written = found.groups()
    first, last, protocol = first or beside_ip, last or beside_ip_last, (written or "tcp").lower()
    inner, ip = _span(text, inner_first, inner_last), _address(text, address) if address else ""
    if first is None:
        return [Port(number, protocol, 0, ip) for number in inner]
    host = _span(text, first, last)
    if len(inner) == 1 and inner_last is None:
        return [Port(inner[0], protocol, host[0], ip, host[-1] if len(host) > 1 else 0)]
    if len(host) != len(inner) or last is None:
        raise ValueError(f'cannot publish "{text}": {len(host)} host ports cannot serve {len(inner)} container ports')
    return [Port(number, protocol, outer, ip) for outer, number in zip(host, inner, strict=True)]


def _address(text: str, written: str) -> str:
    """An IPv6 address stands in brackets, an IPv4 address does not."""
    try:
        return (valid_ipv6 if written.startswith("[") else valid_ipv4)(written.strip("[]"))
    except ValueError:
        raise ValueError(f'cannot publish "{text}": {written} is no IP address') from None


def _span(text: str, first: str, last: str | None) -> range:
    low, high = int(first), int(last or first)
    if not 1 <= low <= high <= 65535:
        raise ValueError(f'cannot publish "{text}": ports go from 1 to 65535, and ranges upwards')
    return range(low, high + 1)


def canonical_ports(texts: Iterable[str]) -> tuple[str, ...]:
    """One entry a port, sorted by container port, each once."""
    return tuple(str(port) for port in sorted({port for text in texts for port in ports(text)}))


def exposed(text: str) -> list[Port]:
    """The ports in `3000`, `53/udp` or `8000-8010`. Raises ValueError."""
    found = re.fullmatch(EXPOSED, text)
    if not found:
        raise ValueError(f'cannot read the port "{text}": write it like "3000", "53/udp" or "8000-8010"')
    first, last, protocol = found.groups()
    return [Port(number, (protocol or "tcp").lower()) for number in _span(text, first, last)]


def canonical_exposed(texts: Iterable[str]) -> tuple[str, ...]:
    """One entry a port, sorted, each once."""
    return tuple(str(port) for port in sorted({port for text in texts for port in exposed(text)}))


def valid_ipv4(text: str) -> str:
    """Raises ValueError."""
    return str(IPv4Address(text))


def valid_ipv6(text: str) -> str:
    """In its shortest form. Raises ValueError, also for one with a zone, and for an IPv4 address in disguise."""
    address = IPv6Address(text)
    if address.scope_id is not None or address.ipv4_mapped is not None:
        raise ValueError("write it without a zone, and an IPv4 address as such")
    return str(address)


def valid_ip(text: str) -> str:
    """An address of either family. Raises ValueError."""
    return valid_ipv6(text) if ":" in text else valid_ipv4(text)


CAPABILITY = "^[a-zA-Z][a-zA-Z0-9_]*$"


def canonical_capability(text: str) -> str:
    """`NET_ADMIN` for `net_admin` and `CAP_NET_ADMIN`. Raises ValueError."""
    if not re.fullmatch(CAPABILITY, text):
        raise ValueError(f'cannot read the capability "{text}": write it like NET_ADMIN')
    return text.upper().removeprefix("CAP_")


SIGNAL = r"^([0-9]{1,2}|[a-zA-Z][a-zA-Z0-9]*([+-][0-9]{1,2})?)$"


def canonical_signal(text: str) -> str:
    """`SIGTERM` for `TERM`, `sigterm` and `15`; real-time and unknown numbers stay as they are. Raises ValueError."""
    if not re.fullmatch(SIGNAL, text):
        raise ValueError(f'cannot read the signal "{text}": write it like SIGTERM, TERM or "15"')
    if text.isdigit():
        from signal import Signals

        return next((known.name for known in Signals if known.value == int(text)), text)
    return "SIG" + text.upper().removeprefix("SIG")


DEVICE = "^(/[^:]*)(?::(/[^:]*))?(?::([rwm]{1,3}))?$"


def canonical_device(text: str) -> str:
    """`/dev/a:/dev/b:rwm` for `/dev/a`, `/dev/a:/dev/b` and `/dev/a:rwm`. Raises ValueError."""
    found = re.fullmatch(DEVICE, text)
    if not found:
        raise ValueError(f'cannot read the device "{text}": write /dev/host[:/dev/inside][:rwm]')
    source, target, permissions = found.groups()
    return f"{source}:{target or source}:{permissions or 'rwm'}"


CPUSET = "^[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*$"


def canonical_cpuset(text: str) -> str:
    """`0-2,5` for `0,1,2,5` and `5,0-2`. Raises ValueError."""
    if not re.fullmatch(CPUSET, text):
        raise ValueError(f'cannot read the CPUs "{text}": write them like 0-3 or 0,2')
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if int(last or first) < int(first):
            raise ValueError(f'cannot use the CPUs "{text}": ranges go upwards')
        numbers.update(range(int(first), int(last or first) + 1))
    starts = sorted(number for number in numbers if number - 1 not in numbers)
    ends = sorted(number for number in numbers if number + 1 not in numbers)
    spans = zip(starts, ends, strict=True)
    return ",".join(str(start) if start == end else f"{start}-{end}" for start, end in spans)


MAC = "^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$"


def canonical_mac(text: str) -> str:
    """In lower case. Raises ValueError."""
    if not re.fullmatch(MAC, text):
        raise ValueError(f'cannot read the MAC address "{text}": write it like 02:42:ac:11:65:43')
    return text.lower()


def whole_seconds(text: str) -> str:
    """A duration rounded up to whole seconds, as the engine counts the time to stop in. Raises ValueError."""
    return duration_text(math.ceil(round(seconds(text), 4)))


SECURITY_OPTION = "^([a-z][a-z0-9-]*)(?:[=:](.*))?$"


def canonical_security_option(text: str) -> str:
    """`name=value` for `name:value`; `no-new-privileges` alone means true. Raises ValueError."""
    found = re.fullmatch(SECURITY_OPTION, text)
    if not found:
        raise ValueError(f'cannot read the security option "{text}": write name or name=value')
    name, value = found.groups()
    if name == "no-new-privileges":
        if value not in (None, "true", "false"):
            raise ValueError(f'cannot set no-new-privileges to "{value}": write true or false')
        return f"{name}=false" if value == "false" else name
    return name if value is None else f"{name}={value}"


# The grammar of image references: https://github.com/distribution/reference/blob/main/reference.go
HUB = "docker.io"  # whose images need no host in their names
_WORD = "[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_TAG, _ALGORITHM = "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}", "[a-zA-Z0-9_]+"
IMAGE = rf"^(?:{_HOST}/)?{_WORD}(?:/{_WORD})*(?::{_TAG})?(?:@{_ALGORITHM}:[0-9a-f]{{32,}})?$"


def valid_image(text: str) -> str:
    """`text`, if it can name an image. Raises ValueError."""
    if not re.fullmatch(IMAGE, text):
        raise ValueError(f'cannot read the image "{text}": write it like nginx:1.27, in lower case up to the tag')
    return text


def canonical_image(text: str) -> str:
    """The full name an engine means by `text`: `docker.io/library/nginx:latest` for `nginx` and `docker.io/nginx`."""
    name, at, digest = text.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = HUB, name
    if first in (HUB, f"index.{HUB}"):
        first, rest = HUB, rest if "/" in rest else f"library/{rest}"
    if not at and ":" not in rest.rpartition("/")[2]:
        rest += ":latest"
    return f"{first}/{rest}{at}{digest}"
