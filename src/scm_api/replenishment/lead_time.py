"""What lead time to plan with: the stated one, corrected by what really happened.

Rule: few observations move the stated value little, many replace it; every weight is returned.
"""

from dataclasses import dataclass

import numpy as np

from scm_api.replenishment.demand_profile import Floats, Ints

PRIOR_OBSERVATIONS = 5.0
PRIOR_CV = 0.25
P90_MIN_OBSERVATIONS = 10
Z90 = 1.2815515655446004


@dataclass(frozen=True)
class LeadTimes:
    """Lead times in days of N supplier-items.

    `mean`, `sd`, `p90` are to be planned with; `observed_*` are the raw figures (NaN where there
    is nothing to compute them from), `n` their number. `weight` is the share of the item's own
    observations in `mean`, the rest comes from `prior_mean`: stated + the supplier's usual
    deviation. `on_time_share` is NaN when no promise was kept or broken yet (`on_time_n` 0).
    """

    n: Ints
    observed_mean: Floats
    observed_sd: Floats
    observed_p90: Floats
    prior_mean: Floats
    prior_sd: Floats
    weight: Floats
    mean: Floats
    sd: Floats
    p90: Floats
    on_time_n: Ints
    on_time_share: Floats


@dataclass(frozen=True)
class _Pooled:
    """Sums over groups: number, mean, squares about the mean (each [groups])."""

    n: Floats
    mean: Floats
    squares: Floats


def _pool(group: Ints, groups: int, values: Floats) -> _Pooled:
    n = np.bincount(group, minlength=groups).astype(np.float64)
    mean = np.bincount(group, weights=values, minlength=groups) / np.maximum(n, 1.0)
    deviation: Floats = values - mean[group]
    squares = np.bincount(group, weights=deviation * deviation, minlength=groups)
    return _Pooled(n, mean, squares.astype(np.float64))


def estimate_lead_times(
    observed_days: Floats,
    offsets: Ints,
    supplier: Ints,
    stated_days: Floats,
    *,
    promised_days: Floats | None = None,
    tolerance_days: float = 0.0,
    prior_observations: float = PRIOR_OBSERVATIONS,
    prior_cv: float = PRIOR_CV,
) -> LeadTimes:
    """Estimate lead times from ragged observations.

    `observed_days` [M] are order-to-receipt times, those of supplier-item i at
    `offsets[i]:offsets[i + 1]` (`offsets` [N + 1]); `supplier` [N] numbers the suppliers from 0;
    `stated_days` [N] is what supplier or buyer typed, NaN if nobody did.
    `promised_days` [M], NaN without a promise, gives the on-time share: observed <= promised +
    tolerance.

    Mean, twice a credibility (Bühlmann 1967) weighted mean, with k = `prior_observations`:
    the supplier's deviation from its stated times D = n_s / (n_s + k) x mean(observed - stated);
    prior = stated + D; mean = prior + n / (n + k) x (observed mean - prior). Without a stated
    value the prior is the supplier's mean observed time, without that NaN until observed.
    Spread, degrees of freedom pooled the same way: variance =
    (k x prior variance + sum of squares) / (k + n - 1 or 0), the supplier's within-item variance
    first shrunk to (`prior_cv` x prior mean)². k = 5 means: five receipts weigh as much as all
    that was known before. p90 is the observed quantile from ten receipts on, else mean + 1.28 sd.

    Raises ValueError for negative times or offsets that do not fit.
    """
    items, k = stated_days.size, prior_observations
    if offsets.size != items + 1 or offsets[0] != 0 or offsets[-1] != observed_days.size:
        raise ValueError("offsets must run from 0 to the number of observations, one a pair more")
    if observed_days.size and not float(observed_days.min()) >= 0.0:
        raise ValueError("an observed lead time cannot be negative or missing")
    counts = np.diff(offsets)
    pair = np.repeat(np.arange(items), counts)
    own = _pool(pair, items, observed_days)
    prior = _prior_mean(observed_days, pair, supplier, stated_days, k)
    weight = own.n / (own.n + k)
    known = ~np.isnan(prior)
    mean = np.where(known, prior + weight * (own.mean - prior), np.nan)
    mean = np.where(~known & (own.n > 0), own.mean, mean)
    centre = np.where(known, prior, mean)
    prior_variance = _prior_variance(own, supplier, (prior_cv * centre) ** 2, k)
    freedom = np.maximum(own.n - 1.0, 0.0)
    sd = np.sqrt((k * prior_variance + own.squares) / (k + freedom))
    observed_p90 = _quantile(observed_days, pair, offsets, 0.9)
    enough = own.n >= P90_MIN_OBSERVATIONS
    on_time_n, on_time_share = _on_time(observed_days, promised_days, pair, items, tolerance_days)
    return LeadTimes(
        n=counts.astype(np.int64),
        observed_mean=np.where(own.n > 0, own.mean, np.nan),
        observed_sd=np.where(own.n > 1, np.sqrt(own.squares / np.maximum(freedom, 1.0)), np.nan),
        observed_p90=observed_p90,
        prior_mean=prior,
        prior_sd=np.sqrt(prior_variance),
        weight=np.where(known, weight, np.where(own.n > 0, 1.0, 0.0)),
        mean=mean,
        sd=sd,
        p90=np.where(enough, observed_p90, mean + Z90 * sd),
        on_time_n=on_time_n,
        on_time_share=on_time_share,
    )


def _prior_mean(observed: Floats, pair: Ints, supplier: Ints, stated: Floats, k: float) -> Floats:
    """Stated time + the supplier's shrunk deviation; else the supplier's mean; else NaN."""
    suppliers = int(supplier.max(initial=-1)) + 1
    comparable = ~np.isnan(stated[pair])
    whose = supplier[pair]
    late = _pool(whose[comparable], suppliers, (observed - stated[pair])[comparable])
    deviation = late.n / (late.n + k) * late.mean
    everything = _pool(whose, suppliers, observed)
    usual = np.where(everything.n > 0, everything.mean, np.nan)
    corrected = np.maximum(stated + deviation[supplier], 0.0)
    return np.where(np.isnan(stated), usual[supplier], corrected)


def _prior_variance(own: _Pooled, supplier: Ints, assumed: Floats, k: float) -> Floats:
    """The supplier's within-item variance, shrunk to the assumed one of each item."""
    suppliers = int(supplier.max(initial=-1)) + 1
    freedom = np.bincount(supplier, weights=np.maximum(own.n - 1.0, 0.0), minlength=suppliers)
    squares = np.bincount(supplier, weights=own.squares, minlength=suppliers)
    variance: Floats = (k * assumed + squares[supplier]) / (k + freedom[supplier])
    return variance


def _quantile(values: Floats, pair: Ints, offsets: Ints, level: float) -> Floats:
    """Linear-interpolation quantile (type 7, numpy's default) of each ragged row; NaN if empty."""
    counts = np.diff(offsets)
    if values.size == 0:
        return np.full(counts.shape, np.nan)
    ordered = values[np.lexsort((values, pair))]
    place = level * np.maximum(counts - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(counts - 1, 0))
    start = np.minimum(offsets[:-1], values.size - 1)
    last = values.size - 1
    below, above = ordered[np.minimum(start + low, last)], ordered[np.minimum(start + high, last)]
    return np.where(counts > 0, below + (place - low) * (above - below), np.nan)


def _on_time(
    observed: Floats, promised: Floats | None, pair: Ints, items: int, tolerance: float
) -> tuple[Ints, Floats]:
    if promised is None:
        return np.zeros(items, dtype=np.int64), np.full(items, np.nan)
    judged = ~np.isnan(promised)
    n = np.bincount(pair[judged], minlength=items)
    kept = (observed <= promised + tolerance) & judged
    good = np.bincount(pair[kept], minlength=items)
    share = np.where(n > 0, good / np.maximum(n, 1), np.nan)
    return n.astype(np.int64), share
