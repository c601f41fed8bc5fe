"""What kind of demand an item-location has: how often, how much, how steady, which weekdays.

Rule: only observed days count; a masked day (before the first day, out of stock) says nothing.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int8]
Bools = NDArray[np.bool_]

ADI_CUT_OFF = 1.32
CV2_CUT_OFF = 0.49


class DemandClass(IntEnum):
    """Syntetos, Boylan and Croston's four classes, and NONE for a series without any demand."""

    NONE = 0
    SMOOTH = 1
    ERRATIC = 2
    INTERMITTENT = 3
    LUMPY = 4


@dataclass(frozen=True)
class DemandProfile:
    """Figures of N series, one array entry each; days are calendar days, demand in stock units.

    `adi` is observed days / days with demand (infinite without demand); `cv2` the squared
    coefficient of variation of the non-zero daily demands; `trend_share` the part of the daily
    variance that a straight line explains (R²); `weekly_cv` the coefficient of variation of the
    weekly demand rates (NaN under two observed weeks).
    """

    observed_days: Ints
    demand_days: Ints
    mean: Floats
    sd: Floats
    adi: Floats
    cv2: Floats
    demand_class: Codes
    trend_per_day: Floats
    trend_share: Floats
    weekly_cv: Floats


@dataclass(frozen=True)
class WeeklyIndex:
    """Weekday indices of N series: `index[i, w]` multiplies an average day, w = 0 is Monday."""

    index: Floats
    p_value: Floats
    is_significant: Bools


def observed(demand: Floats, valid: Bools | None = None) -> tuple[Floats, Bools]:
    """Return demand [N, T] with masked days set to 0, and the mask [N, T] of observed days.

    Raises ValueError when the shapes differ or an observed day holds a negative or missing value.
    """
    x = np.asarray(demand, dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(f"demand must be [series, days], got {x.ndim} dimensions")
    if valid is None:
        ok = np.ones(x.shape, dtype=np.bool_)
    else:
        ok = np.asarray(valid, dtype=np.bool_)
        if ok.shape != x.shape:
            raise ValueError(f"mask {ok.shape} does not fit demand {x.shape}")
        x = np.where(ok, x, 0.0)
    if x.size and not (float(x.min()) >= 0.0 and float(x.max()) < np.inf):
        raise ValueError("daily demand must be a number of at least 0 on every observed day")
    return x, ok


def _ratio(over: Floats, under: Floats | Ints, otherwise: float) -> Floats:
    out = np.full(np.shape(over), otherwise, dtype=np.float64)
    np.divide(over, under, out=out, where=np.asarray(under) > 0)
    return out


def demand_profile(demand: Floats, valid: Bools | None = None) -> DemandProfile:
    """Describe daily demand [N, T] (stock units a day) on the observed days of mask [N, T].

    Classes: Syntetos, Boylan & Croston (2005), cut-offs ADI 1.32 and CV² 0.49. Spreads are sample
    values (n - 1). An item with one demand only has CV² 0.
    """
    x, ok = observed(demand, valid)
    days = ok.sum(axis=1, dtype=np.int64)
    hit = x > 0
    demand_days = hit.sum(axis=1, dtype=np.int64)
    total = x.sum(axis=1)
    mean = _ratio(total, days, 0.0)
    deviation = (x - mean[:, None]) * ok
    squares = np.einsum("nt,nt->n", deviation, deviation)
    sd = np.sqrt(_ratio(squares, days - 1, 0.0))
    size = _ratio(total, demand_days, 0.0)
    size_squares = np.einsum("nt,nt->n", x, x) - demand_days * size**2
    size_variance = np.maximum(_ratio(size_squares, demand_days - 1, 0.0), 0.0)
    cv2 = _ratio(size_variance, size**2, 0.0)
    adi = _ratio(days.astype(np.float64), demand_days, np.inf)
    slope, share = _trend(deviation, ok, days, squares)
    return DemandProfile(
        observed_days=days,
        demand_days=demand_days,
        mean=mean,
        sd=sd,
        adi=adi,
        cv2=cv2,
        demand_class=classify(adi, cv2),
        trend_per_day=slope,
        trend_share=share,
        weekly_cv=_weekly_cv(x, ok),
    )


def classify(adi: Floats, cv2: Floats) -> Codes:
    """Return the `DemandClass` code of each series; an infinite `adi` means no demand at all."""
    rare = adi > ADI_CUT_OFF
    wild = cv2 > CV2_CUT_OFF
    code = np.where(
        rare,
        np.where(wild, DemandClass.LUMPY, DemandClass.INTERMITTENT),
        np.where(wild, DemandClass.ERRATIC, DemandClass.SMOOTH),
    )
    return np.where(np.isfinite(adi), code, DemandClass.NONE).astype(np.int8)


def _trend(deviation: Floats, ok: Bools, days: Ints, squares: Floats) -> tuple[Floats, Floats]:
    """Least-squares slope per day over observed days, and its share of the variance (R²)."""
    t = np.arange(deviation.shape[1], dtype=np.float64)
    weight = ok.astype(np.float64)
    centre = _ratio(weight @ t, days, 0.0)
    spread = np.maximum(weight @ (t * t) - days * centre**2, 0.0)
    cross = deviation @ t
    slope = _ratio(cross, spread, 0.0)
    share = np.clip(_ratio(cross**2, spread * squares, 0.0), 0.0, 1.0)
    return slope, share


def _weekly_cv(x: Floats, ok: Bools) -> Floats:
    """Coefficient of variation of the rates of whole weeks, counted back from the last day.

    A week counts when at least four of its days were observed.
    """
    series, days = x.shape
    weeks = days // 7
    if weeks == 0:
        return np.full(series, np.nan)
    shape = (series, weeks, 7)
    seen = ok[:, days - weeks * 7 :].reshape(shape).sum(axis=2, dtype=np.int64)
    sums = x[:, days - weeks * 7 :].reshape(shape).sum(axis=2)
    counted = seen >= 4
    rate = np.where(counted, sums / np.maximum(seen, 1), 0.0)
    n = counted.sum(axis=1, dtype=np.int64)
    mean = _ratio(rate.sum(axis=1), n, 0.0)
    deviation = (rate - mean[:, None]) * counted
    variance = _ratio(np.einsum("nw,nw->n", deviation, deviation), n - 1, np.nan)
    return _ratio(np.sqrt(variance), mean, np.nan)


def weekly_index(
    demand: Floats,
    valid: Bools | None = None,
    *,
    first_weekday: int = 0,
    significance: float = 0.01,
    min_weeks: int = 8,
) -> WeeklyIndex:
    """Weekday indices of demand [N, T] whose first column falls on `first_weekday` (0 = Monday).

    One-way analysis of variance over the weekdays: F = (SSB / 6) / (SSW / (n - 7)). Where its
    p-value is below `significance` and each weekday was observed `min_weeks` times, the raw ratio
    (weekday mean / mean of the seven) is shrunk towards 1 by 1 - 1/F (positive-part James-Stein)
    and scaled to average 1 over a week; elsewhere every index is 1.
    """
    x, ok = observed(demand, valid)
    series = x.shape[0]
    count = np.zeros((series, 7))
    sums = np.zeros((series, 7))
    for column in range(min(7, x.shape[1])):
        weekday = (first_weekday + column) % 7
        count[:, weekday] = ok[:, column::7].sum(axis=1)
        sums[:, weekday] = x[:, column::7].sum(axis=1)
    n = count.sum(axis=1)
    group = sums / np.maximum(count, 1.0)
    grand = _ratio(sums.sum(axis=1), n, 0.0)
    between = (count * (group - grand[:, None]) ** 2).sum(axis=1)
    total = np.einsum("nt,nt->n", x, x) - n * grand**2
    # A rounding residue must not turn an exactly repeating week into a finite or negative F.
    within = np.where(total - between <= 1e-12 * total, 0.0, total - between)
    enough = (count.min(axis=1) >= min_weeks) & (grand > 0) & (between > 1e-12 * total)
    freedom = np.maximum(n - 7.0, 1.0)
    f = np.full(series, np.inf)
    np.divide(between / 6.0, within / freedom, out=f, where=within > 0)
    p_value = np.where(enough, fdtrc(6.0, freedom, f), 1.0)
    significant = p_value < significance
    week_mean = group.mean(axis=1)
    raw = group / np.where(week_mean > 0, week_mean, 1.0)[:, None]
    trust = np.maximum(1.0 - 1.0 / np.maximum(f, 1e-300), 0.0)
    shrunk = 1.0 + trust[:, None] * (raw - 1.0)
    shrunk = np.where(significant[:, None], shrunk, 1.0)
    index = shrunk / shrunk.mean(axis=1)[:, None]
    return WeeklyIndex(index=index, p_value=p_value, is_significant=significant)


def abc_classes(value: Floats, cut_offs: tuple[float, float] = (0.80, 0.95)) -> NDArray[np.str_]:
    """Return 'A', 'B' or 'C' by consumption value [N] (money over the period).

    Items in falling order of value (ties keep their order): A until the cumulated share reaches
    the first cut-off, the item that crosses it included; B to the second; C the rest, and every
    item without value.
    """
    worth = np.maximum(np.asarray(value, dtype=np.float64), 0.0)
    order = np.argsort(-worth, kind="stable")
    running = np.cumsum(worth[order])
    total = running[-1] if running.size else 0.0
    share_before = (running - worth[order]) / (total if total > 0 else 1.0)
    # A share that is mathematically at the cut-off must not slip under it by a rounding error.
    label = np.where(share_before < cut_offs[0] - 1e-12, "A", "B")
    label = np.where(share_before < cut_offs[1] - 1e-12, label, "C")
    label = np.where(worth[order] > 0, label, "C")
    out = np.empty(worth.shape, dtype="<U1")
    out[order] = label
    return out


def xyz_classes(cv: Floats, cut_offs: tuple[float, float] = (0.5, 1.0)) -> NDArray[np.str_]:
    """Return 'X' (steady), 'Y' or 'Z' (wild) by coefficient of variation [N]; NaN counts as Z."""
    return np.where(cv <= cut_offs[0], "X", np.where(cv <= cut_offs[1], "Y", "Z"))
