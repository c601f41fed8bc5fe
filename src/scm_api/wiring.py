"""Every router, and every module of jobs and consumers, once."""

from fastapi import APIRouter

from scm_api.access import models as access_models
from scm_api.core import consumers, idempotency, jobs, numbers, outbox
from scm_api.demand import models as demand_models
from scm_api.items import models as item_models
from scm_api.items.router import category_router, items
from scm_api.stock import models as stock_models
from scm_api.stock import shortage_models
from scm_api.stock.router import routers as stock_routers
from scm_api.suppliers import models as supplier_models
from scm_api.suppliers.router import supplier_items, suppliers
from scm_api.system.router import routers as system_routers
from scm_api.warehouses.router import warehouses

routers: list[APIRouter] = [
    warehouses,
    items,
    category_router,
    suppliers,
    supplier_items,
    *stock_routers,
    *system_routers,
]

# Imported for the tables, jobs and consumers they register.
registered = (
    access_models,
    consumers,
    demand_models,
    idempotency,
    item_models,
    jobs,
    numbers,
    outbox,
    shortage_models,
    stock_models,
    supplier_models,
)
