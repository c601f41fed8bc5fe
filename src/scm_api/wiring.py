"""Every router, and every module of jobs and consumers, once."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from scm_api.access import models as access_models
from scm_api.access.key_router import api_keys
from scm_api.access.role_router import duty_rules, permissions, roles
from scm_api.alerts import jobs as alert_jobs
from scm_api.alerts import models as alert_models
from scm_api.alerts.router import routers as alert_routers
from scm_api.core import consumers, idempotency, jobs, numbers, outbox
from scm_api.core.runtime import Runtime
from scm_api.demand import jobs as demand_jobs
from scm_api.demand import models as demand_models
from scm_api.demand.router import sales_plans
from scm_api.insights.router import kpis
from scm_api.items import models as item_models
from scm_api.items.router import category_router, items
from scm_api.organizations import models as organization_models
from scm_api.organizations.router import groups, organizations, sandbox
from scm_api.organizations.settings_router import organization_settings
from scm_api.purchase_orders.router import purchase_orders
from scm_api.receipts.router import receipts
from scm_api.replenishment import jobs as replenishment_jobs
from scm_api.replenishment import models as replenishment_models
from scm_api.replenishment.router import demand_profiles, replenishment
from scm_api.replenishment.suggestion_router import suggestions
from scm_api.stock import models as stock_models
from scm_api.stock import shortage_models
from scm_api.stock.router import routers as stock_routers
from scm_api.stock.shortage_router import shortages
from scm_api.suppliers import models as supplier_models
from scm_api.suppliers.router import supplier_items, suppliers
from scm_api.system.router import routers as system_routers
from scm_api.trail import models as trail_models
from scm_api.trail.router import audit
from scm_api.users import jobs as user_jobs
from scm_api.users import models as user_models
from scm_api.users import oidc_bearer
from scm_api.users.member_router import users
from scm_api.users.oidc_router import routers as oidc_routers
from scm_api.users.session_router import routers as session_routers
from scm_api.warehouses.router import warehouses

routers: list[APIRouter] = [
    warehouses,
    items,
    category_router,
    suppliers,
    supplier_items,
    *stock_routers,
    purchase_orders,
    receipts,
    shortages,
    sales_plans,
    demand_profiles,
    suggestions,
    replenishment,
    *alert_routers,
    kpis,
    audit,
    organizations,
    organization_settings,
    groups,
    sandbox,
    api_keys,
    roles,
    permissions,
    duty_rules,
    *oidc_routers,
    *session_routers,
    users,
    *system_routers,
]

# Chores of the worker: a name, a cron expression, and what to do; one worker does each turn.
schedules: list[tuple[str, str, Callable[[Runtime], Awaitable[None]]]] = [
    *alert_jobs.SCHEDULES,
    *user_jobs.SCHEDULES,
]

# Imported for the tables, jobs and consumers they register.
registered = (
    access_models,
    alert_jobs,
    alert_models,
    consumers,
    demand_jobs,
    demand_models,
    idempotency,
    item_models,
    jobs,
    numbers,
    oidc_bearer,
    organization_models,
    outbox,
    replenishment_jobs,
    replenishment_models,
    shortage_models,
    stock_models,
    supplier_models,
    trail_models,
    user_models,
)
