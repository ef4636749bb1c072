"""What the groups of Lambda's operations share: the data, the packages, the runtime, the roles."""

from pathlib import Path
from typing import ClassVar

from cloudlet.core.service import Cloud, Service
from cloudlet.runtime import Runtime
from cloudlet.services.lambda_.catalog import Catalog
from cloudlet.services.lambda_.packages import Packages
from cloudlet.services.lambda_.roles import Roles
from cloudlet.store import Store

SCHEMA = Path(__file__).with_name("schema.sql")


class LambdaBase(Service):
    apis: ClassVar[tuple[str, ...]] = ("lambda",)
    store: Store
    catalog: Catalog
    packages: Packages
    runtime: Runtime

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.roles = Roles(cloud)
