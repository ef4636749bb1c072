-- In every service's file: what it owes to others.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,          -- ARN or URL of whom it is for
    payload BLOB NOT NULL,         -- JSON
    lane TEXT,                     -- rows of one lane are delivered in order, one at a time
    due REAL NOT NULL,             -- epoch seconds
    attempts INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL
);
CREATE INDEX outbox_due ON outbox (due);
CREATE INDEX outbox_lane ON outbox (lane, id) WHERE lane IS NOT NULL;
