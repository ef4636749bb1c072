"""What parsed expressions are made of. Placeholders stay as written (`#name`, `:value`) until a request fills them."""

from dataclasses import dataclass

# A plain step is an attribute's name or a list index; one that begins with # is a placeholder.
Step = str | int


@dataclass(frozen=True, slots=True)
class Path:
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ValueRef:
    name: str


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    arguments: tuple["Operand", ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: str
    left: "Operand"
    right: "Operand"


Operand = Path | ValueRef | Function | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class Membership:
    operand: Operand
    options: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class And:
    left: "Condition"
    right: "Condition"


@dataclass(frozen=True, slots=True)
class Or:
    left: "Condition"
    right: "Condition"


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Condition"


# A Function is a condition if it is one of those that answer true or false.
Condition = Comparison | Between | Membership | Function | And | Or | Not


@dataclass(frozen=True, slots=True)
class SetAction:
    path: Path
    value: Operand


@dataclass(frozen=True, slots=True)
class RemoveAction:
    path: Path


@dataclass(frozen=True, slots=True)
class AddAction:
    path: Path
    value: ValueRef


@dataclass(frozen=True, slots=True)
class DeleteAction:
    path: Path
    value: ValueRef


Action = SetAction | RemoveAction | AddAction | DeleteAction
