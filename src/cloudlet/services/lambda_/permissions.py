"""Operations on a function's resource policy: who else may invoke it."""

import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cloudlet.authz.documents import MalformedPolicy, parse_policy
from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.lambda_.base import LambdaBase
from cloudlet.services.lambda_.catalog import Function, Policy, loaded
from cloudlet.services.lambda_.configuration import check_revision, invalid
from cloudlet.services.lambda_.names import LATEST, Reference, function_not_found, parse_reference
from cloudlet.store import Transaction

if TYPE_CHECKING:
    from types_boto3_lambda import type_defs as t

LARGEST_POLICY = 20_480


class PermissionOperations(LambdaBase):
    @operation("AddPermission")
    async def add_permission(self, call: Call, params: "t.AddPermissionRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        if "FunctionUrlAuthType" in params and params["Action"] != "lambda:InvokeFunctionUrl":
            raise invalid("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")
        if params.get("InvokedViaFunctionUrl") and params["Action"] != "lambda:InvokeFunction":
            raise invalid("InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action")
        if reference.qualifier == LATEST:
            raise invalid("We currently do not support adding policies for $LATEST.")
        statement = _statement(reference, params)

        def write(tx: Transaction) -> None:
            function = loaded(tx, reference)
            _check_qualifier(function, reference)
            policy = function.policies.get(reference.qualifier or "", Policy([], ""))
            if params.get("RevisionId") is not None:
                check_revision(policy.revision, params.get("RevisionId"))
            if any(other.get("Sid") == statement["Sid"] for other in policy.statements):
                raise AwsError(
                    "ResourceConflictException",
                    f"The statement id ({statement['Sid']}) provided already exists. Please provide a new statement id,"
                    " or remove the existing statement.",
                    status=409,
                )
            _save(tx, reference, [*policy.statements, statement])

        await self.catalog.change(reference.key, write)
        return {"Statement": orjson.dumps(statement).decode()}

    @operation("RemovePermission")
    async def remove_permission(self, call: Call, params: "t.RemovePermissionRequestTypeDef") -> None:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))

        def write(tx: Transaction) -> None:
            function = loaded(tx, reference)
            policy = function.policies.get(reference.qualifier or "")
            if policy is None:
                raise _no_policy()
            check_revision(policy.revision, params.get("RevisionId"))
            kept = [statement for statement in policy.statements if statement.get("Sid") != params["StatementId"]]
            if len(kept) == len(policy.statements):
                raise AwsError(
                    "ResourceNotFoundException",
                    f"Statement {params['StatementId']} is not found in resource policy.",
                    status=404,
                )
            _save(tx, reference, kept)

        await self.catalog.change(reference.key, write)

    @operation("GetPolicy")
    async def get_policy(self, call: Call, params: "t.GetPolicyRequestTypeDef") -> dict[str, Any]:
        reference = parse_reference(call, params["FunctionName"], params.get("Qualifier"))
        policy = self.catalog.get(reference).policies.get(reference.qualifier or "")
        if policy is None:
            raise _no_policy()
        document = {"Version": "2012-10-17", "Id": "default", "Statement": policy.statements}
        return {"Policy": orjson.dumps(document).decode(), "RevisionId": policy.revision}

    @operation("GetResourcePolicy")
    async def get_resource_policy(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        return await self.get_policy(call, {"FunctionName": params["ResourceArn"]})

    @operation("PutResourcePolicy")
    async def put_resource_policy(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """In place of all statements that there were."""
        statements = _check_policy(params["Policy"])
        revision = await self._replace(call, params["ResourceArn"], params.get("RevisionId"), statements)
        return {"Policy": params["Policy"], "RevisionId": revision}

    @operation("DeleteResourcePolicy")
    async def delete_resource_policy(self, call: Call, params: Mapping[str, Any]) -> None:
        await self._replace(call, params["ResourceArn"], params.get("RevisionId"), [])

    async def _replace(self, call: Call, arn: str, wanted: str | None, statements: list[dict[str, Any]]) -> str:
        """Returns the new revision."""
        reference = parse_reference(call, arn)

        def write(tx: Transaction) -> str:
            function = loaded(tx, reference)
            _check_qualifier(function, reference)
            policy = function.policies.get(reference.qualifier or "")
            if policy is None and not statements:
                raise _no_policy()
            check_revision(policy.revision if policy is not None else "", wanted)
            return _save(tx, reference, statements)

        return await self.catalog.change(reference.key, write)


def _check_policy(text: str) -> list[dict[str, Any]]:
    """The statements of a policy document. Raises InvalidParameterValueException."""
    try:
        parse_policy(text, "resource")
    except MalformedPolicy as error:
        raise invalid(f"The provided policy is invalid: {error}") from None
    statements = orjson.loads(text)["Statement"]
    return statements if isinstance(statements, list) else [statements]


def policy_document(function: Function | None, reference: Reference) -> dict[str, Any] | None:
    """The resource policy of the function, or of the version or alias that is named."""
    policy = function.policies.get(reference.qualifier or "") if function is not None else None
    return None if policy is None else {"Version": "2012-10-17", "Statement": policy.statements}


def _statement(reference: Reference, params: Mapping[str, Any]) -> dict[str, Any]:
    conditions: dict[str, dict[str, str]] = {}
    if "SourceAccount" in params:
        conditions.setdefault("StringEquals", {})["AWS:SourceAccount"] = params["SourceAccount"]
    if "SourceArn" in params:
        conditions.setdefault("ArnLike", {})["AWS:SourceArn"] = params["SourceArn"]
    if "PrincipalOrgID" in params:
        conditions.setdefault("StringEquals", {})["aws:PrincipalOrgID"] = params["PrincipalOrgID"]
    if "EventSourceToken" in params:
        conditions.setdefault("StringEquals", {})["lambda:EventSourceToken"] = params["EventSourceToken"]
    if "FunctionUrlAuthType" in params:
        conditions.setdefault("StringEquals", {})["lambda:FunctionUrlAuthType"] = params["FunctionUrlAuthType"]
    if params.get("InvokedViaFunctionUrl"):
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": "true"}
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": reference.arn,
    }
    if conditions:
        statement["Condition"] = conditions
    return statement


def _principal(given: str) -> str | dict[str, str]:
    if given == "*":
        return "*"
    if re.fullmatch(r"\d{12}", given):
        return {"AWS": f"arn:aws:iam::{given}:root"}
    if given.startswith("arn:"):
        return {"AWS": given}
    if re.fullmatch(r"([a-z0-9-]+\.)+(amazonaws|amazon)\.com", given):
        return {"Service": given}
    raise invalid("The provided principal was invalid. Please check the principal and try again.")


def _check_qualifier(function: Function, reference: Reference) -> None:
    qualifier = reference.qualifier
    if qualifier is not None and qualifier not in function.versions and qualifier not in function.aliases:
        raise function_not_found(reference.arn)


def _save(tx: Transaction, reference: Reference, statements: list[dict[str, Any]]) -> str:
    """Returns the new revision."""
    revision = str(uuid.uuid4())
    key = reference.key
    bindings = (key.account, key.region, key.name, reference.qualifier or "")
    if not statements:
        tx.execute("DELETE FROM policy WHERE account = ? AND region = ? AND name = ? AND qualifier = ?", bindings)
        return revision
    text = orjson.dumps(statements)
    if len(text) > LARGEST_POLICY:
        raise AwsError(
            "PolicyLengthExceededException",
            f"The final policy size ({len(text)}) is bigger than the limit ({LARGEST_POLICY}).",
        )
    tx.execute(
        "INSERT INTO policy (account, region, name, qualifier, statements, revision) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET statements = excluded.statements, revision = excluded.revision",
        (*bindings, text, revision),
    )
    return revision


def _no_policy() -> AwsError:
    return AwsError(
        "ResourceNotFoundException", "The resource you requested does not exist.", status=404, fields={"Type": "User"}
    )
