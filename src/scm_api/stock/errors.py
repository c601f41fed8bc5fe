"""Problems and rules of stock."""

from scm_api.core.errors import Conflict, Rule, Text


class InsufficientStock(Conflict):
    code = "insufficient_stock"
    title = Text("Insufficient stock", "库存不足")
    detail = Text(
        "{count} line(s) ask for more than there is; nothing was posted.",
        "有 {count} 行超出可用库存,未过账。",
    )


class QuantityChanged(Conflict):
    code = "quantity_changed"
    title = Text("The quantity is not what you expected", "数量与预期不符")
    detail = Text(
        "{count} line(s) found another quantity than expected; nothing was posted.",
        "有 {count} 行的现存量与预期不符,未过账。",
    )


class AlreadyReversed(Conflict):
    code = "already_reversed"
    title = Text("Already reversed", "已冲销")
    detail = Text("The document was already reversed.", "该单据已被冲销。")


class ReversedElsewhere(Conflict):
    code = "reversed_elsewhere"
    title = Text("Reverse the document it came from", "请冲销来源单据")
    detail = Text(
        "This posting belongs to a {reference_type}; reverse that, so that both stay in step.",
        "该过账属于 {reference_type},请冲销该单据,使两者保持一致。",
    )


EXCEEDS_ON_HAND = Rule(
    "exceeds_on_hand",
    Text("{available} are there; {requested} requested.", "现存 {available},请求 {requested}。"),
)
EXCEEDS_AVAILABLE = Rule(
    "exceeds_available",
    Text(
        "{available} are available; {requested} requested.", "可用 {available},请求 {requested}。"
    ),
)
EXCEEDS_LATER_STOCK = Rule(
    "exceeds_later_stock",
    Text(
        "Taking {requested} at that time would leave less than nothing later.",
        "在该时间出库 {requested} 会使之后的库存为负。",
    ),
)
QUANTITY_CHANGED = Rule(
    "quantity_changed",
    Text("{expected} expected; {actual} are there.", "预期 {expected},实际 {actual}。"),
)
NOT_FOR_THIS_TYPE = Rule(
    "not_for_this_type",
    Text("{field} has no meaning for {type}.", "{type} 类型不使用 {field}。"),
)
REQUIRED_FOR_THIS_TYPE = Rule(
    "required_for_this_type", Text("{type} needs {field}.", "{type} 类型需要 {field}。")
)
GIVES_AND_TAKES = Rule(
    "gives_and_takes",
    Text(
        "This document already moves the item the other way between these warehouses.",
        "该单据已在相反方向调拨此物料。",
    ),
)
SAME_PLACE = Rule("same_place", Text("Source and destination are the same.", "来源与去向相同。"))
LOT_EXPIRY_DIFFERS = Rule(
    "lot_expiry_differs",
    Text("Lot {lot} expires on {expires_on}.", "批次 {lot} 的到期日为 {expires_on}。"),
)
BEFORE_ORIGINAL = Rule(
    "before_original",
    Text("May not lie before the original, {original_at}.", "不能早于原单据时间 {original_at}。"),
)
LOT_REQUIRED = Rule("lot_required", Text("{sku} is kept by lot.", "{sku} 按批次管理。"))
LOT_NOT_TRACKED = Rule("lot_not_tracked", Text("{sku} is not kept by lot.", "{sku} 不按批次管理。"))
IN_THE_FUTURE = Rule("in_the_future", Text("May not lie in the future.", "不能晚于当前时间。"))
NOT_ACTIVE = Rule(
    "not_active", Text("{kind} {reference} is not active.", "{kind} {reference} 未启用。")
)
