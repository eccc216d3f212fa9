"""Kinds and keys as people type them: `container/web`, `containers`, `Container/shop/web`; and their completion."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.surfaces.cli.command import Refused

if TYPE_CHECKING:
    from resources.meta import Key


@dataclass(frozen=True, slots=True)
class Selection:
    """Kinds and single keys; nothing chosen is everything."""

    kinds: frozenset[str]
    keys: frozenset[Key]

    @property
    def everything(self) -> bool:
        return not (self.kinds or self.keys)

    def __contains__(self, key: Key) -> bool:
        return self.everything or key.kind in self.kinds or key in self.keys


def kind_named(text: str) -> str:
    """The kind that a user means: any case, singular, plural or short. Raises Refused naming the nearest."""
    from resources import kinds

    if found := kinds.resolve(text):
        return found
    raise Refused(f'cannot find the kind "{text}": {_nearest(text, kinds.names())}')


def key_named(text: str) -> Key:
    """The key that a user means by `kind/name` or `kind/namespace/name`. Raises Refused."""
    from resources.meta import Key

    try:
        written = Key.parse(text)
    except ValueError as error:
        raise Refused(str(error)) from error
    return written._replace(kind=kind_named(written.kind))


def selected(texts: Iterable[str]) -> Selection:
    """What the arguments `KIND` and `KIND/NAME` of one command choose. Raises Refused."""
    words = list(texts)
    return Selection(
        frozenset(kind_named(word) for word in words if "/" not in word),
        frozenset(key_named(word) for word in words if "/" in word),
    )


def known(keys: Iterable[Key], among: Collection[Key], where: str) -> frozenset[Key]:
    """`keys`, all of which must be `among`. Raises Refused naming the one that is not and what is like it."""
    wanted = frozenset(keys)
    for key in sorted(wanted):
        if key not in among:
            raise Refused(f"cannot find {key.short} in {where}: {_nearest(key.short, [k.short for k in among])}")
    return wanted


def _nearest(text: str, among: Sequence[str]) -> str:
    import difflib

    by_lower = {name.lower(): name for name in among}
    if close := difflib.get_close_matches(text.lower(), by_lower, n=1):
        return f"did you mean {by_lower[close[0]]}?"
    if not among:
        return "there is nothing"
    shown = sorted(among)
    return f"there is {', '.join(shown[:8])}{' and more' if len(shown) > 8 else ''}"


def complete_kinds(incomplete: str) -> list[str]:
    """Kinds in lower case, for the shell."""
    from resources import kinds

    return [kind for kind in (name.lower() for name in kinds.names()) if kind.startswith(incomplete.lower())]


def complete_keys(ctx: Any, incomplete: str) -> list[str]:
    """`kind/name` of what is declared or owned, for the shell. Reads only what is quick to read; never fails."""
    from controller.surfaces.cli.app import open_workspace

    path = Path(ctx.params.get("path") or "state")
    try:
        with open_workspace(path, read_only=True) as workspace:
            keys = sorted(workspace.stores.statuses.all())
    except Exception:  # a completion has nowhere to complain
        return []
    found = (f"{key.kind.lower()}/{key.short.partition('/')[2]}" for key in keys)
    return [text for text in found if text.startswith(incomplete.lower())]


def complete_kinds_and_keys(ctx: Any, incomplete: str) -> list[str]:
    """Kinds until a slash is typed, keys from then on."""
    return complete_keys(ctx, incomplete) if "/" in incomplete else complete_kinds(incomplete)
