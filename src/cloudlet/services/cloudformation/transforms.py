"""Transforms: templates rewritten before they are used. SAM is translated by AWS's own library."""

import asyncio
import copy
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.cloudformation import foreach
from cloudlet.services.cloudformation.errors import validation_error
from cloudlet.services.cloudformation.template import INCLUDE

SAM = "AWS::Serverless-2016-10-31"
LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"

# One at a time: the translator keeps the region in a class attribute.
_translator = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sam-translator")


async def transform(
    body: dict[str, Any], names: tuple[str, ...], parameters: Mapping[str, str], region: str
) -> dict[str, Any]:
    """The template without its transforms. Raises ValidationError in the transform's own words."""
    for name in names:
        if name not in (SAM, LANGUAGE_EXTENSIONS, INCLUDE):  # what was included is in the template by now
            raise NotImplementedByCloudlet(f"the transform {name}")
    if not names:
        return body
    plain = {key: value for key, value in body.items() if key != "Transform"}
    if LANGUAGE_EXTENSIONS in names:
        plain = foreach.expand(plain, parameters)
    if SAM not in names:
        return plain
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        _translator, _translate_sam, {**plain, "Transform": SAM}, dict(parameters), region
    )


def _translate_sam(body: dict[str, Any], parameters: dict[str, str], region: str) -> dict[str, Any]:
    # The library takes most of a second to import: only those who use SAM pay for it.
    import boto3
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    logging.getLogger("samtranslator").setLevel(logging.WARNING)
    session = boto3.Session(aws_access_key_id="-", aws_secret_access_key="-", region_name=region)
    translator = Translator(None, Parser(), boto_session=session)
    try:
        output: dict[str, Any] = translator.translate(
            copy.deepcopy(body),
            parameters,
            get_managed_policy_map=lambda: get_bundled_managed_policy_map("aws") or {},
        )
    except InvalidDocumentException as error:
        words = " ".join([error.message, *(cause.message for cause in error.causes if cause.message)])
        raise validation_error(f"Transform {SAM} failed with: {words}") from None
    output.pop("Transform", None)
    return _plain(output)


def _plain(node: Any) -> Any:
    """Without the translator's own string and dictionary classes."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(each) for each in node]
    return str(node) if isinstance(node, str) else node
