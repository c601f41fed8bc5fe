"""Problems and field rules of replenishment."""

from scm_api.core.errors import Conflict, Rule, Text


class NothingLeftToConvert(Conflict):
    code = "nothing_left_to_convert"
    title = Text("Nothing left to convert", "没有可转换的建议")
    detail = Text(
        "None of the {count} suggestion(s) asked for is open or accepted any more.",
        "所请求的 {count} 条建议均不再处于待处理或已接受状态。",
    )


class PlanRunning(Conflict):
    code = "plan_running"
    retryable = True
    title = Text("A plan is running", "补货计划正在运行")
    detail = Text(
        "A replenishment plan is being made; convert its suggestions when it is done.",
        "补货计划正在计算,请待其完成后再转换建议。",
    )


AS_OF_TOO_FAR = Rule(
    "as_of_too_far",
    Text(
        "A plan writes today's levels and suggestions: as_of may lie from {first} to {last}.",
        "计划会改写当前的库存水位与建议:as_of 须在 {first} 至 {last} 之间。",
    ),
)
NO_SUPPLIER = Rule(
    "no_supplier",
    Text(
        "Nobody sells {sku}; add a supplier, then plan again.",
        "没有供应商销售 {sku},请先维护供应商再重新计划。",
    ),
)
NO_PRICE = Rule(
    "no_price",
    Text(
        "Supplier {supplier} has no valid price for {sku}.",
        "供应商 {supplier} 没有 {sku} 的有效价格。",
    ),
)
ALREADY_CONVERTED = Rule(
    "already_converted",
    Text("Suggestion {id} is {status}.", "建议 {id} 的状态为 {status}。"),
)
INCOMPLETE_SCOPE = Rule(
    "incomplete_scope",
    Text(
        "Name a category alone, or an item, a warehouse, or both; nothing means everywhere.",
        "请单独指定类别,或指定物料、仓库或两者;均不指定表示整个组织。",
    ),
)
MAXIMUM_BELOW_MINIMUM = Rule(
    "maximum_below_minimum",
    Text(
        "The maximum stock must be at least the minimum stock {minimum}.",
        "最高库存不得低于最低库存 {minimum}。",
    ),
)
