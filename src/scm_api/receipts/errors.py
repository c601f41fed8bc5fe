"""Problems and rules of receipts."""

from scm_api.core.errors import Conflict, Rule, Text


class OverTolerance(Conflict):
    code = "over_tolerance"
    title = Text("More than the order tolerates", "超出订单允许的到货数量")
    detail = Text(
        "{count} line(s) bring more than ordered and tolerated; nothing was received.",
        "有 {count} 行超出订购量与容差之和,未收货。",
    )


EXCEEDS_TOLERANCE = Rule(
    "exceeds_tolerance",
    Text(
        "At most {receivable} more may arrive on line {line_no}; {requested} requested.",
        "第 {line_no} 行最多还可收 {receivable},请求 {requested}。",
    ),
)
UNKNOWN_ORDER_LINE = Rule(
    "unknown_order_line",
    Text("Order {order} has no such line to receive.", "订单 {order} 没有可收货的该行。"),
)
ONE_ORDER_LINE = Rule(
    "one_order_line",
    Text(
        "Name the order's line by line_no or order_line_id, exactly one of them.",
        "请用 line_no 或 order_line_id 之一指明订单行。",
    ),
)
NOT_AGAINST_AN_ORDER = Rule(
    "not_against_an_order",
    Text("The order decides {field}; leave it out.", "{field} 由订单决定,请勿提供。"),
)
REQUIRED_WITHOUT_ORDER = Rule(
    "required_without_order",
    Text("Without an order, {field} is needed.", "无订单收货时必须提供 {field}。"),
)
ONLY_AGAINST_AN_ORDER = Rule(
    "only_against_an_order",
    Text("{field} has a meaning only against an order.", "{field} 仅在按订单收货时有意义。"),
)
