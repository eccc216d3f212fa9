"""Which files of a directory tree are desired state. `files.py` walks the tree with it; nothing here opens a file."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass, field

from controller.engine.revision import Condition
from resources.meta import Problem

SUFFIXES = (".yaml", ".yml")
KUSTOMIZATIONS = frozenset(("kustomization.yaml", "kustomization.yml", "Kustomization"))
# Compose files, which a resource refers to: compose.yaml, docker-compose.prod.yml.
_COMPOSE = re.compile(r"(docker-)?compose(\.[^/]*)?\.ya?ml", re.IGNORECASE)


@dataclass
class Tree:
    """What a walk has found. All paths are real ones, but for those of links and of problems."""

    files: dict[str, None] = field(default_factory=dict)  # in the order of their names
    directories: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)  # symbolic links that were followed, or could not be
    outside: set[str] = field(default_factory=set)  # directories of files that links lead to
    overlays: set[str] = field(default_factory=set)  # directories with a kustomization: sources of their own, left out
    problems: dict[str, Problem] = field(default_factory=dict)  # by the path of what can't be used
    condition: Condition = Condition.OK
    message: str = ""


def walk(root: str) -> Tree:
    """All files of desired state in the directory `root`, or `root` itself if it is a file."""
    tree = Tree()
    try:
        if stat.S_ISDIR(os.stat(root).st_mode):
            with os.scandir(root):  # an unreadable root is the whole source's trouble, not one directory's
                pass
            pending = [root]
            while pending:
                pending += _enter(pending.pop(), tree)
        else:
            tree.files[root] = None
            tree.outside.add(os.path.dirname(root))
    except FileNotFoundError:
        tree.condition, tree.message = Condition.MISSING, f"cannot find {root}: put it back, or name another"
    except OSError as error:
        tree.condition, tree.message = Condition.UNREADABLE, f"cannot read {root}: {error.strerror}; make it readable"
    return tree


def is_overlay(directory: str) -> bool:
    """Whether there is a kustomization in it, which says what belongs to it."""
    return any(os.path.lexists(os.path.join(directory, name)) for name in KUSTOMIZATIONS)


def is_wanted(name: str) -> bool:
    """Whether a file of this name is desired state: YAML, neither hidden nor an editor's temporary, and no Compose file."""
    return name.lower().endswith(SUFFIXES) and not is_hidden(name) and not _COMPOSE.fullmatch(name)


def is_hidden(name: str) -> bool:
    return name[0] in ".#~"


def _enter(directory: str, tree: Tree) -> list[str]:
    """Takes in one directory; returns those below it, last one first."""
    if directory in tree.directories:
        return []  # reached by a link before
    try:
        with os.scandir(directory) as listing:
            entries = sorted((entry for entry in listing if not is_hidden(entry.name)), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []  # gone since it was listed
    except OSError as error:
        _refuse(directory, f"cannot list this directory: {error.strerror}; make it readable", tree)
        return []
    if tree.directories and any(entry.name in KUSTOMIZATIONS for entry in entries):
        tree.overlays.add(directory)
        return []
    tree.directories.add(directory)
    below = []
    for entry in entries:
        if not _is_utf8(entry.name):
            _refuse(entry.path, "cannot use a name that is not UTF-8: rename it", tree)
        elif entry.is_symlink():
            below += _follow(entry, tree)
        elif entry.is_dir(follow_symlinks=False):
            below.append(entry.path)
        elif is_wanted(entry.name):
            tree.files[entry.path] = None
    return below[::-1]


def _follow(link: os.DirEntry[str], tree: Tree) -> list[str]:
    tree.links.add(link.path)
    try:
        target = os.path.realpath(link.path, strict=True)
        is_directory = stat.S_ISDIR(os.stat(target).st_mode)
    except OSError as error:
        if is_wanted(link.name):
            _refuse(link.path, _cannot_follow(link.path, error), tree)
        return []
    if is_directory and _within(link.path, target):
        _refuse(link.path, f"cannot follow this link: it leads back to {target}; remove it", tree)
    elif is_directory:
        return [target]
    elif is_wanted(link.name):
        tree.files[target] = None
        tree.outside.add(os.path.dirname(target))
    return []


def _cannot_follow(path: str, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "cannot follow this link: it leads back to itself; remove it"
    if error.errno == errno.ENOENT:
        return f"cannot follow this link: {os.readlink(path)} is not there; put it back, or remove the link"
    return f"cannot follow this link: {error.strerror}; make what it leads to readable, or remove it"


def _refuse(path: str, message: str, tree: Tree) -> None:
    shown = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    tree.problems[shown] = Problem(shown, message)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _within(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")
