"""Compute a suggested quantity again from its explanation, with nothing but arithmetic.

curl -H "Authorization: Bearer $KEY" $URL/v1/replenishment/suggestions/$ID/explain |
    python recompute_suggestion.py
"""

import json
import sys
from math import ceil, floor, sqrt


def recompute(block):
    """The quantity that the figures of an explanation lead to; 0 for none."""
    if block["outcome"] not in ("suggested", "above_reorder_point"):
        return 0.0  # kept back whatever the figures say: outcome_text tells why
    given = block["inputs"]
    i = {name: float(value) for name, value in given.items() if is_number(value)}
    days = max(i["lead_time_days"] + i["review_days"], 1)
    mean = sum(float(d) * min(1, days - n) for n, d in enumerate(given["expected_demand"]))
    mean += max(days - given["horizon_days"], 0) * i["daily_mean"]
    sd = sqrt(days * i["daily_sd"] ** 2 + (mean / days * i["lead_time_sd_days"]) ** 2)
    safety_stock = float(block["service"]["safety_factor"]) * sd
    reorder_point = i.get("policy_min", mean + safety_stock)

    year, holding = 365 * mean / days, i["unit_cost"] * i["holding_rate"]
    review, minimum, multiple = (
        i["review_days"] * mean / days,
        i.get("minimum_quantity", 0),
        i["order_multiple"],
    )
    economic = sqrt(2 * i["order_cost"] * year / holding) if holding and i["order_cost"] else 0
    lot = max(min(economic, year), review, minimum, multiple)
    order_up_to = max(i.get("policy_max", reorder_point + max(lot - review, 0)), reorder_point)

    arriving = (float(r["quantity"]) for r in given["receipts"] if r["in_days"] <= days)
    position = i["on_hand"] - i["reserved"] + sum(arriving)
    if position > reorder_point + 1e-9:
        return 0.0
    steps = [
        [float(s[n]) for n in ("minimum_quantity", "unit_price")]
        for s in block["price_breaks"]["steps"]
    ]
    scale = i["unit_cost"] / steps[0][1] if i["unit_cost"] and steps[0][1] else 1
    offers = []
    for least, _ in steps:
        packs = ceil(max(order_up_to - position, least, minimum) / multiple - 1e-9)
        most = max(
            floor(i.get("maximum_quantity", 1e30) / multiple + 1e-9),
            ceil(minimum / multiple - 1e-9),
            1,
        )
        quantity = min(packs, most) * multiple
        price = scale * [step[1] for step in steps if step[0] <= quantity][-1]
        if least == 0 or (quantity >= least and year > 0):
            cost = (
                price * year
                + i["order_cost"] * year / quantity
                + i["holding_rate"] * price * quantity / 2
            )
            offers.append((cost, quantity))
    return min(offers)[1]


def is_number(value):
    """Whether a figure was given as a decimal string."""
    return isinstance(value, str) and value.lstrip("-").replace(".", "", 1).isdigit()


if __name__ == "__main__":
    sys.stdout.write(f"{recompute(json.load(sys.stdin)):g}\n")
