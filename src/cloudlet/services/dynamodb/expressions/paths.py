"""Document paths: reading from items, and rules for several paths in one expression."""

from collections.abc import Iterable

from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions.nodes import Step
from cloudlet.services.dynamodb.values import Item, Value

Steps = tuple[Step, ...]


def value_at(item: Item, steps: Steps) -> Value | None:
    """The value at a path, None if there is none."""
    value = item.get(steps[0])  # type: ignore[arg-type] - a path begins with a name
    for step in steps[1:]:
        if value is None:
            return None
        value = child(value, step)
    return value


def child(value: Value, step: Step) -> Value | None:
    if type(step) is int:
        elements = value.get("L")
        return elements[step] if elements is not None and step < len(elements) else None
    members = value.get("M")
    return members.get(step) if members is not None else None


def shown(steps: Steps) -> str:
    """A path as AWS prints it: [a, b, [0]]."""
    return "[" + ", ".join(f"[{step}]" if type(step) is int else str(step) for step in steps) + "]"


def check_disjoint(paths: Iterable[Steps], what: str) -> None:
    """Raises ValidationException if one path is the beginning of another, or takes for a list what is a map there."""
    root: dict[Step, dict] = {}
    ends: dict[int, Steps] = {}
    for steps in paths:
        node = root
        for depth, step in enumerate(steps):
            if id(node) in ends:
                raise _clash("overlap with each other", ends[id(node)], steps, what)
            if node and type(next(iter(node))) is not type(step):
                raise _clash("conflict with each other", _first(node, steps[:depth]), steps, what)
            node = node.setdefault(step, {})
        if id(node) in ends or node:
            raise _clash("overlap with each other", ends.get(id(node)) or _first(node, steps), steps, what)
        ends[id(node)] = steps


def _first(node: dict[Step, dict], steps: Steps) -> Steps:
    while node:
        step = next(iter(node))
        node = node[step]
        steps = (*steps, step)
    return steps


def _clash(how: str, one: Steps, other: Steps, what: str) -> Exception:
    return validation(
        f"Invalid {what}: Two document paths {how}; must remove or rewrite one of these paths; "
        f"path one: {shown(one)}, path two: {shown(other)}"
    )
