"""The git work tree that a source lies in: whether older versions can be committed there, and the commit that does it.

`restoring.py` uses it for `p2 rollback`, `committing.py` for `p2 deploy`, `texts.py` asks whether files differ from the
commit. Git is run as a program: its own settings, hooks and protections count.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 60.0  # seconds for a question
HOOKS = 600.0  # seconds for a commit with its hooks

# Where git is told to work by the environment of one of its hooks, which may have started us.
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")
# What git keeps in its directory while something is under way, and what that is.
_UNDER_WAY = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisect",
}
_HOW_TO_END = {
    "a merge": "git merge --abort",
    "a rebase": "git rebase --abort",
    "a cherry-pick": "git cherry-pick --abort",
    "a revert": "git revert --abort",
    "a bisect": "git bisect reset",
}


class CannotRestore(Exception):
    """Git can't be given older versions, or new ones, as things are; the message says what to do. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The remote branch that a branch follows."""

    remote: str
    branch: str


@dataclass(frozen=True, slots=True)
class WorkTree:
    """`root` is its top, `git` its own directory below `.git`; `purpose` what can't be done if something is not as it must be."""

    root: Path
    git: Path
    purpose: str = "roll back"

    def branch(self) -> str:
        """The branch that is checked out. Raises CannotRestore when there is none, or something is under way."""
        for name, what in _UNDER_WAY.items():
            if (self.git / name).exists():
                raise CannotRestore(
                    f"cannot {self.purpose}: {what} is under way in {self.root}; finish it, or end it with: {_HOW_TO_END[what]}"
                )
        found = _git(self.root, "symbolic-ref", "--quiet", "--short", "HEAD")
        if found.returncode:
            raise CannotRestore(
                f"cannot {self.purpose}: {self.root} is on no branch (detached HEAD), so a commit would be lost; "
                "check out a branch first: git switch BRANCH"
            )
        return found.stdout.strip()

    def upstream(self, branch: str) -> Upstream | None:
        remote = _setting(self.root, f"branch.{branch}.remote")
        merge = _setting(self.root, f"branch.{branch}.merge")
        return Upstream(remote, merge.removeprefix("refs/heads/")) if remote and merge and remote != "." else None

    def refuse_without_identity(self) -> None:
        """Raises CannotRestore when git does not know who commits."""
        for variable in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            if _git(self.root, "var", variable).returncode:
                raise CannotRestore(
                    f"cannot {self.purpose}: git does not know who commits in {self.root}; say so: "
                    'git config --global user.name "YOUR NAME" and git config --global user.email YOU@EXAMPLE.ORG'
                )

    def edited(self, within: Path) -> dict[str, str]:
        """Real paths of files in `within` that are not as committed, with what they are: edited, untracked, ignored."""
        found = _git(
            self.root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored=matching",
            "--", str(within),
        )  # fmt: skip
        if found.returncode:
            raise CannotRestore(f"cannot {self.purpose}: git can't say what is edited in {within}: {_said(found)}")
        kinds = {"??": "not in git yet", "!!": "ignored by git"}
        lines = [line for line in found.stdout.split("\0") if line]
        return {str(self.root / line[3:]): kinds.get(line[:2], "edited") for line in lines}

    def changes_since(self, commit: str, within: Path) -> list[str] | None:
        """Commits after `commit` that changed something in `within`, newest first. None where git can't say."""
        if not commit or _git(self.root, "merge-base", "--is-ancestor", commit, "HEAD").returncode:
            return None
        found = _git(self.root, "log", "--no-merges", "--format=%h", f"{commit}..HEAD", "--", str(within))
        return found.stdout.split() if not found.returncode else None

    def messages_since(self, commit: str) -> list[str]:
        """Of all commits after `commit`, newest first; none where git can't say."""
        found = _git(self.root, "log", "-z", "--format=%B", f"{commit}..HEAD")
        return [each for each in found.stdout.split("\0") if each] if not found.returncode else []

    def differs(self, commit: str, within: Path) -> bool | None:
        """Whether what git has in `within`, or does not ignore there, is another than in `commit`. None where git can't say."""
        found = _git(self.root, "diff", "--quiet", commit, "--", str(within))
        if found.returncode not in (0, 1):
            return None
        return bool(found.returncode) or "not in git yet" in self.edited(within).values()

    def commit(self, paths: Sequence[Path], within: Path, message: str, *options: str) -> str:
        """Commits these files as they are now, and nothing else that is staged or edited. Returns the commit, in short.

        Raises CannotRestore when git, or one of its hooks, refuses; what is staged is then as before.
        """
        new = self._untracked(paths, within)
        if new:
            added = _git(self.root, "add", "--intent-to-add", *_FROM_STDIN, paths=new)
            if added.returncode:
                raise CannotRestore(f"cannot {self.purpose}: git does not take the files: {_said(added)}")
        done = _git(
            self.root, "commit", "--quiet", "--only", *options, "-m", message, *_FROM_STDIN, paths=paths, timeout=HOOKS
        )  # fmt: skip
        if done.returncode:
            if new:
                _git(self.root, "reset", "--quiet", *_FROM_STDIN, paths=new)
            raise CannotRestore(f"cannot {self.purpose}: git made no commit, so the files are as before: {_said(done)}")
        return _git(self.root, "rev-parse", "--short", "HEAD").stdout.strip()

    def _untracked(self, paths: Sequence[Path], within: Path) -> list[Path]:
        directory = within if within.is_dir() else within.parent
        tracked = set(_git(directory, "ls-files", "-z").stdout.split("\0"))
        return [path for path in paths if path.exists() and os.path.relpath(path, directory) not in tracked]


_FROM_STDIN = ("--pathspec-from-file=-", "--pathspec-file-nul")


def work_tree_of(path: Path, purpose: str = "roll back") -> WorkTree | None:
    """The work tree that `path` lies in, unless git is told to ignore it there. Raises CannotRestore if git refuses to look."""
    directory = path if path.is_dir() else path.parent
    try:
        found = _git(directory, "rev-parse", "--show-toplevel", "--absolute-git-dir")
    except FileNotFoundError:
        if any((place / ".git").exists() for place in (directory, *directory.parents)):
            raise CannotRestore(f"cannot {purpose}: {path} is in git, and git is not installed; install it") from None
        return None
    if found.returncode:
        if "dubious ownership" in found.stderr:
            raise CannotRestore(_foreign(directory, purpose))
        return None
    root, git = found.stdout.splitlines()[:2]
    if _git(directory, "check-ignore", "--quiet", "--stdin", "-z", paths=[path], literal=False).returncode == 0:
        return None
    return WorkTree(Path(root), Path(git), purpose)


def is_dirty(path: Path) -> bool | None:
    """Whether files at `path` differ from what is committed; None where git can't say."""
    try:
        found = _git(
            path if path.is_dir() else path.parent, "status", "--porcelain", "--untracked-files=all", "--", str(path)
        )
    except OSError:
        return None
    return bool(found.stdout.strip()) if not found.returncode else None


def command(*words: str) -> str:
    """A command line to be typed."""
    return shlex.join(["git", *words])


def _foreign(directory: Path, purpose: str) -> str:
    top = next((place for place in (directory, *directory.parents) if (place / ".git").exists()), directory)
    return (
        f"cannot {purpose}: the repository {top} belongs to another user, and git does not use such a one; "
        f"run this as its owner, or tell git to trust it: {command('config', '--global', '--add', 'safe.directory', str(top))}"
    )


def _setting(root: Path, name: str) -> str:
    return _git(root, "config", "--get", name).stdout.strip()


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """What git, or a hook, had to say, on one line."""
    lines = [line.strip() for line in f"{done.stderr}\n{done.stdout}".splitlines() if line.strip()]
    return "; ".join(lines[:6]) or f"git ended with {done.returncode}"


def _git(
    directory: Path, *words: str, paths: Iterable[Path] = (), timeout: float = TIMEOUT, literal: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs git. Paths mean themselves, never patterns (check-ignore can't be told so); nobody is asked for anything."""
    words = ("git", "-C", str(directory), *words)
    try:
        return subprocess.run(
            words,
            input="\0".join(map(str, paths)),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
            env=_environment(os.environ) | {"GIT_LITERAL_PATHSPECS": str(int(literal))},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"git took longer than {timeout:.0f} s")


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in own.items() if name not in _ELSEWHERE}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def named(paths: Collection[str], root: Path) -> str:
    """The first of some files, as seen from `root`, and how many more there are."""
    shown = sorted(os.path.relpath(path, root) for path in paths)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
