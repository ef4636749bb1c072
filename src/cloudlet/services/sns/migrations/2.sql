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
