-- version: 2
-- Times are in milliseconds since the epoch, as SQS shows them.
CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    attributes TEXT NOT NULL,            -- JSON object: what was set, the rest has defaults
    tags TEXT NOT NULL,                  -- JSON object
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    UNIQUE (account, region, name)
);
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of arrival
    queue INTEGER NOT NULL REFERENCES queue ON DELETE CASCADE,
    message_id TEXT NOT NULL,
    body TEXT NOT NULL,
    attributes BLOB,                     -- JSON object as on the wire, NULL for none
    trace_header TEXT,
    sender TEXT NOT NULL,
    sent INTEGER NOT NULL,
    visible INTEGER NOT NULL,            -- from when on it can be received
    receives INTEGER NOT NULL DEFAULT 0, -- from this queue; the number within the newest receipt handle
    earlier_receives INTEGER NOT NULL DEFAULT 0, -- from the queues that it was moved from
    first_received INTEGER,
    received INTEGER,                    -- the newest receive
    group_id TEXT,
    deduplication_id TEXT,
    sequence INTEGER,                    -- of a FIFO queue
    source TEXT                          -- ARN of the queue whose dead letter it is
);
CREATE INDEX message_visible ON message (queue, visible, id);
CREATE INDEX message_age ON message (queue, sent);
CREATE INDEX message_order ON message (queue, id) WHERE sequence IS NOT NULL;
CREATE INDEX message_group ON message (queue, group_id, visible) WHERE sequence IS NOT NULL;
-- The message groups of a standard queue take turns.
CREATE INDEX message_turn ON message (queue, group_id, visible, id) WHERE sequence IS NULL AND group_id IS NOT NULL;
-- What was sent to a FIFO queue lately: a second message with the same id is answered with the first one's.
CREATE TABLE deduplication (
    queue INTEGER NOT NULL REFERENCES queue ON DELETE CASCADE,
    scope TEXT NOT NULL,                 -- the message group where deduplication is by group, else empty
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    PRIMARY KEY (queue, scope, deduplication_id)
) WITHOUT ROWID;
CREATE INDEX deduplication_age ON deduplication (sent);
-- Receives from FIFO queues that named themselves, so that a client that lost the answer may ask for it again.
CREATE TABLE receive_attempt (
    queue INTEGER NOT NULL REFERENCES queue ON DELETE CASCADE,
    attempt_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    messages TEXT NOT NULL,              -- JSON array of [message, number of the receive]
    PRIMARY KEY (queue, attempt_id)
) WITHOUT ROWID;
CREATE INDEX receive_attempt_age ON receive_attempt (time);
CREATE TABLE receipt_key (key BLOB NOT NULL);
-- StartMessageMoveTask: dead letters on their way back.
CREATE TABLE move_task (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    handle TEXT NOT NULL UNIQUE,
    source INTEGER NOT NULL REFERENCES queue ON DELETE CASCADE,
    destination TEXT,                    -- ARN; NULL for each message's own source
    rate INTEGER,                        -- messages a second, NULL for as fast as possible
    started INTEGER NOT NULL,
    status TEXT NOT NULL,                -- RUNNING, COMPLETED, CANCELLED or FAILED
    last_message INTEGER NOT NULL,       -- what came into the queue later stays
    to_move INTEGER NOT NULL,
    moved INTEGER NOT NULL DEFAULT 0,
    failure TEXT
);
CREATE INDEX move_task_source ON move_task (source, id);
