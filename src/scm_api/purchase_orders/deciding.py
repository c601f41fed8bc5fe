"""Who may decide that an order is placed as it is: the duty rule and the amount limit."""

from scm_api.access import duties
from scm_api.access.limits import check_amount
from scm_api.core.errors import OutsideLimits
from scm_api.core.tx import Tx
from scm_api.purchase_orders import repository
from scm_api.purchase_orders.currencies import round_amount
from scm_api.purchase_orders.saving import Order

APPROVE = "purchase_orders:approve"


async def decide(tx: Tx, order: Order) -> None:
    """Raises `SegregationOfDuties` for who wrote the order, `AmountLimitExceeded` for who may not
    spend as much, `OutsideLimits` for whoever has a limit where a line has none."""
    header = order.header
    await duties.check(tx, duties.ORDER_CREATOR_APPROVES, header.id)
    if tx.principal.limits.amount is None:
        return
    base_currency = (await repository.organization(tx)).base_currency
    amount = round_amount(header.amount * header.exchange_rate, base_currency)
    check_amount(tx.principal, amount, base_currency)
    if any(line.is_unlimited_overdelivery and not line.is_closed for line in order.lines):
        raise OutsideLimits
