"""The rules of orders without a database: the state machine, tolerances, statuses and money."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st

from scm_api.purchase_orders import policy
from scm_api.purchase_orders.currencies import round_amount
from scm_api.purchase_orders.document import Line, Schedule
from scm_api.purchase_orders.revising import difference
from scm_api.purchase_orders.router import purchase_orders
from scm_api.receipts.policy import over_tolerance
from scm_api.receipts.router import receipts

ORGANIZATION, ORDER = UUID(int=1), UUID(int=2)
STATUSES = {"draft", "approved", "issued", "closed", "cancelled"}


@dataclass(frozen=True)
class State:
    status: str
    is_on_hold: bool = False
    close_reason: str | None = None


def a_line(quantity: str = "100", received: str = "0", **more: object) -> Line:
    line = Line(
        organization_id=ORGANIZATION,
        id=uuid4(),
        order_id=ORDER,
        line_no=1,
        item_id=uuid4(),
        warehouse_id=uuid4(),
        supplier_sku=None,
        unit="EA",
        unit_quantity=Decimal(quantity),
        quantity=Decimal(quantity),
        unit_price=Decimal("1.5"),
        price_per=Decimal(1),
        price_unit="EA",
        price_base_quantity=Decimal(1),
        received_quantity=Decimal(received),
    )
    for name, value in more.items():
        setattr(line, name, value)
    if not line.schedules:
        line.schedules = [a_part(line, 1, quantity, date(2030, 3, 1))]
    return line


def a_part(line: Line, number: int, quantity: str, on: date) -> Schedule:
    return Schedule(ORGANIZATION, uuid4(), line.id, number, Decimal(quantity), on)


def _states(status: str) -> list[State]:
    reasons = ["completed", "short_closed", "cancelled_remainder"] if status == "closed" else [None]
    return [State(status, held, reason) for held in (False, True) for reason in reasons]


def test_every_state_that_is_not_final_has_a_way_on() -> None:
    for status in STATUSES - policy.FINAL:
        for state in _states(status):
            moving = [t for t in policy.TRANSITIONS if t.applies(state) and t.target is not None]
            assert moving, f"{state} is a dead end"


def test_every_state_can_be_reached_from_a_draft() -> None:
    reached = {"draft"}
    for _ in STATUSES:
        reached |= {t.target for t in policy.TRANSITIONS if t.sources & reached and t.target}
    assert reached == STATUSES


def test_the_table_names_only_known_states_and_allows_inserting_others() -> None:
    for row in policy.TRANSITIONS:
        assert row.sources <= STATUSES
        assert row.target is None or row.target in STATUSES
    # A later state needs rows, not code.
    pending = policy.Transition("submit", frozenset({"draft"}), "pending_approval")
    assert pending.applies(State("draft"))


def test_on_hold_nothing_is_approved_issued_or_received() -> None:
    for status in STATUSES:
        for state in _states(status):
            if state.is_on_hold:
                allowed = policy.allowed_actions(state, _anything)
                assert not {"approve", "issue", "receive", "hold"} & set(allowed)
            else:
                assert "release" not in policy.allowed_actions(state, _anything)


def _anything(permission: str) -> bool:
    return True


def test_actions_need_what_their_operations_need() -> None:
    needed = {
        action or route.name: (route.openapi_extra or {})["x-permission"]
        for router, action in ((purchase_orders, None), (receipts, "receive"))
        for route in router.routes
        if isinstance(route, APIRoute)
        if action is None or route.name == "create"
    }
    actions = {t.action for t in policy.TRANSITIONS if not t.is_automatic}
    assert {a: policy.permission_of(a) for a in actions} == {a: needed[a] for a in actions}


def test_nobody_is_offered_what_he_has_no_permission_for() -> None:
    draft = State("draft")
    assert "approve" in policy.allowed_actions(draft, _anything)
    assert policy.allowed_actions(draft, "purchase_orders:approve".__eq__) == ["approve"]
    assert policy.allowed_actions(draft, "purchase_orders:read".__eq__) == []


quantities = st.decimals(min_value="0.0001", max_value=1000, places=4)


@given(
    st.lists(quantities, min_size=1, max_size=8),
    quantities,
    st.decimals(min_value=0, max_value=100, places=4),
    st.randoms(use_true_random=False),
)
def test_any_split_of_the_same_goods_is_accepted_or_refused_alike(
    parts: list[Decimal], ordered: Decimal, percent: Decimal, random: object
) -> None:
    """Whole, in parts, in any order, over receipts or over the lines of one receipt."""
    whole = a_line(str(ordered), over_delivery_percent=percent)
    accepted_whole = not over_tolerance([(whole, sum(parts, Decimal(0)))])
    assert accepted_whole == (sum(parts) * 100 <= ordered * (100 + percent))

    one_receipt = a_line(str(ordered), over_delivery_percent=percent)
    assert accepted_whole == (not over_tolerance([(one_receipt, part) for part in parts]))

    random.shuffle(parts)  # type: ignore[attr-defined]
    many_receipts = a_line(str(ordered), over_delivery_percent=percent)
    accepted_all = True
    for part in parts:
        if over_tolerance([(many_receipts, part)]):
            accepted_all = False
        else:
            many_receipts.received_quantity += part
    assert accepted_all == accepted_whole


def test_unlimited_overdelivery_takes_everything() -> None:
    line = a_line("1", is_unlimited_overdelivery=True)
    assert over_tolerance([(line, Decimal(10**9))]) == []


@pytest.mark.parametrize(
    ("received", "more", "expected"),
    [
        ("0", {}, ("none", "open")),
        ("40", {}, ("partial", "open")),
        ("100", {}, ("full", "delivered")),
        ("105", {}, ("over", "delivered")),
        ("95", {"under_delivery_percent": Decimal(5)}, ("full", "delivered")),
        ("94.9999", {"under_delivery_percent": Decimal(5)}, ("partial", "open")),
        ("40", {"is_final_delivery": True}, ("full", "delivered")),
        ("40", {"is_closed": True}, ("partial", "closed")),
        ("0", {"is_closed": True}, ("none", "cancelled")),
        ("0", {"under_delivery_percent": Decimal(100)}, ("none", "open")),
    ],
)
def test_a_line_has_the_status_its_receipts_give_it(
    received: str, more: dict[str, object], expected: tuple[str, str]
) -> None:
    line = a_line(received=received, **more)
    assert (policy.line_receipt_status(line), policy.line_status(line)) == expected


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (["0", "0"], "none"),
        (["100", "0"], "partial"),
        (["100", "100"], "full"),
        (["100", "101"], "over"),
        (["101", "0"], "partial"),
    ],
)
def test_an_order_has_the_receipt_status_of_its_lines(received: list[str], expected: str) -> None:
    assert policy.receipt_status([a_line(received=r) for r in received]) == expected


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["none", "none"], "none"),
        (["confirmed", "none"], "partial"),
        (["confirmed", "confirmed"], "confirmed"),
        (["confirmed", "changed"], "changed"),
        (["rejected", "confirmed"], "changed"),
        (["rejected", "rejected"], "rejected"),
    ],
)
def test_an_order_has_the_confirmation_status_of_its_schedules(
    answers: list[str], expected: str
) -> None:
    lines = [a_line() for _ in answers]
    for line, answer in zip(lines, answers, strict=True):
        line.schedules[0].confirmation = answer
    assert policy.confirmation_status(lines) == expected


def test_receipts_fill_the_earliest_dates_first() -> None:
    line = a_line(received="50")
    line.schedules = [
        a_part(line, 1, "60", date(2030, 3, 20)),
        a_part(line, 2, "40", date(2030, 3, 10)),
    ]
    still = [(s.schedule_no, quantity) for s, quantity in policy.open_schedules(line)]
    assert still == [(1, Decimal(50))]
    # A confirmed date moves a part to where it is really expected.
    line.schedules[0].answer(Decimal(60), date(2030, 3, 1))
    still = [(s.schedule_no, quantity) for s, quantity in policy.open_schedules(line)]
    assert still == [(1, Decimal(10)), (2, Decimal(40))]
    line.schedules[1].reject()
    assert policy.next_due_on([line]) == date(2030, 3, 1)
    assert len(policy.open_schedules(line)) == 1


@given(
    st.lists(st.tuples(quantities, st.integers(0, 30)), min_size=1, max_size=6),
    st.decimals(min_value=0, max_value=6000, places=4),
)
def test_what_is_open_and_what_arrived_are_what_was_ordered(
    parts: list[tuple[Decimal, int]], received: Decimal
) -> None:
    total = sum((quantity for quantity, _ in parts), Decimal(0))
    line = a_line(str(total), str(received))
    line.schedules = [
        a_part(line, number, str(quantity), date(2030, 3, day + 1))
        for number, (quantity, day) in enumerate(parts, 1)
    ]
    still = sum((quantity for _, quantity in policy.open_schedules(line)), Decimal(0))
    assert still == policy.open_quantity(line) == max(total - received, Decimal(0))


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("10.005", "CNY", "10.01"),
        ("10.5", "JPY", "11"),
        ("10.0005", "KWD", "10.001"),
        ("10.00005", "CLF", "10.0001"),
        ("-10.005", "USD", "-10.01"),
    ],
)
def test_an_amount_is_rounded_to_the_minor_unit_of_its_currency(
    amount: str, currency: str, rounded: str
) -> None:
    assert str(round_amount(Decimal(amount), currency)) == rounded


def test_only_the_total_is_rounded() -> None:
    third = {"unit_price": Decimal("0.01"), "price_base_quantity": Decimal(3)}
    lines = [a_line("1", **third) for _ in range(3)]
    assert {policy.line_amount(line) for line in lines} == {Decimal("0.0033")}
    assert policy.order_amount(lines, "CNY") == Decimal("0.01")


def test_the_cost_of_a_unit_is_in_base_currency() -> None:
    line = a_line(unit_price=Decimal("100"), price_base_quantity=Decimal(12))
    assert policy.unit_cost(line, Decimal("7.2")) == Decimal("60.000000")


def test_a_quantity_converts_by_the_factor_the_line_was_ordered_with() -> None:
    line = a_line("24", unit_quantity=Decimal(2))
    assert policy.in_base_units(line, Decimal("0.5")) == Decimal(6)
    thirds = a_line("1", unit_quantity=Decimal(3))
    assert policy.in_base_units(thirds, Decimal(1)) is None


def test_terms_that_are_not_met_are_warnings() -> None:
    warnings = policy.quantity_warnings(a_line("13"), Decimal(24), Decimal(12), Decimal(10))
    assert [w["code"] for w in warnings] == [
        "below_minimum_quantity",
        "not_order_multiple",
        "above_maximum_quantity",
    ]
    assert policy.quantity_warnings(a_line("36"), Decimal(24), Decimal(12), None) == []


def test_a_difference_names_every_value_that_came_went_or_changed() -> None:
    before = {"/rate": Decimal(1), "/lines/1": {"/quantity": Decimal(5), "/gone": 1}}
    after = {"/rate": Decimal(1), "/lines/1": {"/quantity": Decimal(6), "/new": 2}}
    assert difference(before, after) == [
        {"path": "/lines/1/gone", "old": 1, "new": None},
        {"path": "/lines/1/new", "old": None, "new": 2},
        {"path": "/lines/1/quantity", "old": "5", "new": "6"},
    ]


def test_an_order_is_over_when_every_line_is() -> None:
    done, short = a_line(received="100"), a_line(received="40", is_closed=True)
    nothing = a_line(is_closed=True)
    assert policy.outcome([done, a_line()]) == ("issued", None)
    assert policy.outcome([done, nothing]) == ("closed", "completed")
    assert policy.outcome([short, nothing]) == ("closed", "cancelled_remainder")
    assert policy.outcome([nothing]) == ("cancelled", None)
