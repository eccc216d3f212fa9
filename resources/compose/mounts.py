"""What is mounted into a service: `./src:/app:ro`, `/dev/a:/dev/b` -> long forms. `schema.py` names these."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from resources.compose.filling import Filling
from resources.compose.nodes import Fields, Path, Place, fields

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_PROPAGATION = ("rprivate", "private", "rshared", "shared", "rslave", "slave")
_CONSISTENCY = ("cached", "delegated", "consistent")  # of file sharing with a virtual machine; means nothing on Linux


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
