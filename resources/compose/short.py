"""Short forms of single fields -> their long forms: `90s`, `1g`, `name=address`, a command as one text. `schema.py` names each.

All take a text with its variables filled in; what is wrong with it they report, and give back None. See `ports.py` and
`mounts.py` for the larger ones.
"""

from __future__ import annotations

from resources.compose.filling import Filling
from resources.compose.nodes import Fields, Items, Path, Place, fields
from resources.compose.units import amount, duration, nanoseconds
from resources.compose.words import split


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
    return fields(at, path=one(compose_file(text, at, path, filling), at, path, filling))


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


def compose_file(text: str, at: Place, path: Path, filling: Filling) -> str:
    """The path of another Compose file, made absolute."""
    if "://" in text or text.startswith("git@"):
        filling.fail(at, path, "cannot load this from elsewhere: copy the file to this machine, and name its path")
    return filling.absolute(text)


def one_compose_file(text: str, at: Place, path: Path, filling: Filling) -> Items:
    return one(compose_file(text, at, path, filling), at, path, filling)


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
