-- version: 1

CREATE TABLE account (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    alias TEXT UNIQUE,
    created REAL NOT NULL
);

-- Users, groups and roles. Names differ in more than their case.
CREATE TABLE entity (
    id TEXT PRIMARY KEY,           -- AIDA…, AGPA…, AROA…
    kind TEXT NOT NULL,            -- user, group, role
    account TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    path TEXT NOT NULL,
    created REAL NOT NULL,
    boundary TEXT,                 -- ARN of the policy that is the permissions boundary
    trust TEXT,                    -- a role's trust policy
    description TEXT,
    max_session INTEGER,           -- seconds
    UNIQUE (account, kind, name)
);

CREATE TABLE membership (
    group_id TEXT NOT NULL REFERENCES entity (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES entity (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX membership_of_user ON membership (user_id);

CREATE TABLE access_key (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    user_id TEXT REFERENCES entity (id),   -- NULL: the account's root
    secret TEXT NOT NULL,
    active INTEGER NOT NULL,
    created REAL NOT NULL,
    last_used REAL,
    last_service TEXT,
    last_region TEXT
);
CREATE INDEX access_key_of_user ON access_key (account, user_id);

CREATE TABLE inline_policy (
    entity_id TEXT NOT NULL REFERENCES entity (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (entity_id, name)
) WITHOUT ROWID;

-- Customer managed policies; AWS's own are part of the program.
CREATE TABLE policy (
    arn TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    path TEXT NOT NULL,
    description TEXT,
    default_version INTEGER NOT NULL,
    latest_version INTEGER NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    UNIQUE (account, name)
);

CREATE TABLE policy_version (
    policy_arn TEXT NOT NULL REFERENCES policy (arn) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created REAL NOT NULL,
    PRIMARY KEY (policy_arn, version)
) WITHOUT ROWID;

CREATE TABLE attachment (
    entity_id TEXT NOT NULL REFERENCES entity (id),
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (entity_id, policy_arn)
) WITHOUT ROWID;
CREATE INDEX attachment_of_policy ON attachment (policy_arn);

CREATE TABLE instance_profile (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    path TEXT NOT NULL,
    created REAL NOT NULL,
    role_id TEXT REFERENCES entity (id),
    UNIQUE (account, name)
);

CREATE TABLE tag (
    subject TEXT NOT NULL,         -- id of an entity or instance profile, ARN of a policy
    key TEXT NOT NULL COLLATE NOCASE,
    value TEXT NOT NULL,
    PRIMARY KEY (subject, key)
) WITHOUT ROWID;

-- The key under which session tokens are signed.
CREATE TABLE session_key (key BLOB NOT NULL);
