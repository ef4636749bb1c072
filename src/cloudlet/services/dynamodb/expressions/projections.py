"""Projections: the part of an item that some paths name."""

from collections.abc import Iterable
from typing import Any

from cloudlet.services.dynamodb.expressions.nodes import Step
from cloudlet.services.dynamodb.expressions.parser import parse_projection
from cloudlet.services.dynamodb.expressions.paths import Steps, check_disjoint, child
from cloudlet.services.dynamodb.expressions.placeholders import Placeholders
from cloudlet.services.dynamodb.values import Item, Value


class Projection:
    """Paths as a tree: each step leads to its next ones, None where a path ends."""

    __slots__ = ("_tree", "paths")

    def __init__(self, paths: Iterable[Steps]) -> None:
        self.paths = tuple(paths)
        self._tree: dict[Step, Any] = {}
        for steps in self.paths:
            node = self._tree
            for step in steps[:-1]:
                node = node.setdefault(step, {})
            node[steps[-1]] = None

    @classmethod
    def of(cls, text: str, placeholders: Placeholders) -> "Projection":
        parsed = parse_projection(text, "ProjectionExpression")
        placeholders.use(parsed)
        paths = [placeholders.steps(path) for path in parsed.tree]
        check_disjoint(paths, "ProjectionExpression")
        return cls(paths)

    @property
    def attributes(self) -> set[str]:
        """The top-level attributes that it needs."""
        return {str(steps[0]) for steps in self.paths}

    def apply(self, item: Item) -> Item:
        projected: Item = {}
        for name, branch in self._tree.items():
            value = item.get(name)  # type: ignore[arg-type] - a path begins with a name
            part = value if value is None or branch is None else _part(value, branch)
            if part is not None:
                projected[str(name)] = part
        return projected


def _part(value: Value, tree: dict[Step, Any]) -> Value | None:
    """What the tree names of a map or list; list elements move together. None if it names nothing that is there."""
    parts: list[tuple[Step, Value]] = []
    for step in sorted(tree) if type(next(iter(tree))) is int else tree:  # type: ignore[type-var]
        inner = child(value, step)
        branch = tree[step]
        if inner is not None and branch is not None:
            inner = _part(inner, branch)
        if inner is not None:
            parts.append((step, inner))
    if not parts:
        return None
    return {"L": [inner for _, inner in parts]} if "L" in value else {"M": dict(parts)}
