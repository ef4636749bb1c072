"""Accounts of this Cloudlet, and the door through which the command line makes them."""

import secrets
from dataclasses import asdict, dataclass
from typing import Any, cast

import orjson

from cloudlet.core.access import CredentialStore
from cloudlet.core.accounts import canonical_owner_id
from cloudlet.core.context import FIRST_ACCOUNT
from cloudlet.core.errors import AccessDenied, AwsError
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.ids import secret_key
from cloudlet.gateway import sigv4
from cloudlet.services.iam.sessions import key_id
from cloudlet.store import Reader, Store, Transaction

PATH = "/_cloudlet/accounts"
_LARGEST_BODY = 64 * 1024
_LONGEST_NAME = 50


@dataclass(frozen=True, slots=True)
class NewAccount:
    id: str
    name: str
    access_key_id: str
    secret_access_key: str
    canonical_id: str


def insert_first(tx: Transaction, now: float) -> None:
    tx.execute("INSERT INTO account (id, name, created) VALUES (?, ?, ?)", (FIRST_ACCOUNT, "first", now))


def create(tx: Transaction, name: str, now: float) -> NewAccount:
    """Makes an account with a root key of its own. Raises AccountAlreadyExists."""
    if tx.one("SELECT 1 FROM account WHERE name = ?", (name,)) is not None:
        raise AwsError("AccountAlreadyExists", f"There is an account with the name {name} already.", status=409)
    id_ = _unused_id(tx)
    account = NewAccount(id_, name, key_id("AKIA", id_), secret_key(), canonical_owner_id(id_))
    tx.execute("INSERT INTO account (id, name, created) VALUES (?, ?, ?)", (id_, name, now))
    tx.execute(
        "INSERT INTO access_key (id, account, user_id, secret, active, created) VALUES (?, ?, NULL, ?, 1, ?)",
        (account.access_key_id, id_, account.secret_access_key, now),
    )
    return account


def all_accounts(reader: Reader) -> list[dict[str, Any]]:
    rows = reader.all("SELECT id, name FROM account ORDER BY created, id")
    return [{"id": id_, "name": name, "canonical_id": canonical_owner_id(id_)} for id_, name in rows]


async def answer(request: HttpRequest, store: Store, credentials: CredentialStore, now: float) -> HttpResponse:
    """`POST {"name": …}` makes an account, `GET` lists them. Signed by the first account's root, for `iam`."""
    if request.method not in ("GET", "POST"):
        raise AwsError("MethodNotAllowed", "GET or POST", status=405)
    if request.body.length is None or request.body.length > _LARGEST_BODY:
        raise AwsError("RequestEntityTooLarge", f"The body is larger than {_LARGEST_BODY} bytes.", status=413)
    body = await request.body.read()
    principal = sigv4.verify(request, body, credentials, now, api="iam", protocol="query").principal
    if principal.kind != "root" or principal.account != FIRST_ACCOUNT:
        raise AccessDenied("Only the root of the first account sees and makes accounts.")
    if request.method == "GET":
        return _json({"accounts": all_accounts(store.reader)})
    name = _name(body)
    return _json(asdict(await store.write(lambda tx: create(tx, name, now))))


def _unused_id(tx: Transaction) -> str:
    while True:
        id_ = str(10**11 + secrets.randbelow(9 * 10**11))
        if tx.one("SELECT 1 FROM account WHERE id = ?", (id_,)) is None:
            return id_


def _name(body: bytes) -> str:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        given = None
    name = cast("dict[str, Any]", given).get("name") if isinstance(given, dict) else None
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
        raise AwsError("ValidationError", f"The body must be JSON with a name of 1 to {_LONGEST_NAME} characters.")
    return name.strip()


def _json(document: dict[str, Any]) -> HttpResponse:
    return HttpResponse(200, [("Content-Type", "application/json")], orjson.dumps(document))
