"""Managed policies: the customer's, with their versions, and AWS's own."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from cloudlet.authz.documents import Kind, MalformedPolicy, parse_policy
from cloudlet.services.iam import faults
from cloudlet.services.iam.aws_managed import AWS_MANAGED
from cloudlet.store import Reader, Transaction

_COLUMNS = "arn, id, account, name, path, description, default_version, latest_version, created, updated"
_MAX_ATTACHED = 10
# AWS's own policies carry a date from long before any account here.
_AWS_CREATED = 1_422_748_800.0


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """`account` is `aws` for AWS's own. Versions are numbered from 1, shown as `v1`."""

    arn: str
    id: str
    account: str
    name: str
    path: str
    description: str | None
    default_version: int
    latest_version: int
    created: float
    updated: float


def check(document: str, kind: Kind) -> str:
    """Returns the document if it is a policy. Raises MalformedPolicyDocument."""
    try:
        parse_policy(document, kind)
    except MalformedPolicy as malformed:
        raise faults.malformed_policy(str(malformed)) from None
    return document


def size(document: str) -> int:
    """The characters that count against a quota: white space does not."""
    return len("".join(document.split()))


def encoded(document: str) -> str:
    """As documents are on the wire: percent-encoded."""
    return quote(document, safe="")


def find(reader: Reader, arn: str) -> ManagedPolicy | None:
    ours = AWS_MANAGED.get(arn)
    if ours is not None:
        id_ = f"ANPA{ours.id}"
        return ManagedPolicy(arn, id_, "aws", ours.name, ours.path, ours.description, 1, 1, _AWS_CREATED, _AWS_CREATED)
    row = reader.one(f"SELECT {_COLUMNS} FROM policy WHERE arn = ?", (arn,))
    return ManagedPolicy(*row) if row else None


def require(reader: Reader, account: str, arn: str) -> ManagedPolicy:
    """A policy that the account can use: its own or AWS's. Raises NoSuchEntity."""
    found = find(reader, arn)
    if found is None or found.account not in (account, "aws"):
        raise faults.no_such_entity(f"Policy {arn} does not exist or is not attachable.")
    return found


def all_of(reader: Reader, account: str) -> list[ManagedPolicy]:
    """The account's own."""
    return [ManagedPolicy(*row) for row in reader.all(f"SELECT {_COLUMNS} FROM policy WHERE account = ?", (account,))]


def all_of_aws(reader: Reader) -> list[ManagedPolicy]:
    return [found for arn in AWS_MANAGED if (found := find(reader, arn)) is not None]


def insert(tx: Transaction, policy: ManagedPolicy, document: str) -> None:
    """Raises EntityAlreadyExists."""
    if tx.one("SELECT 1 FROM policy WHERE account = ? AND name = ?", (policy.account, policy.name)):
        raise faults.already_exists(f"A policy called {policy.name} already exists. Duplicate names are not allowed.")
    tx.execute(
        f"INSERT INTO policy ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            policy.arn,
            policy.id,
            policy.account,
            policy.name,
            policy.path,
            policy.description,
            policy.default_version,
            policy.latest_version,
            policy.created,
            policy.updated,
        ),
    )
    insert_version(tx, policy.arn, 1, document, policy.created)


def insert_version(tx: Transaction, arn: str, version: int, document: str, created: float) -> None:
    tx.execute(
        "INSERT INTO policy_version (policy_arn, version, document, created) VALUES (?, ?, ?, ?)",
        (arn, version, document, created),
    )


def versions_of(reader: Reader, policy: ManagedPolicy) -> list[tuple[int, str, float]]:
    """(version, document, created), the newest first."""
    ours = AWS_MANAGED.get(policy.arn)
    if ours is not None:
        return [(1, orjson.dumps(ours.document).decode(), policy.created)]
    sql = "SELECT version, document, created FROM policy_version WHERE policy_arn = ? ORDER BY version DESC"
    return [(version, document, created) for version, document, created in reader.rows(sql, (policy.arn,))]


def version_of(reader: Reader, policy: ManagedPolicy, version_id: str) -> tuple[int, str, float]:
    """Raises NoSuchEntity."""
    for found in versions_of(reader, policy):
        if f"v{found[0]}" == version_id:
            return found
    raise faults.no_such_entity(f"Policy {policy.arn} version {version_id} does not exist or is not attachable.")


def document_of(reader: Reader, arn: str) -> str:
    """The default version's document. Raises NoSuchEntity."""
    policy = find(reader, arn)
    if policy is None:
        raise faults.no_such_entity(f"Policy {arn} does not exist.")
    return version_of(reader, policy, f"v{policy.default_version}")[1]


def attachments(reader: Reader, account: str, arn: str) -> int:
    """How many of the account's users, groups and roles have the policy attached."""
    sql = "SELECT count(*) FROM attachment JOIN entity ON id = entity_id WHERE policy_arn = ? AND account = ?"
    row = reader.one(sql, (arn, account))
    return row[0] if row else 0


def boundaries(reader: Reader, account: str, arn: str) -> int:
    """For how many of the account's users and roles the policy is the boundary."""
    row = reader.one("SELECT count(*) FROM entity WHERE boundary = ? AND account = ?", (arn, account))
    return row[0] if row else 0


def attach(tx: Transaction, entity_id: str, kind: str, arn: str) -> None:
    """Raises LimitExceeded. Attaching what is attached changes nothing."""
    tx.execute("INSERT OR IGNORE INTO attachment (entity_id, policy_arn) VALUES (?, ?)", (entity_id, arn))
    row = tx.one("SELECT count(*) FROM attachment WHERE entity_id = ?", (entity_id,))
    if row is not None and row[0] > _MAX_ATTACHED:
        raise faults.limit_exceeded(f"Cannot exceed quota for PoliciesPer{kind.capitalize()}: {_MAX_ATTACHED}")


def detach(tx: Transaction, entity_id: str, arn: str) -> None:
    """Raises NoSuchEntity."""
    if tx.execute("DELETE FROM attachment WHERE entity_id = ? AND policy_arn = ?", (entity_id, arn)) == 0:
        raise faults.no_such_entity(f"Policy {arn} was not found.")


def shown(reader: Reader, account: str, policy: ManagedPolicy) -> dict[str, Any]:
    """The Policy shape, without description and tags, as lists show it."""
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": attachments(reader, account, policy.arn),
        "PermissionsBoundaryUsageCount": boundaries(reader, account, policy.arn),
        "IsAttachable": True,
        "CreateDate": policy.created,
        "UpdateDate": policy.updated,
    }
