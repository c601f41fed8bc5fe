"""Which supplier an order should go to, and why the others not.

Rule: the best priority wins, unless it is shut down now and another one delivers earlier.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np

from scm_api.core.errors import Text
from scm_api.replenishment.lead_time import PRIOR_CV, LeadTimes, estimate_lead_times
from scm_api.suppliers.service import PriceStep, SupplierLink, SupplierLinks, arrival_on

REASONS = {
    "only_source": Text("The only usable supplier.", "唯一可用的供应商。"),
    "best_priority": Text("The best priority among usable suppliers.", "可用供应商中优先级最高。"),
    "delivers_during_shutdown": Text(
        "The preferred supplier is shut down and would deliver later.",
        "首选供应商停工,交付更晚。",
    ),
    "no_source": Text("No usable supplier sells this item.", "没有可用的供应商销售此物料。"),
    "lower_priority": Text("Lower priority.", "优先级较低。"),
    "shut_down": Text("Shut down until {until}.", "停工至 {until}。"),
    "later_priority_tie": Text("Same priority, later code.", "优先级相同,代码靠后。"),
}


@dataclass(frozen=True)
class Candidate:
    """One usable source of an item with the lead time to plan with, in days.

    `arrives_on` is when an order of today would come, shut-downs included; `shutdown_days` how much
    later that is than without them. `is_assumed`: nobody stated a lead time and nothing was
    received yet. `closed_until` is set while the supplier is shut down today.
    """

    link: SupplierLink
    lead_time_days: float
    lead_time_sd_days: float
    observed: int
    observed_mean_days: float | None
    is_assumed: bool
    shutdown_days: int
    arrives_on: date
    closed_until: date | None


@dataclass(frozen=True)
class Choice:
    """The chosen source (None: there is none), why, and why each other one not."""

    chosen: Candidate | None
    reason: str
    rejected: tuple[tuple[Candidate, str], ...]

    @property
    def prices(self) -> tuple[PriceStep, ...]:
        """The price steps of the chosen source, lowest quantity first; none without one."""
        return () if self.chosen is None else self.chosen.link.prices

    @property
    def currency(self) -> str | None:
        """What the chosen source's prices are in; steps valid on one day share it."""
        return self.prices[0].currency if self.prices else None

    def block(self) -> dict[str, Any]:
        """As plain data for an explanation."""
        return {
            "supplier": None if self.chosen is None else _named(self.chosen),
            "reason": self.reason,
            "rejected": [{**_named(c), "reason": reason} for c, reason in self.rejected],
        }


def _named(candidate: Candidate) -> dict[str, Any]:
    return {
        "id": candidate.link.supplier_id,
        "code": candidate.link.supplier_code,
        "priority": candidate.link.priority,
        "lead_time_days": candidate.lead_time_days,
        "lead_time_sd_days": candidate.lead_time_sd_days,
        "stated_lead_time_days": candidate.link.stated_lead_time_days,
        "observed_deliveries": candidate.observed,
        "observed_mean_days": candidate.observed_mean_days,
        "arrives_on": candidate.arrives_on,
        "closed_until": candidate.closed_until,
    }


NO_SOURCE = Choice(None, "no_source", ())


def choices(links: SupplierLinks, as_of: date, default_days: int) -> dict[UUID, Choice]:
    """The choice for every item that somebody sells.

    Lead times are learned (`lead_time.estimate_lead_times`); `default_days` stands in where nobody
    stated one and nothing was received yet.
    """
    learned = estimate_lead_times(links.days, links.offsets, links.supplier, links.stated_days)
    by_item: dict[UUID, list[Candidate]] = {}
    for n, link in enumerate(links.links):
        by_item.setdefault(link.item_id, []).append(
            _candidate(link, learned, n, as_of, default_days)
        )
    return {item_id: choose(found) for item_id, found in by_item.items()}


def _candidate(
    link: SupplierLink, learned: LeadTimes, n: int, as_of: date, default_days: int
) -> Candidate:
    mean, sd = float(learned.mean[n]), float(learned.sd[n])
    is_assumed = bool(np.isnan(mean))
    if is_assumed:
        mean, sd = float(default_days), default_days * PRIOR_CV
    whole = int(np.ceil(mean))
    arrival = arrival_on(as_of, whole, link.shutdowns) if link.shutdowns else None
    shut = 0 if arrival is None else (arrival - as_of).days - whole
    closed = [s.ends_on for s in link.shutdowns if s.starts_on <= as_of <= s.ends_on]
    raw = float(learned.observed_mean[n])
    return Candidate(
        link=link,
        lead_time_days=mean + shut,
        lead_time_sd_days=sd,
        observed=int(learned.n[n]),
        observed_mean_days=None if np.isnan(raw) else raw,
        is_assumed=is_assumed,
        shutdown_days=shut,
        arrives_on=date.fromordinal(as_of.toordinal() + whole + shut),
        closed_until=max(closed) if closed else None,
    )


def choose(candidates: Sequence[Candidate]) -> Choice:
    """Choose among the usable sources of one item."""
    ranked = sorted(candidates, key=lambda c: (c.link.priority, c.link.supplier_code))
    preferred = ranked[0]
    chosen, reason = preferred, "only_source" if len(ranked) == 1 else "best_priority"
    if preferred.closed_until is not None:
        earlier = [
            c for c in ranked if c.closed_until is None and c.arrives_on < preferred.arrives_on
        ]
        if earlier:
            chosen, reason = earlier[0], "delivers_during_shutdown"
    rejected = tuple((c, _why_not(c, chosen)) for c in ranked if c is not chosen)
    return Choice(chosen, reason, rejected)


def _why_not(candidate: Candidate, chosen: Candidate) -> str:
    if candidate.link.priority < chosen.link.priority or candidate.closed_until is not None:
        return "shut_down"
    if candidate.link.priority == chosen.link.priority:
        return "later_priority_tie"
    return "lower_priority"
