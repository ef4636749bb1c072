"""Who is behind an access key: looked up once, kept in memory until something changes."""

from cloudlet.core.access import Credential
from cloudlet.core.context import FIRST_ACCOUNT, Principal
from cloudlet.core.rootkeys import RootKey
from cloudlet.services.iam import entities
from cloudlet.services.iam.sessions import Sessions
from cloudlet.store import Store, Transaction

_TEMPORARY = "ASIA"
_MAX_KEPT = 10_000


class Credentials:
    """`first_root` is the key of the first account's root, which is not in the database."""

    def __init__(self, store: Store, sessions: Sessions, first_root: RootKey) -> None:
        self._store = store
        self._sessions = sessions
        self.first_root = first_root
        self._known: dict[str, Credential] = {}
        self._uses: dict[str, tuple[float, str, str]] = {}

    def forget(self) -> None:
        self._known.clear()

    def credential(self, access_key_id: str, session_token: str | None = None) -> Credential | None:
        known = self._known.get(access_key_id)
        if known is not None and (known.session_token is None or known.session_token == session_token):
            return known
        if access_key_id.startswith(_TEMPORARY):
            found = self._sessions.read(access_key_id, session_token) if session_token is not None else None
        else:
            found = self._stored(access_key_id)
        if found is not None:
            if len(self._known) >= _MAX_KEPT:
                self._known.clear()
            self._known[access_key_id] = found
        return found

    def used(self, credential: Credential, service: str, region: str, now: float) -> None:
        """Notes the use of a long-term key. It is written from time to time: what a crash takes is not missed."""
        if credential.session_token is None:
            self._uses[credential.access_key_id] = (now, service, region)

    async def write_uses(self) -> None:
        """Writes down when keys were last used."""
        if not self._uses:
            return
        uses, self._uses = self._uses, {}

        def write(tx: Transaction) -> None:
            tx.many(
                "UPDATE access_key SET last_used = ?, last_service = ?, last_region = ? WHERE id = ?",
                ((*use, id_) for id_, use in uses.items()),
            )

        await self._store.write(write)

    def _stored(self, access_key_id: str) -> Credential | None:
        root = self.first_root
        if access_key_id == root.access_key_id:
            return Credential(root.access_key_id, root.secret_access_key, Principal.root(FIRST_ACCOUNT))
        sql = "SELECT account, user_id, secret, active FROM access_key WHERE id = ?"
        row = self._store.reader.one(sql, (access_key_id,))
        if row is None:
            return None
        account, user_id, secret, active = row
        if user_id is None:
            return Credential(access_key_id, secret, Principal.root(account), active=bool(active))
        user = entities.by_id(self._store.reader, user_id)
        if user is None:
            return None
        principal = Principal("user", account, user.arn, user.id, policies_of=user.arn)
        return Credential(access_key_id, secret, principal, active=bool(active))
