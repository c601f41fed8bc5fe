"""Daily demand forecasts for many series at once, each by the method that earned it.

Rule: a rate for day t uses only days before t, and no method replaces the plain moving average
unless it had the smaller error on the holdout.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Literal

import numpy as np

from scm_api.replenishment.demand_profile import (
    Bools,
    Codes,
    DemandClass,
    Floats,
    Ints,
    demand_profile,
    observed,
    weekly_index,
)
from scm_api.replenishment.smoothing import (
    CROSTON_ALPHAS,
    SES_ALPHAS,
    TSB_PARAMETERS,
    CrostonRows,
    Family,
    MovingAverageRows,
    SesRows,
    TsbRows,
    cumulated,
)

WINDOWS_DAYS = (28, 91, 364)
BASELINE_WINDOW_DAYS = 91
HOLDOUT_ORIGINS = 182
MIN_TRAINING_DAYS = 28
MIN_ERRORS = 14
WARM_UP_DAYS = 7
MARGIN = 0.02
BLOCK = 2048


class Method(IntEnum):
    """How a daily rate is made; PLAIN is the moving average without weekdays, the guard."""

    PLAIN = 0
    MOVING_AVERAGE = 1
    SES = 2
    CROSTON = 3
    SBA = 4
    TSB = 5


@dataclass(frozen=True)
class Forecast:
    """The forecast of N series and everything needed to compute it again.

    `daily_mean` is the demand of an average day, `weekly_index[:, w]` the factor of weekday w
    (0 = Monday; all 1 when unused). `daily_sd` is the root mean square of the chosen method's
    one-step errors (with fewer than 14 of them at least the mean). `method_rmse[i, m]` is the
    holdout error of method m cumulated over `horizon_days` (NaN: not a candidate), `rmse` that of
    the chosen one, `origins` their number; 0 origins: no back-test, plain moving average.
    `window_days` applies to the moving averages, `alpha` to SES and sizes, `beta` to TSB's
    probability (0 where not used).
    """

    daily_mean: Floats
    daily_sd: Floats
    method: Codes
    alpha: Floats
    beta: Floats
    window_days: Ints
    weekly_index: Floats
    horizon_days: Ints
    origins: Ints
    rmse: Floats
    method_rmse: Floats
    demand_class: Codes
    observed_days: Ints


def _candidates() -> tuple[Codes, Floats, Floats, Ints]:
    """Method, alpha, beta, window of every row, in the order of the families in `_replay`."""
    rows: list[tuple[Method, float, float, int]] = [(Method.PLAIN, 0.0, 0.0, BASELINE_WINDOW_DAYS)]
    rows += [(Method.MOVING_AVERAGE, 0.0, 0.0, w) for w in WINDOWS_DAYS]
    rows += [(Method.SES, a, 0.0, 0) for a in SES_ALPHAS]
    rows += [(Method.CROSTON, a, 0.0, 0) for a in CROSTON_ALPHAS]
    rows += [(Method.SBA, a, 0.0, 0) for a in CROSTON_ALPHAS]
    rows += [(Method.TSB, a, b, 0) for a, b in TSB_PARAMETERS]
    method, alpha, beta, window = zip(*rows, strict=True)
    return (
        np.array(method, dtype=np.int8),
        np.array(alpha),
        np.array(beta),
        np.array(window, dtype=np.int64),
    )


_METHOD, _ALPHA, _BETA, _WINDOW = _candidates()
_SEASONAL_BASELINE = 1 + WINDOWS_DAYS.index(BASELINE_WINDOW_DAYS)


@dataclass(frozen=True)
class _History:
    """One block of series, time first [T, N]: demand, 1 where observed, weekday index."""

    x: Floats
    ok: Floats
    index: Floats
    horizon: Ints
    split: Ints


@dataclass(frozen=True)
class _Errors:
    """Sums of squares of one block [rows, N], the error count [N], the rates after the last day."""

    training: Floats
    one_step: Floats
    holdout: Floats
    counted: Floats
    rate: Floats


def forecast(
    demand: Floats,
    valid: Bools | None = None,
    *,
    horizon_days: int | Ints = 14,
    first_weekday: int = 0,
    significance: float = 0.01,
) -> Forecast:
    """Forecast daily demand [N, T]; each series by the method that earned it.

    `horizon_days` (whole days, one or [N]) is the interval that an order must cover: lead time
    plus review. `first_weekday` is that of column 0 (0 = Monday). Masked days in `valid` are
    unknown, not zero.

    The last 182 origins whose horizon is over (at most a third of the days) are the holdout.
    Weekday indices and each method's parameters are chosen on the days before it, the latter by
    one-step squared error. On the holdout each method is scored by the squared error of demand
    cumulated over the horizon. Candidates: moving averages and SES; Croston, SBA and TSB for
    intermittent and lumpy demand. The weekday-aware 91-day average replaces the plain one when no
    worse; another method when its mean squared error is 2 % smaller still. So the choice is never
    worse than the plain moving average on the holdout. With fewer than 28 days before the holdout
    there is no back-test, and the plain moving average stays.
    """
    x, ok = observed(demand, valid)
    series, days = x.shape
    horizon = np.broadcast_to(np.asarray(horizon_days, dtype=np.int64), (series,)).copy()
    if horizon.size and horizon.min() < 1:
        raise ValueError("a horizon is at least one day")
    split = days - horizon - min(HOLDOUT_ORIGINS, days // 3) + 1
    split = np.where(split < MIN_TRAINING_DAYS, days, split)
    before = ok & (np.arange(days) < split[:, None])
    week = weekly_index(x, before, first_weekday=first_weekday, significance=significance).index
    profile = demand_profile(x, ok)
    parts = []
    for start in range(0, max(series, 1), BLOCK):
        part = slice(start, start + BLOCK)
        by_day = (first_weekday + np.arange(days)) % 7
        history = _History(
            x=x[part].T.copy(),
            ok=ok[part].T.astype(np.float64),
            index=week[part].T[by_day],
            horizon=horizon[part],
            split=split[part],
        )
        parts.append(
            _choose(
                history,
                _replay(history),
                week[part],
                profile.demand_class[part],
                profile.observed_days[part],
            )
        )
    names = [field.name for field in fields(Forecast)]
    return Forecast(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


def _replay(history: _History) -> _Errors:
    """Run every candidate through the days, collecting one-step and horizon errors."""
    x, ok, index, split = history.x, history.ok, history.index, history.split
    days, series = x.shape
    flat = np.ones_like(index)
    first, last = int(split.min(initial=days)), int(split.max(initial=0))
    sums, observed_sums, index_sums = cumulated(x), cumulated(ok), cumulated(ok * index)
    plain = MovingAverageRows(sums, observed_sums, (BASELINE_WINDOW_DAYS,))
    ahead = _ahead(history, index_sums, first)
    families: list[tuple[Family, Floats, Floats]] = [
        (plain, flat, _ahead(history, observed_sums, first)),
        (MovingAverageRows(sums, index_sums, WINDOWS_DAYS), index, ahead),
        (SesRows(series, SES_ALPHAS), index, ahead),
        (CrostonRows(series, CROSTON_ALPHAS), index, ahead),
        (TsbRows(series, TSB_PARAMETERS), index, ahead),
    ]
    demand_ahead = _ahead(history, sums, first)
    counted = ok * (observed_sums[:-1] >= WARM_UP_DAYS)
    training, one_step, holdout = (np.zeros((_METHOD.size, series)) for _ in range(3))
    for t in range(days):
        row = 0
        for family, factor, weight in families:
            rate = family.rate(t)
            rows = slice(row, row + rate.shape[0])
            row += rate.shape[0]
            error = x[t] - rate * factor[t]
            error *= error
            error *= counted[t]
            one_step[rows] += error
            if t < last:
                training[rows] += error if t < first else error * (t < split)
            if t >= first:  # where t is no origin, weight and demand ahead are both 0
                miss = rate * weight[t - first]
                miss -= demand_ahead[t - first]
                miss *= miss
                holdout[rows] += miss
            family.update(x[t], ok[t], index[t])
    rates = np.concatenate([family.rate(days) for family, _, _ in families])
    return _Errors(training, one_step, holdout, counted.sum(axis=0), rates)


def _ahead(history: _History, sums: Floats, first: int) -> Floats:
    """Sum over the horizon after each origin from day `first` on; 0 where t is no origin.

    `sums` [T + 1, N] are the cumulated daily values.
    """
    days = sums.shape[0] - 1
    origin = np.arange(first, days)[:, None]
    end = origin + history.horizon
    out = np.take_along_axis(sums, np.minimum(end, days), axis=0) - sums[first:-1]
    return np.where((origin >= history.split) & (end <= days), out, 0.0)


def _choose(
    history: _History, errors: _Errors, week: Floats, classes: Codes, observed_days: Ints
) -> Forecast:
    """Pick a row per series: parameters by training error, the method by holdout error."""
    days, series = history.x.shape
    at = np.arange(series)
    origins = np.maximum(days - history.horizon - history.split + 1, 0)
    rare = np.isin(classes, (DemandClass.INTERMITTENT, DemandClass.LUMPY))
    best = np.zeros((len(Method), series), dtype=np.int64)
    score = np.full((len(Method), series), np.inf)
    for method in Method:
        rows = np.flatnonzero(method == _METHOD)
        best[method] = rows[errors.training[rows].argmin(axis=0)]
        allowed = rare if method >= Method.CROSTON else np.ones(series, dtype=np.bool_)
        score[method] = np.where(allowed, errors.holdout[best[method], at], np.inf)
    aware = errors.holdout[_SEASONAL_BASELINE] <= score[Method.PLAIN]
    base = np.where(aware, _SEASONAL_BASELINE, 0)
    base_score = errors.holdout[base, at]
    challenger = score[1:].argmin(axis=0) + 1
    lead = score[challenger, at]
    wins = (lead <= (1.0 - MARGIN) * base_score) & (lead < base_score)
    row = np.where(wins, best[challenger, at], base)
    row = np.where(origins > 0, row, 0)
    chosen = _METHOD[row]
    score[chosen, at] = errors.holdout[row, at]
    per_origin = np.where(np.isfinite(score) & (origins > 0), score, np.nan)
    method_rmse = np.sqrt(per_origin / np.maximum(origins, 1)).T
    mean = errors.rate[row, at]
    sd = np.sqrt(errors.one_step[row, at] / np.maximum(errors.counted, 1.0))
    return Forecast(
        daily_mean=mean,
        daily_sd=np.where(errors.counted >= MIN_ERRORS, sd, np.maximum(sd, mean)),
        method=chosen,
        alpha=_ALPHA[row],
        beta=_BETA[row],
        window_days=_WINDOW[row],
        weekly_index=np.where((row == 0)[:, None], 1.0, week),
        horizon_days=history.horizon,
        origins=origins,
        rmse=method_rmse[at, chosen],
        method_rmse=method_rmse,
        demand_class=classes,
        observed_days=observed_days,
    )


def daily_profile(daily_mean: Floats, index: Floats, *, first_weekday: int, days: int) -> Floats:
    """Expected demand [N, days] from today on: mean [N] x weekday index [N, 7].

    `first_weekday` is the weekday of the first forecast day (0 = Monday).
    """
    weekday = (first_weekday + np.arange(days)) % 7
    return daily_mean[:, None] * index[:, weekday]


def combine_plan(
    baseline: Floats, planned: Floats, mode: Literal["max", "add", "replace"]
) -> Floats:
    """Join the baseline forecast [N, D] with known demand by day [N, D]; NaN means no plan.

    `max`: the plan already contains ordinary sales (a firm order book): the larger of both.
    `add`: an uplift on top of ordinary sales (a promotion); it may be negative, the sum not.
    `replace`: the plan is the forecast on the days it names (a sales plan); it may be 0.
    """
    if baseline.shape != planned.shape:
        raise ValueError(f"plan {planned.shape} does not fit baseline {baseline.shape}")
    known = np.where(np.isnan(planned), 0.0, planned)
    if mode == "max":
        return np.maximum(baseline, known)
    if mode == "add":
        return np.maximum(baseline + known, 0.0)
    return np.where(np.isnan(planned), baseline, np.maximum(known, 0.0))
