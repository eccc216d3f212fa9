"""Who runs a command: the name that history and audit keep."""

from __future__ import annotations

import os
from pathlib import Path

_UNSET = (
    4294967295  # of a process that nobody logged in for: https://man7.org/linux/man-pages/man5/proc_pid_loginuid.5.html
)


def person(uid: int | None = None, pid: int | None = None) -> str:
    """The login name of a process's user (default: of this one); `root (ada)` for ada who became root."""
    name = _login_name(os.geteuid() if uid is None else uid)
    logged_in = _logged_in(pid)
    return name if logged_in in (None, name) else f"{name} ({logged_in})"


def _logged_in(pid: int | None) -> str | None:
    """Whose login session the process belongs to, where the kernel knows."""
    try:
        uid = int(Path(f"/proc/{pid or 'self'}/loginuid").read_text())
    except (OSError, ValueError):
        return None
    return None if uid == _UNSET else _login_name(uid)


def _login_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
