"""How a command is written down in the audit: by `recording.py`, and by `unchanged.py`, which imports no model."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from controller.engine.audit import AuditEntry, Ending

_HIDDEN = "(secret)"
# What may be a secret in a command line: the password in a URL, and the value of an option that is called like one.
_IN_URL = r"(\w+:/+[^\s/:@]*:)[^\s/@]+(?=@)"
_IN_OPTION = r"(?i)(--?[\w-]*(?:password|passwd|passphrase|secret|token|api-?key)[\w-]*(?:=|\s+))('[^']*'|\S+)"


def as_typed(words: Iterable[str]) -> str:
    """The command line: `p2 apply state`."""
    return shlex.join(["p2", *words])


def entry_of(command: str, typed: str, user: str, at: float) -> AuditEntry:
    """That `command` has begun."""
    return AuditEntry(at, command, user=user, command=without_secrets(typed or f"p2 {command}"))


def broken_off(error: BaseException) -> tuple[Ending, str, int]:
    """How a command ended that was interrupted, or could not show what it had to: with why, and the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return Ending.INTERRUPTED, "", 130  # 128 + SIGINT
    if isinstance(error, BrokenPipeError):
        return Ending.FAILED, "the reader of its output has gone", 141  # 128 + SIGPIPE
    return Ending.REFUSED, unwritable(error), 2


def unwritable(error: BaseException) -> str:
    """What is said where the output can't be written."""
    return f"cannot write the output: {getattr(error, 'strerror', None) or error}"


def missing(trouble: Exception) -> str:
    """What is said where the audit can't be written."""
    return f"this command is missing in the audit: {trouble}"


def without_secrets(text: str) -> str:
    """`text` without what may be a password in it."""
    return re.sub(_IN_OPTION, rf"\1{_HIDDEN}", re.sub(_IN_URL, rf"\1{_HIDDEN}", text))
