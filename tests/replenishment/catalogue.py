"""Inputs of the replenishment decision for tests: one plain item, and many odd ones."""

import numpy as np

from scm_api.replenishment.suggestion import SuggestionInputs

_PLAIN: dict[str, float] = {
    "on_hand": 100.0,
    "reserved": 0.0,
    "daily_mean": 10.0,
    "daily_sd": 4.0,
    "lead_time_days": 9.0,
    "lead_time_sd_days": 2.0,
    "review_days": 7.0,
    "service_level": 0.95,
    "minimum_quantity": float("nan"),
    "order_multiple": 12.0,
    "maximum_quantity": float("nan"),
    "order_cost": 25.0,
    "unit_cost": 4.0,
    "holding_rate": 0.25,
    "policy_min": float("nan"),
    "policy_max": float("nan"),
}


def inputs_of(
    *, receipts: dict[int, float] | None = None, horizon: int = 60, **changes: float
) -> SuggestionInputs:
    """One item: level demand of 10 a day, changed as named; receipts by day."""
    values = {name: np.array([value]) for name, value in (_PLAIN | changes).items()}
    arriving = np.zeros((1, horizon))
    for day, quantity in (receipts or {}).items():
        arriving[0, day] = quantity
    return SuggestionInputs(
        receipts=arriving,
        expected_demand=np.full((1, horizon), values["daily_mean"][0]),
        is_count=np.array([False]),
        service_rule=np.zeros(1, dtype=np.int8),
        **values,
    )


def random_inputs(seed: int, items: int) -> SuggestionInputs:
    """Items of every kind: rare and frequent, measured and counted, with and without bounds."""
    rng = np.random.default_rng(seed)

    def sometimes(values: np.ndarray, share: float) -> np.ndarray:
        return np.where(rng.random(items) < share, values, np.nan)

    mean = np.round(rng.lognormal(0.5, 1.8, items), 4)
    days = 45
    weekly = rng.uniform(0.5, 1.5, (items, days))
    arriving = (rng.random((items, days)) < 0.05) * np.round(mean[:, None] * 7, 2)
    multiple = rng.choice([1.0, 0.25, 0.1, 6.0, 12.0], items)
    return SuggestionInputs(
        on_hand=np.round(mean * rng.uniform(0, 40, items), 2),
        reserved=np.round(mean * rng.uniform(0, 3, items), 2),
        receipts=arriving,
        expected_demand=mean[:, None] * weekly,
        daily_mean=mean,
        daily_sd=mean * rng.uniform(0.1, 4.0, items),
        is_count=rng.random(items) < 0.5,
        lead_time_days=np.round(rng.uniform(0, 60, items), 1),
        lead_time_sd_days=rng.uniform(0, 10, items),
        review_days=rng.choice([0.0, 1.0, 7.0, 30.0], items),
        service_rule=rng.integers(0, 2, items).astype(np.int8),
        service_level=rng.uniform(0.8, 0.995, items),
        minimum_quantity=sometimes(np.round(mean * 10, 2), 0.4),
        order_multiple=multiple,
        maximum_quantity=sometimes(np.round(mean * 60 + 20, 0), 0.3),
        order_cost=rng.choice([0.0, 5.0, 40.0], items),
        unit_cost=np.round(rng.lognormal(1.0, 1.5, items), 2),
        holding_rate=rng.choice([0.0, 0.25], items),
        policy_min=sometimes(np.round(mean * 20, 0), 0.15),
        policy_max=sometimes(np.round(mean * 60, 0), 0.15),
    )
