-- version: 2
CREATE TABLE package (              -- a zip file, by its content
    sha256 TEXT PRIMARY KEY,        -- hexadecimal
    blob TEXT NOT NULL,
    size INTEGER NOT NULL,          -- bytes, zipped
    unzipped INTEGER NOT NULL       -- bytes
) WITHOUT ROWID;

CREATE TABLE function (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    next_version INTEGER NOT NULL DEFAULT 1,
    reserved INTEGER,               -- reserved concurrent executions
    tags BLOB NOT NULL,             -- JSON
    recursion TEXT NOT NULL DEFAULT 'Terminate',    -- what is done about a recursive loop: Allow or Terminate
    code_signing TEXT,              -- ARN of the code signing configuration
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;

CREATE TABLE version (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,          -- $LATEST or a number
    configuration BLOB NOT NULL,    -- JSON: FunctionConfiguration
    package TEXT NOT NULL REFERENCES package,
    PRIMARY KEY (account, region, name, version),
    FOREIGN KEY (account, region, name) REFERENCES function ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE alias (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    configuration BLOB NOT NULL,    -- JSON: AliasConfiguration
    PRIMARY KEY (account, region, name, alias),
    FOREIGN KEY (account, region, name) REFERENCES function ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE policy (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,        -- empty for the function itself
    statements BLOB NOT NULL,       -- JSON
    revision TEXT NOT NULL,
    PRIMARY KEY (account, region, name, qualifier),
    FOREIGN KEY (account, region, name) REFERENCES function ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE event_invoke (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    configuration BLOB NOT NULL,    -- JSON: FunctionEventInvokeConfig
    PRIMARY KEY (account, region, name, qualifier),
    FOREIGN KEY (account, region, name) REFERENCES function ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE function_url (
    id TEXT PRIMARY KEY,            -- the first label of the host name
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,        -- $LATEST or an alias
    configuration BLOB NOT NULL,    -- JSON: FunctionUrlConfig without its address
    UNIQUE (account, region, name, qualifier),
    FOREIGN KEY (account, region, name) REFERENCES function ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE provisioned (          -- provisioned concurrency
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,        -- a version or an alias
    configuration BLOB NOT NULL,    -- JSON: RequestedProvisionedConcurrentExecutions, LastModified
    PRIMARY KEY (account, region, name, qualifier),
    FOREIGN KEY (account, region, name) REFERENCES function ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE runtime_management (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT NOT NULL,        -- $LATEST or a version
    configuration BLOB NOT NULL,    -- JSON: UpdateRuntimeOn
    PRIMARY KEY (account, region, name, qualifier),
    FOREIGN KEY (account, region, name) REFERENCES function ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE code_signing_config (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    configuration BLOB NOT NULL,    -- JSON: CodeSigningConfig
    tags BLOB NOT NULL              -- JSON
) WITHOUT ROWID;

CREATE TABLE layer (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    next_version INTEGER NOT NULL,  -- numbers are never given twice, even after a deletion
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;

CREATE TABLE layer_version (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    configuration BLOB NOT NULL,    -- JSON: LayerVersionsListItem
    package TEXT NOT NULL REFERENCES package,
    deleted INTEGER NOT NULL DEFAULT 0,     -- functions that have it keep it
    statements BLOB NOT NULL DEFAULT '[]',  -- JSON: of its resource policy
    revision TEXT NOT NULL DEFAULT '',      -- of the policy
    PRIMARY KEY (account, region, name, version)
) WITHOUT ROWID;

CREATE TABLE event_source_mapping (
    uuid TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,             -- of the function
    configuration BLOB NOT NULL,    -- JSON: EventSourceMappingConfiguration
    tags BLOB NOT NULL              -- JSON
) WITHOUT ROWID;

CREATE TABLE shard (                -- how far a mapping has read a shard of its stream
    uuid TEXT NOT NULL REFERENCES event_source_mapping ON DELETE CASCADE,
    shard TEXT NOT NULL,
    sequence_number TEXT NOT NULL,  -- the last record that is done with; empty before the first
    done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (uuid, shard)
) WITHOUT ROWID;
