"""Which installation a home is: the id that all marks carry, kept in the file `id` and in the database. `stores.py` asks.

Either one of the two puts the other back. Where neither says it, nobody guesses: with another id all that was ever made
would be a stranger's. So a home that has a database never gets a new id by itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from controller.store.database import Database
from controller.store.errors import HomeError
from controller.store.home import Home

INSTALLATION = "installation"  # in the table `meta`
REBUILD = "rebuild"  # there, while the marks in the world are to be asked; else the systems that did not answer
# Why: the inventory is gone; it is older than the world; it may lack something.
LOST, OLDER, DOUBTED = "lost", "older", "doubted"
DERIVED = "derived"  # a new home, whose id may have been another's before: see `first_words`


@dataclass(frozen=True, slots=True)
class Identified:
    """`news` is what was put right, for the user; empty when all was well."""

    installation: str
    news: str = ""


NOBODY = Identified("")  # of stores in memory


def first_words(home: Home, derived: str = "") -> dict[str, str]:
    """What a database says of itself that is made now. Beside an id it takes the place of one that was lost.

    `derived` is the id that a new home is to have: whoever had it before may have left things with its marks.
    """
    if kept := home.kept_id():
        return {INSTALLATION: kept, REBUILD: LOST}
    if derived:
        return {INSTALLATION: derived, REBUILD: DERIVED}
    refuse_lost(home)
    return {INSTALLATION: _made_up()}


def refuse_lost(home: Home) -> None:
    """Raises HomeError where neither id nor database is there, and something was started here before."""
    if home.starts() and not home.kept_id() and not home.database.exists():
        raise HomeError(
            f"cannot tell which installation this is: {home.path} has neither its file id nor {home.database.name} any more; "
            "put them back from a backup, or run 'p2 recover', which finds out whose marks there are"
        )


def identify(home: Home, database: Database, *, existed: bool) -> Identified:
    """The id of a home whose database is open. Raises HomeError when it can't be told.

    `existed`: there was a database before this one was opened; one that appeared since is another process's first.
    """
    in_file, in_database = home.kept_id(), database.meta(INSTALLATION)
    if in_file and in_database and in_file != in_database:
        raise HomeError(_two_ids(home, in_file, in_database))
    if in_file:
        if not in_database and not home.read_only:
            database.keep_meta(INSTALLATION, in_file)
        return Identified(in_file)
    if in_database:
        return Identified(in_database, _put_back(home, in_database))
    if not existed:
        return Identified(_made_up())  # read-only, where nothing was ever made
    raise HomeError(
        f"cannot tell which installation this is: {home.path}/id is gone, and {home.database.name} does not have it either; "
        "put the file back from a backup, or run 'p2 recover', which finds out whose marks there are"
    )


def _made_up() -> str:
    return os.urandom(8).hex()


def _two_ids(home: Home, in_file: str, in_database: str) -> str:
    return (
        f"cannot use {home.path}: its file id says {in_file} and its database {home.database.name} says {in_database}, so "
        "one of them comes from another home; put back the one that belongs here, or say which id is right: "
        f"'p2 recover --id {in_file}' or 'p2 recover --id {in_database}'"
    )


def _put_back(home: Home, installation: str) -> str:
    if home.read_only:
        return ""
    is_new = home.keep_id(installation)
    return f"{home.path}/id was gone, and was put back from {home.database.name}" if is_new else ""
