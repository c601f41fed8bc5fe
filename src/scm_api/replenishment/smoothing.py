"""Moving average, exponential smoothing, Croston, SBA and TSB over many series at once.

Rule: the rate for day t uses only days before t; a masked day changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from scm_api.replenishment.demand_profile import Bools, Floats, observed

SES_ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
CROSTON_ALPHAS = (0.05, 0.1, 0.2)
TSB_PARAMETERS = ((0.1, 0.02), (0.1, 0.05), (0.1, 0.1), (0.2, 0.05))


@dataclass(frozen=True)
class Smoothed:
    """Rates per day [N], the parameters chosen, and the mean squared one-step error."""

    rate: Floats
    alpha: Floats
    beta: Floats
    mse: Floats


class Family(Protocol):
    """Several parameter rows of one method, run through the days in step."""

    def rate(self, t: int) -> Floats:
        """Rates per average day [rows, N] from the days before t."""

    def update(self, x: Floats, ok: Floats, index: Floats) -> None:
        """Learn one day: demand, 1 where observed, weekday index (each [N])."""


def cumulated(values: Floats) -> Floats:
    """Sums before each day: [T, N] -> [T + 1, N], row 0 is 0."""
    out = np.zeros((values.shape[0] + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=out[1:])
    return out


class MovingAverageRows:
    """Demand of the window / its weekday indices; without observed days the last known rate."""

    def __init__(self, sums: Floats, weights: Floats, windows: Sequence[int]) -> None:
        self._sums = sums
        self._weights = weights
        self._windows = windows
        self._rate = np.zeros((len(windows), sums.shape[1]))

    def rate(self, t: int) -> Floats:
        for row, window in enumerate(self._windows):
            start = max(t - window, 0)
            under = self._weights[t] - self._weights[start]
            over = np.maximum(self._sums[t] - self._sums[start], 0.0)
            np.divide(over, under, out=self._rate[row], where=under > 1e-9)
        return self._rate

    def update(self, x: Floats, ok: Floats, index: Floats) -> None:
        """Nothing to learn: the sums know every day, `rate` reads only those before t."""


class SesRows:
    """level += gain * (x - index * level), gain = max(alpha, 1 / days so far): warm start."""

    def __init__(self, series: int, alphas: Sequence[float]) -> None:
        self._alpha = np.array(alphas)[:, None]
        self._level = np.zeros((len(alphas), series))
        self._seen = np.zeros(series)

    def rate(self, t: int) -> Floats:
        return self._level

    def update(self, x: Floats, ok: Floats, index: Floats) -> None:
        self._seen += ok * index
        gain = np.maximum(self._alpha, 1.0 / np.maximum(self._seen, 1.0)) * ok
        gain *= x - index * self._level
        self._level += gain
        np.maximum(self._level, 0.0, out=self._level)


class CrostonRows:
    """Smoothed size / smoothed interval, moved on demand days only; SBA times (1 - alpha / 2)."""

    def __init__(self, series: int, alphas: Sequence[float], *, with_sba: bool = True) -> None:
        self._alpha = np.array(alphas)[:, None]
        self._size = np.zeros((len(alphas), series))
        self._interval = np.zeros((len(alphas), series))
        self._since = np.zeros(series)
        self._hits = np.zeros(series)
        self._factor = 1.0 - self._alpha[: len(alphas) * with_sba] / 2.0
        self._rate = np.zeros((len(alphas) * (1 + with_sba), series))

    def rate(self, t: int) -> Floats:
        return self._rate

    def update(self, x: Floats, ok: Floats, index: Floats) -> None:
        self._since += ok
        hit = (x > 0).astype(np.float64)
        self._hits += hit
        gain = np.maximum(self._alpha, 1.0 / np.maximum(self._hits, 1.0)) * hit
        self._size += gain * (x - self._size)
        self._interval += gain * (self._since - self._interval)
        self._since *= 1.0 - hit
        ratio = self._size / np.maximum(self._interval, 1.0)
        rows = ratio.shape[0]
        self._rate[:rows] = ratio
        if self._factor.size:
            np.multiply(self._factor, ratio, out=self._rate[rows:])


class TsbRows:
    """Probability of a demand day x smoothed size; the probability moves on every observed day."""

    def __init__(self, series: int, parameters: Sequence[tuple[float, float]]) -> None:
        self._alpha = np.array([a for a, _ in parameters])[:, None]
        self._beta = np.array([b for _, b in parameters])[:, None]
        self._size = np.zeros((len(parameters), series))
        self._probability = np.zeros((len(parameters), series))
        self._hits = np.zeros(series)
        self._seen = np.zeros(series)

    def rate(self, t: int) -> Floats:
        rate: Floats = self._probability * self._size
        return rate

    def update(self, x: Floats, ok: Floats, index: Floats) -> None:
        hit = (x > 0).astype(np.float64)
        self._seen += ok
        self._hits += hit
        gain = np.maximum(self._beta, 1.0 / np.maximum(self._seen, 1.0)) * ok
        self._probability += gain * (hit - self._probability)
        gain = np.maximum(self._alpha, 1.0 / np.maximum(self._hits, 1.0)) * hit
        self._size += gain * (x - self._size)


class SbaRows(CrostonRows):
    """Only the bias-corrected rows of Croston's method."""

    def rate(self, t: int) -> Floats:
        return self._rate[self._alpha.shape[0] :]


def _smooth(
    family: Family, alphas: Sequence[float], betas: Sequence[float], x: Floats, ok: Bools
) -> Smoothed:
    """Run a family over the days and keep, per series, the row with the least squared error."""
    days, flat = x.T.copy(), np.ones(x.shape[0])
    mask = ok.T.astype(np.float64)
    seen = np.zeros(x.shape[0])
    sse = np.zeros((len(alphas), x.shape[0]))
    for t in range(days.shape[0]):
        counted = mask[t] * (seen > 0)
        sse += counted * (days[t] - family.rate(t)) ** 2
        family.update(days[t], mask[t], flat)
        seen += mask[t]
    best = sse.argmin(axis=0)
    at = (best, np.arange(x.shape[0]))
    return Smoothed(
        rate=family.rate(days.shape[0])[at],
        alpha=np.array(alphas)[best],
        beta=np.array(betas)[best],
        mse=sse[at] / np.maximum(seen - 1.0, 1.0),
    )


def moving_average(demand: Floats, window_days: int, valid: Bools | None = None) -> Floats:
    """Mean demand per observed day [N] over the last `window_days` of demand [N, T].

    Without an observed day in the window: the rate of the last window that had one, or 0.
    """
    x, ok = observed(demand, valid)
    weights = cumulated(ok.T.astype(np.float64))
    average = MovingAverageRows(cumulated(x.T), weights, (window_days,))
    for t in range(1, x.shape[1] + 1):
        average.rate(t)
    rate: Floats = average.rate(x.shape[1])[0]
    return rate


def simple_exponential_smoothing(
    demand: Floats, valid: Bools | None = None, alphas: Sequence[float] = SES_ALPHAS
) -> Smoothed:
    """Simple exponential smoothing of demand [N, T]; alpha per series by one-step squared error.

    The gain is max(alpha, 1 / days so far), so early days are averaged and the first day's value
    is no seed that lingers.
    """
    x, ok = observed(demand, valid)
    return _smooth(SesRows(x.shape[0], alphas), alphas, [0.0] * len(alphas), x, ok)


def croston(
    demand: Floats,
    valid: Bools | None = None,
    alphas: Sequence[float] = CROSTON_ALPHAS,
    *,
    variant: Literal["croston", "sba"] = "croston",
) -> Smoothed:
    """Croston (1972), or with `variant="sba"` times 1 - alpha/2 (Syntetos & Boylan 2005).

    The first interval counts the observed days to the first demand; gains start at 1 / demands.
    """
    x, ok = observed(demand, valid)
    betas = [0.0] * len(alphas)
    if variant == "croston":
        return _smooth(CrostonRows(x.shape[0], alphas, with_sba=False), alphas, betas, x, ok)
    return _smooth(SbaRows(x.shape[0], alphas), alphas, betas, x, ok)


def tsb(
    demand: Floats,
    valid: Bools | None = None,
    parameters: Sequence[tuple[float, float]] = TSB_PARAMETERS,
) -> Smoothed:
    """Teunter, Syntetos & Babai (2011); `parameters` are (alpha of sizes, beta of probability)."""
    x, ok = observed(demand, valid)
    alphas, betas = [a for a, _ in parameters], [b for _, b in parameters]
    return _smooth(TsbRows(x.shape[0], parameters), alphas, betas, x, ok)
