"""What parsed expressions are made of. Placeholders stay as written (`#name`, `:value`) until a request fills them."""

from typing import NamedTuple

# A plain step is an attribute's name or a list index; one that begins with # is a placeholder.
Step = str | int


class Path(NamedTuple):
    steps: tuple[Step, ...]


class ValueRef(NamedTuple):
    name: str


class Function(NamedTuple):
    name: str
    arguments: tuple["Operand", ...]


class Arithmetic(NamedTuple):
    operator: str
    left: "Operand"
    right: "Operand"


Operand = Path | ValueRef | Function | Arithmetic


class Comparison(NamedTuple):
    operator: str
    left: Operand
    right: Operand


class Between(NamedTuple):
    operand: Operand
    low: Operand
    high: Operand


class Membership(NamedTuple):
    operand: Operand
    options: tuple[Operand, ...]


class And(NamedTuple):
    left: "Condition"
    right: "Condition"


class Or(NamedTuple):
    left: "Condition"
    right: "Condition"


class Not(NamedTuple):
    condition: "Condition"


# A Function is a condition if it is one of those that answer true or false.
Condition = Comparison | Between | Membership | Function | And | Or | Not


class SetAction(NamedTuple):
    path: Path
    value: Operand


class RemoveAction(NamedTuple):
    path: Path


class AddAction(NamedTuple):
    path: Path
    value: ValueRef


class DeleteAction(NamedTuple):
    path: Path
    value: ValueRef


Action = SetAction | RemoveAction | AddAction | DeleteAction
