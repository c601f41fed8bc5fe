"""Use cases of plans: start one, make it block by block, and read what came out.

Rule: all reading and arithmetic comes first and draws no transaction id; one short phase writes.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from scm_api.core import consumers, jobs, limits
from scm_api.core.errors import UNKNOWN_REFERENCE, FieldError, Invalid, NotFound
from scm_api.core.ids import uuid7
from scm_api.core.jobs import Work
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.demand import service as demand
from scm_api.items import service as items
from scm_api.replenishment import plan_repository as repository
from scm_api.replenishment import plan_writes, planning, policy_service, sourcing
from scm_api.replenishment.errors import AS_OF_TOO_FAR
from scm_api.replenishment.events import PlanCompleted
from scm_api.replenishment.plan_block import Run, Spool, compute
from scm_api.replenishment.plan_repository import Scope
from scm_api.replenishment.planning import Outlook, Place, Planned, Receipt
from scm_api.replenishment.policies import DEFAULTS
from scm_api.replenishment.schemas import PlanCreate, PlanFilter, PlanLineFilter, PlanRead
from scm_api.stock import service as stock
from scm_api.suppliers import service as suppliers
from scm_api.warehouses import service as warehouses

JOB = "replenishment.plan"
BLOCK = 2_000
KEPT_LINES = timedelta(days=30)
FAR_HORIZON_DAYS = 730
# How far the day of a plan may lie from today.
DAYS_BACK, DAYS_AHEAD = timedelta(days=7), timedelta(days=1)


async def start(tx: Tx, body: PlanCreate) -> tuple[UUID, UUID]:
    """Queue a plan; gives its id and its job's. Raises `Invalid`, also for a day so far from today
    that its levels would be wrong for the stock of today."""
    scope = await _scope(tx, body)
    today = await repository.today(tx)
    as_of = body.as_of or today
    first, last = today - DAYS_BACK, today + DAYS_AHEAD
    if not first <= as_of <= last:
        raise Invalid([AS_OF_TOO_FAR.at("/as_of", first=first, last=last)])
    plan_id = uuid7()
    request = {
        "warehouse_ids": scope.warehouse_ids,
        "item_ids": scope.item_ids,
        "category_ids": scope.category_ids,
        "supplier_ids": scope.supplier_ids,
        "history_days": body.history_days,
        "horizon_days": body.horizon_days,
    }
    job_id = await jobs.enqueue(tx, JOB, {"plan_id": plan_id, "as_of": as_of, **request})
    await repository.insert_plan(tx, plan_id, job_id, as_of, request)
    return plan_id, job_id


async def make(tx: Tx, work: Work) -> dict[str, Any]:
    """Make a plan: load, forecast, compute, write. Bounded memory: a block of series at a time."""
    params = work.params
    scope = Scope(
        *(
            None if params[name] is None else [UUID(id) for id in params[name]]
            for name in ("warehouse_ids", "item_ids", "category_ids", "supplier_ids")
        )
    )
    run = Run(
        plan_id=UUID(params["plan_id"]),
        as_of=date.fromisoformat(params["as_of"]),
        history_days=params["history_days"],
        horizon_days=params["horizon_days"],
        # A confined planner's plan leaves alone what it did not consider.
        is_everything=scope.is_everything and not tx.principal.limits.confines,
    )
    with run.phase("load"):
        await work.progress(0, None, "item-locations", "load")
        await consumers.catch_up(work.runtime, demand.CONSUMER, tx.organization_id)
        await repository.lock(tx)
        async with limits.own_part(tx):
            places = await _places(tx, scope, run.as_of)
    longest = max((p.protection_days for p in places), default=0.0)
    run.horizon_days = min(max(run.horizon_days, int(np.ceil(longest)) + 1), FAR_HORIZON_DAYS)
    outlook = await _forecast(tx, work, run, places)
    with Spool() as made:
        if outlook is not None:
            await _decide(tx, work, run, places, outlook, made)
        with run.phase("write"):
            await _write(tx, run, made)
    return await _finish(tx, work, run, len(places))


async def end(work: Work, status: str, error: dict[str, Any] | None) -> None:
    """Keep with the plan of a job that it was not made, and why: jobs are forgotten earlier."""
    runtime = work.runtime
    async with runtime.database.transaction(work.principal, now=runtime.clock()) as tx:
        await plan_writes.end_plan(tx, UUID(work.params["plan_id"]), status, error)
        await tx.driver.execute("commit")


async def get(tx: Tx, plan_id: UUID) -> Any:
    """A plan with its status and error (`repository.find_plan`). Raises `NotFound`."""
    row = await repository.find_plan(tx, plan_id)
    if row is None:
        raise NotFound(kind="replenishment plan", reference=str(plan_id))
    return row


async def list_plans(tx: Tx, wanted: PlanFilter) -> PageOf:
    """Newest first."""
    return await repository.list_plans(tx, wanted)


async def own_part(tx: Tx, plans: list[PlanRead]) -> list[PlanRead]:
    """The plans as the caller may know them: of another's plan a confined caller reads its lines,
    not what was asked for and what came out elsewhere."""
    if tx.principal.limits.confines:
        own = await repository.visible_jobs(tx, [plan.job_id for plan in plans])
        for plan in plans:
            if plan.job_id not in own:
                plan.request = plan.error = plan.summary = plan.timings = None
                plan.input_hash = plan.result_hash = None
    return plans


async def list_lines(tx: Tx, plan_id: UUID, wanted: PlanLineFilter) -> PageOf:
    """The lines of a plan. Raises `NotFound`, and `Invalid` for a filter that names nothing."""
    await get(tx, plan_id)
    item_id = await items.filter_id(tx, wanted.item)
    warehouse_id = await warehouses.filter_id(tx, wanted.warehouse)
    return await repository.list_lines(
        tx,
        plan_id,
        wanted,
        outcomes=wanted.outcome,
        item_id=item_id,
        warehouse_id=warehouse_id,
    )


async def _scope(tx: Tx, body: PlanCreate) -> Scope:
    errors: list[FieldError] = []
    codes = [c.code for c in body.categories or () if c.code is not None]
    known: dict[str, Any] = {
        "warehouses": await warehouses.resolve(tx, body.warehouses or []),
        "items": await items.resolve(tx, body.items or []),
        "suppliers": await suppliers.resolve(tx, body.suppliers or []),
    }
    by_code = await repository.category_ids(tx, codes) if codes else {}
    ids: dict[str, list[UUID] | None] = {}
    for name in ("warehouses", "items", "categories", "suppliers"):
        references = getattr(body, name)
        if references is None:
            ids[name] = None
            continue
        found: list[UUID] = []
        for n, reference in enumerate(references):
            if name == "categories":
                id = reference.id or by_code.get(str(reference.code).lower())
            else:
                facts = known[name].get(reference)
                id = None if facts is None else facts.id
            if id is None:
                kind = {"categories": "category"}.get(name, name.removesuffix("s"))
                errors.append(
                    UNKNOWN_REFERENCE.at(f"/{name}/{n}", kind=kind, reference=str(reference))
                )
            else:
                found.append(id)
        ids[name] = sorted(set(found))
    if errors:
        raise Invalid(errors)
    limits.require_categories(tx, ids["categories"] or ())
    return Scope(ids["warehouses"], ids["items"], ids["categories"], ids["suppliers"])


async def _places(tx: Tx, scope: Scope, as_of: date) -> list[Place]:
    """Everything stored about the item-locations of a scope, ordered by item and warehouse."""
    rows = await repository.places(tx, scope, as_of)
    item_ids = None if scope.is_everything else list({row["item_id"] for row in rows})
    links = await suppliers.links(tx, item_ids, as_of)
    choices = sourcing.choices(links, as_of, DEFAULTS["lead_time_days"])
    book = await policy_service.book(tx, as_of)
    held = await repository.held_back(tx, as_of)
    currency = await repository.base_currency(tx)
    places = []
    for row in rows:
        pair = (row["item_id"], row["warehouse_id"])
        choice = choices.get(row["item_id"], sourcing.NO_SOURCE)
        cost = row["unit_cost"]
        if cost <= 0 and choice.currency == currency:
            cost = float(choice.prices[0].price_of_one)
        blocked = "" if row["status"] == "active" else "item_not_active"
        places.append(
            Place(
                item_id=pair[0],
                warehouse_id=pair[1],
                on_hand=row["on_hand"],
                reserved=row["reserved"],
                unit_cost=cost,
                base_currency=currency,
                previous_reorder_point=row["previous_reorder_point"],
                blocked_by=blocked or held.get(pair, ""),
                policy=book.effective(*pair, row["category_id"]),
                choice=choice,
            )
        )
    return places


async def _forecast(tx: Tx, work: Work, run: Run, places: Sequence[Place]) -> Outlook | None:
    parts = []
    first_day = run.as_of - timedelta(days=run.history_days)
    for begin in range(0, len(places), BLOCK):
        block = places[begin : begin + BLOCK]
        with run.phase("load"):
            past = await demand.history(tx, [p.pair for p in block], first_day, run.history_days)
        with run.phase("forecast"):
            horizon = np.array([int(np.ceil(p.protection_days)) for p in block], dtype=np.int64)
            parts.append(
                await work.compute(
                    planning.look_ahead,
                    past.demand,
                    past.valid,
                    horizon,
                    planning.weekday(first_day),
                )
            )
        done = min(begin + BLOCK, len(places))
        await work.progress(done, 2 * len(places), "item-locations", "forecast")
    return planning.joined(parts) if parts else None


async def _decide(
    tx: Tx, work: Work, run: Run, places: Sequence[Place], outlook: Outlook, made: Spool
) -> None:
    abc, xyz = planning.value_classes(places, outlook)
    for begin in range(0, len(places), BLOCK):
        end = min(begin + BLOCK, len(places))
        block, part = places[begin:end], outlook.part(begin, end)
        pairs = [place.pair for place in block]
        with run.phase("load"):
            planned = await demand.planned(tx, pairs, run.as_of, run.horizon_days)
            receipts = await repository.receipts(tx, pairs, run.as_of, run.horizon_days)
        with run.phase("compute"):
            decided = await work.compute(
                compute,
                run,
                block,
                part,
                [Planned(*row) for row in planned],
                [Receipt(*row) for row in receipts],
                (abc[begin:end], xyz[begin:end]),
            )
            await work.compute(made.add, decided)
        await work.progress(len(places) + end, 2 * len(places), "item-locations", "compute")


async def _write(tx: Tx, run: Run, made: Spool) -> None:
    """Everything a plan writes. Blocks come by item and warehouse; so suggestions are locked."""
    for lines, suggestions in made:
        await plan_writes.write_lines(tx, run.plan_id, lines)
        if suggestions["item_id"]:
            counts = await plan_writes.write_suggestions(tx, run.plan_id, run.as_of, suggestions)
            for name, count in counts.items():
                run.suggestions[name] += count
    run.suggestions["expired"] = await plan_writes.expire_others(
        tx, run.plan_id, is_everything=run.is_everything
    )
    await plan_writes.forget_lines(tx, tx.now - KEPT_LINES)
    if run.levels:
        await stock.set_levels(tx, run.levels)


async def _finish(tx: Tx, work: Work, run: Run, lines: int) -> dict[str, Any]:
    summary = {"lines": lines, "outcomes": run.outcomes, "suggestions": run.suggestions}
    timings = {name: round(seconds, 3) for name, seconds in run.seconds.items()}
    timings["total"] = round(sum(run.seconds.values()), 3)
    hashes = run.input_hash.hexdigest(), run.result_hash.hexdigest()
    await plan_writes.finish_plan(tx, run.plan_id, work.runtime.clock(), summary, timings, *hashes)
    tx.emit(
        PlanCompleted(
            run.plan_id,
            as_of=run.as_of,
            lines=lines,
            input_hash=hashes[0],
            result_hash=hashes[1],
            **run.suggestions,
        )
    )
    return {"plan_id": str(run.plan_id), **summary, "timings_seconds": timings}
