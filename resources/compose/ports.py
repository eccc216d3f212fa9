"""The ports of a service: `8080:80`, `127.0.0.1:53:53/udp`, `3000-3005:3000-3005` -> long forms. `schema.py` names these."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

from resources.compose.filling import Filling
from resources.compose.nodes import Fields, Path, Place, fields
from resources.compose.scalars import written

_RANGE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)
_PROTOCOLS = ("tcp", "udp", "sctp")


def ports(value: Any, at: Place, path: Path, filling: Filling) -> Iterable[Fields] | None:
    """The long forms of one entry: more than one where it is a range."""
    if isinstance(value, str):
        text = filling.text(value, at, path)
    elif isinstance(value, bool) or not isinstance(value, int):
        filling.wrong(value, at, path, "a port (8080:80) or a mapping (name: value)")
        return None
    else:
        text = written(value)
    if filling.broken(at):
        return None
    try:
        return list(_ports(text, at))
    except ValueError as error:
        filling.fail(at, path, f"cannot read the port {filling.quoted(text, at)}: {error}")
        return None


def _ports(text: str, at: Place) -> Iterator[Fields]:
    before, _, protocol = text.partition("/")
    *left, container = before.rsplit(":", 2) if not before.startswith("[") else _bracketed(before)
    host = left[-1] if left else ""
    ip = left[0] if len(left) > 1 else ""
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise ValueError(f"the protocol is one of {', '.join(_PROTOCOLS)}")
    first, last = _range(container, "write it like 80, 8080:80, 127.0.0.1:8080:80 or 3000-3005:3000-3005")
    published = _range(host, "the published port is a number or a range") if host else None
    address = _address(ip)
    if published and published[1] - published[0] != last - first and first != last:
        raise ValueError("its two ranges are not of the same length")
    for target in range(first, last + 1):
        on_host = None
        if published:
            on_host = str(published[0] + target - first) if first != last or published[0] == published[1] else host
        yield fields(at, mode="ingress", host_ip=address or None, target=target, published=on_host, protocol=protocol)


def _bracketed(text: str) -> list[str]:
    ip, end, rest = text[1:].partition("]:")
    if not end:
        raise ValueError("write an IPv6 address like [::1]:8080:80")
    return [ip, *(rest.rsplit(":", 1) if ":" in rest else ["", rest])]


def _address(ip: str) -> str:
    if not ip:
        return ""
    try:
        ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        raise ValueError("this is no IP address before the ports; IPv6 addresses stand in brackets") from None
    return ip


def _range(text: str, advice: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(text)
    if not found:
        raise ValueError(advice)
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise ValueError("its range ends before it begins")
    if last > 65535:
        raise ValueError("a port is at most 65535")
    return first, last


def check_port(port: Fields, path: Path, filling: Filling) -> None:
    """The long form of a port."""
    if ip := port.get("host_ip"):
        try:
            ipaddress.ip_address(ip.partition("%")[0])
        except ValueError:
            filling.fail(port.place("host_ip"), (*path, "host_ip"), "cannot read this: it takes an IP address")
    published = port.get("published")
    if published and not _RANGE.fullmatch(published):
        at = port.place("published")
        filling.fail(at, (*path, "published"), "cannot read this: it takes a port or a range of ports")
