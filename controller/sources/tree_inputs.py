"""Directories that specs refer to as a whole (the context of a build): `inputs.py` treats their content as it does files'."""

from __future__ import annotations

import os
from collections.abc import Iterable

from controller.trees import Survey, Trees
from resources.meta import Tree


class TreeInputs:
    """The trees of all files of a source, and who uses them."""

    def __init__(self) -> None:
        self._trees = Trees()
        self._surveys: dict[Tree, Survey] = {}
        self._users: dict[Tree, set[str]] = {}  # tree -> files that declare resources with it
        self._used: dict[str, set[Tree]] = {}
        self._at: dict[str, set[Tree]] = {}  # directory -> trees that are seen to change in it

    def digest(self, tree: Tree) -> bytes:
        """Of all that counts in it, as it was looked at last."""
        return self._survey(tree).digest.encode()

    def use(self, file: str, trees: Iterable[Tree]) -> None:
        """Notes what the resources that `file` declares have as trees, in place of what was noted before."""
        used = set(trees)
        for tree in self._used.pop(file, set()) - used:
            self._users[tree].discard(file)
            if not self._users[tree]:
                del self._users[tree]
                self._forget(tree)
                self._trees.forget(tree)
        for tree in used:
            self._users.setdefault(tree, set()).add(file)
        if used:
            self._used[file] = used

    def changed(self) -> set[str]:
        """Files whose resources have a tree with another content than before."""
        return self._users_of(self._users)

    def changed_at(self, hints: Iterable[str]) -> set[str]:
        """The same among the trees that these paths are in."""
        if not self._at:
            return set()
        places = {place for hint in hints for place in (hint, os.path.dirname(hint))}
        return self._users_of({tree for place in places for tree in self._at.get(place, ())})

    def directories(self) -> set[str]:
        """Where changes of trees are seen."""
        for tree in self._users:
            self._survey(tree)
        return set(self._at)

    def looked_at(self) -> set[str]:
        """All paths that have a say in any of them."""
        return {path for tree in self._users for path in self._survey(tree).paths}

    def _survey(self, tree: Tree) -> Survey:
        if tree not in self._surveys:
            self._surveys[tree] = survey = self._trees.survey(tree)
            for directory in survey.directories:
                self._at.setdefault(directory, set()).add(tree)
        return self._surveys[tree]

    def _users_of(self, trees: Iterable[Tree]) -> set[str]:
        return {user for tree in list(trees) if self._differs(tree) for user in self._users.get(tree, ())}

    def _differs(self, tree: Tree) -> bool:
        before = self._forget(tree)
        return before is not None and self._survey(tree).digest != before.digest

    def _forget(self, tree: Tree) -> Survey | None:
        before = self._surveys.pop(tree, None)
        for directory in before.directories if before else ():
            self._at[directory].discard(tree)
            if not self._at[directory]:
                del self._at[directory]
        return before
