"""Problems and rules of purchase orders."""

from scm_api.core.errors import Conflict, Rule, Text


class SupplierBlocked(Conflict):
    code = "supplier_blocked"
    title = Text("The supplier is blocked", "供应商已冻结")
    detail = Text(
        "Supplier {supplier} is blocked: nothing may be ordered from it.",
        "供应商 {supplier} 已冻结,不能向其采购。",
    )


BLOCKED_SUPPLIER = Rule("supplier_blocked", SupplierBlocked.detail)
NOT_ORDERABLE = Rule(
    "not_orderable",
    Text("{kind} {reference} is {status}.", "{kind} {reference} 的状态为 {status}。"),
)
REQUIRED_HERE = Rule(
    "required_here",
    Text("Give {field} here, or for the whole order.", "请在此处或整张订单上提供 {field}。"),
)
NO_PRICE = Rule(
    "no_price",
    Text(
        "Supplier {supplier} lists no price for {sku} on {date} in {currency}; give unit_price.",
        "供应商 {supplier} 在 {date} 没有 {sku} 的 {currency} 价格,请提供 unit_price。",
    ),
)
RATE_REQUIRED = Rule(
    "exchange_rate_required",
    Text(
        "The order is in {currency}, the books in {base_currency}: give exchange_rate.",
        "订单币种为 {currency},本位币为 {base_currency},请提供 exchange_rate。",
    ),
)
RATE_NOT_ONE = Rule(
    "exchange_rate_not_one",
    Text(
        "The order is in the base currency: exchange_rate is 1.",
        "订单币种即本位币,exchange_rate 须为 1。",
    ),
)
PRICE_WITHOUT_PRICE = Rule(
    "without_unit_price",
    Text("{field} needs unit_price.", "提供 {field} 时须同时提供 unit_price。"),
)
EITHER_DATE_OR_SCHEDULES = Rule(
    "either_date_or_schedules",
    Text("Give need_by or schedules, not both.", "need_by 与 schedules 只能提供其一。"),
)
SCHEDULES_DO_NOT_SUM = Rule(
    "schedules_do_not_sum",
    Text(
        "The schedules sum to {sum}, the line to {quantity}.",
        "交货计划合计 {sum},与行数量 {quantity} 不符。",
    ),
)
TOO_MUCH = Rule(
    "too_large", Text("At most {limit} in base units.", "折算为基本单位后不得超过 {limit}。")
)
UNKNOWN_LINE = Rule(
    "unknown_line",
    Text("The order has no open line {line_no}.", "订单没有未完结的第 {line_no} 行。"),
)
UNKNOWN_SCHEDULE = Rule(
    "unknown_schedule",
    Text(
        "Line {line_no} has no schedule {schedule_no}.",
        "第 {line_no} 行没有交货计划 {schedule_no}。",
    ),
)
SCHEDULE_REQUIRED = Rule(
    "schedule_required",
    Text(
        "Line {line_no} has {count} schedules: say which.",
        "第 {line_no} 行有 {count} 条交货计划,请指明。",
    ),
)
BELOW_RECEIVED = Rule(
    "below_received",
    Text("{received} were received already.", "已收货 {received},数量不能更少。"),
)
MORE_THAN_TOLERATED = Rule(
    "more_than_tolerated",
    Text("At most {maximum} may arrive on this line.", "此行最多可到货 {maximum}。"),
)
NOT_WITH_REJECTION = Rule(
    "not_with_rejection",
    Text("A rejected line has no quantity and no date.", "被拒绝的行不能有数量或日期。"),
)
