"""What a file should hold, what it holds, and how both are shown. Used by `file.py` when it observes and when it writes.

A content is bytes, or the path of a file too long to be carried about. A plan compares and shows texts: the content itself
where it is a short text, else its size and the beginning of its SHA-256 (as `sha256sum` prints it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from controller.agents.environment.client import Content, Entry, FileSystem
from controller.agents.environment.failures import failure
from controller.engine.agent import Stalled
from resources.kinds.file import FileSpec, FileType
from resources.template import TemplateError, render

LONGEST_SHOWN = 64 * 1024  # bytes

SOURCE_UNUSABLE = "SourceUnusable"
TEMPLATE_INVALID = "TemplateInvalid"


def compare_contents(
    spec: FileSpec, entry: Entry, files: FileSystem, read_from: Callable[[str], str] = lambda path: path
) -> tuple[str, str]:
    """The content of the file at the path and the wanted one as texts, which are equal just when the contents are.

    `read_from` as in the agent's context. Raises FileNotFoundError when the file has gone.
    """
    try:
        wanted: Content | None = wanted_content(spec, files, read_from)
        why = ""
    except Stalled as problem:
        wanted, why = None, f"({problem.message})"
    try:
        held = files.resolve(spec.path) if entry.size > LONGEST_SHOWN else files.read(spec.path)
        if held == wanted:
            shown = _shown(held, files)
            return shown, shown
        have = _shown(held, files)
    except PermissionError:
        have = "(cannot be read: permission denied)"
    return have, why if wanted is None else _shown(wanted, files)


def wanted_content(spec: FileSpec, files: FileSystem, read_from: Callable[[str], str] = lambda path: path) -> Content:
    """What the spec's content, source or template come to. Raises Stalled when the source or the template can't be used."""
    if spec.source is None:
        text = spec.content or ""
        return (render(text, spec.variables) if spec.template else text).encode()
    source = read_from(spec.source)
    try:
        if not spec.template and files.size(source) > LONGEST_SHOWN:
            return files.resolve(source)
        raw = files.read(source, follow=True)
        return render(raw.decode(), spec.variables).encode() if spec.template else raw
    except OSError as error:
        raise Stalled(SOURCE_UNUSABLE, failure("read the source", spec.source, error).message) from error
    except UnicodeDecodeError:
        remedy = "save it as UTF-8, or drop template: true"
        raise Stalled(
            TEMPLATE_INVALID, f"cannot fill in the template {spec.source}: it isn't UTF-8; {remedy}"
        ) from None
    except TemplateError as error:
        raise Stalled(TEMPLATE_INVALID, f"{error} (in {spec.source})") from None


def print_of_wanted(spec: FileSpec, files: FileSystem) -> str:
    """Tells what the spec makes of a path from all else, but for permissions; as `print_of_found` tells what is there."""
    if spec.type is not FileType.FILE:
        return f"{spec.type} {spec.target or ''}"
    content = wanted_content(spec, files)
    digest = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else files.digest(str(content))
    return f"{spec.type} {digest}"


def print_of_found(path: str, entry: Entry, files: FileSystem) -> str:
    return f"{entry.type} {files.digest(path) if entry.type == FileType.FILE else entry.target}"


def _shown(content: Content, files: FileSystem) -> str:
    """A content as text."""
    if not isinstance(content, bytes):
        return _summary(files.size(str(content)), files.digest(str(content)))
    if len(content) <= LONGEST_SHOWN and b"\0" not in content:
        try:
            return content.decode()
        except UnicodeDecodeError:
            pass
    return _summary(len(content), hashlib.sha256(content).hexdigest())


def _summary(size: int, digest: str) -> str:
    amount = f"{size} bytes" if size < 1 << 10 else f"{size >> 10} KiB" if size < 1 << 20 else f"{size >> 20} MiB"
    return f"({amount}, sha256:{digest[:16]})"
