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
    "ALTER TABLE inventory ADD COLUMN intended TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE inventory ADD COLUMN given_up_why TEXT NOT NULL DEFAULT ''",
)

NEVER_PRUNED = 10_000  # the newest entries of the audit, which nothing removes

_AUDIT: Migration = (
    """
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        action TEXT NOT NULL,
        outcome TEXT NOT NULL,
        key TEXT, -- NULL: a command
        user TEXT NOT NULL,
        command TEXT NOT NULL,
        cause TEXT NOT NULL,
        fields TEXT NOT NULL, -- one a line
        generation INTEGER NOT NULL,
        file TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        code INTEGER,
        seconds REAL NOT NULL
    )
    """,
    "CREATE INDEX audit_by_key ON audit (key, number)",
    # What has begun and not ended; not a part of the audit until it is known how it went.
    "CREATE TABLE begun (name TEXT PRIMARY KEY, process TEXT NOT NULL, entry TEXT NOT NULL) WITHOUT ROWID",
    """
    CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only: its entries are never changed'); END
    """,
    # An INSERT OR REPLACE would remove the old row without asking the trigger on DELETE.
    """
    CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE number = new.number)
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only: its entries are never replaced'); END
    """,
    f"""
    CREATE TRIGGER audit_keeps_the_newest BEFORE DELETE ON audit
    WHEN old.number > (SELECT max(number) FROM audit) - {NEVER_PRUNED}
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only: its newest {NEVER_PRUNED} entries are never removed'); END
    """,
)

_HISTORY: Migration = (
    """
    CREATE TABLE revision (
        number INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        at REAL NOT NULL,
        cause TEXT NOT NULL,
        user TEXT NOT NULL,
        command TEXT NOT NULL,
        restored INTEGER NOT NULL, -- the revision that a rollback went back to, or 0
        commit_id TEXT NOT NULL,
        dirty INTEGER, -- NULL: not known
        ending TEXT NOT NULL,
        message TEXT NOT NULL,
        seconds REAL NOT NULL,
        count INTEGER NOT NULL,
        last REAL NOT NULL -- when the last of the counted began
    )
    """,
    "CREATE INDEX revision_by_source ON revision (source, number)",
    "CREATE INDEX revision_open ON revision (ending) WHERE ending = 'open'",
    """
    CREATE TABLE deed (
        number INTEGER NOT NULL,
        key TEXT NOT NULL,
        action TEXT NOT NULL,
        fields TEXT NOT NULL, -- one a line, without values
        result TEXT NOT NULL,
        message TEXT NOT NULL,
        PRIMARY KEY (number, key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX deed_by_key ON deed (key, number)",
    """
    CREATE TABLE text (
        source TEXT NOT NULL,
        path TEXT NOT NULL, -- relative to the source's directory
        number INTEGER NOT NULL,
        digest BLOB, -- NULL: gone
        whole INTEGER NOT NULL, -- whether the content is kept
        PRIMARY KEY (source, path, number)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX text_by_number ON text (number)",
    "CREATE INDEX text_by_digest ON text (digest)",
    "CREATE TABLE blob (digest BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID",  # content: zlib
)

_BRAKES: Migration = (
    """
    CREATE TABLE brake (
        reason TEXT PRIMARY KEY,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        at REAL NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE start (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        boot TEXT NOT NULL,
        uptime REAL NOT NULL,
        pid INTEGER NOT NULL,
        ended INTEGER NOT NULL -- in good order, as ordered, or forgiven
    )
    """,
)

# `row_seal` is seals.py's; the columns are the first ones of inventory.py.
SEAL_ROWS = """
    UPDATE inventory SET seal = row_seal(
        (SELECT value FROM meta WHERE name = 'seal'),
        key, source, generation, digest, handle, applied, file, dependencies, owner, intent, retain, adopted, kept,
        recovered, good, good_digest, tried, tried_at, given_up, given_up_why, intended
    )
    """

_IDENTITY_AND_SEALS: Migration = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta (name, value) VALUES ('seal', lower(hex(randomblob(8))))",
    "ALTER TABLE inventory ADD COLUMN seal INTEGER NOT NULL DEFAULT 0",
    SEAL_ROWS,
)

# Whose hold a confirmation lets go; empty in those that an older version has written, which count for every source.
_CONFIRMED_BY_SOURCE: Migration = ("ALTER TABLE confirmed ADD COLUMN source TEXT NOT NULL DEFAULT ''",)

# Of an entry about a deployment: what it was, as JSON.
_DEPLOYMENTS: Migration = ("ALTER TABLE revision ADD COLUMN deployment TEXT NOT NULL DEFAULT ''",)

MIGRATIONS: tuple[Migration, ...] = (
    _FIRST,
    _RECOVERY_AND_TRIALS,
    _AUDIT,
    _HISTORY,
    _BRAKES,
    _IDENTITY_AND_SEALS,
    _CONFIRMED_BY_SOURCE,
    _DEPLOYMENTS,
)
