-- version: 2
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
    filters INTEGER NOT NULL DEFAULT 0, -- how many subscription and metric filters it has
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
CREATE TABLE subscription_filter (
    log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
    name TEXT NOT NULL,
    pattern TEXT NOT NULL,
    destination TEXT NOT NULL,          -- ARN of a function
    distribution TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (log_group, name)
) WITHOUT ROWID;
CREATE TABLE metric_filter (
    log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
    name TEXT NOT NULL,
    pattern TEXT NOT NULL,
    namespace TEXT NOT NULL,
    metric TEXT NOT NULL,
    transformation TEXT NOT NULL,       -- JSON, the metric transformation as it was given
    created INTEGER NOT NULL,
    reported INTEGER NOT NULL DEFAULT 0, -- the last minute (of the epoch) that has a value, if it has a default value
    PRIMARY KEY (log_group, name)
) WITHOUT ROWID;
CREATE INDEX metric_filter_of_metric ON metric_filter (namespace, metric);
CREATE TABLE resource_policy (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;
