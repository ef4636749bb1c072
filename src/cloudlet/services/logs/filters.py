"""What subscription filters and metric filters of a log group have in common."""

from collections.abc import Mapping
from typing import Any, Literal

from cloudlet.core.errors import AwsError, NotImplementedByCloudlet
from cloudlet.services.logs.filter_pattern import FilterPattern, compiled
from cloudlet.services.logs.log_group import LogGroup
from cloudlet.store import Transaction

Kind = Literal["metric", "subscription"]
# Filters of one log group, and those among them in whose patterns regular expressions are.
_MOST: dict[Kind, int] = {"metric": 100, "subscription": 2}
_MOST_WITH_EXPRESSIONS = 5


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """Raises NotImplementedByCloudlet for what is about transformed or centralised logs."""
    if params.get("applyOnTransformedLogs"):
        raise NotImplementedByCloudlet("filters of transformed logs (applyOnTransformedLogs)")
    for member in ("fieldSelectionCriteria", "emitSystemFields", "emitSystemFieldDimensions"):
        if params.get(member):
            raise NotImplementedByCloudlet(f"filters of centralised logs ({member})")


def limit_exceeded() -> AwsError:
    return AwsError("LimitExceededException", "Resource limit exceeded.")


def check_limits(tx: Transaction, group: LogGroup, kind: Kind, name: str, pattern: FilterPattern) -> None:
    """`name` is that of the filter to be put. Raises LimitExceededException."""
    others = tx.all(f"SELECT name FROM {kind}_filter WHERE log_group = ? AND name != ?", (group.id, name))
    if len(others) >= _MOST[kind]:
        raise limit_exceeded()
    if pattern.has_expressions:
        _check_expressions(tx, group, kind, name)


def _check_expressions(tx: Transaction, group: LogGroup, kind: Kind, name: str) -> None:
    others = tx.all(
        "SELECT pattern FROM subscription_filter WHERE log_group = ?1 AND NOT (?2 = 'subscription' AND name = ?3)"
        " UNION ALL SELECT pattern FROM metric_filter WHERE log_group = ?1 AND NOT (?2 = 'metric' AND name = ?3)",
        (group.id, kind, name),
    )
    if sum(compiled(other).has_expressions for (other,) in others) >= _MOST_WITH_EXPRESSIONS:
        raise limit_exceeded()


def delete_filter(tx: Transaction, group: LogGroup, kind: Kind, name: str) -> None:
    """Raises ResourceNotFoundException."""
    if not tx.execute(f"DELETE FROM {kind}_filter WHERE log_group = ? AND name = ?", (group.id, name)):
        raise AwsError("ResourceNotFoundException", f"The specified {kind} filter does not exist.")
    count_filters(tx, group)


def count_filters(tx: Transaction, group: LogGroup) -> None:
    """To be called after every change of the group's filters: whoever adds events looks for them only if there are."""
    tx.execute(
        "UPDATE log_group SET filters = (SELECT count(*) FROM subscription_filter WHERE log_group = ?1)"
        " + (SELECT count(*) FROM metric_filter WHERE log_group = ?1) WHERE id = ?1",
        (group.id,),
    )
