"""All SQL of alerts and their rules. Raising and resolving are one statement each, any number."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from sqlalchemy import and_, func, select

from scm_api.alerts.models import Alert
from scm_api.alerts.policy import Condition
from scm_api.alerts.rules import Rule
from scm_api.alerts.schemas import AlertFilter
from scm_api.core import numbers, pages
from scm_api.core.documents import Key
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


async def warehouse_codes(tx: Tx, ids: Collection[UUID]) -> set[str]:
    """The codes of warehouses."""
    rows = await tx.fetch(
        "select code from warehouse where organization_id = $1 and id = any($2)",
        tx.organization_id,
        ids,
    )
    return {row["code"] for row in rows}


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


# The join finds each alert through the unique index of subjects, whatever the planner expects.
_RAISE = """
with given as (
  select id, kind, subject, item_id, warehouse_id, order_id, order_line_id, supplier_id, severity,
         evidence::jsonb as evidence, actions::jsonb as actions
  from unnest($3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[],
              $10::text[], $11::text[], $12::text[], $13::text[])
    as u(id, kind, item_id, warehouse_id, order_id, order_line_id, supplier_id, severity, subject,
         evidence, actions)
),
matched as (
  select g.*, a.id as alert_id, a.raised_count,
         a.status = 'snoozed' and a.snoozed_until <= $2 as is_awake,
         a.severity <> g.severity as is_changed,
         a.last_seen_at < $2 - interval '1 hour'
           or a.latest - 'as_of' <> g.evidence - 'as_of' as is_news
  from given g
  left join alert a on a.organization_id = $1 and a.status <> 'resolved' and a.kind = g.kind
                   and a.subject = g.subject
),
seen as (
  update alert a
  set last_seen_at = $2, latest = m.evidence, actions = m.actions,
      supplier_id = m.supplier_id, severity = m.severity,
      status = case when m.is_awake then 'open' else a.status end,
      snoozed_until = case when m.is_awake then null else a.snoozed_until end,
      raised_count = a.raised_count + m.is_awake::int,
      -- What was only seen again is not changed: the version people hold stays good.
      version = a.version + (m.is_awake or m.is_changed)::int,
      updated_at = case when m.is_awake or m.is_changed then $2 else a.updated_at end
  -- The same numbers again within the hour are not worth a write.
  from matched m where a.organization_id = $1 and a.id = m.alert_id
    and (m.is_awake or m.is_changed or m.is_news)
),
fresh as (
  select m.*, row_number() over (order by m.id) as place from matched m where m.alert_id is null
),
numbers as (
  select n.number, n.place
  from unnest(next_numbers($1, 'alert', $14, (select count(*) from fresh), $2))
       with ordinality as n(number, place)
),
raised as (
  insert into alert (organization_id, id, number, kind, severity, status, subject, item_id,
                     warehouse_id, order_id, order_line_id, supplier_id, evidence, latest, actions,
                     first_raised_at, last_seen_at, created_at, updated_at)
  select $1, f.id, n.number, f.kind, f.severity, 'open', f.subject, f.item_id, f.warehouse_id,
         f.order_id, f.order_line_id, f.supplier_id, f.evidence, f.evidence, f.actions,
         $2, $2, $2, $2
  from fresh f join numbers n using (place)
  order by f.place
  returning *
)
select alert_id as id, kind, severity, item_id, warehouse_id, order_id, order_line_id,
       raised_count + is_awake::int as raised_count, is_awake as is_raised,
       case when is_awake then evidence end as evidence
from matched where alert_id is not null
union all
select id, kind, severity, item_id, warehouse_id, order_id, order_line_id, 1, true, evidence
from raised
"""


async def raise_(
    tx: Tx, conditions: Sequence[Condition], severities: dict[str, str]
) -> list[asyncpg.Record]:
    """Make every condition an alert, or see it again where one stands; gives them all.

    `is_raised` marks the new ones and those whose snooze is over.
    """
    if not conditions:
        return []
    return await tx.fetch(
        _RAISE,
        tx.organization_id,
        tx.now,
        [uuid7() for _ in conditions],
        [c.kind for c in conditions],
        [c.item_id for c in conditions],
        [c.warehouse_id for c in conditions],
        [c.order_id for c in conditions],
        [c.order_line_id for c in conditions],
        [c.supplier_id for c in conditions],
        [severities[c.kind] for c in conditions],
        [c.subject for c in conditions],
        [to_json(c.evidence).decode() for c in conditions],
        [to_json(c.actions).decode() for c in conditions],
        numbers.BUILT_IN["alert"],
    )


async def resolve_all_but(
    tx: Tx,
    kinds: Sequence[str],
    held: Sequence[UUID],
    disabled: Sequence[str],
    *,
    pairs: Sequence[tuple[UUID, UUID]] | None = None,
    order_ids: Sequence[UUID] | None = None,
) -> list[asyncpg.Record]:
    """Resolve the alerts of the given kinds and subjects (None: of all) whose condition does not
    hold any more."""
    item_ids, warehouse_ids = (
        (None, None) if pairs is None else ([p[0] for p in pairs], [p[1] for p in pairs])
    )
    return await tx.fetch(
        """
        update alert a
        set status = 'resolved', resolution = 'auto', resolved_at = $2, snoozed_until = null,
            reason = case when kind = any($5::text[]) then 'rule_disabled'
                          else 'condition_ended' end,
            version = version + 1, updated_at = $2
        where organization_id = $1 and status <> 'resolved' and kind = any($3::text[])
          and id <> all($4::uuid[])
          and ($6::uuid[] is null or (item_id, warehouse_id) in (
            select * from unnest($6::uuid[], $7::uuid[])))
          and ($8::uuid[] is null or order_id = any($8))
        returning id, kind, severity, item_id, warehouse_id, order_id, order_line_id, resolution,
                  reason
        """,
        tx.organization_id,
        tx.now,
        kinds,
        held,
        disabled,
        item_ids,
        warehouse_ids,
        order_ids,
    )


def _alerts(tx: Tx) -> Any:
    organization = tx.organization_id
    return (
        select(
            Alert,
            Item.sku,
            Item.name.label("item_name"),
            Warehouse.code.label("warehouse_code"),
            Warehouse.name.label("warehouse_name"),
            Supplier.code.label("supplier_code"),
            Supplier.name.label("supplier_name"),
            PurchaseOrder.number.label("order_number"),
            PurchaseOrderLine.line_no,
        )
        .outerjoin(Item, and_(Item.organization_id == organization, Item.id == Alert.item_id))
        .outerjoin(
            Warehouse,
            and_(Warehouse.organization_id == organization, Warehouse.id == Alert.warehouse_id),
        )
        .outerjoin(
            Supplier,
            and_(Supplier.organization_id == organization, Supplier.id == Alert.supplier_id),
        )
        .outerjoin(
            PurchaseOrder,
            and_(PurchaseOrder.organization_id == organization, PurchaseOrder.id == Alert.order_id),
        )
        .outerjoin(
            PurchaseOrderLine,
            and_(
                PurchaseOrderLine.organization_id == organization,
                PurchaseOrderLine.id == Alert.order_line_id,
            ),
        )
        .where(Alert.organization_id == organization)
    )


def _is(key: Key) -> Any:
    if key.id is not None:
        return Alert.id == key.id
    return func.lower(Alert.number) == func.lower(key.natural)


async def find(tx: Tx, key: Key) -> Any:
    """One alert with the names of what it is about, or None."""
    return (await tx.session.execute(_alerts(tx).where(_is(key)))).one_or_none()


async def lock_one(tx: Tx, key: Key) -> Alert | None:
    """The alert, locked."""
    statement = (
        select(Alert).where(Alert.organization_id == tx.organization_id, _is(key)).with_for_update()
    )
    return (await tx.session.execute(statement)).scalar_one_or_none()


async def list_alerts(tx: Tx, wanted: AlertFilter, subjects: Mapping[str, UUID | None]) -> PageOf:
    """Alerts, newest first; `subjects` are the ids they must have by column, None for any."""
    statement = _alerts(tx)
    if wanted.status:
        statement = statement.where(Alert.status.in_(wanted.status))
    if wanted.kind:
        statement = statement.where(Alert.kind.in_(wanted.kind))
    if wanted.severity:
        statement = statement.where(Alert.severity.in_(wanted.severity))
    for column, id in subjects.items():
        if id is not None:
            statement = statement.where(getattr(Alert, column) == id)
    order = [(Alert.first_raised_at, True), (Alert.id, True)]
    return await pages.page(tx, statement, wanted, order)


async def documents_pairs(tx: Tx, document_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """The item-locations that stock documents touched, for events too big to name them."""
    rows = await tx.fetch(
        """
        select distinct m.item_id, l.warehouse_id from stock_movement m
        join location l on l.organization_id = $1 and l.warehouse_id is not null
          and l.id in (m.from_location_id, m.to_location_id)
        where m.organization_id = $1 and m.document_id = any($2)
        """,
        tx.organization_id,
        document_ids,
    )
    return [(row["item_id"], row["warehouse_id"]) for row in rows]
