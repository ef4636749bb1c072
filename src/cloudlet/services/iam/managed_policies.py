"""Operations on managed policies: their versions, their tags, and to whom they are attached."""

from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AccessDenied
from cloudlet.core.ids import unique_id
from cloudlet.core.service import operation
from cloudlet.services.iam import entities, faults, policies
from cloudlet.services.iam.paging import page
from cloudlet.services.iam.policies import ManagedPolicy
from cloudlet.services.iam.records import Records
from cloudlet.store import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as shapes

_MAX_SIZE = 6144
_MAX_VERSIONS = 5


class ManagedPolicies(Records):
    @operation("CreatePolicy")
    async def create_policy(self, call: Call, params: "shapes.CreatePolicyRequestTypeDef") -> dict[str, Any]:
        document = _check(params["PolicyDocument"])
        path, name = params.get("Path", "/"), params["PolicyName"]
        policy = ManagedPolicy(
            arn=f"arn:aws:iam::{call.account}:policy{path}{name}",
            id=unique_id("ANPA"),
            account=call.account,
            name=name,
            path=path,
            description=params.get("Description"),
            default_version=1,
            latest_version=1,
            created=call.time,
            updated=call.time,
        )

        def create(tx: Transaction) -> None:
            policies.insert(tx, policy, document)
            entities.add_tags(tx, policy.arn, params.get("Tags", ()))

        await self.change(create)
        return {"Policy": self._policy(call, policy)}

    @operation("GetPolicy")
    async def get_policy(self, call: Call, params: "shapes.GetPolicyRequestTypeDef") -> dict[str, Any]:
        policy = _require(self.store.reader, call, params["PolicyArn"])
        shown = self._policy(call, policy)
        if policy.description is not None:
            shown["Description"] = policy.description
        return {"Policy": shown}

    @operation("ListPolicies")
    async def list_policies(self, call: Call, params: "shapes.ListPoliciesRequestTypeDef") -> dict[str, Any]:
        reader, scope, usage = self.store.reader, params.get("Scope", "All"), params.get("PolicyUsageFilter")
        candidates: list[ManagedPolicy] = []
        if scope != "AWS":
            candidates += policies.all_of(reader, call.account)
        if scope != "Local":
            candidates += policies.all_of_aws(reader)
        prefix = params.get("PathPrefix", "/")
        candidates = [policy for policy in candidates if policy.path.startswith(prefix)]
        if params.get("OnlyAttached"):
            candidates = [policy for policy in candidates if policies.attachments(reader, call.account, policy.arn)]
        if usage is not None:
            used = policies.boundaries if usage == "PermissionsBoundary" else policies.attachments
            candidates = [policy for policy in candidates if used(reader, call.account, policy.arn)]
        found, more = page(params, candidates, lambda policy: policy.arn)
        return {"Policies": [policies.shown(reader, call.account, policy) for policy in found], **more}

    @operation("DeletePolicy")
    async def delete_policy(self, call: Call, params: "shapes.DeletePolicyRequestTypeDef") -> None:
        def delete(tx: Transaction) -> None:
            policy = _own(tx, call, params["PolicyArn"])
            used = policies.attachments(tx, call.account, policy.arn) + policies.boundaries(
                tx, call.account, policy.arn
            )
            if used:
                raise faults.delete_conflict("Cannot delete a policy attached to entities.")
            if len(policies.versions_of(tx, policy)) > 1:
                raise faults.delete_conflict(
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                    "versions. The default version is deleted with the policy."
                )
            tx.execute("DELETE FROM tag WHERE subject = ?", (policy.arn,))
            tx.execute("DELETE FROM policy WHERE arn = ?", (policy.arn,))

        await self.change(delete)

    @operation("CreatePolicyVersion")
    async def create_policy_version(
        self, call: Call, params: "shapes.CreatePolicyVersionRequestTypeDef"
    ) -> dict[str, Any]:
        document, default = _check(params["PolicyDocument"]), params.get("SetAsDefault", False)

        def create(tx: Transaction) -> int:
            policy = _own(tx, call, params["PolicyArn"])
            if len(policies.versions_of(tx, policy)) >= _MAX_VERSIONS:
                raise faults.limit_exceeded(
                    f"A managed policy can have up to {_MAX_VERSIONS} versions. Before you create a new version, you "
                    "must delete an existing version."
                )
            version = policy.latest_version + 1
            policies.insert_version(tx, policy.arn, version, document, call.time)
            tx.execute(
                "UPDATE policy SET latest_version = ?, default_version = ?, updated = ? WHERE arn = ?",
                (version, version if default else policy.default_version, call.time, policy.arn),
            )
            return version

        version = await self.change(create)
        shown = {"VersionId": f"v{version}", "IsDefaultVersion": default, "CreateDate": call.time}
        return {"PolicyVersion": shown}

    @operation("GetPolicyVersion")
    async def get_policy_version(self, call: Call, params: "shapes.GetPolicyVersionRequestTypeDef") -> dict[str, Any]:
        policy = _require(self.store.reader, call, params["PolicyArn"])
        version, document, created = policies.version_of(self.store.reader, policy, params["VersionId"])
        shown = _version_shape(policy, version, created)
        return {"PolicyVersion": {**shown, "Document": policies.encoded(document)}}

    @operation("ListPolicyVersions")
    async def list_policy_versions(
        self, call: Call, params: "shapes.ListPolicyVersionsRequestTypeDef"
    ) -> dict[str, Any]:
        policy = _require(self.store.reader, call, params["PolicyArn"])
        versions = policies.versions_of(self.store.reader, policy)
        # The newest first.
        found, more = page(params, versions, lambda version: f"{1_000_000_000 - version[0]:010d}")
        return {"Versions": [_version_shape(policy, version, created) for version, _, created in found], **more}

    @operation("SetDefaultPolicyVersion")
    async def set_default_policy_version(
        self, call: Call, params: "shapes.SetDefaultPolicyVersionRequestTypeDef"
    ) -> None:
        def set_default(tx: Transaction) -> None:
            policy = _own(tx, call, params["PolicyArn"])
            version, _, _ = policies.version_of(tx, policy, params["VersionId"])
            tx.execute(
                "UPDATE policy SET default_version = ?, updated = ? WHERE arn = ?", (version, call.time, policy.arn)
            )

        await self.change(set_default)

    @operation("DeletePolicyVersion")
    async def delete_policy_version(self, call: Call, params: "shapes.DeletePolicyVersionRequestTypeDef") -> None:
        def delete(tx: Transaction) -> None:
            policy = _own(tx, call, params["PolicyArn"])
            version, _, _ = policies.version_of(tx, policy, params["VersionId"])
            if version == policy.default_version:
                raise faults.delete_conflict("Cannot delete the default version of a policy.")
            tx.execute("DELETE FROM policy_version WHERE policy_arn = ? AND version = ?", (policy.arn, version))

        await self.change(delete)

    @operation("TagPolicy")
    async def tag_policy(self, call: Call, params: "shapes.TagPolicyRequestTypeDef") -> None:
        await self.change(lambda tx: entities.add_tags(tx, _own(tx, call, params["PolicyArn"]).arn, params["Tags"]))

    @operation("UntagPolicy")
    async def untag_policy(self, call: Call, params: "shapes.UntagPolicyRequestTypeDef") -> None:
        await self.change(
            lambda tx: entities.remove_tags(tx, _own(tx, call, params["PolicyArn"]).arn, params["TagKeys"])
        )

    @operation("ListPolicyTags")
    async def list_policy_tags(self, call: Call, params: "shapes.ListPolicyTagsRequestTypeDef") -> dict[str, Any]:
        policy = _require(self.store.reader, call, params["PolicyArn"])
        found, more = page(params, list(entities.tags_of(self.store.reader, policy.arn).items()), lambda tag: tag[0])
        return {"Tags": entities.tag_list(dict(found)), **more}

    def _policy(self, call: Call, policy: ManagedPolicy) -> dict[str, Any]:
        return {**policies.shown(self.store.reader, call.account, policy), **self.tags_of(policy.arn)}


def _check(document: str) -> str:
    policies.check(document, "identity")
    if policies.size(document) > _MAX_SIZE:
        raise faults.limit_exceeded(f"Cannot exceed quota for PolicySize: {_MAX_SIZE}")
    return document


def _require(reader: Reader, call: Call, arn: str) -> ManagedPolicy:
    found = policies.find(reader, arn)
    if found is None or found.account not in (call.account, "aws"):
        raise faults.no_such_entity(f"Policy {arn} was not found.")
    return found


def _own(reader: Reader, call: Call, arn: str) -> ManagedPolicy:
    """A policy that the account may change. Raises NoSuchEntity, AccessDenied for AWS's own."""
    found = _require(reader, call, arn)
    if found.account == "aws":
        raise AccessDenied(f"Policy is outside your own account: {arn}")
    return found


def _version_shape(policy: ManagedPolicy, version: int, created: float) -> dict[str, Any]:
    is_default = version == policy.default_version
    return {"VersionId": f"v{version}", "IsDefaultVersion": is_default, "CreateDate": created}
