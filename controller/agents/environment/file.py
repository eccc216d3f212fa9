"""The agent of kind `File`: files, directories and symbolic links.

How a content is compared: `observe` works out what the spec's content, source or template come to, and puts it beside what
the file holds (`FileObserved.wanted` and `.content`), so that `diff` stays pure. Should the wanted content be impossible
to work out (the source is gone), that is said in its place, and raised when it is to be written: observing for a deletion
must not fail for it.

Files carry no mark. Their handle is type and path: what is at that path is ours whatever its content, unless something of
another type has taken its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Event as Flag
from typing import ClassVar

from controller.agents.environment.accounts import Accounts
from controller.agents.environment.client import Entry, FileSystem, Permissions, WritableFileSystem
from controller.agents.environment.content import compare_contents, print_of_found, print_of_wanted, wanted_content
from controller.agents.environment.difference import NEW_MODE, plan_file
from controller.agents.environment.failures import PATH_UNUSABLE, explained, failure
from controller.agents.environment.kept import Kept
from controller.engine.agent import (
    AgentHealth,
    Context,
    Done,
    Failure,
    Outcome,
    Relist,
    Retry,
    Scope,
    Seen,
    Setup,
    SingleAgent,
    Stalled,
    Step,
)
from resources.conditions import Reason
from resources.kinds.file import File, FileObserved, FileSpec, FileType
from resources.meta import DeletionPolicy, Key
from resources.plan import Plan

READ_ONLY = "ReadOnly"


class FileAgent(SingleAgent[File, FileObserved]):
    model = File
    system = "environment"
    batch: ClassVar[int] = 256
    workers: ClassVar[int] = 4
    marks: ClassVar[bool] = False

    def __init__(self, client: FileSystem, setup: Setup) -> None:
        self._files = client
        self._kept = Kept(client, setup.home)

    # -- looking -------------------------------------------------------------------------------------------------

    def observe(self, resources: Sequence[File], ctx: Context) -> Mapping[Key, Seen[FileObserved] | Failure]:
        accounts = Accounts()
        return {resource.key: self._look(resource.spec, accounts, ctx) for resource in resources}

    def _look(self, spec: FileSpec, accounts: Accounts, ctx: Context) -> Seen[FileObserved] | Failure:
        held = wanted = None
        try:
            entry = self._files.look(spec.path)
            if entry is None:
                return Seen(None)
            if entry.type == spec.type == FileType.FILE:
                held, wanted = compare_contents(spec, entry, self._files, ctx.read_from)
        except FileNotFoundError:
            return Seen(None)  # it went between the two looks
        except OSError as error:
            return failure("look at", spec.path, error)
        value = FileObserved(
            type=entry.type,
            content=held,
            wanted=wanted,
            target=entry.target or None,
            mode=f"{entry.mode:04o}",
            owner=accounts.owner(entry.uid, spec.owner),
            group=accounts.group(entry.gid, spec.group),
        )
        return Seen(value, _handle(entry.type, spec.path))

    def diff(self, desired: File, last: File | None, observed: FileObserved | None) -> Plan:
        return plan_file(desired, last, observed)

    def same_owner(self, handle: str, seen: Seen[FileObserved]) -> bool:
        """Also when a link has taken the place of our file: putting the file back loses nothing but the link."""
        kind, _, path = handle.partition(":")
        return seen.handle == handle or (kind == FileType.FILE and seen.handle == _handle(FileType.SYMLINK, path))

    def watch(self, scope: Scope, stop: Flag) -> Iterator[Key | Relist]:
        from controller.agents.environment.watch import FileWatch  # a command that doesn't watch needn't load inotify

        return FileWatch(scope, stop).hints()

    def health(self, ctx: Context) -> AgentHealth:
        return AgentHealth(available=True)

    # -- changing ------------------------------------------------------------------------------------------------

    def tidy(self, resources: Sequence[File], *, gone: bool) -> None:
        """Half-written files; and half an adoption of what is no longer to be had is undone."""
        for resource in resources:
            path = resource.spec.path
            with explained("clear up at", path):
                self._writable.tidy(path)
                entry = self._files.look(path)
                if gone and entry and self._half_adopted(path, entry):
                    self._give_up(resource.spec, self._kept.place(path))

    def apply(self, steps: Sequence[Step[File, FileObserved]], ctx: Context) -> Mapping[Key, Outcome]:
        """Directories before what is in them; for deletions the other way round, and last."""
        makes = sorted((step for step in steps if step.desired), key=_path)
        deletes = sorted((step for step in steps if not step.desired), key=_path, reverse=True)
        return super().apply([*makes, *deletes], ctx)

    def create(self, step: Step[File, FileObserved], ctx: Context) -> Done:
        spec = _spec(step)
        self._expect_nothing(spec)
        return self._make(spec, _as_new(spec))

    def update(self, step: Step[File, FileObserved], ctx: Context) -> Done:
        """Rewrites the content or the link only where the plan says so; what the spec leaves open stays as it is."""
        spec = _spec(step)
        permissions = _as_planned(step.plan, self._look_again(spec.path))
        if {change.path for change in step.plan.changes} & {"content", "target"}:
            return self._make(spec, permissions)
        with explained("change", spec.path):
            self._writable.permit(spec.path, permissions)
        return Done(_handle(spec.type, spec.path))

    def adopt(self, step: Step[File, FileObserved], ctx: Context) -> Done:
        """Takes over what is there. It is kept aside if the spec says `adopt`, not if it is taken back for being equal."""
        spec = _spec(step)
        entry = self._look_again(spec.path)
        if spec.adopt and entry:
            kept = self._keep_aside(step, entry)
        else:
            kept = self._kept.place(spec.path) if self._kept.find(spec.path) else ""
        if entry is None or entry.type != spec.type or _moved_from(step):
            self._clear(spec.path, spec.type)
            self._make(spec, _as_new(spec))
        elif step.plan.changes:
            self.update(step, ctx)
        if kept:
            with explained("note what was kept of", spec.path):
                self._kept.complete(self._writable, spec.path)
        left = self._leave_old_path(step)
        return Done(_handle(spec.type, spec.path), kept, left.message if left else "")

    def _keep_aside(self, step: Step[File, FileObserved], entry: Entry) -> str:
        """Where it is kept. What was kept before is older, and so the truth, unless somebody else has written to the path
        while that adoption was under way.

        Also when that adoption came to its end, and only the inventory has forgotten it: what is there now is then what
        was made of it, perhaps with changes, which are put beside the old content.
        """
        path, ours = _spec(step).path, print_of_wanted(_spec(step), self._files)
        with explained("keep aside", path):
            if self._kept.find(path) is None:
                self._kept.put_aside(self._writable, path, entry, ours)
            elif not step.plan.changes or self._half_adopted(path, entry):
                self._kept.expect(self._writable, path, ours)
            elif self._kept.is_complete(path):
                self._kept.put_beside(self._writable, path, entry)
                self._kept.expect(self._writable, path, ours)
            else:
                self._kept.put_aside(self._writable, path, entry, ours)
        return self._kept.place(path)

    def _half_adopted(self, path: str, entry: Entry) -> bool:
        """Whether what is at `path` was put there by an adoption that may not have been recorded."""
        return self._kept.expects(path, print_of_found(path, entry, self._files))

    def replace(self, step: Step[File, FileObserved], ctx: Context) -> Done:
        """The new thing first: a crash in between leaves both, and the next run removes the old one."""
        spec = _spec(step)
        if step.seen.value is None:
            self._expect_nothing(spec)
        self._clear(spec.path, spec.type)
        made = self._make(spec, _as_new(spec))
        left = self._leave_old_path(step)
        return Done(made.handle, left.kept, left.message) if left else made

    def delete(self, step: Step[File, FileObserved], ctx: Context) -> Done:
        assert step.last is not None
        return self._give_up(step.last.spec, step.kept)

    def _expect_nothing(self, spec: FileSpec) -> None:
        """Raises Retry for what has appeared since it was looked at; a directory may have been made for what lies in it."""
        if spec.type is not FileType.DIRECTORY and self._look_again(spec.path) is not None:
            why = "it has appeared since it was looked at; it is looked at again by itself"
            raise Retry(Reason.APPLY_FAILED, f"cannot create {spec.path}: {why}", after=0.0)

    def _make(self, spec: FileSpec, permissions: Permissions) -> Done:
        """Makes it, in place of what may be there once `_clear` was called."""
        match spec.type:
            case FileType.FILE:
                content = wanted_content(spec, self._files)
                with explained("write", spec.path):
                    self._writable.write(spec.path, content, permissions)
            case FileType.DIRECTORY:
                with explained("make the directory", spec.path):
                    self._writable.make_directory(spec.path, permissions)
            case FileType.SYMLINK:
                assert spec.target is not None
                with explained("make the symlink", spec.path):
                    self._writable.link(spec.path, spec.target, permissions)
        return Done(_handle(spec.type, spec.path))

    def _clear(self, path: str, kind: str) -> None:
        """Removes what can't be replaced in one step by a thing of type `kind`. Raises Stalled when that would lose files."""
        entry = self._look_again(path)
        if entry is None or entry.type == kind or (entry.type != "directory" and kind != "directory"):
            return
        with explained("remove", path):
            if entry.type != "directory":
                self._writable.remove(path)
            elif not self._writable.remove_directory(path):
                remedy = "move what is in it elsewhere, or change the path"
                raise Stalled(
                    PATH_UNUSABLE, f"cannot put a {kind} in place of the directory {path}: not empty; {remedy}"
                )

    def _leave_old_path(self, step: Step[File, FileObserved]) -> Done | None:
        """Gives up the path that the last applied spec had, where this one has another."""
        before = _moved_from(step)
        if before is None or before.deletionPolicy is DeletionPolicy.RETAIN:
            return None
        return self._give_up(before, step.kept)

    def _give_up(self, spec: FileSpec, kept: str) -> Done:
        """Puts back what an adoption has kept, or removes what we made; a directory only when it is empty."""
        entry = self._look_again(spec.path)
        if entry is not None and (entry.type == "directory") is not (spec.type is FileType.DIRECTORY):
            return Done(kept="", message=f"left {spec.path}: a {entry.type} has taken the place of the {spec.type}")
        earlier = self._kept.find(spec.path)
        if earlier is not None:
            self._clear(spec.path, earlier.type)
            with explained("put back", spec.path):
                self._kept.put_back(self._writable, spec.path, earlier)
            return Done(kept="", message=f"put back what was at {spec.path} before")
        if kept:
            return Done(kept="", message=f"left {spec.path} as it is: what was there before is no longer in {kept}")
        with explained("remove", spec.path):
            if spec.type is not FileType.DIRECTORY:
                self._writable.remove(spec.path)
            elif not self._writable.remove_directory(spec.path):
                return Done(message=f"left the directory {spec.path}: it is not empty")
        return Done()

    def _look_again(self, path: str) -> Entry | None:
        with explained("look at", path):
            return self._files.look(path)

    @property
    def _writable(self) -> WritableFileSystem:
        if not isinstance(self._files, WritableFileSystem):
            raise Stalled(READ_ONLY, "cannot change files: this client only reads")
        return self._files


def _handle(kind: str, path: str) -> str:
    return f"{kind}:{path}"


def _spec(step: Step[File, FileObserved]) -> FileSpec:
    assert step.desired is not None
    return step.desired.spec


def _moved_from(step: Step[File, FileObserved]) -> FileSpec | None:
    """The last applied spec, if its path was another."""
    before = step.last.spec if step.last else None
    return before if before and before.path != _spec(step).path else None


def _path(step: Step[File, FileObserved]) -> str:
    resource = step.desired or step.last
    return resource.spec.path if resource else ""


def _as_new(spec: FileSpec) -> Permissions:
    """What the spec says, and the usual mode where it says none."""
    accounts, mode = Accounts(), spec.mode or NEW_MODE.get(spec.type)
    return Permissions(int(mode, 8) if mode else None, accounts.uid(spec.owner), accounts.gid(spec.group))


def _as_planned(plan: Plan, entry: Entry | None) -> Permissions:
    """What the plan changes; the rest as it is."""
    accounts, to = Accounts(), {change.path: change.desired for change in plan.changes}
    mode = int(to["mode"], 8) if "mode" in to else None
    return Permissions(mode, accounts.uid(to.get("owner")), accounts.gid(to.get("group")), entry)
