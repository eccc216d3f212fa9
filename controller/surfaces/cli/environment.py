"""An environment that `p2 deploy` rolls out to: an overlay of the source, in a git repository."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.surfaces.cli.command import Refused
from controller.surfaces.cli.pinning import Written
from controller.surfaces.cli.words import place

_OVERLAYS, _TESTS = "overlays", "tests"


@dataclass(frozen=True)
class Environment:
    name: str
    root: Path  # of all environments
    overlay: Path
    kustomization: Path

    @property
    def tests(self) -> Path:
        """Where the resources are that test what is about to be rolled out."""
        return self.overlay / _TESTS

    @property
    def patch(self) -> Path:
        """What is deployed of its Compose resources."""
        from resources.kustomize.deployed import NAME

        return self.overlay / NAME

    @property
    def written(self) -> Written:
        """With the ends of lines as they are."""
        patch = self.patch.read_bytes().decode() if self.patch.is_file() else ""
        return Written(self.kustomization.read_bytes().decode(), patch)

    def write(self, written: Written) -> list[Path]:
        """Returns the files that are others now."""
        before = self.written
        changed = []
        if written.kustomization != before.kustomization:
            self.kustomization.write_bytes(written.kustomization.encode())
            changed.append(self.kustomization)
        if written.patch != before.patch:
            self.patch.write_bytes(written.patch.encode()) if written.patch else self.patch.unlink()
            changed.append(self.patch)
        return changed


def environments(root: Path) -> list[str]:
    """The names of those that there are."""
    return sorted(path.name for path in (root / _OVERLAYS).glob("*") if _kustomization(path))


def complete_environments(ctx: Any, incomplete: str) -> list[str]:
    """For the shell."""
    return [name for name in environments(Path(ctx.params.get("path") or "state")) if name.startswith(incomplete)]


def environment_of(root: Path, name: str) -> Environment:
    """Raises Refused, with the environments that there are."""
    there = environments(root)
    listed = f"there is {', '.join(there)}"
    if not there:
        listed = f"there is none; an environment is a directory with a kustomization in {place(str(root / _OVERLAYS))}"
    if not name:
        raise Refused(f"cannot tell where to deploy to: add --environment NAME; {listed}")
    overlay = root / _OVERLAYS / name
    found = _kustomization(overlay) if "/" not in name else None
    if found is None:
        raise Refused(
            f"cannot find the environment {name}: there is no {place(str(overlay))}/kustomization.yaml; {listed}"
        )
    return Environment(name, root, overlay, found)


def _kustomization(directory: Path) -> Path | None:
    from resources.kustomize.kustomization import NAMES

    return next((directory / name for name in NAMES if (directory / name).is_file()), None)


def refuse_uncommitted(places: Iterable[Path], files: Iterable[str] = (), read: Iterable[str] = ()) -> None:
    """Raises Refused unless what is in these places is as committed, and a commit can be made.

    `files` must be in git, too, unless it is told to ignore them. Of `read`, paths wherever they are, none may be edited.
    """
    from controller.sources import committing
    from controller.sources.worktree import named, work_tree_of

    with _refusing():
        within = list(places)
        tree = work_tree_of(within[0], "deploy")
        # What lies elsewhere is not committed with this, and so is no part of it.
        own = [path for path in within if tree is None or _tree_root(path) == tree.root]
        committing.refuse_uncommitted(own)
        if tree is None:
            return
        states = tree.edited(tree.root)
    if edited := {real for path in read if states.get(real := os.path.realpath(path)) == "edited"}:
        raise Refused(
            f"cannot deploy: files that the source refers to are edited: {named(edited, tree.root)}; commit them, or put "
            "them away with: git stash"
        )
    new = sorted(file for file in files if _untracked(file, states))
    if new:
        raise Refused(
            f"cannot deploy: files of the source are not in git yet: {', '.join(map(place, new))}; commit them"
        )


def _tree_root(path: Path) -> Path | None:
    from controller.sources.worktree import work_tree_of

    found = work_tree_of(path, "deploy")
    return found.root if found else None


def _untracked(file: str, edited: Mapping[str, str]) -> bool:
    real = Path(file).resolve()
    return any(
        how == "not in git yet" and (real == Path(path) or real.is_relative_to(Path(path)))
        for path, how in edited.items()
    )


def commit(paths: list[Path], message: str, within: Iterable[Path]) -> str:
    """Commits these files; returns the commit. Raises Refused, and then none was made."""
    from controller.sources import committing

    with _refusing():
        return committing.commit(paths, message, within)


def going_back(commit: str) -> str:
    """Says in the message of a commit which one it takes back."""
    return f"This takes back commit {commit}."


def taken_back(environment: Environment, commit: str) -> bool:
    """Whether a commit was taken back, and nothing was committed since."""
    from controller.sources.worktree import work_tree_of

    with _refusing():
        tree = work_tree_of(environment.overlay, "deploy")
        since = tree.messages_since(commit) if tree and commit else []
    return len(since) == 1 and going_back(commit) in since[0]


@contextmanager
def _refusing() -> Iterator[None]:
    from controller.sources.committing import CannotCommit
    from controller.sources.worktree import CannotRestore

    try:
        yield
    except (CannotCommit, CannotRestore) as error:
        raise Refused(str(error)) from error
