-- Authorizers and custom domain names.
ALTER TABLE deployments ADD COLUMN authorizers BLOB NOT NULL DEFAULT x'7b7d';

CREATE TABLE authorizers (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (api, id),
    UNIQUE (api, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE domains (
    name TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    body BLOB NOT NULL,
    tags BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mappings (
    domain TEXT NOT NULL REFERENCES domains (name) ON DELETE CASCADE,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    stage TEXT NOT NULL,
    PRIMARY KEY (domain, key)
) STRICT, WITHOUT ROWID;
