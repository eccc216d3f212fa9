"""The agent of kind `File`: files, directories and symbolic links.

How a content is compared: `observe` works out what the spec's content, source or template come to, and puts it beside what
the file holds (`FileObserved.wanted` and `.content`), so that `diff` stays pure. Should the wanted content be impossible
to work out (the source is gone), that is said in its place and raised when it is to be written: observing for a deletion
must not fail for it.

Files carry no mark. Their handle is their type and path: what is at that path is ours whatever its content, unless
something of another type has taken its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from controller.agents.environment.accounts import Accounts
from controller.agents.environment.client import Entry, FileSystem, Permissions, WritableFileSystem
from controller.agents.environment.content import compare, wanted_content
from controller.agents.environment.failures import explained, failure
from controller.engine.agent import AgentHealth, Context, Done, Failure, Seen, Setup, SingleAgent, Stalled, Step
from controller.engine.diff import within
from resources.kinds.file import File, FileObserved, FileSpec, FileType
from resources.meta import Key
from resources.plan import Action, Change, Disruption, Plan, Why

NEW_MODE = {FileType.FILE: "0644", FileType.DIRECTORY: "0755"}


class FileAgent(SingleAgent[File, FileObserved]):
    model = File
    system = "environment"
    batch: ClassVar[int] = 256
    workers: ClassVar[int] = 2

    def __init__(self, client: FileSystem, setup: Setup) -> None:
        self._files = client

    def observe(self, resources: Sequence[File], ctx: Context) -> Mapping[Key, Seen[FileObserved] | Failure]:
        accounts = Accounts()
        return {resource.key: self._look(resource.spec, accounts) for resource in resources}

    def _look(self, spec: FileSpec, accounts: Accounts) -> Seen[FileObserved] | Failure:
        try:
            entry = self._files.look(spec.path)
            if entry is None:
                return Seen(None)
            held, wanted = self._contents(spec, entry)
        except FileNotFoundError:
            return Seen(None)  # it went between two looks
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

    def _contents(self, spec: FileSpec, entry: Entry) -> tuple[str | None, str | None]:
        if not entry.type == spec.type == FileType.FILE:
            return None, None
        try:
            wanted = wanted_content(spec, self._files)
            return compare(spec.path, entry, wanted, self._files)
        except Stalled as problem:
            return None, f"({problem.message})"
        except PermissionError:
            return "(cannot be read: permission denied)", ""

    def diff(self, desired: File, last: File | None, observed: FileObserved | None) -> Plan:
        before = last.spec if last else None
        if before is not None and before.path != desired.spec.path:
            moved = Change("path", before.path, desired.spec.path, Why.EDITED)
            return Plan(desired.key, Action.REPLACE, (moved,), Disruption.RECREATE)
        if observed is None:
            return Plan(desired.key, Action.CREATE)
        changes = tuple(_visible(desired.spec, _changes(desired.spec, before, observed)))
        if any(change.path == "type" for change in changes):
            return Plan(desired.key, Action.REPLACE, changes, Disruption.RECREATE)
        return Plan(desired.key, Action.UPDATE if changes else Action.NONE, changes)

    def create(self, step: Step[File, FileObserved], ctx: Context) -> Done:
        assert step.desired is not None
        spec, accounts = step.desired.spec, Accounts()
        permissions = _permissions(spec, accounts)
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

    def update(self, step: Step[File, FileObserved], ctx: Context) -> Done:
        return self.create(step, ctx)

    def delete(self, step: Step[File, FileObserved], ctx: Context) -> Done:
        assert step.last is not None
        spec = step.last.spec
        with explained("remove", spec.path):
            if spec.type is FileType.DIRECTORY:
                if not self._writable.remove_directory(spec.path):
                    return Done(message=f"left {spec.path}: the directory is not empty")
            else:
                self._writable.remove(spec.path)
        return Done()

    def health(self, ctx: Context) -> AgentHealth:
        return AgentHealth(available=True)

    @property
    def _writable(self) -> WritableFileSystem:
        if not isinstance(self._files, WritableFileSystem):
            raise Stalled("ReadOnly", "cannot change files in a dry run")
        return self._files


def _handle(kind: str, path: str) -> str:
    return f"{kind}:{path}"


def _visible(spec: FileSpec, changes: Iterator[Change]) -> Iterator[Change]:
    return (change for change in changes if not any(within(change.path, path) for path in spec.ignore))


def _changes(spec: FileSpec, before: FileSpec | None, observed: FileObserved) -> Iterator[Change]:
    if observed.type != spec.type:
        yield Change("type", observed.type, str(spec.type), _why(spec, before, "type"))
        return
    if observed.content != observed.wanted:
        why = _why(spec, before, "content", "source", "template", "variables")
        yield Change("content", observed.content, observed.wanted, why)
    for name in ("target", "mode", "owner", "group"):
        want, have = getattr(spec, name), getattr(observed, name)
        if want is None and name == "mode" and before is not None and before.mode is not None:
            want = NEW_MODE.get(spec.type)
        if want is not None and want != have:
            yield Change(name, have, want, _why(spec, before, name))


def _why(spec: FileSpec, before: FileSpec | None, *names: str) -> Why:
    if before is None:
        return Why.NEW
    if all(getattr(spec, name) == getattr(before, name) for name in names):
        return Why.DRIFTED
    return Why.DROPPED if all(getattr(spec, name) is None for name in names) else Why.EDITED


def _permissions(spec: FileSpec, accounts: Accounts) -> Permissions:
    mode = spec.mode or NEW_MODE.get(spec.type)
    return Permissions(int(mode, 8) if mode else None, accounts.uid(spec.owner), accounts.gid(spec.group))
