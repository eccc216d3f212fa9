"""What a file should hold, what it holds, and how both are shown. Used by `file.py` when it observes and when it writes.

A content is bytes, or the path of a file too long to be carried about. A plan compares and shows texts: the content itself
where it is a short text, else its size and the beginning of its SHA-256 (as `sha256sum` prints it).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from controller.agents.environment.client import Entry, FileSystem
from controller.agents.environment.failures import failure
from controller.engine.agent import Stalled
from resources.kinds.file import FileSpec
from resources.template import TemplateError, render

LONGEST_SHOWN = 64 * 1024  # bytes

SOURCE_MISSING = "SourceMissing"
TEMPLATE_INVALID = "TemplateInvalid"

Content = bytes | Path


def wanted_content(spec: FileSpec, files: FileSystem) -> Content:
    """What the spec's content, source or template come to. Raises Stalled when the source or the template can't be used."""
    if spec.source is None:
        text = spec.content or ""
        return (render(text, spec.variables) if spec.template else text).encode()
    try:
        if not spec.template and files.size(spec.source) > LONGEST_SHOWN:
            return Path(spec.source)
        raw = files.read(spec.source, follow=True)
        return render(raw.decode(), spec.variables).encode() if spec.template else raw
    except OSError as error:
        raise Stalled(SOURCE_MISSING, str(failure("read the source", spec.source, error))) from error
    except UnicodeDecodeError:
        raise Stalled(
            TEMPLATE_INVALID,
            f"cannot fill in the template {spec.source}: it isn't UTF-8 text; use it without template: true",
        ) from None
    except TemplateError as error:
        raise Stalled(TEMPLATE_INVALID, f"{spec.source}: {error}") from None


def compare(path: str, entry: Entry, wanted: Content, files: FileSystem) -> tuple[str, str]:
    """The content of the file at `path` and the wanted one as texts, which are equal just when the contents are."""
    held = held_content(path, entry, files)
    if isinstance(held, bytes) and held == wanted:
        shown = show(held, files)
        return shown, shown
    return show(held, files), show(wanted, files)


def held_content(path: str, entry: Entry, files: FileSystem) -> Content:
    """The content of the file at `path`."""
    return Path(path) if entry.size > LONGEST_SHOWN else files.read(path)


def show(content: Content, files: FileSystem) -> str:
    """A content as text, for a plan."""
    if isinstance(content, Path):
        return _summary(files.size(str(content)), files.digest(str(content), follow=True))
    if len(content) <= LONGEST_SHOWN and b"\0" not in content:
        try:
            return content.decode()
        except UnicodeDecodeError:
            pass
    return _summary(len(content), hashlib.sha256(content).hexdigest())


def _summary(size: int, digest: str) -> str:
    amount = (
        f"{size} bytes"
        if size < 1024
        else f"{size / 1024:.0f} KiB"
        if size < 1 << 20
        else f"{size / (1 << 20):.0f} MiB"
    )
    return f"({amount}, sha256:{digest[:16]})"
