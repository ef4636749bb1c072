-- version: 1
CREATE TABLE metric (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    dimensions TEXT NOT NULL,            -- JSON list of [name, value], sorted by name
    last_time REAL NOT NULL,             -- epoch seconds, of its latest data point
    UNIQUE (account, region, namespace, name, dimensions)
);
-- What was measured in `resolution` seconds from `time` on. Older ones are rolled up into longer ones.
CREATE TABLE datapoint (
    metric INTEGER NOT NULL REFERENCES metric ON DELETE CASCADE,
    time INTEGER NOT NULL,               -- epoch seconds
    resolution INTEGER NOT NULL,         -- 1, 60, 300 or 3600
    unit TEXT NOT NULL,
    count REAL NOT NULL,
    sum REAL NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    value_counts BLOB,                   -- doubles: the values, then how often each; NULL where all are the minimum,
                                         -- or where they are not known
    PRIMARY KEY (metric, time, resolution, unit)
) WITHOUT ROWID;
CREATE INDEX datapoint_age ON datapoint (resolution, time);
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- MetricAlarm or CompositeAlarm
    configuration TEXT NOT NULL,         -- JSON object: what PutMetricAlarm or PutCompositeAlarm was given
    version INTEGER NOT NULL,            -- rises with each change of the configuration
    actions_enabled INTEGER NOT NULL,
    tags TEXT NOT NULL,                  -- JSON object
    created REAL NOT NULL,               -- epoch seconds, as all times here
    updated REAL NOT NULL,               -- of the configuration
    state TEXT NOT NULL,
    state_reason TEXT NOT NULL,
    state_reason_data TEXT,
    state_updated REAL NOT NULL,
    state_transitioned REAL NOT NULL,
    suppression TEXT,                    -- JSON object while a composite alarm's actions are held back
    UNIQUE (account, region, name)
);
CREATE TABLE alarm_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    alarm TEXT NOT NULL,                 -- its name: histories outlive alarms
    kind TEXT NOT NULL,
    time REAL NOT NULL,
    item_type TEXT NOT NULL,
    summary TEXT NOT NULL,
    data TEXT NOT NULL                   -- JSON object
);
CREATE INDEX alarm_history_place ON alarm_history (account, region, time);
CREATE INDEX alarm_history_alarm ON alarm_history (account, region, alarm, time);
CREATE INDEX alarm_history_age ON alarm_history (time);
CREATE TABLE dashboard (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    tags TEXT NOT NULL,                  -- JSON object
    modified REAL NOT NULL,
    PRIMARY KEY (account, name)
);
