"""SQL that writes stock: the ledger, inbound supply and planning levels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date
from uuid import UUID

import asyncpg

from scm_api.core.ids import uuid7
from scm_api.core.tx import Tx
from scm_api.stock.ledger import Inbound, Levels, NewDocument, Place

_PLACES = """
select l.id, l.warehouse_id, l.kind, coalesce(w.allows_negative_stock, false) as negative
from location l
left join warehouse w on w.organization_id = l.organization_id and w.id = l.warehouse_id
where l.organization_id = $1 and l.id = any($2)
"""
_POST = """
select line_no, problem, available, value, on_hand from stock_post(
  $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
  $13::uuid[], $14::uuid[], $15::numeric[],
  $16::uuid[], $17::uuid[], $18::text[], $19::boolean[],
  $20::uuid[], $21::uuid[], $22::text[], $23::boolean[],
  $24::boolean[], $25::boolean[], $26::numeric[], $27::numeric[], $28::numeric[])
"""


async def places(tx: Tx, ids: set[UUID]) -> dict[UUID, Place]:
    """Locations by id; unknown ones are absent."""
    rows = await tx.fetch(_PLACES, tx.organization_id, list(ids))
    return {
        row["id"]: Place(row["warehouse_id"], row["kind"] == "transit", row["negative"])
        for row in rows
    }


async def post(
    tx: Tx, document: NewDocument, known: dict[UUID, Place]
) -> tuple[UUID, list[asyncpg.Record]]:
    """Post a document in one call; the rows are either all results or all refusals."""
    lines, document_id = document.lines, uuid7()
    sources = [known[line.from_location_id] for line in lines]
    targets = [known[line.to_location_id] for line in lines]
    rows = await tx.fetch(
        _POST,
        tx.organization_id,
        document_id,
        document.type,
        document.external_ref,
        document.reason,
        document.reference_type,
        document.reference_id,
        document.reference,
        document.reversal_of,
        document.occurred_at,
        tx.now,
        tx.principal.id,
        [line.item_id for line in lines],
        [line.lot_id for line in lines],
        [line.quantity for line in lines],
        [line.from_location_id for line in lines],
        [place.warehouse_id for place in sources],
        [line.from_status for line in lines],
        [place.is_transit for place in sources],
        [line.to_location_id for line in lines],
        [place.warehouse_id for place in targets],
        [line.to_status for line in lines],
        [place.is_transit for place in targets],
        [place.may_be_negative for place in sources],
        [place.may_be_negative for place in targets],
        [line.unit_cost for line in lines],
        [line.value for line in lines],
        [line.expected_on_hand for line in lines],
    )
    return document_id, rows


async def find_document(
    tx: Tx, *, id: UUID | None = None, external_ref: str | None = None
) -> asyncpg.Record | None:
    """A document header by id or external reference, with the document that reversed it."""
    return await tx.fetchrow(
        """
        select d.*, r.id as reversed_by from stock_document d
        left join stock_document r on r.organization_id = d.organization_id
                                  and r.reversal_of = d.id
        where d.organization_id = $1 and ($2::uuid is null or d.id = $2)
          and ($3::text is null or d.external_ref = $3)
        """,
        tx.organization_id,
        id,
        external_ref,
    )


async def lines_of(tx: Tx, document_id: UUID) -> list[asyncpg.Record]:
    """The lines of a document with the names of item, places and lot."""
    return await tx.fetch(
        """
        select m.*, i.sku, i.name, i.base_unit, f.code as from_code, f.kind as from_kind,
               t.code as to_code, t.kind as to_kind, wf.code as from_warehouse,
               wt.code as to_warehouse, lot.code as lot_code
        from stock_movement m
        join item i on i.organization_id = m.organization_id and i.id = m.item_id
        join location f on f.organization_id = m.organization_id and f.id = m.from_location_id
        join location t on t.organization_id = m.organization_id and t.id = m.to_location_id
        left join warehouse wf on wf.organization_id = f.organization_id
                              and wf.id = f.warehouse_id
        left join warehouse wt on wt.organization_id = t.organization_id
                              and wt.id = t.warehouse_id
        left join lot on lot.organization_id = m.organization_id and lot.id = m.lot_id
        where m.organization_id = $1 and m.document_id = $2
        order by m.line_no
        """,
        tx.organization_id,
        document_id,
    )


_RESOLVE = """
select l.n, i.id as item_id, i.sku, i.base_unit, i.status as item_status, i.is_lot_tracked,
       u.numerator, u.denominator,
       w.id as warehouse_id, w.is_active as warehouse_active, p.id as location_id,
       p.kind as kind, w.allows_negative_stock as may_be_negative,
       tw.id as to_warehouse_id, tw.is_active as to_warehouse_active, tp.id as to_location_id,
       tp.kind as to_kind, tp.warehouse_id as to_place_warehouse_id,
       coalesce(tw.allows_negative_stock, w.allows_negative_stock) as to_may_be_negative
from unnest($2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::uuid[],
            $9::text[], $10::text[]) with ordinality
     as l(item_id, sku, unit, warehouse_id, warehouse, place, to_warehouse_id, to_warehouse,
          to_place, n)
left join item i on i.organization_id = $1
                and (i.id = l.item_id or i.sku_key = l.sku)
left join item_unit u on u.organization_id = $1 and u.item_id = i.id and u.unit = l.unit
left join warehouse w on w.organization_id = $1
                     and (w.id = l.warehouse_id or lower(w.code) = lower(l.warehouse))
left join location p on p.organization_id = $1 and p.warehouse_id = w.id and p.is_active
                    and (lower(p.code) = lower(l.place) or l.place is null and p.is_default)
left join warehouse tw on tw.organization_id = $1
                      and (tw.id = l.to_warehouse_id or lower(tw.code) = lower(l.to_warehouse))
left join location tp on tp.organization_id = $1 and tp.warehouse_id = coalesce(tw.id, w.id)
                     and tp.is_active
                     and (lower(tp.code) = lower(l.to_place)
                          or l.to_place is null and tp.is_default)
order by l.n
"""


@dataclass(frozen=True)
class LineKeys:
    """How a request names the things of one line; of id and name one is None."""

    item_id: UUID | None
    sku: str | None
    unit: str | None
    warehouse_id: UUID | None
    warehouse: str | None
    place: str | None
    to_warehouse_id: UUID | None
    to_warehouse: str | None
    to_place: str | None


async def resolve(tx: Tx, keys: Sequence[LineKeys]) -> list[asyncpg.Record]:
    """Everything the lines of a request name, in one statement; what is unknown is null."""
    # Not astuple: it looks for something to copy in every value, longer than the query takes.
    columns = ([getattr(key, one.name) for key in keys] for one in fields(LineKeys))
    return await tx.fetch(_RESOLVE, tx.organization_id, *columns)


# Made with the first warehouse and never changed after, so a process may remember them.
_outside: dict[UUID, dict[str, UUID]] = {}


async def outside(tx: Tx) -> dict[str, UUID]:
    """The locations of the outside world by kind."""
    known = _outside.get(tx.organization_id)
    if known is None:
        rows = await tx.fetch(
            "select id, kind from location where organization_id = $1 and warehouse_id is null",
            tx.organization_id,
        )
        known = {row["kind"]: row["id"] for row in rows}
        # Not while the transaction that makes them may still roll back.
        if known and await tx.fetchval("select pg_current_xact_id_if_assigned() is null"):
            _outside[tx.organization_id] = known
    return known


async def upsert_lots(
    tx: Tx, rows: Sequence[tuple[UUID, str, date | None]]
) -> list[asyncpg.Record]:
    """Lots by (item, code), made where they are new; an expiry date fills an empty one."""
    ordered = sorted(rows, key=lambda row: (row[0], row[1]))
    return await tx.fetch(
        """
        insert into lot (organization_id, id, item_id, code, expires_on)
        select $1, l.id, l.item_id, l.code, l.expires_on
        from unnest($2::uuid[], $3::uuid[], $4::text[], $5::date[])
             as l(id, item_id, code, expires_on)
        on conflict (organization_id, item_id, lower(code)) do update
          set expires_on = coalesce(lot.expires_on, excluded.expires_on)
        returning id, item_id, code, expires_on
        """,
        tx.organization_id,
        [uuid7() for _ in ordered],
        [row[0] for row in ordered],
        [row[1] for row in ordered],
        [row[2] for row in ordered],
    )


async def find_lots(tx: Tx, keys: Collection[tuple[UUID, str]]) -> list[asyncpg.Record]:
    """The lots there are of (item, code) pairs."""
    return await tx.fetch(
        """
        select l.id, l.item_id, l.code, l.expires_on
        from unnest($2::uuid[], $3::text[]) as k(item_id, code)
        join lot l on l.organization_id = $1 and l.item_id = k.item_id and lower(l.code) = k.code
        """,
        tx.organization_id,
        [key[0] for key in keys],
        [key[1] for key in keys],
    )


async def replace_inbound(
    tx: Tx, source_type: str, source_id: UUID, rows: Sequence[Inbound]
) -> None:
    """Make the inbound supply of one source document exactly `rows`."""
    await tx.execute(
        """
        with wanted as (
          select * from unnest($4::uuid[], $5::text[], $6::uuid[], $7::uuid[], $8::date[],
                               $9::numeric[], $10::boolean[])
            as r(source_line_id, source_number, item_id, warehouse_id, due_on, quantity,
                 is_confirmed)
        ), kept as (
          -- Only what changes: of a shared order the rest may be another keeper's.
          select w.* from wanted w
          left join inbound_supply s on s.organization_id = $1 and s.source_type = $2
                                    and s.source_line_id = w.source_line_id
          where (s.due_on, s.quantity, s.is_confirmed, s.warehouse_id)
                is distinct from (w.due_on, w.quantity, w.is_confirmed, w.warehouse_id)
        ), gone as (
          delete from inbound_supply s
          where s.organization_id = $1 and s.source_type = $2 and s.source_id = $3
            and s.source_line_id not in (select source_line_id from wanted)
        ), shown as (
          -- What is on order shows up in positions, also where the item was never in stock.
          insert into stock_position (organization_id, item_id, warehouse_id, updated_at)
          select distinct $1, item_id, warehouse_id, $11::timestamptz from kept
          order by item_id, warehouse_id
          on conflict do nothing
        )
        insert into inbound_supply (organization_id, source_type, source_id, source_line_id,
          source_number, item_id, warehouse_id, due_on, quantity, is_confirmed)
        select $1, $2, $3, source_line_id, source_number, item_id, warehouse_id, due_on, quantity,
               is_confirmed
        from kept order by source_line_id
        on conflict (organization_id, source_type, source_line_id) do update
          set due_on = excluded.due_on, quantity = excluded.quantity,
              is_confirmed = excluded.is_confirmed, warehouse_id = excluded.warehouse_id
        """,
        tx.organization_id,
        source_type,
        source_id,
        [row.source_line_id for row in rows],
        [row.source_number for row in rows],
        [row.item_id for row in rows],
        [row.warehouse_id for row in rows],
        [row.due_on for row in rows],
        [row.quantity for row in rows],
        [row.is_confirmed for row in rows],
        tx.now,
    )


async def write_levels(tx: Tx, rows: Sequence[Levels]) -> None:
    """Set planning levels of positions, made where an item was never in a warehouse."""
    ordered = sorted(rows, key=lambda row: (row.item_id, row.warehouse_id))
    await tx.execute(
        """
        insert into stock_position (organization_id, item_id, warehouse_id, daily_demand,
                                    safety_stock, reorder_point, order_up_to, planned_at,
                                    updated_at)
        select $1, r.*, $2, $2
        from unnest($3::uuid[], $4::uuid[], $5::numeric[], $6::numeric[], $7::numeric[],
                    $8::numeric[]) as r
        on conflict (organization_id, item_id, warehouse_id) do update
          set daily_demand = excluded.daily_demand, safety_stock = excluded.safety_stock,
              reorder_point = excluded.reorder_point, order_up_to = excluded.order_up_to,
              planned_at = excluded.planned_at
        """,
        tx.organization_id,
        tx.now,
        [row.item_id for row in ordered],
        [row.warehouse_id for row in ordered],
        [row.daily_demand for row in ordered],
        [row.safety_stock for row in ordered],
        [row.reorder_point for row in ordered],
        [row.order_up_to for row in ordered],
    )
