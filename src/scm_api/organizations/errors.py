"""Problems and rules of an organization's settings."""

from scm_api.core.errors import Conflict, Rule, Text


class SettingInUse(Conflict):
    """`field` is the setting; `because` says what was built on it."""

    code = "setting_in_use"
    title = Text("The setting is in use", "设置已被使用")
    detail = Text("{field} cannot change any more: {because}.", "{field} 不能再更改:{because}。")


HAS_DOCUMENTS = Text("there are stock movements or orders in it", "已有以其记账的库存移动或订单")
HAS_CLOSED_PERIODS = Text("fiscal periods are closed by it", "已有按其结账的会计期间")


class PeriodClosed(Conflict):
    """`period` is the code of the closed fiscal period."""

    code = "period_closed"
    title = Text("The fiscal period is closed", "会计期间已结账")
    detail = Text(
        "Nothing can be posted into {period}: it is closed. Choose a later occurred_at, or reopen "
        "the period.",
        "期间 {period} 已结账,不能过账。请选择更晚的 occurred_at,或反结账。",
    )


class PeriodOutOfOrder(Conflict):
    """`expected` is the only period this can be done with now."""

    code = "period_out_of_order"
    title = Text("Another period comes first", "期间顺序不符")
    detail = Text(
        "Periods are closed one after the other and reopened in reverse: {expected} comes first.",
        "期间须依次结账、逆序反结账:应先处理 {expected}。",
    )


class PeriodNotOver(Conflict):
    code = "period_not_over"
    title = Text("The period is not over", "期间尚未结束")
    detail = Text(
        "{period} ends on {ends_on}; it can be closed from the next day on.",
        "期间 {period} 于 {ends_on} 结束,次日起可结账。",
    )


class NotASandbox(Conflict):
    code = "not_a_sandbox"
    title = Text("Not a sandbox", "非沙箱组织")
    detail = Text(
        "{organization} is no sandbox: nothing empties it.", "{organization} 不是沙箱,不能清空。"
    )


class JobsRunning(Conflict):
    code = "jobs_running"
    retryable = True
    title = Text("Background work is under way", "后台任务进行中")
    detail = Text(
        "{count} other job(s) are running; let them end, or cancel them, and try again.",
        "有 {count} 个其他任务正在运行,请待其结束或取消后重试。",
    )


NOT_CONFIRMED = Rule(
    "not_confirmed",
    Text(
        "Say the code of this organization, {organization}, to confirm.",
        "请填写本组织代码 {organization} 以确认。",
    ),
)
DAY_NOT_IN_YEAR = Rule(
    "day_not_in_year", Text("Must be a day of {year}.", "须为 {year} 年内的日期。")
)
DAY_TWICE = Rule("day_twice", Text("{day} is listed twice.", "{day} 重复。"))
TOO_LONG_A_SPAN = Rule(
    "span_too_long", Text("At most {days} days at once.", "一次最多 {days} 天。")
)
ENDS_BEFORE_START = Rule(
    "ends_before_start", Text("May not lie before the first day.", "不能早于首日。")
)
UNKNOWN_TOKEN = Rule(
    "unknown_token",
    Text(
        "{token} is not known; use {n}, {width}, {dates}.",
        "无法识别 {token};可用 {n}、{width}、{dates}。",
    ),
)
ONE_COUNTER = Rule(
    "one_counter",
    Text("There must be exactly one counter such as {example}.", "须恰有一个计数,如 {example}。"),
)
LITERALS_ONLY = Rule(
    "literal_characters",
    Text(
        "Besides tokens only letters, digits, '-', '_' and '.' are allowed.",
        "除占位符外仅允许字母、数字、-、_ 与 .。",
    ),
)
NUMBER_TOO_LONG = Rule(
    "number_too_long",
    Text(
        "Its numbers may grow to {length} characters; {limit} fit.",
        "其编号可能达 {length} 个字符,上限为 {limit}。",
    ),
)
AMBIGUOUS_RESTART = Rule(
    "ambiguous_restart",
    Text(
        "Numbers that begin again every {period} must show it: {tokens}.",
        "按{period}重新计数的编号须包含:{tokens}。",
    ),
)
