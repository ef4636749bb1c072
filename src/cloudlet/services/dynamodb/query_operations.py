"""Query and Scan."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cloudlet.core.context import Call
from cloudlet.core.errors import AwsError
from cloudlet.core.service import operation
from cloudlet.services.dynamodb import capacity, key_conditions, legacy
from cloudlet.services.dynamodb.base import DynamoDBBase
from cloudlet.services.dynamodb.errors import invalid_values, validation
from cloudlet.services.dynamodb.expressions.conditions import BoundCondition
from cloudlet.services.dynamodb.expressions.placeholders import Placeholders
from cloudlet.services.dynamodb.expressions.projections import Projection
from cloudlet.services.dynamodb.keys import hash_range, key_of_item
from cloudlet.services.dynamodb.pages import Page, Position, Range, Shape, position_of, read_page
from cloudlet.services.dynamodb.tables import Index, Table
from cloudlet.services.dynamodb.values import Item, normalised

if TYPE_CHECKING:
    from types_boto3_dynamodb import type_defs as t

_QUERY_EXPRESSIONS = ("KeyConditionExpression", "FilterExpression", "ProjectionExpression")
_SCAN_EXPRESSIONS = ("FilterExpression", "ProjectionExpression")
# Pages of up to so many rows are read at once on the event loop: a thread would cost more than they do.
_SHORT_PAGE = 16


@dataclass(frozen=True, slots=True)
class Source:
    """What is read: a table, or an index of it."""

    table: Table
    index: Index | None


class QueryOperations(DynamoDBBase):
    @operation("Query")
    async def query(self, call: Call, params: "t.QueryInputTypeDef") -> dict[str, Any]:
        legacy.check_not_mixed(params)
        placeholders = Placeholders.of(params, *_QUERY_EXPRESSIONS)
        rows = _key_rows(params, placeholders)
        shape = _shape(params, placeholders, "QueryFilter", raw=call.http is not None)
        placeholders.check_all_used()
        source = self._source(call, params)
        schema = source.index.keys if source.index is not None else source.table.keys
        _check_filter(shape.filter, schema.names, "QueryFilter" in params)
        shape = _checked_shape(params, shape, source)
        keys = key_conditions.key_range(schema, rows)
        range_ = Range(keys.partition, keys.low, keys.high, backwards=not params.get("ScanIndexForward", True))
        if "ExclusiveStartKey" in params:
            after = _start(params["ExclusiveStartKey"], source)
            if not schema.range and source.index is None:
                shown = ", ".join(
                    f"{name}=AttributeValue: {value}" for name, value in params["ExclusiveStartKey"].items()
                )
                raise validation(f"The provided starting key is invalid: ExclusiveStartKey: {{{shown}}}")
            if after[0] != keys.partition or not keys.holds(after[1]):
                raise validation("The provided starting key is outside query boundaries based on provided conditions")
            range_ = replace(range_, after=after)
        return await self._answer(params, source, range_, shape)

    @operation("Scan")
    async def scan(self, call: Call, params: "t.ScanInputTypeDef") -> dict[str, Any]:
        legacy.check_not_mixed(params)
        placeholders = Placeholders.of(params, *_SCAN_EXPRESSIONS)
        shape = _shape(params, placeholders, "ScanFilter", raw=call.http is not None)
        placeholders.check_all_used()
        low, high = _segment(params)
        source = self._source(call, params)
        shape = _checked_shape(params, shape, source)
        range_ = Range(None, low, high)
        if "ExclusiveStartKey" in params:
            after = _start(params["ExclusiveStartKey"], source)
            if after[0] < low or (high is not None and after[0] >= high):
                raise validation(
                    "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use "
                    "ExclusiveStartKey with correct Segment. TotalSegments: "
                    f"{params.get('TotalSegments', 1)} Segment: {params.get('Segment', 0)}"
                )
            range_ = replace(range_, after=after)
        return await self._answer(params, source, range_, shape)

    def _source(self, call: Call, params: Mapping[str, Any]) -> Source:
        table = self.table(call, params["TableName"])
        if "IndexName" not in params:
            return Source(table, None)
        index = table.index(params["IndexName"])
        if index is None:
            raise validation(f"The table does not have the specified index: {params['IndexName']}")
        if not index.ready:
            raise validation(f"Cannot read from backfilling global secondary index: {index.name}")
        if index.kind == "global" and params.get("ConsistentRead"):
            raise validation("Consistent reads are not supported on global secondary indexes")
        return Source(table, index)

    async def _answer(self, params: Mapping[str, Any], source: Source, range_: Range, shape: Shape) -> dict[str, Any]:
        limit = params.get("Limit")

        def read(reader: Any) -> Page:
            return read_page(reader, source.table, source.index, range_, shape, limit)

        short = limit is not None and limit <= _SHORT_PAGE
        page = self.store.read(read) if short else await self.store.query(read)
        units = capacity.read_units(page.size, consistent=params.get("ConsistentRead", False))
        self.measures.read(source.table, units, source.index.name if source.index is not None else None)
        output: dict[str, Any] = {"Count": page.count, "ScannedCount": page.scanned}
        if not shape.counts_only:
            output["Items"] = page.items
        if page.last is not None:
            output["LastEvaluatedKey"] = _last_key(source, page.last)
        wanted = capacity.wanted(params)
        if wanted is not None:
            output["ConsumedCapacity"] = _consumed(source, page, params, wanted)
        return output


def _key_rows(params: Mapping[str, Any], placeholders: Placeholders) -> list[key_conditions.Row]:
    if "KeyConditionExpression" in params:
        return key_conditions.rows_of_expression(params["KeyConditionExpression"], placeholders)
    if not params.get("KeyConditions"):
        raise validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    return legacy.key_conditions(params["KeyConditions"])


def _shape(params: Mapping[str, Any], placeholders: Placeholders, filter_name: str, *, raw: bool) -> Shape:
    condition = None
    if "FilterExpression" in params:
        condition = BoundCondition.of(params["FilterExpression"], "FilterExpression", placeholders)
    elif filter_name in params:
        condition = legacy.filters(params[filter_name], params.get("ConditionalOperator", "AND"))
    projection = None
    if "ProjectionExpression" in params:
        projection = Projection.of(params["ProjectionExpression"], placeholders)
    elif "AttributesToGet" in params:
        projection = legacy.attributes_to_get(params["AttributesToGet"])
    select = params.get("Select")
    _check_select(params, select, projection)
    return Shape(condition, projection, select == "COUNT", select == "ALL_ATTRIBUTES", raw)


def _check_select(params: Mapping[str, Any], select: str | None, projection: Projection | None) -> None:
    name = "ProjectionExpression" if "ProjectionExpression" in params else "AttributesToGet"
    if select == "SPECIFIC_ATTRIBUTES" and projection is None:
        raise validation(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )
    if projection is not None and select not in (None, "SPECIFIC_ATTRIBUTES"):
        what = "only the Count" if select == "COUNT" else select
        raise validation(f"Cannot specify the {name} when choosing to get {what}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and "IndexName" not in params:
        raise validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")


def _checked_shape(params: Mapping[str, Any], shape: Shape, source: Source) -> Shape:
    """What of the shape depends on the index: a local one fetches what it lacks, a global one cannot."""
    index = source.index
    if index is None or index.projected is None:
        return shape
    if index.kind == "global":
        if shape.whole:
            raise invalid_values(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} because its "
                "projection type is not ALL"
            )
        missing = sorted(shape.projection.attributes - index.projected) if shape.projection is not None else []
        if missing:
            raise invalid_values(f"Global secondary index {index.name} does not project [{', '.join(missing)}]")
        return shape
    fetches = shape.projection is not None and not shape.projection.attributes <= index.projected
    return replace(shape, whole=shape.whole or fetches)


def _check_filter(condition: BoundCondition | None, key_names: tuple[str, ...], legacy_filter: bool) -> None:
    if condition is None:
        return
    for name in sorted(condition.attributes()):
        if name in key_names:
            if legacy_filter:
                raise validation(
                    f"QueryFilter can only contain non-primary key attributes: Primary key attribute: {name}"
                )
            raise validation(
                "Filter Expression can only contain non-primary key attributes: Primary key attribute: " + name
            )


def _segment(params: Mapping[str, Any]) -> tuple[bytes, bytes | None]:
    segment, segments = params.get("Segment"), params.get("TotalSegments")
    if segment is None and segments is None:
        return b"", None
    if segment is None:
        raise validation(
            "The Segment parameter is required but was not present in the request when parameter "
            "TotalSegments is present"
        )
    if segments is None:
        raise validation(
            "The TotalSegments parameter is required but was not present in the request when Segment "
            "parameter is present"
        )
    if segment >= segments:
        raise validation(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {segments}"
        )
    return hash_range(segment, segments)


def _start(given: Mapping[str, Any], source: Source) -> Position:
    """The position of ExclusiveStartKey. Raises ValidationException unless it is a key of the source."""
    table, index = source.table, source.index
    types = {**table.keys.types, **(index.keys.types if index is not None else {})}
    start: Item = {}
    if len(given) != len(types):
        raise _bad_start(source)
    for name, value in given.items():
        canonical, _ = normalised(value)
        if name not in types or types[name] not in canonical:
            raise _bad_start(source)
        start[name] = canonical
    try:
        return position_of(table, index, start, key_of_item(table.keys, start))
    except AwsError as error:
        raise validation(f"The provided starting key is invalid: {error.message}") from None


def _bad_start(source: Source) -> AwsError:
    if source.index is not None:
        return validation("The provided starting key is invalid")
    return validation("The provided starting key is invalid: The provided key element does not match the schema")


def _last_key(source: Source, item: Item) -> Item:
    key = source.table.keys.part(item)
    return {**key, **source.index.keys.part(item)} if source.index is not None else key


def _consumed(source: Source, page: Page, params: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    consumed = capacity.Consumed(source.table, wanted)
    units = capacity.read_units(page.size, consistent=params.get("ConsistentRead", False))
    if source.index is None:
        consumed.units = units
    else:
        consumed.add_index(source.index.name, units)
    return consumed.shown()
