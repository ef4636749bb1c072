"""The API models: botocore's description of every service, the one source of shapes, limits and errors."""

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

_loader = Loader()


@cache
def api_model(api: str) -> ServiceModel:
    """The model of an API by botocore's name. Read at first use: the largest takes some 30 ms."""
    return ServiceModel(_loader.load_service_model(api, "service-2"), service_name=api)  # type: ignore[no-untyped-call]


@cache
def operation_model(api: str, name: str) -> OperationModel:
    """Raises botocore's OperationNotFoundError for a name that the model does not have."""
    return api_model(api).operation_model(name)
