-- version: 1
-- The default bus of an account and region has a row once something of it was changed.
CREATE TABLE event_bus (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL,              -- JSON object: Description, DeadLetterConfig, LogConfig
    policy TEXT,                         -- JSON document
    tags TEXT NOT NULL,                  -- JSON object
    created REAL NOT NULL,               -- epoch seconds
    modified REAL NOT NULL
);
CREATE TABLE rule (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL UNIQUE,
    bus TEXT NOT NULL,                   -- ARN
    settings TEXT NOT NULL,              -- JSON object: EventPattern, ScheduleExpression, State, Description, RoleArn
    tags TEXT NOT NULL,                  -- JSON object
    created_by TEXT NOT NULL,            -- account
    since REAL,                          -- epoch seconds from which a rate is counted
    due REAL                             -- when the schedule falls due next
);
CREATE INDEX rule_bus ON rule (bus);
CREATE INDEX rule_due ON rule (due) WHERE due IS NOT NULL;
CREATE TABLE target (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rule INTEGER NOT NULL REFERENCES rule ON DELETE CASCADE,
    id TEXT NOT NULL,
    definition TEXT NOT NULL,            -- JSON object: a Target of the API
    UNIQUE (rule, id)
);
-- An event that some rule matched, for as long as a delivery of it is outstanding.
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL,                  -- JSON object, as targets get it
    ingested REAL NOT NULL,              -- epoch seconds
    trace_header TEXT,
    forwarded INTEGER NOT NULL,          -- whether it came from another bus
    outstanding INTEGER NOT NULL
);
