"""The first account's root key: given by the environment, or made once and kept for the owner alone."""

from pathlib import Path

import pytest

from cloudlet.core.accounts import canonical_owner_id
from cloudlet.core.rootkeys import ACCESS_KEY_ID, SECRET_ACCESS_KEY, IncompleteRootKey, RootKey, root_key


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ACCESS_KEY_ID, raising=False)
    monkeypatch.delenv(SECRET_ACCESS_KEY, raising=False)


def test_it_is_made_once(tmp_path: Path) -> None:
    made = root_key(tmp_path / "data")
    assert root_key(tmp_path / "data") == made
    assert (len(made.access_key_id), len(made.secret_access_key)) == (20, 40)
    assert root_key(tmp_path / "other") != made


def test_the_owner_alone_can_read_it(tmp_path: Path) -> None:
    root_key(tmp_path / "data")
    (file,) = (tmp_path / "data").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCESS_KEY_ID, "AKIAMINE")
    with pytest.raises(IncompleteRootKey):
        root_key(tmp_path)
    monkeypatch.setenv(SECRET_ACCESS_KEY, "secret")
    assert root_key(tmp_path) == RootKey("AKIAMINE", "secret")
    assert list(tmp_path.iterdir()) == []


def test_a_canonical_owner_is_always_the_same() -> None:
    assert canonical_owner_id("000000000000") == canonical_owner_id("000000000000")
    assert len(canonical_owner_id("111111111111")) == 64
    assert canonical_owner_id("000000000000") != canonical_owner_id("111111111111")
