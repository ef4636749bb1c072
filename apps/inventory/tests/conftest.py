"""The application's functions as Lambda sees them: each folder's modules at the top of the path, in some region."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

for _function in sorted((Path(__file__).parents[1] / "functions").iterdir()):
    sys.path.insert(0, str(_function))

# The functions make their clients when they are imported, which needs no AWS, but a region and credentials.
with pytest.MonkeyPatch.context() as _environment:
    _environment.delenv("AWS_ENDPOINT_URL", raising=False)
    _environment.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    _environment.setenv("AWS_ACCESS_KEY_ID", "test")
    _environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
    for _module in ("load_inventory", "process_orders", "fill_back_orders", "check_stock", "stock_report", "dashboard"):
        import_module(_module)
