-- version: 2

CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created REAL NOT NULL,
    versioning TEXT NOT NULL DEFAULT ''  -- '', 'Enabled' or 'Suspended'
);

-- What can be configured about a bucket (policy, cors, website, ...), as JSON by name.
CREATE TABLE bucket_settings (
    bucket INTEGER NOT NULL REFERENCES buckets ON DELETE CASCADE,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (bucket, name)
) WITHOUT ROWID;

-- The day (since the epoch) on which it was last measured what a bucket holds.
CREATE TABLE storage_measured (
    bucket INTEGER PRIMARY KEY REFERENCES buckets ON DELETE CASCADE,
    day INTEGER NOT NULL
);

-- Every version of every object and every delete marker. The higher id is the later version.
-- live: the latest version, unless that is a delete marker. The body is the last column: listings do not read it.
-- No foreign keys from or to it: every write reads the bucket's row anyway, and a quarter of its time went into them.
CREATE TABLE objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket INTEGER NOT NULL,
    key TEXT NOT NULL,
    live INTEGER NOT NULL,
    version TEXT NOT NULL,           -- 'null' if it was written without versioning
    delete_marker INTEGER NOT NULL DEFAULT 0,
    modified REAL NOT NULL,
    size INTEGER NOT NULL DEFAULT 0,
    etag TEXT NOT NULL DEFAULT '',   -- without quotes
    owner TEXT NOT NULL,             -- account
    headers BLOB,                    -- JSON: members of GetObject's output, as stored
    checksum BLOB,                   -- JSON: algorithm, type, value
    tags BLOB,                       -- JSON: name to value
    acl BLOB,                        -- JSON: list of grants; NULL is the owner alone
    upload INTEGER,                  -- the multipart upload whose parts are the body
    blob TEXT,                       -- the file that is the body
    content BLOB                     -- the body, if it is small
);

-- Each version is in one of the two: a bucket without versioning pays for one index.
CREATE UNIQUE INDEX live_objects ON objects (bucket, key) WHERE live = 1;
CREATE INDEX other_versions ON objects (bucket, key, id DESC) WHERE live = 0;

CREATE TABLE uploads (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    upload_id TEXT NOT NULL UNIQUE,
    bucket INTEGER NOT NULL REFERENCES buckets,
    key TEXT NOT NULL,
    initiated REAL NOT NULL,
    owner TEXT NOT NULL,
    headers BLOB,
    tags BLOB,
    acl BLOB,
    checksum_algorithm TEXT NOT NULL,
    checksum_type TEXT NOT NULL,
    declared INTEGER NOT NULL        -- whether the client asked for that checksum
);
CREATE INDEX uploads_by_key ON uploads (bucket, key, id);

-- Uploads that are complete, so that completing again answers the same. Dropped with the object.
CREATE TABLE completed_uploads (
    upload_id TEXT PRIMARY KEY,
    object INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX completed_by_object ON completed_uploads (object);

-- Parts of uploads; after completion, parts of the object with that upload.
CREATE TABLE parts (
    upload INTEGER NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified REAL NOT NULL,
    checksum BLOB,                   -- JSON: algorithm, type, value
    blob TEXT NOT NULL,
    position INTEGER,                -- of its first byte in the complete object
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
