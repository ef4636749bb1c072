-- version: 2
CREATE TABLE topic (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL UNIQUE,
    attributes TEXT NOT NULL,            -- JSON object: what was set, the rest has defaults
    tags TEXT NOT NULL,                  -- JSON object
    deleted_subscriptions INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE subscription (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    arn TEXT NOT NULL UNIQUE,
    topic INTEGER NOT NULL REFERENCES topic ON DELETE CASCADE,
    protocol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    owner TEXT NOT NULL,                 -- account
    principal TEXT NOT NULL,             -- ARN of who subscribed
    token TEXT,                          -- of the confirmation that is awaited or was given
    token_expires REAL,                  -- epoch seconds
    confirmed INTEGER NOT NULL,
    authenticated INTEGER NOT NULL,      -- whether the confirmation was signed, or none was needed
    unsubscribe_needs_signature INTEGER NOT NULL DEFAULT 0,
    attributes TEXT NOT NULL,            -- JSON object
    UNIQUE (topic, protocol, endpoint)
);
CREATE INDEX subscription_token ON subscription (token) WHERE token IS NOT NULL;
-- A published message, for as long as a delivery of it is outstanding.
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,                 -- ARN
    message_id TEXT NOT NULL,
    body TEXT NOT NULL,                  -- as published; JSON of bodies by protocol if structured
    structured INTEGER NOT NULL,
    subject TEXT,
    attributes BLOB,                     -- JSON object as on the wire, NULL for none
    published REAL NOT NULL,             -- epoch seconds
    group_id TEXT,
    deduplication_id TEXT,
    outstanding INTEGER NOT NULL
);
-- What was published to a FIFO topic lately: a second message with the same id is answered with the first one's.
CREATE TABLE deduplication (
    topic INTEGER NOT NULL REFERENCES topic ON DELETE CASCADE,
    scope TEXT NOT NULL,                 -- the message group where deduplication is by group, else empty
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    published REAL NOT NULL,
    PRIMARY KEY (topic, scope, deduplication_id)
) WITHOUT ROWID;
CREATE INDEX deduplication_age ON deduplication (published);
CREATE TABLE sequence (topic INTEGER PRIMARY KEY REFERENCES topic ON DELETE CASCADE, last INTEGER NOT NULL);
-- E-mails and short messages where no SMTP server is configured.
CREATE TABLE mail (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    protocol TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    sent REAL NOT NULL                   -- epoch seconds
);
CREATE INDEX mail_account ON mail (account, id);
CREATE TABLE signing_key (private_key BLOB NOT NULL, certificate BLOB NOT NULL, name TEXT NOT NULL);
-- SetSMSAttributes: what was set, by account and region.
CREATE TABLE sms_attribute (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;
-- HTTP subscriptions that were ended: for a while, their confirmation restores them.
CREATE TABLE ended_subscription (
    token TEXT PRIMARY KEY,
    topic INTEGER NOT NULL REFERENCES topic ON DELETE CASCADE,
    arn TEXT NOT NULL,
    protocol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    owner TEXT NOT NULL,                 -- account
    principal TEXT NOT NULL,             -- ARN of who subscribed
    attributes TEXT NOT NULL,            -- JSON object
    token_expires REAL NOT NULL          -- epoch seconds
) WITHOUT ROWID;
CREATE INDEX ended_subscription_age ON ended_subscription (token_expires);
