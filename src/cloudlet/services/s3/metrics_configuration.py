"""Configurations of request metrics: checked, kept by their ids, and asked which requests they count."""

import re
from collections.abc import Mapping
from typing import Any

from cloudlet.core.errors import NotImplementedByCloudlet
from cloudlet.services.s3.errors import invalid_argument, s3_error

Configuration = dict[str, Any]
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST_CONFIGURATIONS = 1000


def checked(id_: str, given: Mapping[str, Any]) -> Configuration:
    """The configuration as it is kept. Raises InvalidArgument, MalformedXML; 501 for access points."""
    if _ID.fullmatch(id_) is None:
        raise invalid_argument("The configuration ID is invalid.", "id", id_)
    if given["Id"] != id_:
        raise invalid_argument("The ID in the request does not match that of the configuration.", "id", id_)
    if "Filter" not in given:
        return {"Id": id_}
    condition = given["Filter"]
    if len(condition) != 1:
        raise s3_error("MalformedXML")
    parts = condition.get("And", condition)
    if "AccessPointArn" in parts:
        raise NotImplementedByCloudlet("metrics of access points")
    if "And" in condition and ("Prefix" in parts) + len(parts.get("Tags", ())) < 2:
        raise s3_error("MalformedXML")
    return {"Id": id_, "Filter": condition}


def asks_for_tags(configuration: Configuration) -> bool:
    return bool(_tags(configuration.get("Filter", {})))


def counts(configuration: Configuration, key: str | None, tags: Mapping[str, str]) -> bool:
    """Whether a request is counted. With a filter, only those on one object (`key`) are."""
    condition = configuration.get("Filter")
    if condition is None:
        return True
    prefix = condition.get("And", condition).get("Prefix", "")
    return (
        key is not None
        and key.startswith(prefix)
        and all(tags.get(tag["Key"]) == tag["Value"] for tag in _tags(condition))
    )


def _tags(condition: Mapping[str, Any]) -> list[dict[str, str]]:
    if "Tag" in condition:
        return [condition["Tag"]]
    return condition.get("And", {}).get("Tags", [])
