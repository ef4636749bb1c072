"""A small store for the tests."""

from pathlib import Path

import pytest

SCHEMA = """-- version: 1
CREATE TABLE item (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "schema.sql"
    path.write_text(SCHEMA)
    return path
