-- version: 1
CREATE TABLE schedule_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    tags TEXT NOT NULL,                  -- JSON object
    created REAL NOT NULL,               -- epoch seconds
    modified REAL NOT NULL,              -- epoch seconds
    deleting INTEGER NOT NULL DEFAULT 0,
    client_token TEXT,                   -- of its creation
    UNIQUE (account, region, name)
);
CREATE TABLE schedule (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    group_name TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,                 -- ENABLED or DISABLED
    settings TEXT NOT NULL,              -- JSON object as GetSchedule answers it, dates in epoch seconds
    counted_from REAL NOT NULL,          -- epoch seconds: what a rate is counted from
    due REAL,                            -- epoch seconds: when it is to be fired next, NULL for never
    created REAL NOT NULL,               -- epoch seconds
    modified REAL NOT NULL,              -- epoch seconds
    client_token TEXT,                   -- of its creation
    UNIQUE (account, region, group_name, name)
);
CREATE INDEX schedule_due ON schedule (due) WHERE due IS NOT NULL;
