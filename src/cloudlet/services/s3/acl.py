"""Access control lists: canned ones, grants in headers and documents, and what they allow to whom.

A grant to keep is `{"type": "CanonicalUser", "id": …}` or `{"type": "Group", "uri": …}` with a `permission`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cloudlet.core.accounts import canonical_owner_id
from cloudlet.core.context import Principal
from cloudlet.services.s3.errors import invalid_argument, s3_error

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
_GROUPS = frozenset({ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY})
_CANONICAL_ID = re.compile(r"[0-9a-f]{64}")
_HEADER_GRANTEE = re.compile(r'\s*(id|uri|emailAddress)\s*=\s*"?([^",]*)"?\s*')

Grant = dict[str, str]

_HEADERS = {
    "GrantFullControl": "FULL_CONTROL",
    "GrantRead": "READ",
    "GrantReadACP": "READ_ACP",
    "GrantWrite": "WRITE",
    "GrantWriteACP": "WRITE_ACP",
}
_CANNED: Mapping[str, Sequence[tuple[str, str]]] = {
    "private": (),
    "public-read": ((ALL_USERS, "READ"),),
    "public-read-write": ((ALL_USERS, "READ"), (ALL_USERS, "WRITE")),
    "authenticated-read": ((AUTHENTICATED_USERS, "READ"),),
    "log-delivery-write": ((LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")),
}
# What a permission on a bucket and on an object lets its holder do.
_BUCKET_ACTIONS = {
    "READ": frozenset(
        {"HeadBucket", "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads", "ListBucket"}
    ),
    "WRITE": frozenset(
        {
            "PutObject",
            "DeleteObject",
            "DeleteObjects",
            "CopyObject",
            "CreateMultipartUpload",
            "UploadPart",
            "UploadPartCopy",
            "CompleteMultipartUpload",
            "AbortMultipartUpload",
            "ListParts",
        }
    ),
    "READ_ACP": frozenset({"GetBucketAcl"}),
    "WRITE_ACP": frozenset({"PutBucketAcl"}),
}
_OBJECT_ACTIONS = {
    "READ": frozenset({"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectVersion"}),
    "READ_ACP": frozenset({"GetObjectAcl", "GetObjectVersionAcl"}),
    "WRITE_ACP": frozenset({"PutObjectAcl", "PutObjectVersionAcl"}),
}


def owner(account: str) -> dict[str, str]:
    """An account as outputs name it."""
    return {"ID": canonical_owner_id(account), "DisplayName": account}


def owner_grant(account: str) -> Grant:
    return _user(canonical_owner_id(account), "FULL_CONTROL")


def requested_grants(params: Mapping[str, Any], owner: str, bucket_owner: str | None) -> list[Grant] | None:
    """The grants that an input's ACL or Grant* members ask for; None if there are none of them.

    `owner` is the account that will own the thing, `bucket_owner` that of the bucket an object is in.
    """
    canned = params.get("ACL")
    given = [name for name in _HEADERS if name in params]
    if canned is not None:
        if given:
            raise s3_error("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
        return _canned(canned, owner, bucket_owner)
    if not given:
        return None
    return [
        {**_header_grantee(text), "permission": _HEADERS[name]} for name in given for text in params[name].split(",")
    ]


def document_grants(policy: Mapping[str, Any], owner: str) -> list[Grant]:
    """The grants of an AccessControlPolicy document. Raises MalformedACLError, InvalidArgument, AccessDenied."""
    owner_id = policy.get("Owner", {}).get("ID")
    if owner_id is None or "Grants" not in policy:
        raise s3_error("MalformedACLError")
    if owner_id != canonical_owner_id(owner):
        raise s3_error("AccessDenied")
    return [_document_grant(grant) for grant in policy["Grants"]]


def rendered(grants: Sequence[Grant], accounts: Iterable[str]) -> list[dict[str, Any]]:
    """As outputs have them, groups first. `accounts` are those whose display names are known."""
    names = {canonical_owner_id(account): account for account in accounts}
    found: list[dict[str, Any]] = []
    for grant in sorted(grants, key=lambda grant: "id" in grant):
        grantee = {"Type": grant["type"]}
        grantee |= {"ID": grant["id"]} if "id" in grant else {"URI": grant["uri"]}
        if grant.get("id") in names:
            grantee["DisplayName"] = names[grant["id"]]
        found.append({"Grantee": grantee, "Permission": grant["permission"]})
    return found


def is_public(grants: Sequence[Grant]) -> bool:
    return any(grant.get("uri") in (ALL_USERS, AUTHENTICATED_USERS) for grant in grants)


def without_public(grants: Sequence[Grant]) -> list[Grant]:
    return [grant for grant in grants if grant.get("uri") not in (ALL_USERS, AUTHENTICATED_USERS)]


def named_by(
    grants: Sequence[Grant], principal: Principal, operation: str, *, on_object: bool
) -> str | dict[str, str] | None:
    """The principal as a policy's statement would name it that says what the grants allow; None if they do not.

    A grant to an account hands the decision to it: its users need a policy of their own.
    """
    actions = _OBJECT_ACTIONS if on_object else _BUCKET_ACTIONS
    needed = {permission for permission, operations in actions.items() if operation in operations}
    if not needed:
        return None
    naming = [
        grant
        for grant in grants
        if (grant["permission"] in needed or grant["permission"] == "FULL_CONTROL") and _names(grant, principal)
    ]
    if not naming:
        return None
    return "*" if any("uri" in grant for grant in naming) else {"AWS": principal.account}


def _names(grant: Grant, principal: Principal) -> bool:
    if principal.kind == "service":
        return False
    uri = grant.get("uri")
    if uri is not None:
        return uri == ALL_USERS or (uri == AUTHENTICATED_USERS and principal.kind != "anonymous")
    return principal.kind != "anonymous" and grant.get("id") == canonical_owner_id(principal.account)


def _user(id_: str, permission: str) -> Grant:
    return {"type": "CanonicalUser", "id": id_, "permission": permission}


def _canned(name: str, owner: str, bucket_owner: str | None) -> list[Grant]:
    grants = [owner_grant(owner)]
    if name in ("bucket-owner-read", "bucket-owner-full-control") and bucket_owner is not None:
        if bucket_owner != owner:
            permission = "READ" if name == "bucket-owner-read" else "FULL_CONTROL"
            grants.append(_user(canonical_owner_id(bucket_owner), permission))
        return grants
    if name not in _CANNED:
        raise invalid_argument("", "x-amz-acl", name)
    return grants + [{"type": "Group", "uri": uri, "permission": permission} for uri, permission in _CANNED[name]]


def _header_grantee(text: str) -> Grant:
    match = _HEADER_GRANTEE.fullmatch(text)
    if match is None:
        raise invalid_argument("Argument format not recognized", "x-amz-grant", text)
    kind, value = match.groups()
    if kind == "emailAddress":
        raise s3_error("UnresolvableGrantByEmailAddress")
    return _checked_id(value) if kind == "id" else _checked_group(value)


def _document_grant(grant: Mapping[str, Any]) -> Grant:
    grantee, permission = grant.get("Grantee") or {}, grant.get("Permission")
    type_ = grantee.get("Type")
    if permission is None or type_ is None:
        raise s3_error("MalformedACLError")
    if type_ == "AmazonCustomerByEmail" or "EmailAddress" in grantee:
        raise s3_error("UnresolvableGrantByEmailAddress")
    if type_ == "Group":
        return {**_checked_group(grantee.get("URI", "")), "permission": permission}
    if type_ != "CanonicalUser" or "ID" not in grantee:
        raise s3_error("MalformedACLError")
    return {**_checked_id(grantee["ID"]), "permission": permission}


def _checked_id(value: str) -> Grant:
    if not _CANONICAL_ID.fullmatch(value):
        raise invalid_argument("Invalid id", "CanonicalUser/ID", value)
    return {"type": "CanonicalUser", "id": value}


def _checked_group(uri: str) -> Grant:
    if uri not in _GROUPS:
        raise invalid_argument("Invalid group uri", "Group/URI", uri)
    return {"type": "Group", "uri": uri}
