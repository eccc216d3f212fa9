"""Names for processes that no later process shares, and whether such a one still lives. The audit calls it.

A process id alone is used again; with the time of its start and the id of the boot it is not:
https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html (field 22), https://man7.org/linux/man-pages/man4/random.4.html
"""

from __future__ import annotations

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_START = 19  # of the fields after the command's name, which may itself hold blanks and brackets


def this_process() -> str:
    """The name of this process."""
    return _named(os.getpid())


def is_alive(name: str) -> bool:
    """Whether the process that had this name from `this_process` still lives."""
    pid = name.partition(" ")[0]
    return pid.isdecimal() and _named(int(pid)) == name


def _named(pid: int) -> str:
    try:
        started = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[_START]
        boot = _BOOT.read_text().strip()
    except (OSError, IndexError):
        return ""
    return f"{pid} {started} {boot}"
