"""Commits files that a command has edited in a source, and nothing else. `p2 deploy` calls it for an overlay's kustomization.

Hooks of the repository are run, for they are its protections. Nothing is signed: that could ask for a passphrase where nobody
is there to type it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from controller.sources.worktree import CannotRestore, WorkTree, named, work_tree_of


class CannotCommit(Exception):
    """No commit can be made as things are, and none was; the message says what to do."""


def refuse_uncommitted(within: Iterable[Path], own: Iterable[Path] = ()) -> None:
    """Raises CannotCommit unless a commit could be made now. To be asked before the first file is edited.

    It can't be outside of git, on no branch, in the middle of a merge, by nobody, and while tracked files in `within`, files
    and directories, are edited: what would be rolled out is then not what is committed. `own` are left out of that.
    """
    for place in within:
        _checked(place, own)


def commit(paths: Sequence[Path], message: str, within: Iterable[Path] = ()) -> str:
    """Commits `paths` as they are now; what else is staged stays so. Returns the commit, in short.

    Raises CannotCommit as `refuse_uncommitted` does for `within` less `paths`, and when git or one of its hooks refuses.
    """
    refuse_uncommitted(within, paths)
    tree = _checked(paths[0], paths)
    try:
        return tree.commit(
            [Path(os.path.realpath(path)) for path in paths], tree.root, message, "--no-gpg-sign", "--no-edit"
        )
    except CannotRestore as error:
        raise CannotCommit(str(error)) from error


def _checked(place: Path, own: Iterable[Path]) -> WorkTree:
    ours = {os.path.realpath(path) for path in own}
    try:
        tree = work_tree_of(place, "commit")
        if tree is None:
            raise CannotCommit(
                f"cannot commit: {place} is in no git repository, or ignored there; make one with: git init, "
                "and commit what there is"
            )
        tree.branch()
        tree.refuse_without_identity()
        edited = {path for path, how in tree.edited(place).items() if how == "edited" and path not in ours}
    except CannotRestore as error:
        raise CannotCommit(str(error)) from error
    if edited:
        raise CannotCommit(
            f"cannot commit: files of the source are edited: {named(edited, tree.root)}; commit them, or put them away with: "
            "git stash"
        )
    return tree
