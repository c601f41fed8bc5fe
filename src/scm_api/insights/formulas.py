"""The formula of each key figure in words, as its answer carries it."""

from scm_api.core.errors import Text

TURNOVER = Text(
    "turnover = consumption value / average stock value; days of inventory = average stock value / "
    "(consumption value / days). Consumption = cost of sales issues, consumption and production "
    "issues, less their reversals and customer returns, on the day of what was reversed. The "
    "average is time-weighted: a posting counts from its date, the posting day itself as half a "
    "day.",
    "周转率 = 消耗成本 / 平均库存金额;周转天数 = 平均库存金额 /(消耗成本 / 天数)。消耗 = 销售出库、"
    "领用与生产领料的成本,减去其冲销和客户退货(计入被冲销单据之日)。平均库存按时间加权:"
    "每笔过账自当日起计,过账当日按半天计。",
)
STOCK_OUT = Text(
    "stock-out rate = stocked-out item-days / item-days. An item-location is active if it had "
    "stock or demand in the period; its item-days run from its first posting or demand, or from "
    "the period's first day. A day is stocked out if unrestricted stock at its end is 0 or less "
    "and the item-location had demand (issues or shortages) in the period. Achieved fill = 1 - "
    "stock-out rate.",
    "缺货率 = 缺货品日 / 品日。期内有库存或需求的物料-仓库计为活跃,自首次过账、首次需求或期初起"
    "计日;"
    "当日终了非限制库存小于等于 0 且期内有需求(出库或缺货)计为缺货。达成率 = 1 - 缺货率。",
)
FILL = Text(
    "fill rate = issued / (issued + shortages), issues net of reversals. In value, issues count at "
    "their cost and shortages at the item-location's mean issue cost of the period, else at its "
    "last unit cost.",
    "满足率 = 出库 /(出库 + 缺货),出库扣除冲销。按金额时,出库按其成本,缺货按该物料-仓库期内平均"
    "出库成本,否则按最近单位成本。",
)
OVERSTOCK = Text(
    "overstock share = value above the level / stock value, at the end of the last day. Level = "
    "the order-up-to level planned by then, else cover_days x mean daily demand of the period. "
    "Surplus units are valued at the item-location's average cost.",
    "超储占比 = 超出上限的金额 / 库存金额,以最后一日终了为准。上限 = 届时已计划的补货上限,否则为 "
    "cover_days x 期内日均需求;超出数量按平均成本计价。",
)
PURCHASE_ON_TIME = Text(
    "on-time rate = schedule lines done on or before their date / schedule lines due in the "
    "period, by the confirmed date (the requested one where none was confirmed) and by the "
    "requested date. What arrives on a line fills its schedules by date. Done = received up to the "
    "under-delivery tolerance, or the supplier's final delivery; in full = the whole quantity. "
    "Early = done more than early_days before the date. Lines cancelled with nothing received do "
    "not count; what the supplier rejected counts only against the requested date.",
    "及时率 = 在日期当天或之前完成的交货计划行 / 期内到期的交货计划行,分别按确认日期(未确认则按需求"
    "日期)和需求日期计算。到货按日期先后冲抵交货计划;完成 = 收到容差允许的数量或供应商最后一次交货;"
    "足量 = 全部数量。早于 early_days 天为提前。未收货即取消的行不计;供应商拒绝的仅计入需求日期"
    "口径。",
)
