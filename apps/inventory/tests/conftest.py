"""The application's functions as Lambda sees them: each folder's modules at the top of the path."""

import os
import sys
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
for _function in sorted((Path(__file__).parents[1] / "functions").iterdir()):
    sys.path.insert(0, str(_function))
