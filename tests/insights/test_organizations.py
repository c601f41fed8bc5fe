"""Key figures put together from parts: sums of inputs, and ratios of the sums."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from scm_api.core.schemas import Link
from scm_api.insights import policy
from scm_api.insights.schemas import PurchaseOnTimeKpi, TurnoverKpi

ABOUT = {
    "kpi": "test",
    "formula": "",
    "formula_zh": "",
    "from": date(2026, 3, 1),
    "to": date(2026, 3, 10),
    "days": 10,
    "as_of": datetime(2026, 3, 11, tzinfo=UTC),
    "currency": "CNY",
    "group_by": None,
    "group_count": 0,
    "groups": [],
}


def link(number: int) -> Link:
    return Link(id=UUID(int=number), code=f"O-{number}", name=f"Organization {number}")


def purchases(n: int, on_time: int, late: int, days_late: int) -> PurchaseOnTimeKpi:
    names = ("n", "on_time", "early", "late", "missing", "on_time_in_full", "days_late")
    counts = (n, on_time, 0, late, n - on_time - late, on_time, days_late)
    row = {
        f"{basis}_{name}": value
        for basis in ("confirmed", "requested")
        for name, value in zip(names, counts, strict=True)
    }
    total = policy.purchase_on_time(row, 10)
    return PurchaseOnTimeKpi.model_validate({**ABOUT, "early_days": 0, "total": total})


def test_punctuality_is_counted_over_all_lines_not_averaged_over_organizations() -> None:
    parts = [(link(1), purchases(9, 9, 0, 0)), (link(2), purchases(3, 0, 3, 8))]
    answer = PurchaseOnTimeKpi.combined(parts)
    for total in (answer.total.confirmed, answer.total.requested):
        assert (total.n, total.on_time, total.late, total.days_late) == (12, 9, 3, 8)
        assert total.on_time_rate == Decimal("0.7500")
        assert total.average_days_late == Decimal("2.67")
    assert [row.group.code for row in answer.groups] == ["O-1", "O-2"]
    assert [row.confirmed.on_time_rate for row in answer.groups] == [1, 0]


def turnover(inputs: dict[str, Any]) -> TurnoverKpi:
    return TurnoverKpi.model_validate({**ABOUT, "total": policy.turnover(inputs, 10)})


money = st.decimals(min_value=0, max_value=10**12, places=4)
inputs = st.fixed_dictionaries(
    {
        "n": st.integers(0, 10**6),
        "opening_value": money,
        "closing_value": money,
        "value_days": money,
        "consumption_value": money,
    }
)


@given(st.lists(inputs, min_size=1, max_size=5))
def test_the_total_is_what_one_organization_with_all_the_inputs_would_have(
    rows: list[dict[str, Any]],
) -> None:
    together = {name: sum(row[name] for row in rows) for name in rows[0]}
    parts = [(link(number), turnover(row)) for number, row in enumerate(rows)]
    assert TurnoverKpi.combined(parts).total == turnover(together).total


def test_one_hidden_value_hides_the_total_and_all_that_is_made_from_it() -> None:
    row = dict.fromkeys(("opening_value", "closing_value", "consumption_value"), Decimal(2))
    whole = turnover({**row, "n": 1, "value_days": Decimal(10)})
    part = whole.model_copy(
        update={"total": whole.total.model_copy(update={"consumption_value": None})}
    )
    total = TurnoverKpi.combined([(link(1), whole), (link(2), part)]).total
    assert (total.n, total.value_days, total.average_value) == (2, Decimal(20), Decimal(2))
    assert total.consumption_value is total.turnover is total.days_of_inventory is None
