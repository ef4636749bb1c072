"""Operations on the resource policies of layer versions: which other accounts may use them."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.configuration import check_revision, invalid
from cloudlet.services.lambda_.layer_names import layer_arn
from cloudlet.services.lambda_.permissions import LARGEST_POLICY
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t


class LayerPermissionOperations(LambdaBase):
    @operation("AddLayerVersionPermission")
    async def add_layer_version_permission(
        self, call: Call, params: "t.AddLayerVersionPermissionRequestTypeDef"
    ) -> dict[str, Any]:
        arn = layer_arn(call, params["LayerName"], params["VersionNumber"])
        statement = _statement(arn, params)

        def write(tx: Transaction) -> str:
            statements, revision = _policy(tx, arn)
            check_revision(revision, params.get("RevisionId"))
            if any(other["Sid"] == statement["Sid"] for other in statements):
                raise AwsError(
                    "ResourceConflictException",
                    f"The statement id ({statement['Sid']}) provided already exists. Please provide a new statement id,"
                    " or remove the existing statement.",
                    status=409,
                )
            return _save(tx, arn, [*statements, statement])

        revision = await self.store.write(write)
        return {"Statement": orjson.dumps(statement).decode(), "RevisionId": revision}

    @operation("RemoveLayerVersionPermission")
    async def remove_layer_version_permission(
        self, call: Call, params: "t.RemoveLayerVersionPermissionRequestTypeDef"
    ) -> None:
        arn = layer_arn(call, params["LayerName"], params["VersionNumber"])

        def write(tx: Transaction) -> None:
            statements, revision = _policy(tx, arn)
            check_revision(revision, params.get("RevisionId"))
            kept = [statement for statement in statements if statement["Sid"] != params["StatementId"]]
            if len(kept) == len(statements):
                raise _missing(f"Statement {params['StatementId']} is not found in resource policy.")
            _save(tx, arn, kept)

        await self.store.write(write)

    @operation("GetLayerVersionPolicy")
    async def get_layer_version_policy(
        self, call: Call, params: "t.GetLayerVersionPolicyRequestTypeDef"
    ) -> dict[str, Any]:
        arn = layer_arn(call, params["LayerName"], params["VersionNumber"])
        statements, revision = _policy(self.store.reader, arn)
        if not statements:
            raise _missing("No policy is associated with the given resource.")
        document = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        return {"Policy": orjson.dumps(document).decode(), "RevisionId": revision}


def layer_policy(reader: Reader, arn: str) -> dict[str, Any] | None:
    """The policy of a layer version, by its ARN; None for one that has none, or is none."""
    try:
        statements, _ = _policy(reader, arn)
    except AwsError:
        return None
    return {"Version": "2012-10-17", "Statement": statements} if statements else None


def _policy(reader: Reader, arn: str) -> tuple[list[dict[str, Any]], str]:
    """Statements and revision. Raises ResourceNotFoundException."""
    row = reader.one(
        "SELECT statements, revision FROM layer_version"
        " WHERE account = ? AND region = ? AND name = ? AND version = ? AND NOT deleted",
        _bindings(arn),
    )
    if row is None:
        raise _missing(f"Layer version {arn} does not exist.")
    return orjson.loads(row[0]), row[1]


def _save(tx: Transaction, arn: str, statements: list[dict[str, Any]]) -> str:
    """Returns the new revision."""
    text, revision = orjson.dumps(statements), str(uuid.uuid4())
    if len(text) > LARGEST_POLICY:
        raise AwsError(
            "PolicyLengthExceededException",
            f"The final policy size ({len(text)}) is bigger than the limit ({LARGEST_POLICY}).",
        )
    tx.execute(
        "UPDATE layer_version SET statements = ?, revision = ?"
        " WHERE account = ? AND region = ? AND name = ? AND version = ?",
        (text, revision, *_bindings(arn)),
    )
    return revision


def _bindings(arn: str) -> tuple[str, str, str, int]:
    _, _, _, region, account, _, name, version = arn.split(":")
    return account, region, name, int(version)


def _statement(arn: str, params: Mapping[str, Any]) -> dict[str, Any]:
    principal = params["Principal"]
    if principal.isdigit():
        principal = f"arn:aws:iam::{principal}:root"
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": principal},
        "Action": params["Action"],
        "Resource": arn,
    }
    if "OrganizationId" in params:
        if principal != "*":
            raise invalid("The principal must be * where an organization is given.")
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": params["OrganizationId"]}}
    return statement


def _missing(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, status=404, fields={"Type": "User"})
