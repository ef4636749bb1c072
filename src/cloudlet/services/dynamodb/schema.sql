-- version: 1

-- A table and all that is known of it but its items: `document` is JSON (definitions.py). `version` counts its changes.
CREATE TABLE table_ (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    document BLOB NOT NULL,
    UNIQUE (account, region, name)
);

-- Items as JSON in canonical form (values.py) under keys that sort (keys.py); `size` by AWS's rules.
CREATE TABLE item (
    table_id INTEGER NOT NULL,
    pk BLOB NOT NULL,
    sk BLOB NOT NULL,
    item BLOB NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (table_id, pk, sk)
) WITHOUT ROWID;

-- Indexes (secondary ones, and the one by time of expiry). While `backfilling`, items up to the position are in it.
CREATE TABLE index_ (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    table_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    backfilling INTEGER NOT NULL,
    position_pk BLOB,
    position_sk BLOB
);

CREATE TABLE index_entry (
    index_id INTEGER NOT NULL,
    pk BLOB NOT NULL,
    sk BLOB NOT NULL,
    item_pk BLOB NOT NULL,
    item_sk BLOB NOT NULL,
    PRIMARY KEY (index_id, pk, sk, item_pk, item_sk)
) WITHOUT ROWID;

-- Deleted tables and indexes whose rows still have to go.
CREATE TABLE purge (
    kind TEXT NOT NULL CHECK (kind IN ('table', 'index')),
    id INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- Streams outlive their table by a day. Times are epoch seconds.
CREATE TABLE stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    table_name TEXT NOT NULL,
    arn TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    view_type TEXT NOT NULL,
    key_schema BLOB NOT NULL,
    start INTEGER NOT NULL,
    created REAL NOT NULL,
    disabled REAL,
    ending INTEGER
);

CREATE TABLE stream_record (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id INTEGER NOT NULL,
    created REAL NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX stream_record_by_stream ON stream_record (stream_id, sequence);

-- Client request tokens of transactions, for ten minutes, with a digest of what they asked for.
CREATE TABLE request_token (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    token TEXT NOT NULL,
    digest BLOB NOT NULL,
    expires REAL NOT NULL,
    PRIMARY KEY (account, region, token)
) WITHOUT ROWID;
CREATE INDEX request_token_by_expiry ON request_token (expires);
