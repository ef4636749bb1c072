-- version: 2

-- `body` holds the members that the API gives back, as JSON.
CREATE TABLE apis (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created REAL NOT NULL,
    body BLOB NOT NULL,
    tags BLOB NOT NULL DEFAULT x'7b7d'
) STRICT, WITHOUT ROWID;

CREATE INDEX apis_of ON apis (account, region, created);

CREATE TABLE routes (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (api, id),
    UNIQUE (api, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE integrations (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (api, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE authorizers (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (api, id),
    UNIQUE (api, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE stages (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    body BLOB NOT NULL,
    tags BLOB NOT NULL DEFAULT x'7b7d',
    PRIMARY KEY (api, name)
) STRICT, WITHOUT ROWID;

-- What a stage serves: the routes, integrations and authorizers as they were.
CREATE TABLE deployments (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    created REAL NOT NULL,
    description TEXT,
    automatic INTEGER NOT NULL,
    routes BLOB NOT NULL,
    integrations BLOB NOT NULL,
    authorizers BLOB NOT NULL DEFAULT x'7b7d',
    PRIMARY KEY (api, id)
) STRICT, WITHOUT ROWID;

-- Custom domain names; a name belongs to one account only, as in DNS.
CREATE TABLE domains (
    name TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    body BLOB NOT NULL,
    tags BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Which stage answers under a path of a domain; an empty key means all that no other key means.
CREATE TABLE mappings (
    domain TEXT NOT NULL REFERENCES domains (name) ON DELETE CASCADE,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
    stage TEXT NOT NULL,
    PRIMARY KEY (domain, key)
) STRICT, WITHOUT ROWID;
