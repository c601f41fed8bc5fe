"""How the demo's buyer ordered before there was a plan: every second week, up to a level.

A plain order-up-to rule from recent sales (Silver, Pyke and Thomas, 2017, periodic review (R, S));
it exists to give the past real orders, and to show what planning does better.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

REVIEW_DAYS = 14
SAFETY_DAYS = 21
LOOK_BACK_DAYS = 56
LEAD_TIME_ALLOWANCE = 1.5


@dataclass(frozen=True)
class Need:
    """What to order: the item and warehouse by their place in the sample, and units."""

    item: int
    warehouse: int
    quantity: int


def is_review_day(day: date, supplier: int) -> bool:
    """Whether the buyer looks at a supplier's items: Mondays, half of the suppliers each."""
    return day.weekday() == 0 and (day.toordinal() // 7 + supplier) % 2 == 0


def daily_demand(asked: NDArray[np.int64], opening: NDArray[np.int64]) -> NDArray[np.float64]:
    """Units a day from what was asked for, `asked[..., day]`, the last 8 weeks of it.

    The opening stock covers 30 days, so it stands for the weeks before there were sales.
    """
    known = asked[..., -LOOK_BACK_DAYS:]
    missing = LOOK_BACK_DAYS - known.shape[-1]
    return np.asarray((known.sum(axis=-1) + missing * opening / 30) / LOOK_BACK_DAYS)


def needs(
    members: NDArray[np.int64],
    demand: NDArray[np.float64],
    position: NDArray[np.int64],
    lead_time_days: NDArray[np.int64],
    multiple: NDArray[np.int64],
    minimum: NDArray[np.int64],
) -> list[Need]:
    """What to order of a supplier's items: `members` are their places in the sample.

    `demand` and `position` (on hand and on order) are by item and warehouse, the terms by item.
    """
    cover = lead_time_days * LEAD_TIME_ALLOWANCE + REVIEW_DAYS + SAFETY_DAYS
    short = demand[members] * cover[members, None] - position[members]
    step, least = multiple[members, None], minimum[members, None]
    quantity = np.maximum(np.ceil(short / step) * step, np.ceil(least / step) * step)
    return [
        Need(int(members[row]), int(warehouse), int(quantity[row, warehouse]))
        for row, warehouse in zip(*np.nonzero(short > 0), strict=True)
    ]
