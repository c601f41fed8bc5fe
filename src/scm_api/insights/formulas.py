"""The formula of each key figure in words, as its answer carries it."""

from scm_api.core.errors import Text
from scm_api.insights.policy import LOOK_BACK_DAYS

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
    "stock-out rate = stocked-out item-days / item-days. An item-location is wanted if it had "
    f"demand (issues or shortages) in the period or the {LOOK_BACK_DAYS} days before it, or if "
    "its planned daily demand, as planned by then, is above zero. It is active if it is wanted or "
    "had stock in the period; its item-days run from its first posting or demand, or from the "
    "period's first day. A day is stocked out if the item-location is wanted and its unrestricted "
    "stock at the day's end is 0 or less. Achieved fill = 1 - stock-out rate.",
    "缺货率 = 缺货品日 / 品日。期内或期前 "
    f"{LOOK_BACK_DAYS} 天内有需求(出库或缺货),或届时计划的日均需求大于 0 的物料-仓库计为有需求;"
    "有需求或期内有库存的计为活跃,自首次过账、首次需求或期初起计日;有需求且当日终了非限制库存"
    "小于等于 0 计为缺货。达成率 = 1 - 缺货率。",
)
FILL = Text(
    "fill rate = issued / (issued + shortages), issues net of reversals. In value, issues count at "
    "their cost and shortages at the item-location's mean issue cost of the period, else at the "
    "unit cost at which stock last entered it by the last day (or first after it), as recorded by "
    "as_of.",
    "满足率 = 出库 /(出库 + 缺货),出库扣除冲销。按金额时,出库按其成本,缺货按该物料-仓库期内平均"
    "出库成本,否则按截至最后一日最近一次入库(没有则其后首次入库)的单位成本,以 as_of 前的记录"
    "为准。",
)
OVERSTOCK = Text(
    "overstock share = value above the level / stock value, at the end of the last day. Level = "
    "the order-up-to level as planned by then, else cover_days x mean daily demand of the period. "
    "Lines of plans are kept for 30 days: for a time before them the level is the "
    "item-location's current one. Surplus units are valued at the item-location's average cost.",
    "超储占比 = 超出上限的金额 / 库存金额,以最后一日终了为准。上限 = 届时已计划的补货上限,否则为 "
    "cover_days x 期内日均需求。计划明细保留 30 天,更早的时点以该物料-仓库当前上限为准;超出数量"
    "按平均成本计价。",
)
PURCHASE_ON_TIME = Text(
    "on-time rate = schedule lines done on or before their date / schedule lines due in the "
    "period, by the confirmed date (the requested one where none was confirmed) and by the "
    "requested date. What arrives on a line fills its schedules by date. Done = received up to the "
    "under-delivery tolerance, or the supplier's final delivery; in full = the whole quantity. "
    "Early = done more than early_days before the date. Lines not done count from the day after "
    "their date. Lines given up with nothing received do not count; what the supplier rejected "
    "counts only against the requested date. Issues, receipts and closings count as recorded by "
    "as_of; dates, quantities, tolerances and the supplier's answers, and lines reopened, as they "
    "stand now.",
    "及时率 = 在日期当天或之前完成的交货计划行 / 期内到期的交货计划行,分别按确认日期(未确认则按需求"
    "日期)和需求日期计算。到货按日期先后冲抵交货计划;完成 = 收到容差允许的数量或供应商最后一次交货;"
    "足量 = 全部数量。早于 early_days 天为提前。未完成的行自到期次日起计入。未收货即放弃的行不计;"
    "供应商拒绝的仅计入需求日期口径。下达、收货与关闭以 as_of 前的记录为准;日期、数量、容差、"
    "供应商答复及重新打开的行以当前为准。",
)
