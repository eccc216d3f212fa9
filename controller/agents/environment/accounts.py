"""Users and groups of this machine, by name or id. Made anew for every call of the agent, so that it is never stale."""

from __future__ import annotations

import grp
import pwd

from controller.engine.agent import Stalled

NO_ACCOUNT = "NoSuchAccount"


class Accounts:
    """Looks up each account once."""

    def __init__(self) -> None:
        self._uids: dict[str, int | None] = {}
        self._gids: dict[str, int | None] = {}
        self._users: dict[int, str] = {}
        self._groups: dict[int, str] = {}

    def owner(self, uid: int, like: str | None) -> str:
        """What to call a user: as `like` does where that means this user, else by name, else by id."""
        if like is not None and self._uid(like) == uid:
            return like
        if uid not in self._users:
            self._users[uid] = _user_name(uid)
        return self._users[uid]

    def group(self, gid: int, like: str | None) -> str:
        """What to call a group, in the same manner."""
        if like is not None and self._gid(like) == gid:
            return like
        if gid not in self._groups:
            self._groups[gid] = _group_name(gid)
        return self._groups[gid]

    def uid(self, owner: str | None) -> int:
        """The user's id; -1 for None. Raises Stalled for a name that isn't there."""
        found = -1 if owner is None else self._uid(owner)
        if found is None:
            raise Stalled(
                NO_ACCOUNT, f'cannot give a file to the user "{owner}": create the user, or change spec.owner'
            )
        return found

    def gid(self, group: str | None) -> int:
        """The group's id; -1 for None. Raises Stalled for a name that isn't there."""
        found = -1 if group is None else self._gid(group)
        if found is None:
            raise Stalled(NO_ACCOUNT, f'cannot give a file to the group "{group}": create it, or change spec.group')
        return found

    def _uid(self, owner: str) -> int | None:
        if owner not in self._uids:
            self._uids[owner] = int(owner) if owner.isdecimal() else _user_id(owner)
        return self._uids[owner]

    def _gid(self, group: str) -> int | None:
        if group not in self._gids:
            self._gids[group] = int(group) if group.isdecimal() else _group_id(group)
        return self._gids[group]


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _user_id(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _group_id(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
