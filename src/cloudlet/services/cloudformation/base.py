"""What the groups of CloudFormation's operations stand on."""

from pathlib import Path
from uuid import uuid4

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.http import HttpRequest, HttpResponse
from cloudlet.core.service import Params, Service
from cloudlet.services.cloudformation import exports
from cloudlet.services.cloudformation.changes import Forecast
from cloudlet.services.cloudformation.deployer import Deployer
from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.intrinsics import UNKNOWN
from cloudlet.services.cloudformation.records import (
    Deployment,
    Resource,
    Stack,
    find_stack,
    stack_by_id,
    stacks_under_way,
)
from cloudlet.services.cloudformation.replies import PATH, Replies
from cloudlet.store import Store, Transaction

_UPDATABLE = frozenset(
    (
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
    )
)


class StackService(Service):
    """The service's data and life; its operations are in the classes that build on it."""

    apis = ("cloudformation",)

    async def start(self) -> None:
        self.store = Store(self.cloud.settings.data / "cloudformation.db", Path(__file__).with_name("schema.sql"))
        self.replies = Replies(self.cloud, self.store)
        self.deployer = Deployer(self.cloud, self.store, self.replies)

    async def recover(self) -> None:
        for stack_id in stacks_under_way(self.store.reader):
            self.deployer.start(stack_id)

    async def drain(self) -> None:
        await self.deployer.drain()

    async def stop(self) -> None:
        await self.deployer.stop()
        self.store.close()

    def serves_http(self, request: HttpRequest) -> bool:
        return request.path.startswith(PATH)

    async def handle_http(self, request: HttpRequest, request_id: str) -> HttpResponse:
        return await self.replies.receive(request)

    def resource(self, call: Call, params: Params) -> str | None:
        name = params.get("StackName")
        if not name:
            return "*"
        if name.startswith("arn:"):
            return name
        found = find_stack(self.store.reader, call.account, call.region, name)
        return found.id if found else f"arn:aws:cloudformation:{call.region}:{call.account}:stack/{name}/*"

    def find(self, call: Call, name: str, words: str = "Stack with id {} does not exist") -> Stack:
        """The stack by name or id; raises ValidationError, in the operation's own words, if there is none."""
        found = find_stack(self.store.reader, call.account, call.region, name)
        if found is None:
            raise validation_error(words.format(name))
        return found

    def forecast(self, stack: Stack, deployment: Deployment, resources: dict[str, Resource]) -> Forecast:
        """Raises ValidationError for what is wrong with the template before anything is made."""

        def exported(name: str) -> str:
            try:
                return exports.value(self.store.reader, stack.account, stack.region, name)
            except AwsError:
                return UNKNOWN  # type: ignore[return-value] - told when the import is really made

        return Forecast(
            deployment,
            stack_id=stack.id,
            stack_name=stack.name,
            account=stack.account,
            region=stack.region,
            resources=resources,
            exports=exported,
        )

    def new_stack(
        self, call: Call, name: str, deployment: Deployment, status: str, *, protected: bool = False
    ) -> Stack:
        return Stack(
            id=f"arn:aws:cloudformation:{call.region}:{call.account}:stack/{name}/{uuid4()}",
            account=call.account,
            region=call.region,
            name=name,
            status=status,
            reason=None,
            created=call.time,
            updated=None,
            deleted=None,
            run=0,
            deployment=deployment,
            previous=None,
            outputs=[],
            termination_protection=protected,
            change_set=None,
            retained=[],
            cancelled=False,
        )


def begin_update(tx: Transaction, stack: Stack, deployment: Deployment, time: float) -> None:
    """Sets a stack on its way to a new deployment. Raises ValidationError if it is not in a state for that."""
    now = stack_by_id(tx, stack.id)
    if now is None or now.status not in _UPDATABLE:
        status = now.status if now is not None else "DELETE_COMPLETE"
        raise validation_error(f"Stack:{stack.id} is in {status} state and can not be updated.")
    # A failed update that was left as it is still returns to what was there before it.
    kept = now.previous if now.status == "UPDATE_FAILED" and now.previous is not None else now.deployment
    tx.execute(
        "UPDATE stacks SET status = 'UPDATE_IN_PROGRESS', reason = 'User Initiated', run = run + 1, deployment = ?,"
        " previous = ?, updated = ?, cancelled = 0 WHERE id = ?",
        (deployment.dump(), kept.dump(), time, stack.id),
    )
