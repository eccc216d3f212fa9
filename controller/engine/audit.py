"""What the audit holds: one entry for each action on the world, and for each command that asked for some.

The witness (witness.py) makes those of actions, the command line those of commands; `store/audit.py` keeps them for good.
Nothing here holds a value of a field, desired or observed. Imports no model: see `surfaces/cli/unchanged.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resources.meta import Key


class Ending(StrEnum):
    """How an action or a command ended."""

    DONE = "done"
    STARTED = "started"  # it goes on: outside this process, or as the controller
    FAILED = "failed"
    REFUSED = "refused"  # a command that was not carried out; nothing was changed
    INTERRUPTED = "interrupted"  # by a person, or by the end of the process


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action, or with `key` None one command. `action` is the action's name, or the command's ("apply")."""

    at: float  # seconds since the epoch when it was written down; it had begun `seconds` before
    action: str
    outcome: Ending = Ending.DONE
    key: Key | None = None
    user: str = ""  # a login name, or "controller"
    command: str = ""  # as typed: "p2 apply state"; empty for what the controller does by itself
    cause: str = ""  # requests.Cause, of an action
    fields: tuple[str, ...] = ()  # names of the fields that were to be changed
    generation: int = 0  # of the desired state it was about
    file: str = ""  # where that was declared
    reason: str = ""  # why it failed, in one word
    message: str = ""
    code: int | None = None  # exit code, of a command
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries are wanted; what is left empty chooses all."""

    keys: frozenset[Key] = frozenset()
    kinds: frozenset[str] = frozenset()
    since: float = 0.0  # seconds since the epoch
    user: str = ""  # also finds "root (ada)" for ada
    action: str = ""
    outcome: Ending | None = None
    limit: int = 100  # the newest
