-- version: 1
-- Times are in milliseconds since the epoch, as CloudWatch Logs shows them.
CREATE TABLE log_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created INTEGER NOT NULL,
    retention INTEGER,                  -- days, NULL for ever
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    protected INTEGER NOT NULL DEFAULT 0,
    tags TEXT NOT NULL DEFAULT '{}',    -- JSON object
    UNIQUE (account, region, name)
);
CREATE TABLE log_stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
    name TEXT NOT NULL,
    created INTEGER NOT NULL,
    first_event INTEGER,
    last_event INTEGER,
    last_ingestion INTEGER,
    UNIQUE (log_group, name)
);
CREATE INDEX log_stream_last_event ON log_stream (log_group, last_event, name);
CREATE TABLE log_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of arrival; part of positions and event ids
    log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
    log_stream INTEGER NOT NULL REFERENCES log_stream ON DELETE CASCADE,
    timestamp INTEGER NOT NULL,
    ingested INTEGER NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX log_event_of_group ON log_event (log_group, timestamp, id);
CREATE INDEX log_event_of_stream ON log_event (log_stream, timestamp, id);
