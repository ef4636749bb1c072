"""Data of the first version, without authorizers and domain names: it is kept, and gets what a new file has."""

from pathlib import Path

import apsw

from cloudlet import store
from cloudlet.services import apigatewayv2
from cloudlet.services.apigatewayv2.serving import load

FIRST = """
CREATE TABLE apis (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, created REAL NOT NULL, body BLOB NOT NULL,
    tags BLOB NOT NULL DEFAULT x'7b7d'
) STRICT, WITHOUT ROWID;
CREATE INDEX apis_of ON apis (account, region, created);
CREATE TABLE routes (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE, id TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (api, id), UNIQUE (api, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE integrations (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE, id TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (api, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE stages (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE, name TEXT NOT NULL, created REAL NOT NULL,
    updated REAL NOT NULL, body BLOB NOT NULL, tags BLOB NOT NULL DEFAULT x'7b7d', PRIMARY KEY (api, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE deployments (
    api TEXT NOT NULL REFERENCES apis (id) ON DELETE CASCADE, id TEXT NOT NULL, created REAL NOT NULL,
    description TEXT, automatic INTEGER NOT NULL, routes BLOB NOT NULL, integrations BLOB NOT NULL,
    PRIMARY KEY (api, id)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
"""
ROWS = """
INSERT INTO apis VALUES ('a', '000000000000', 'us-east-1', 1.0, CAST('{"Name":"shop"}' AS BLOB), x'7b7d');
INSERT INTO stages VALUES ('a', '$default', 1.0, 1.0, CAST('{"DeploymentId":"d"}' AS BLOB), x'7b7d');
INSERT INTO deployments VALUES (
    'a', 'd', 1.0, NULL, 1, CAST('{"GET /x":{"RouteKey":"GET /x","Target":"integrations/i"}}' AS BLOB),
    CAST('{"i":{"IntegrationId":"i","IntegrationType":"HTTP_PROXY","IntegrationUri":"http://x/","TimeoutInMillis":30000,
    "PayloadFormatVersion":"1.0"}}' AS BLOB)
);
"""
SCHEMA = Path(apigatewayv2.__file__).with_name("schema.sql")


def columns(path: Path) -> set[tuple[object, ...]]:
    connection = apsw.Connection(str(path))
    return set(
        connection.execute(
            'SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_schema AS t'
            " JOIN pragma_table_info(t.name) AS c WHERE t.type IN ('table', 'index')"
        )
    )


async def test_an_older_file_becomes_as_a_new_one(tmp_path: Path) -> None:
    old = apsw.Connection(str(tmp_path / "old.db"))
    old.execute((Path(store.__file__).with_name("outbox.sql")).read_text())
    old.execute(FIRST)
    old.execute(ROWS)
    old.close()
    opened = store.Store(tmp_path / "old.db", SCHEMA)
    served = load(opened.reader, "a")["$default"]
    assert served.routes["GET /x"].authorization == "NONE"
    assert served.routes["GET /x"].integration is not None
    opened.close()
    store.Store(tmp_path / "new.db", SCHEMA).close()
    assert columns(tmp_path / "old.db") == columns(tmp_path / "new.db")
