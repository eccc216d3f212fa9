"""Short forms of single fields -> their long forms: `8080:80`, `./src:/app:ro`, `90s`, `1g`. `schema.py` names each.

All take a text with its variables filled in; what is wrong with it they report, and give back None.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from resources.compose.filling import Filling
from resources.compose.nodes import Fields, Items, Path, Place
from resources.compose.scalars import written
from resources.compose.units import amount, duration, nanoseconds
from resources.compose.words import split

_PORT = re.compile(
    r"(?:(?P<ip>\[[^\]]*\]|[^:\[\]]*):)?(?:(?P<host>[^:]*):)?(?P<container>[^:/]+)(?:/(?P<protocol>.*))?", re.ASCII
)
_RANGE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)
_PROTOCOLS = ("tcp", "udp", "sctp")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_PROPAGATION = ("rprivate", "private", "rshared", "shared", "rslave", "slave")
_CONSISTENCY = ("cached", "delegated", "consistent")  # of file sharing with a virtual machine; means nothing on Linux


def fields(at: Place, **values: Any) -> Fields:
    """Fields that all stand where their short form does; those that are None are left out."""
    made = Fields()
    for name, value in values.items():
        if value is not None:
            made.put(name, value, at, at)
    return made


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


def volume(text: str, at: Place, path: Path, filling: Filling) -> Fields | None:
    """`[source:]target[:options]`"""
    if _WINDOWS.match(text):
        way_out = "write a path of this machine, or name a volume with more letters"
        filling.fail(at, path, f"cannot mount the Windows path {filling.quoted(text, at)}: {way_out}")
        return None
    source, target, options, rest = [*text.split(":", 3), None, None, None][:4]
    if target is None:
        source, target = None, source
    if not target or source == "" or options == "" or rest is not None:
        advice = "write it like data:/var/lib/data, ./src:/app or ./src:/app:ro"
        filling.fail(at, path, f"cannot read the volume {filling.quoted(text, at)}: {advice}")
        return None
    is_path = source is not None and source[0] in "./~"
    bind: dict[str, Any] = {"create_host_path": True} if is_path else {}
    inner: dict[str, Any] = {}
    read_only = False
    for option in (options or "").split(",") if options else ():
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option == "nocopy":
            inner["nocopy"] = True
        elif option in ("z", "Z"):
            bind["selinux"] = option
        elif option in _PROPAGATION:
            bind["propagation"] = option
        elif option not in _CONSISTENCY:
            filling.warn(
                at, path, f"an option of {filling.quoted(text, at)} is not known: it is left out, as Compose does"
            )
    return fields(
        at,
        type="bind" if is_path else "volume",
        source=filling.absolute(source) if source and is_path else source,
        target=_clean(target),
        read_only=read_only or None,
        bind=fields(at, **bind) if bind else None,
        volume=fields(at, **inner) if inner or not is_path else None,
    )


def _clean(path: str) -> str:
    """The path without what it has too much; of two slashes at its beginning, too, one goes."""
    return re.sub(r"^//(?!/)", "/", posixpath.normpath(path))


def check_volume(volume: Fields, path: Path, filling: Filling) -> None:
    """The long form of a mount; the source of a bind mount is made absolute."""
    source, at = volume.get("source"), volume.place("source")
    if isinstance(source, str) and _WINDOWS.match(source):
        filling.fail(at, (*path, "source"), "cannot mount a Windows path: write a path of this machine")
    elif volume.get("type") == "bind" and isinstance(source, str):
        volume["source"] = filling.absolute(source)
    if isinstance(target := volume.get("target"), str) and target:
        volume["target"] = _clean(target)


def device(text: str, at: Place, path: Path, filling: Filling) -> Fields | None:
    """`source[:target[:permissions]]`"""
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        filling.fail(
            at,
            path,
            f"cannot read the device {filling.quoted(text, at)}: write it like /dev/a, /dev/a:/dev/b or /dev/a:/dev/b:r",
        )
        return None
    source, target, permissions = [*parts, "", ""][:3]
    return fields(at, source=source, target=target or source, permissions=permissions or "rwm")


def source(text: str, at: Place, path: Path, filling: Filling) -> Fields:
    """The name of a config or secret."""
    return fields(at, source=text)


def context(text: str, at: Place, path: Path, filling: Filling) -> Fields:
    return fields(at, context=context_path(text, at, path, filling))


def context_path(text: str, at: Place, path: Path, filling: Filling) -> str:
    """A directory, made absolute, or what is fetched from elsewhere."""
    remote = ("https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:")
    if "://" in text or text.startswith(remote):
        return text
    return filling.absolute(text)


def local_path(text: str, at: Place, path: Path, filling: Filling) -> str:
    return filling.absolute(text)


def env_file(text: str, at: Place, path: Path, filling: Filling) -> Fields:
    return fields(at, path=filling.absolute(text), required=True)


def extended(text: str, at: Place, path: Path, filling: Filling) -> Fields:
    return fields(at, service=text)


def included(text: str, at: Place, path: Path, filling: Filling) -> Fields:
    return fields(at, path=one(filling.absolute(text), at, path, filling))


def command(text: str, at: Place, path: Path, filling: Filling) -> Items | None:
    """The words of a command."""
    try:
        words, rest = split(text)
    except ValueError as error:
        filling.fail(at, path, f"cannot split this into words: {error}; close it, or write the command as a list")
        return None
    if rest:
        message = f'the command ends before the "{rest[0]}": Compose runs no shell; put the whole in quotes after sh -c'
        filling.warn(at, path, message)
    found = Items()
    for word in words:
        found.add(word, at)
    return found


def health_test(text: str, at: Place, path: Path, filling: Filling) -> Items:
    found = Items()
    for word in ("CMD-SHELL", text):
        found.add(word, at)
    return found


def check_health(health: Fields, path: Path, filling: Filling) -> None:
    test = health.get("test")
    if test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        filling.fail(
            test.places[0], (*path, "test"), "cannot begin with this: write CMD, CMD-SHELL or NONE first, or a text"
        )


def time(text: str, at: Place, path: Path, filling: Filling) -> str | None:
    try:
        return duration(nanoseconds(text))
    except ValueError:
        filling.fail(at, path, "cannot read the duration: write it like 30s, 1m30s, 2h or 500ms")
        return None


def memory(text: str, at: Place, path: Path, filling: Filling) -> str | None:
    """Bytes, as text; 0 says nothing."""
    found = swappiness(text, at, path, filling)
    return "" if found == "0" else found


def swappiness(text: str, at: Place, path: Path, filling: Filling) -> str | None:
    """A number that is written as an amount of memory, and of which 0 says something."""
    try:
        return str(amount(text))
    except ValueError:
        filling.fail(at, path, "cannot read the amount: write it like 512m, 2g or a number of bytes")
        return None


def microseconds(text: str, at: Place, path: Path, filling: Filling) -> int | None:
    """A number of microseconds, or a duration."""
    try:
        return int(text) if text.lstrip("-").isdigit() else nanoseconds(text) // 1000
    except ValueError:
        filling.fail(at, path, "cannot read this: write microseconds, or a duration like 400ms")
        return None


def host(text: str, at: Place, path: Path, filling: Filling) -> str | None:
    """`name=address`, whichever way it was written."""
    name, sign, address = text.partition("=") if "=" in text else text.partition(":")
    if not sign or not address:
        filling.fail(at, path, f"cannot read the host {filling.quoted(text, at)}: write it like name=address")
        return None
    return f"{name}={address.removeprefix('[').removesuffix(']')}"


def all_gpus(text: str, at: Place, path: Path, filling: Filling) -> Items | None:
    if text != "all":
        filling.fail(at, path, "cannot read this: write all, or a list of requests")
        return None
    found = Items()
    found.add(fields(at, count=-1), at)
    return found


def one(text: str, at: Place, path: Path, filling: Filling) -> Items:
    """A list of the one text."""
    found = Items()
    found.add(text, at)
    return found


def one_or_none(text: str, at: Place, path: Path, filling: Filling) -> Items:
    return one(text, at, path, filling) if text else Items()


def one_path(text: str, at: Place, path: Path, filling: Filling) -> Items:
    return one(filling.absolute(text), at, path, filling)


def one_env_file(text: str, at: Place, path: Path, filling: Filling) -> Items:
    found = Items()
    found.add(env_file(text, at, path, filling), at)
    return found


def external(thing: Fields, path: Path, filling: Filling) -> None:
    """`external: {name: …}`, the old form, becomes `external: true` and `name`; beside external only a name may stand."""
    outside = thing.get("external")
    if isinstance(outside, Fields):
        name, at = outside.get("name"), thing.names["external"]
        if name is not None and thing.get("name") not in (None, name):
            filling.fail(at, (*path, "external", "name"), "cannot have two names: keep name, and write external: true")
        filling.warn(at, (*path, "external"), "external.name is deprecated: write name, and external: true")
        thing.put("external", True, at, at)
        if name is not None and "name" not in thing:
            thing.put("name", name, outside.names["name"], outside.values_at["name"])
    if thing.get("external") is True:
        for name in thing:
            if name not in ("external", "name"):
                message = (
                    f'cannot have "{name}" beside external: what is external is made elsewhere; remove one of them'
                )
                filling.fail(thing.names[name], (*path, name), message)


def check_request(request: Fields, path: Path, filling: Filling) -> None:
    """A request for devices: so many, or these; all of them where it says neither."""
    if "count" not in request and "device_ids" not in request:
        at = next(iter(request.names.values()), ("", 0, 0))
        request.put("count", -1, at, at)
    if "count" in request and "device_ids" in request:
        at = request.names["device_ids"]
        filling.fail(at, path, "cannot have count and device_ids together: remove one of them")


def anything(text: str, at: Place, path: Path, filling: Filling) -> str | None:
    """A text that is left out of its list where it is empty."""
    return text or None


def ssh(text: str, at: Place, path: Path, filling: Filling) -> str:
    """`default`, or `name=path` with the path made absolute."""
    name, _, key = text.partition("=")
    return f"{name}={filling.absolute(key)}" if key else name
