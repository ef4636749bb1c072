"""A function's code as templates give it, made into what the API takes."""

import io
import zipfile
from pathlib import Path

from cloudlet.core.errors import AwsError
from cloudlet.services.cloudformation.resources.resource_type import Properties, present

_CODE = ("ImageUri", "S3Bucket", "S3Key", "S3ObjectVersion")
# Inline code is one file, named for the runtime.
_INLINE_FILES = {"python": "index.py", "nodejs": "index.js"}


def function_code(properties: Properties) -> Properties:
    """The code as the API takes it: a package in S3, or the template's text made into one."""
    code = properties["Code"]
    if "ZipFile" not in code:
        unknown = [name for name in code if name not in _CODE]
        if unknown:
            raise AwsError("ValidationError", f"Encountered unsupported property {unknown[0]}")
        return present(code, *_CODE)
    runtime = str(properties.get("Runtime", ""))
    name = next((file for family, file in _INLINE_FILES.items() if runtime.startswith(family)), None)
    if name is None:
        raise AwsError("ValidationError", f"ZipFile can only be used with Python and Node.js runtimes, not {runtime}")
    files = {name: str(code["ZipFile"])}
    if name.endswith(".py") and "cfnresponse" in files[name]:
        files["cfnresponse.py"] = Path(__file__).with_name("cfnresponse.py").read_text()
    return {"ZipFile": _package(files)}


def _package(files: dict[str, str]) -> bytes:
    """The same texts always give the same bytes, so that their hash tells whether they have changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return buffer.getvalue()
