"""One item's write as it is asked for by PutItem, UpdateItem, DeleteItem, batches and transactions, and its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from cloudlet.services.dynamodb import legacy
from cloudlet.services.dynamodb.errors import condition_failed, validation
from cloudlet.services.dynamodb.expressions.conditions import BoundCondition
from cloudlet.services.dynamodb.expressions.placeholders import Placeholders
from cloudlet.services.dynamodb.expressions.updates import BoundUpdate
from cloudlet.services.dynamodb.items import Items, Origin
from cloudlet.services.dynamodb.keys import Key, key_given, key_of_item
from cloudlet.services.dynamodb.tables import Table
from cloudlet.services.dynamodb.values import LARGEST_ITEM, Item, Stored, item_size, normalised_item
from cloudlet.store import Transaction


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was there before and what is there now."""

    old: Stored | None
    new: Stored | None


@dataclass(frozen=True, slots=True)
class Write:
    """What all writes have. `shows_failed`: who fails the condition sees the item that did not meet it."""

    table: Table
    key: Key
    key_item: Item
    condition: BoundCondition | None = None
    shows_failed: bool = False

    def perform(self, tx: Transaction, items: Items, origin: Origin) -> Outcome:
        """Checks the condition and writes. Raises ConditionalCheckFailedException or ValidationException."""
        old = items.read(tx, self.table, self.key)
        if self.condition is not None and not self.condition.holds(old.item if old is not None else {}):
            raise condition_failed(old.item if old is not None and self.shows_failed else None)
        return self.change(tx, items, old, origin)

    def change(self, tx: Transaction, items: Items, old: Stored | None, origin: Origin) -> Outcome:
        """A mere check changes nothing."""
        return Outcome(old, old)


@dataclass(frozen=True, slots=True)
class Put(Write):
    new: Stored | None = None

    def change(self, tx: Transaction, items: Items, old: Stored | None, origin: Origin) -> Outcome:
        assert self.new is not None
        items.put(tx, self.table, self.key, old, self.new, origin)
        return Outcome(old, self.new)


@dataclass(frozen=True, slots=True)
class Delete(Write):
    def change(self, tx: Transaction, items: Items, old: Stored | None, origin: Origin) -> Outcome:
        items.delete(tx, self.table, self.key, old, origin)
        return Outcome(old, None)


@dataclass(frozen=True, slots=True)
class Update(Write):
    update: BoundUpdate | None = None

    def change(self, tx: Transaction, items: Items, old: Stored | None, origin: Origin) -> Outcome:
        update = self.update
        if old is None and update is not None and not update.makes_item():
            return Outcome(None, None)
        before: Item = old.item if old is not None else dict(self.key_item)
        after: Item = orjson.loads(old.raw) if old is not None else dict(self.key_item)
        if update is not None:
            update.apply(before, after)
        size = item_size(after)
        if size > LARGEST_ITEM:
            raise validation("Item size to update has exceeded the maximum allowed size")
        for index in self.table.indexes:
            index.check(after)
        new = Stored.of(after, size)
        items.put(tx, self.table, self.key, old, new, origin)
        return Outcome(old, new)


def put_of(table: Table, given: Mapping[str, Any]) -> Put:
    """A put without a condition. Raises ValidationException for an item that the table cannot take."""
    item, size = normalised_item(given)  # type: ignore[arg-type] - checked there
    key = key_of_item(table.keys, item)
    if size > LARGEST_ITEM:
        raise validation("Item size has exceeded the maximum allowed size")
    for index in table.indexes:
        index.check(item)
    return Put(table, key, table.keys.part(item), new=Stored.of(item, size))


def delete_of(table: Table, given: Mapping[str, Any]) -> Delete:
    key, item = key_given(table.keys, given)
    return Delete(table, key, item)


def condition_of(params: Mapping[str, Any], placeholders: Placeholders) -> BoundCondition | None:
    """ConditionExpression, or the legacy Expected."""
    if "ConditionExpression" in params:
        return BoundCondition.of(params["ConditionExpression"], "ConditionExpression", placeholders)
    if params.get("Expected"):
        return legacy.expected(params["Expected"], params.get("ConditionalOperator", "AND"))
    return None


def conditional_put(table: Table, params: Mapping[str, Any]) -> Put:
    """Of PutItem's parameters or those of a transaction's Put."""
    placeholders = Placeholders.of(params, "ConditionExpression")
    condition = condition_of(params, placeholders)
    placeholders.check_all_used()
    return replace(put_of(table, params["Item"]), condition=condition, shows_failed=_shows_failed(params))


def conditional_delete(table: Table, params: Mapping[str, Any]) -> Delete:
    placeholders = Placeholders.of(params, "ConditionExpression")
    condition = condition_of(params, placeholders)
    placeholders.check_all_used()
    return replace(delete_of(table, params["Key"]), condition=condition, shows_failed=_shows_failed(params))


def condition_check(table: Table, params: Mapping[str, Any]) -> Write:
    """Of a transaction's ConditionCheck."""
    placeholders = Placeholders.of(params, "ConditionExpression")
    condition = condition_of(params, placeholders)
    placeholders.check_all_used()
    key, item = key_given(table.keys, params["Key"])
    return Write(table, key, item, condition, _shows_failed(params))


def update_of(table: Table, params: Mapping[str, Any]) -> Update:
    """Of UpdateItem's parameters or those of a transaction's Update."""
    placeholders = Placeholders.of(params, "UpdateExpression", "ConditionExpression")
    update = None
    if "UpdateExpression" in params:
        update = BoundUpdate.of(params["UpdateExpression"], placeholders)
    elif params.get("AttributeUpdates"):
        update = legacy.attribute_updates(params["AttributeUpdates"])
    condition = condition_of(params, placeholders)
    placeholders.check_all_used()
    key, item = key_given(table.keys, params["Key"])
    if update is not None:
        update.check_keys(table.keys.names)
    return Update(table, key, item, condition, _shows_failed(params), update)


def _shows_failed(params: Mapping[str, Any]) -> bool:
    return params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
