ALTER TABLE log_group ADD COLUMN filters INTEGER NOT NULL DEFAULT 0;
CREATE TABLE subscription_filter (
    log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
    name TEXT NOT NULL,
    pattern TEXT NOT NULL,
    destination TEXT NOT NULL,
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
    transformation TEXT NOT NULL,
    created INTEGER NOT NULL,
    reported INTEGER NOT NULL DEFAULT 0,
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
