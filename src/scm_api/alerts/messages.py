"""What an alert says to people: one sentence a kind in both languages, made of its evidence.

Rule: no sentence tells money, which not everybody may see; it stands in the evidence.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from scm_api.core.errors import Text

_WORDS: dict[str, Text] = {
    "stocked_out": Text(
        "{sku} is out of stock in {warehouse}; daily demand is {daily_demand}.",
        "{warehouse} 的 {sku} 已缺货,日均需求 {daily_demand}。",
    ),
    "potential_stockout": Text(
        "{sku} in {warehouse} runs out on {stockout_on}: {available} available.",
        "{warehouse} 的 {sku} 预计于 {stockout_on} 断货,可用 {available}。",
    ),
    "low_stock": Text(
        "{sku} in {warehouse} is low: {available} available and {on_order} on order; reorder point "
        "{reorder_point}, safety stock {safety_stock}.",
        "{warehouse} 的 {sku} 库存偏低:可用 {available},在途订单 {on_order};再订货点 "
        "{reorder_point},安全库存 {safety_stock}。",
    ),
    "overstock": Text(
        "{sku} in {warehouse} is {surplus} above its level of {limit}.",
        "{warehouse} 的 {sku} 超出上限 {limit} 共 {surplus}。",
    ),
    "negative_cover_trend": Text(
        "{sku} in {warehouse} covers {cover_days} days; {compared_days} days ago it was "
        "{cover_days_before}.",
        "{warehouse} 的 {sku} 可供天数降至 {cover_days} 天,{compared_days} 天前为 "
        "{cover_days_before} 天。",
    ),
    "late_order": Text(
        "{number} line {line_no}: {quantity} of {sku} is {days_late} day(s) late (due {due_on}).",
        "{number} 第 {line_no} 行:{sku} {quantity} 已逾期 {days_late} 天(应于 {due_on} 到货)。",
    ),
    "unconfirmed_order": Text(
        "{number} has waited {days_waiting} day(s) for the supplier's confirmation.",
        "{number} 已等待供应商确认 {days_waiting} 天。",
    ),
}


def sentence(kind: str, evidence: Mapping[str, Any], language: str, **names: Any) -> str:
    """The alert in words."""
    values = {name: _plain(value) for name, value in {**evidence, **names}.items()}
    return _WORDS[kind].render(language, values)


def _plain(value: Any) -> Any:
    # Decimals are stored as strings; people want 40, not 40.0000.
    if value is None:
        return "-"
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except ArithmeticError:
            return value
        return format(number.normalize(), "f") if number.is_finite() else value
    return value
