"""All SQL of alerts and their rules. Raising and resolving are one statement each, any number."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from sqlalchemy import and_, func, select

from scm_api.alerts.models import Alert
from scm_api.alerts.policy import Condition
from scm_api.alerts.rules import Rule
from scm_api.alerts.schemas import AlertFilter
from scm_api.core import pages
from scm_api.core.ids import uuid7
from scm_api.core.pages import PageOf
from scm_api.core.tx import Tx
from scm_api.items.models import Item
from scm_api.purchase_orders.models import PurchaseOrder, PurchaseOrderLine
from scm_api.suppliers.models import Supplier
from scm_api.warehouses.models import Warehouse


async def lock(tx: Tx) -> None:
    """One evaluation at a time in an organization: two would raise the same alert twice."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended('alerts:' || $1::text, 0))",
        str(tx.organization_id),
    )


async def rules(tx: Tx) -> list[asyncpg.Record]:
    """The rules this organization has written."""
    return await tx.fetch(
        """
        select kind, severity, is_enabled, thresholds, version from alert_rule
        where organization_id = $1
        """,
        tx.organization_id,
    )


async def write_rule(tx: Tx, rule: Rule) -> bool:
    """Write a rule over the version before it; False if somebody else did meanwhile."""
    written = await tx.fetchval(
        """
        insert into alert_rule as r (organization_id, kind, severity, is_enabled, thresholds,
                                     version, updated_at)
        values ($1, $2, $3, $4, $5::text::jsonb, $6, $7)
        on conflict (organization_id, kind) do update
          set severity = excluded.severity, is_enabled = excluded.is_enabled,
              thresholds = excluded.thresholds, version = excluded.version,
              updated_at = excluded.updated_at
          where r.version = excluded.version - 1
        returning version
        """,
        tx.organization_id,
        rule.kind,
        rule.severity,
        rule.is_enabled,
        to_json(rule.thresholds).decode(),
        rule.version,
        tx.now,
    )
    return written is not None


_GIVEN = """
with given as (
  select * from unnest($3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[],
                       $9::uuid[], $10::text[], $11::text[], $12::text[])
    as g(id, kind, item_id, warehouse_id, order_id, order_line_id, supplier_id, severity, evidence,
         actions)
),
live as (
  select a.id, a.status, a.snoozed_until, a.severity, g.severity as new_severity,
         g.evidence::jsonb as latest, g.actions::jsonb as actions, g.supplier_id, g.id as given_id,
         a.status = 'snoozed' and a.snoozed_until <= $2 as is_awake
  from given g
  join alert a on a.organization_id = $1 and a.status <> 'resolved' and a.kind = g.kind
    and (a.item_id, a.warehouse_id, a.order_id, a.order_line_id)
        is not distinct from (g.item_id, g.warehouse_id, g.order_id, g.order_line_id)
),
"""
