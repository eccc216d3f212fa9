"""Desired state in memory: which resource is in force for each key, and what is wrong across resources.

The manager feeds it revisions and gets back what they changed. All work is proportional to the revision, not to the index:
claims, dependents and duplicates are kept as maps that a revision updates.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.engine.graph import cycle_through
from controller.engine.revision import Condition, Revision
from resources.conditions import Reason
from resources.meta import Claim, Declared, Key, Problem, Resource


@dataclass(frozen=True, slots=True)
class Entry:
    """The declaration in force for one key."""

    declared: Declared
    generation: int
    dependencies: frozenset[Key]

    @property
    def owner(self) -> Key | None:
        """What stands for it, if anything does."""
        return self.declared.owner

    @property
    def resource(self) -> Resource:
        return self.declared.resource

    @property
    def digest(self) -> str:
        return self.declared.digest


@dataclass(frozen=True, slots=True)
class Edits:
    """What a revision changed. `touched`: not edited, but what is wrong with them, or around them, has changed."""

    edited: frozenset[Key] = frozenset()  # new, or with another digest
    moved: frozenset[Key] = frozenset()  # the same in another file
    removed: frozenset[Key] = frozenset()
    touched: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a resource can't be worked on although its own document is in order."""

    reason: Reason
    message: str


# (key, digest) -> the generation of that desired state, going on from what earlier runs have counted.
Generations = Callable[[Key, str], int]
# Whether a resource is for this machine.
Mine = Callable[[Resource], bool]
# file -> its last good declarations as an earlier run has applied them.
Recall = Callable[[str], Sequence[Declared]]
Subscriber = Callable[[Sequence[Resource], Sequence[Resource]], None]


class Index:
    """Not safe for concurrent writing: one thread takes revisions. Reading single keys from others is safe."""

    def __init__(
        self, generations: Generations, recall: Recall = lambda file: (), mine: Mine = lambda resource: True
    ) -> None:
        self._generations = generations
        self._recall = recall
        self._mine = mine
        self._files: dict[str, tuple[Declared, ...]] = {}
        self._elsewhere: dict[Key, dict[str, Resource]] = {}  # for other machines, by the file that declares it
        self._away: dict[str, tuple[Key, ...]] = {}  # file -> what of it is for other machines
        self._broken: dict[str, tuple[Problem, ...]] = {}
        self._declarations: dict[Key, list[Declared]] = {}  # more than one: declared twice, the first is in force
        self._twice: set[Key] = set()
        self._entries: dict[Key, Entry] = {}
        self._dependents: dict[Key, set[Key]] = {}
        self._claims: dict[tuple[str, str], list[tuple[Claim, Key]]] = {}
        self._claimed: dict[Key, tuple[Claim, ...]] = {}
        self._inside: dict[tuple[str, str], set[Key]] = {}  # place -> what lies in it, claimed or not
        self._children: dict[Key, set[Key]] = {}
        self._conflicts: dict[Key, Conflict] = {}
        self._subscribers: dict[str, list[Subscriber]] = {}
        self._given_up: frozenset[Key] = frozenset()  # while the source is missing or empty
        self.condition = Condition.OK
        self.message = ""

    # -- taking revisions in ---------------------------------------------------------------------------------------

    def take(self, revision: Revision, *, partly: bool = False) -> Edits:
        """Makes `revision` what is desired. A file with problems keeps its last good documents in force.

        With `partly`, the good documents of such a file count, and only its others stay as they were.
        """
        was, self.condition, self.message = self.condition, revision.condition, revision.message
        around = self._entries.keys() if was is not self.condition else ()  # all of them are to say so
        if revision.condition is not Condition.OK:
            return Edits(touched=frozenset(around))  # nothing is known of the source: all that was in force stays so
        edits = self._take_in(self._without(revision, self._given_up & revision.leaving), partly)
        self._given_up = frozenset()
        return replace(edits, touched=edits.touched | (frozenset(around) - edits.edited - edits.removed))

    def give_up(self, keys: Collection[Key]) -> Edits:
        """Takes out of force what the user lets go while the source, missing or empty, says nothing of it any more."""
        if self.condition is Condition.OK:
            return Edits()
        files = {entry.declared.origin.file for key in keys if (entry := self._entries.get(key))}
        self._given_up |= frozenset(keys)
        in_force = Revision({file: self._files[file] for file in files}, whole=False)
        return self._take_in(self._without(in_force, self._given_up), partly=False)

    @staticmethod
    def _without(revision: Revision, keys: Collection[Key]) -> Revision:
        if not keys:
            return revision
        kept = {file: tuple(d for d in found if d.key not in keys) for file, found in revision.documents.items()}
        return replace(revision, documents=kept)

    def _take_in(self, revision: Revision, partly: bool) -> Edits:
        before: dict[Key, Entry | None] = {}
        was_broken = self._broken.copy()
        self._take_files(revision, before, partly)
        self._settle_entries(before)
        removed = {key for key, old in before.items() if old and key not in self._entries}
        edited, moved = set(), set()
        for key, old in before.items():
            if new := self._entries.get(key):
                if old is None or old.digest != new.digest:
                    edited.add(key)
                elif old.declared.origin != new.declared.origin:
                    moved.add(key)
        touched = self._recheck(edited | removed)
        for file in {*was_broken, *self._broken}:
            if was_broken.get(file) != self._broken.get(file):
                touched.update(self.declared_in(file))
        touched -= edited | removed
        self._tell_subscribers(edited, removed, before)
        return Edits(frozenset(edited), frozenset(moved), frozenset(removed), frozenset(touched))

    def _take_files(self, revision: Revision, before: dict[Key, Entry | None], partly: bool) -> None:
        named = revision.documents.keys() | revision.problems.keys()
        gone = (self._files.keys() | self._broken.keys()) - named if revision.whole else revision.gone
        for file in gone:
            self._broken.pop(file, None)
            self._replace_file(file, (), before)
        for file, problems in revision.problems.items():
            # Not there: broken since before this process started, unless another file declares it meanwhile.
            recalled = () if file in self._files else self._recall(file)
            last_good = self._files.get(file) or tuple(d for d in recalled if d.key not in self._declarations)
            good = revision.partial.get(file, ()) if partly else ()
            renewed = {declared.key for declared in good}
            self._replace_file(file, (*good, *(d for d in last_good if d.key not in renewed)), before)
            self._broken[file] = problems
        for file, documents in revision.documents.items():
            if file not in revision.problems:
                self._broken.pop(file, None)
                self._replace_file(file, documents, before)

    def _replace_file(self, file: str, documents: tuple[Declared, ...], before: dict[Key, Entry | None]) -> None:
        old = self._files.pop(file, ())
        documents = self._ours(file, documents)
        if documents:
            self._files[file] = documents
        kept, known = {id(declared) for declared in documents}, {id(declared) for declared in old}
        new: dict[Key, list[Declared]] = {}
        for declared in documents:
            if id(declared) not in known:
                before.setdefault(declared.key, self._entries.get(declared.key))
                new.setdefault(declared.key, []).append(declared)
        for declared in old:
            if id(declared) not in kept:
                before.setdefault(declared.key, self._entries.get(declared.key))
                self._succeed(declared, new.get(declared.key))
        for key, declarations in new.items():
            if declarations:
                self._declarations.setdefault(key, []).extend(declarations)

    def _ours(self, file: str, documents: tuple[Declared, ...]) -> tuple[Declared, ...]:
        """Those that are for this machine. Of the others only this is kept, that they are there."""
        for key in self._away.pop(file, ()):
            self._elsewhere[key].pop(file, None)
            if not self._elsewhere[key]:
                del self._elsewhere[key]
        others = {declared.key: declared.resource for declared in documents if not self._mine(declared.resource)}
        if not others:
            return documents
        self._away[file] = tuple(others)
        for key, resource in others.items():
            self._elsewhere.setdefault(key, {})[file] = resource
        return tuple(declared for declared in documents if self._mine(declared.resource))

    def _succeed(self, declared: Declared, successors: list[Declared] | None) -> None:
        """Puts the first of `successors` in the place of `declared`: an edit makes none the younger of two."""
        declarations = self._declarations[declared.key]
        place = next(number for number, other in enumerate(declarations) if other is declared)
        declarations[place : place + 1] = [successors.pop(0)] if successors else []

    def _settle_entries(self, before: dict[Key, Entry | None]) -> None:
        for key in list(before):
            declarations = self._declarations.get(key)
            (self._twice.add if declarations and len(declarations) > 1 else self._twice.discard)(key)
            if declarations:
                self._enter(declarations[0], before)
            else:
                self._declarations.pop(key, None)
                self._leave(key, before)

    def _enter(self, declared: Declared, before: dict[Key, Entry | None]) -> None:
        key, old = declared.key, self._entries.get(declared.key)
        before.setdefault(key, old)
        self._belong(key, old.owner if old else None, declared.owner)
        if old and old.digest == declared.digest:
            self._entries[key] = replace(old, declared=declared)
            return
        resource = declared.resource
        claims = tuple(resource.claims())
        if old:
            self._unlink(key, old, keeping=claims)
        entry = Entry(declared, self._generation(declared, old), resource.dependencies())
        self._entries[key] = entry
        for dependency in entry.dependencies:
            self._dependents.setdefault(dependency, set()).add(key)
        if claims:
            self._claimed[key] = claims
        for claim in claims:
            bucket = self._claims.setdefault((claim.what, claim.value), [])
            if (claim, key) not in bucket:  # a claim that is kept through an edit keeps its place before younger ones
                bucket.append((claim, key))
        for place in resource.within():
            self._inside.setdefault((place.what, place.value), set()).add(key)

    def _belong(self, key: Key, before: Key | None, now: Key | None) -> None:
        """Notes what stands for `key`."""
        if before == now:
            return
        if before and (others := self._children.get(before)):
            others.discard(key)
            if not others:
                del self._children[before]
        if now:
            self._children.setdefault(now, set()).add(key)

    def _generation(self, declared: Declared, old: Entry | None) -> int:
        """Each desired state has one of its own, counted on from what earlier runs and this one have seen."""
        counted = self._generations(declared.key, declared.digest)
        return max(counted, old.generation + 1) if old else counted

    def _leave(self, key: Key, before: dict[Key, Entry | None]) -> None:
        if entry := self._entries.pop(key, None):
            before.setdefault(key, entry)
            self._belong(key, entry.owner, None)
            self._unlink(key, entry)

    def _unlink(self, key: Key, entry: Entry, keeping: Collection[Claim] = ()) -> None:
        for dependency in entry.dependencies:
            dependents = self._dependents[dependency]
            dependents.discard(key)
            if not dependents:
                del self._dependents[dependency]
        for claim in self._claimed.pop(key, ()):
            if claim in keeping:
                continue
            bucket = self._claims[claim.what, claim.value]
            bucket.remove((claim, key))
            if not bucket:
                del self._claims[claim.what, claim.value]
        for place in entry.resource.within():
            inside = self._inside[place.what, place.value]
            inside.discard(key)
            if not inside:
                del self._inside[place.what, place.value]

    # -- what is wrong across resources ----------------------------------------------------------------------------

    def _recheck(self, changed: Iterable[Key]) -> set[Key]:
        """Works out conflicts again around `changed`; returns the keys whose conflict is another than before."""
        around = set(changed) | self._conflicts.keys()
        for key in changed:
            around |= self.dependents(key)
        pending, touched = list(around), set()
        while pending:
            key = pending.pop()
            conflict = self._conflict(key) if key in self._entries else None
            if conflict and conflict.reason is Reason.DEPENDENCY_CYCLE:
                whole = set(cycle_through(key, self.dependencies) or ()) - around
                around |= whole
                pending.extend(whole)
            if conflict != self._conflicts.get(key):
                touched.add(key)
                if conflict:
                    self._conflicts[key] = conflict
                else:
                    del self._conflicts[key]
        return touched

    def _conflict(self, key: Key) -> Conflict | None:
        entry = self._entries[key]
        if missing := [dependency for dependency in sorted(entry.dependencies) if dependency not in self._entries]:
            return Conflict(Reason.DEPENDENCY_MISSING, self._missing(key, missing))
        for dependency in sorted(entry.dependencies):
            if unfit := entry.resource.unfit(self._entries[dependency].resource):
                return Conflict(Reason.DEPENDENCY_MISSING, unfit)
        if self.dependencies(key) and (cycle := cycle_through(key, self.dependencies)):
            path = " -> ".join(step.short for step in cycle)
            return Conflict(
                Reason.DEPENDENCY_CYCLE, f"cannot order a cycle of dependencies: {path}; remove one of them"
            )
        for claim in self._claimed.get(key, ()):
            for other, holder in self._claims[claim.what, claim.value]:
                if holder == key:
                    break  # what comes after has claimed it later than this one
                if claim.collides(other):
                    place = self._entries[holder].declared.origin
                    message = f"cannot use {claim}: {holder.short} ({place}) has it; give one of them another"
                    return Conflict(Reason.CLAIMED, message)
        return None

    def _missing(self, key: Key, missing: Sequence[Key]) -> str:
        for dependency in missing:
            if nodes := ", ".join(sorted(other.spec.node or "" for other in self.elsewhere(dependency))):
                return (
                    f"cannot use {dependency.short}, which {key.short} needs: it is another machine's "
                    f"({nodes}, by its spec.node); give both the same node, or drop the reference"
                )
        names = " and ".join(dependency.short for dependency in missing)
        return f"cannot find {names}, which {key.short} needs: declare it, or drop the reference"

    def problems(self) -> list[Problem]:
        """All that is wrong with the source: in files, and across resources; in the order of files."""
        found = list(dict.fromkeys(problem for problems in self._broken.values() for problem in problems))
        for key, conflict in self._conflicts.items():
            origin = self._entries[key].declared.origin
            found.append(Problem(origin.file, conflict.message, field=key.short, key=key, document=origin.document))
        for key in self._twice:
            first = self._declarations[key][0].origin
            for again in self._declarations[key][1:]:
                where = (
                    f"{first.file}"
                    if first.file != again.origin.file
                    else f"document {first.document + 1} of this file"
                )
                message = f"cannot declare {key.short} twice: {where} declares it already; rename or remove one"
                found.append(
                    Problem(again.origin.file, message, field=key.short, key=key, document=again.origin.document)
                )
        return sorted(found, key=lambda p: (p.file, p.line, p.column, p.document or 0, p.message))

    # -- asking ----------------------------------------------------------------------------------------------------

    def find(self, key: Key) -> Entry | None:
        return self._entries.get(key)

    def entries(self) -> Mapping[Key, Entry]:
        return self._entries

    def all_elsewhere(self) -> Sequence[Resource]:
        """What is declared for other machines; several may have one of the same key, and this one, too."""
        return [resource for others in list(self._elsewhere.values()) for resource in list(others.values())]

    def elsewhere(self, key: Key) -> Sequence[Resource]:
        """As `all_elsewhere`, of one key."""
        return list(self._elsewhere.get(key, {}).values())

    def conflict(self, key: Key) -> Conflict | None:
        return self._conflicts.get(key)

    def dependencies(self, key: Key) -> frozenset[Key]:
        """What `key` needs: what it names, and who claims the places that it lies in."""
        entry = self._entries.get(key)
        if entry is None:
            return frozenset()
        holders = (self.claimant(place) for place in entry.resource.within())
        return entry.dependencies.union(holder for holder in holders if holder)

    def dependents(self, key: Key) -> frozenset[Key]:
        """The keys that need `key`, whether it is there or not."""
        inside = (self._inside.get((claim.what, claim.value), ()) for claim in self._claimed.get(key, ()))
        return frozenset(self._dependents.get(key, ())).union(*inside)

    def children(self, key: Key) -> frozenset[Key]:
        """What `key` stands for."""
        return frozenset(self._children.get(key, ()))

    def with_children(self, keys: Iterable[Key]) -> frozenset[Key]:
        """`keys`, and all that they stand for."""
        found = set(keys)
        pending = list(found)
        while pending:
            more = self.children(pending.pop()) - found
            found |= more
            pending.extend(more)
        return frozenset(found)

    def claimant(self, claim: Claim) -> Key | None:
        """Whose claim this is: the first that made one colliding with it."""
        bucket = self._claims.get((claim.what, claim.value), ())
        return next((key for other, key in bucket if claim.collides(other)), None)

    def declared_in(self, file: str) -> tuple[Key, ...]:
        """Keys that a file declares."""
        return tuple(declared.key for declared in self._files.get(file, ()))

    def broken(self) -> Mapping[str, tuple[Problem, ...]]:
        """Files that can't be used, with the reasons."""
        return self._broken

    def of_kind(self, kind: str) -> list[Resource]:
        return [entry.resource for key, entry in list(self._entries.items()) if key.kind == kind]

    def subscribe(self, kind: str, subscriber: Subscriber) -> None:
        """Calls `subscriber(added or edited, removed)` for resources of `kind` at the end of each revision."""
        self._subscribers.setdefault(kind, []).append(subscriber)

    def _tell_subscribers(self, edited: set[Key], removed: set[Key], before: Mapping[Key, Entry | None]) -> None:
        for kind, subscribers in self._subscribers.items():
            arrived = [self._entries[key].resource for key in edited if key.kind == kind]
            left = [old.resource for key in removed if key.kind == kind and (old := before[key])]
            for subscriber in subscribers if arrived or left else ():
                subscriber(arrived, left)
