"""The tables of the database, as the list of steps that made them. `database.py` carries out those that are missing.

A step that was released is never edited; a change of the schema is a new step at the end. The number of steps done is
the database's `user_version`. Keys are text as `str(Key)` writes them.
"""

from __future__ import annotations

Migration = tuple[str, ...]

_FIRST: Migration = (
    """
    CREATE TABLE inventory (
        key TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        generation INTEGER NOT NULL,
        digest TEXT NOT NULL,
        handle TEXT NOT NULL,
        applied TEXT NOT NULL,
        file TEXT NOT NULL,
        dependencies TEXT NOT NULL, -- keys, one a line
        owner TEXT,
        intent TEXT,
        retain INTEGER NOT NULL,
        adopted INTEGER NOT NULL,
        kept TEXT NOT NULL
    )
    """,
    "CREATE TABLE status (key TEXT PRIMARY KEY, ready TEXT NOT NULL, body TEXT NOT NULL)",
    """
    CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT, -- rises with `at`
        key TEXT,
        at REAL NOT NULL,
        level TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        count INTEGER NOT NULL,
        first REAL NOT NULL
    )
    """,
    "CREATE INDEX event_by_key ON event (key, number)",
    "CREATE TABLE suspended (key TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE confirmed (key TEXT PRIMARY KEY) WITHOUT ROWID",
    """
    CREATE TABLE hold (
        source TEXT NOT NULL,
        position INTEGER NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        keys TEXT NOT NULL, -- one a line
        at REAL NOT NULL,
        PRIMARY KEY (source, position)
    ) WITHOUT ROWID
    """,
)

_RECOVERY_AND_TRIALS: Migration = (
    "ALTER TABLE inventory ADD COLUMN recovered INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE inventory ADD COLUMN good TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE inventory ADD COLUMN good_digest TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE inventory ADD COLUMN tried TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE inventory ADD COLUMN tried_at REAL NOT NULL DEFAULT 0",
    "ALTER TABLE inventory ADD COLUMN given_up TEXT NOT NULL DEFAULT ''",
)

# `row_seal` is seals.py's; the columns are the first ones of inventory.py.
SEAL_ROWS = """
    UPDATE inventory SET seal = row_seal(
        (SELECT value FROM meta WHERE name = 'seal'),
        key, source, generation, digest, handle, applied, file, dependencies, owner, intent, retain, adopted, kept,
        recovered
    )
    """

_IDENTITY_AND_SEALS: Migration = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta (name, value) VALUES ('seal', lower(hex(randomblob(8))))",
    "ALTER TABLE inventory ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    SEAL_ROWS,
)

MIGRATIONS: tuple[Migration, ...] = (_FIRST, _RECOVERY_AND_TRIALS, _IDENTITY_AND_SEALS)
