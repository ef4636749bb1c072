ALTER TABLE function ADD COLUMN recursion TEXT NOT NULL DEFAULT 'Terminate';
ALTER TABLE function ADD COLUMN code_signing TEXT;
ALTER TABLE layer_version ADD COLUMN statements BLOB NOT NULL DEFAULT '[]';
ALTER TABLE layer_version ADD COLUMN revision TEXT NOT NULL DEFAULT '';

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
