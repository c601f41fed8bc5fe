"""HTTP of replenishment: policies, plans and the safety-stock calculator."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query

from scm_api.core.errors import NotFound
from scm_api.core.http import OpenTx, ReplyLanguage, ReplyTo, operation, router
from scm_api.core.job_errors import TooManyJobs
from scm_api.core.language import Language
from scm_api.core.redaction import SEE_COSTS
from scm_api.core.schemas import ItemLink, Link
from scm_api.replenishment import calculator, policy_service, service, suggestion_service
from scm_api.replenishment.explanation_schemas import Explanation
from scm_api.replenishment.policies import FIELDS
from scm_api.replenishment.policy_schemas import (
    EffectivePolicyRead,
    EffectiveQuery,
    PolicyFilter,
    PolicyList,
    PolicyPut,
    PolicyRead,
)
from scm_api.replenishment.schemas import (
    ExplainQuery,
    PlanAccepted,
    PlanCreate,
    PlanFilter,
    PlanLineFilter,
    PlanLineList,
    PlanLineRead,
    PlanLinks,
    PlanList,
    PlanRead,
)
from scm_api.replenishment.suggestion_schemas import (
    DemandProfileQuery,
    DemandProfileRead,
    SafetyStockAnswer,
    SafetyStockAsk,
)

replenishment = router("replenishment")
# The profile is demand's, but what describes it is planning's mathematics.
demand_profiles = router("demand", "/v1/items")

PlanId = Annotated[
    UUID, Path(description="The plan's id.", examples=["01900000-0000-7000-8000-000000000001"])
]
ItemKey = Annotated[
    str, Path(max_length=80, description="A UUID or `sku=SKU-1001`.", examples=["sku=SKU-1001"])
]


def _link(row: Any) -> Link | None:
    return None if row is None else Link.model_validate(row)


def _policy_read(row: Any) -> PolicyRead:
    policy, item, warehouse, category = row
    names = {"id", "scope", "effective_from", "version", "created_at", "updated_at", *FIELDS}
    return PolicyRead(
        **{name: getattr(policy, name) for name in names},
        item=None if item is None else ItemLink.model_validate(item),
        warehouse=_link(warehouse),
        category=_link(category),
    )


@replenishment.put(
    "/policies",
    summary="Write a policy",
    **operation("replenishment:write", additional_permissions=[SEE_COSTS]),
)
async def put_policy(tx: OpenTx, reply: ReplyTo, body: PolicyPut) -> PolicyRead:
    """Say how an item in a warehouse, an item, a category, a warehouse or everything is
    replenished. Fields left out are inherited from the next wider scope. To change `order_cost`
    takes `costs:read` too; without it that field stays."""
    row, _ = await policy_service.put(tx, body)
    reply.etag(row[0].version)
    return _policy_read(row)


@replenishment.get("/policies", summary="List policies", **operation("replenishment:read"))
async def list_policies(
    tx: OpenTx, reply: ReplyTo, wanted: Annotated[PolicyFilter, Query()]
) -> PolicyList:
    """Policies by scope, the newest first."""
    page = await policy_service.list_all(tx, wanted)
    reply.next_page(page.next_cursor)
    return PolicyList(**page.body([_policy_read(row[:4]) for row in page.rows]))


@replenishment.get(
    "/policies/effective",
    summary="Read the policy in force",
    **operation("replenishment:read", errors=[NotFound]),
)
async def get_effective_policy(
    tx: OpenTx, wanted: Annotated[EffectiveQuery, Query()]
) -> EffectivePolicyRead:
    """What applies to an item in a warehouse, and from where each field comes."""
    return await policy_service.effective(tx, wanted)


@replenishment.post(
    "/plans",
    status_code=202,
    summary="Make a plan",
    **operation("replenishment:plan", errors=[TooManyJobs]),
)
async def create_plan(tx: OpenTx, reply: ReplyTo, body: PlanCreate) -> PlanAccepted:
    """Forecast, compute levels and suggest orders, in the background. Open suggestions are brought
    up to date or withdrawn, never doubled; the same inputs give the same plan."""
    plan_id, job_id = await service.start(tx, body)
    reply.accepted(f"/v1/jobs/{job_id}")
    return PlanAccepted(
        id=job_id,
        kind=service.JOB,
        status="queued",
        plan_id=plan_id,
        links=PlanLinks(job=f"/v1/jobs/{job_id}", plan=f"/v1/replenishment/plans/{plan_id}"),
    )


def _plan_read(row: Any, language: Language) -> PlanRead:
    plan, status, error = row
    names = PlanRead.model_fields.keys() - {"status", "error"}
    return PlanRead(
        **{name: getattr(plan, name) for name in names},
        status=status,
        error=None if error is None else error[language],
    )


@replenishment.get("/plans", summary="List plans", **operation("replenishment:read"))
async def list_plans(
    tx: OpenTx, reply: ReplyTo, language: ReplyLanguage, wanted: Annotated[PlanFilter, Query()]
) -> PlanList:
    """Plans, newest first."""
    page = await service.list_plans(tx, wanted)
    reply.next_page(page.next_cursor)
    rows = await service.own_part(tx, [_plan_read(row[:3], language) for row in page.rows])
    return PlanList(**page.body(rows))


@replenishment.get(
    "/plans/{plan}",
    summary="Read a plan",
    **operation("replenishment:read", errors=[NotFound]),
)
async def get_plan(tx: OpenTx, reply: ReplyTo, language: ReplyLanguage, plan: PlanId) -> PlanRead:
    """What a plan looked at, how long each phase took, and what came out."""
    found = await service.get(tx, plan)
    (read,) = await service.own_part(tx, [_plan_read(found, language)])
    if read.status in ("queued", "running"):
        reply.retry_after(1)
    return read


@replenishment.get(
    "/plans/{plan}/lines",
    summary="List a plan's lines",
    **operation("replenishment:read", errors=[NotFound]),
)
async def list_plan_lines(
    tx: OpenTx, reply: ReplyTo, plan: PlanId, wanted: Annotated[PlanLineFilter, Query()]
) -> PlanLineList:
    """Every item-location the plan considered, with its outcome and levels. Lines are kept for 30
    days."""
    page = await service.list_lines(tx, plan, wanted)
    reply.next_page(page.next_cursor)
    names = PlanLineRead.model_fields.keys() - {"item", "warehouse", "supplier"}
    return PlanLineList(
        **page.body(
            [
                PlanLineRead(
                    **{name: getattr(row[0], name) for name in names},
                    item=ItemLink.model_validate(row[1]),
                    warehouse=Link.model_validate(row[2]),
                    supplier=_link(row[3]),
                )
                for row in page.rows
            ]
        )
    )


@replenishment.get(
    "/explain",
    summary="Explain why, or why not",
    **operation("replenishment:read", errors=[NotFound]),
)
async def explain(tx: OpenTx, wanted: Annotated[ExplainQuery, Query()]) -> Explanation:
    """Why the latest plan suggests an order for an item in a warehouse, or why it does not."""
    found = await suggestion_service.explain_place(tx, wanted.item, wanted.warehouse)
    return Explanation.model_validate(found)


@replenishment.post(
    "/safety-stock",
    summary="Compute a safety stock",
    **operation("replenishment:read", read_only=True),
)
async def safety_stock(tx: OpenTx, body: SafetyStockAsk) -> SafetyStockAnswer:
    """Safety stock, reorder point and money for each service level, from the numbers in the
    request alone; with the formulas."""
    return calculator.curve(body)


@demand_profiles.get(
    "/{item}/demand-profile",
    summary="Read a demand profile",
    **operation("demand:read", errors=[NotFound]),
)
async def get_profile(
    tx: OpenTx, item: ItemKey, wanted: Annotated[DemandProfileQuery, Query()]
) -> DemandProfileRead:
    """How often, how much and how steadily an item is asked for in a warehouse."""
    return await calculator.profile(tx, item, wanted)
