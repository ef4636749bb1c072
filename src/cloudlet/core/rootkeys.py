"""The first account's root access key: from the environment, or else generated once and kept in the data folder."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cloudlet.core.ids import secret_key, unique_id

ACCESS_KEY_ID = "CLOUDLET_ROOT_ACCESS_KEY_ID"
SECRET_ACCESS_KEY = "CLOUDLET_ROOT_SECRET_ACCESS_KEY"


class IncompleteRootKey(Exception):
    """Only one of the two environment variables is set."""


@dataclass(frozen=True, slots=True)
class RootKey:
    access_key_id: str
    secret_access_key: str


def root_key(data: Path) -> RootKey:
    """The key, created if there is none yet. Works without a running server. Raises IncompleteRootKey."""
    key_id, secret = os.environ.get(ACCESS_KEY_ID, ""), os.environ.get(SECRET_ACCESS_KEY, "")
    if bool(key_id) != bool(secret):
        raise IncompleteRootKey(f"{ACCESS_KEY_ID} and {SECRET_ACCESS_KEY} must be set together")
    if key_id:
        return RootKey(key_id, secret)
    path = data / "root-credentials.json"
    try:
        return RootKey(**json.loads(path.read_text()))
    except FileNotFoundError:
        return _create(path)


def _create(path: Path) -> RootKey:
    """Writes a new key where nobody but the owner can read it; if two do so at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = RootKey(unique_id("AKIA", 16), secret_key())
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(json.dumps(asdict(key)))
        file.flush()
        os.fsync(descriptor)
    try:
        os.link(partial, path)
    except FileExistsError:
        return RootKey(**json.loads(path.read_text()))
    finally:
        partial.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return key
