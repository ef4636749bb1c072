-- version: 1

-- A stack is never forgotten: deleted ones stay, found by their id.
CREATE TABLE stacks (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    created REAL NOT NULL,
    updated REAL,
    deleted REAL,
    -- Grows with each walk over the resources; a resource that carries it has been brought to the walk's goal.
    run INTEGER NOT NULL DEFAULT 0,
    -- What the stack is or becomes, and what it returns to if that fails (JSON of Deployment).
    deployment BLOB NOT NULL,
    previous BLOB,
    outputs BLOB NOT NULL DEFAULT x'5b5d',
    termination_protection INTEGER NOT NULL DEFAULT 0,
    change_set TEXT,
    -- Logical ids that DeleteStack was told to keep.
    retained BLOB NOT NULL DEFAULT x'5b5d',
    cancelled INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX live_stacks ON stacks (account, region, name) WHERE status <> 'DELETE_COMPLETE';

CREATE TABLE resources (
    stack TEXT NOT NULL REFERENCES stacks (id),
    logical_id TEXT NOT NULL,
    type TEXT NOT NULL,
    -- The name chosen for it before it is made: by it what a crash left behind is found again.
    name TEXT,
    physical_id TEXT,
    status TEXT NOT NULL,
    reason TEXT,
    updated REAL NOT NULL,
    run INTEGER NOT NULL,
    -- 1 once the service may have been asked to make it.
    initiated INTEGER NOT NULL DEFAULT 0,
    properties BLOB NOT NULL,
    -- Properties that an update is bringing about, or failed to.
    attempted BLOB,
    attributes BLOB NOT NULL DEFAULT x'7b7d',
    needs BLOB NOT NULL DEFAULT x'5b5d',
    deletion_policy TEXT NOT NULL,
    update_replace_policy TEXT NOT NULL,
    metadata BLOB,
    PRIMARY KEY (stack, logical_id)
) STRICT, WITHOUT ROWID;

-- Resources that an update has replaced: deleted in its clean-up, or taken back by its rollback.
CREATE TABLE replaced (
    id INTEGER PRIMARY KEY,
    stack TEXT NOT NULL REFERENCES stacks (id),
    logical_id TEXT NOT NULL,
    type TEXT NOT NULL,
    name TEXT,
    physical_id TEXT,
    initiated INTEGER NOT NULL,
    properties BLOB NOT NULL,
    attributes BLOB NOT NULL,
    needs BLOB NOT NULL,
    deletion_policy TEXT NOT NULL,
    update_replace_policy TEXT NOT NULL
) STRICT;

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    stack TEXT NOT NULL REFERENCES stacks (id),
    event_id TEXT NOT NULL,
    logical_id TEXT NOT NULL,
    physical_id TEXT,
    type TEXT NOT NULL,
    time REAL NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    properties TEXT,
    token TEXT
) STRICT;

CREATE INDEX events_of ON events (stack, id);

CREATE TABLE change_sets (
    id TEXT PRIMARY KEY,
    stack TEXT NOT NULL REFERENCES stacks (id),
    name TEXT NOT NULL,
    description TEXT,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    execution TEXT NOT NULL,
    created REAL NOT NULL,
    deployment BLOB NOT NULL,
    changes BLOB NOT NULL,
    UNIQUE (stack, name)
) STRICT;

CREATE TABLE exports (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    stack TEXT NOT NULL REFERENCES stacks (id),
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE imports (
    stack TEXT NOT NULL REFERENCES stacks (id),
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (stack, name)
) STRICT, WITHOUT ROWID;

-- Requests to custom resources, each with the secret of the address that takes its answer.
CREATE TABLE replies (
    token TEXT PRIMARY KEY,
    stack TEXT NOT NULL REFERENCES stacks (id),
    logical_id TEXT NOT NULL,
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB,
    UNIQUE (stack, logical_id, run, kind)
) STRICT, WITHOUT ROWID;
