"""The ledger's work as the peers run it: the same posting function and the same event row in one
transaction, without HTTP, authentication, idempotency or validation."""

_POST = """
with posted as (
  select count(*) as lines, sum(p.value) as value from stock_post(
    {organization}, {document}, 'sales_issue', null, '', null, null, null, null, now(), now(),
    {organization}, {items}, array_fill(null::uuid, array[{lines}]),
    array_fill(1::numeric, array[{lines}]),
    array_fill({place}, array[{lines}]), array_fill({warehouse}, array[{lines}]),
    array_fill('unrestricted'::text, array[{lines}]), array_fill(false, array[{lines}]),
    array_fill({customer}, array[{lines}]), array_fill(null::uuid, array[{lines}]),
    array_fill('unrestricted'::text, array[{lines}]), array_fill(false, array[{lines}]),
    array_fill(false, array[{lines}]), array_fill(false, array[{lines}]),
    array_fill(null::numeric, array[{lines}]), array_fill(null::numeric, array[{lines}]),
    array_fill(null::numeric, array[{lines}])) p
), told as (
  insert into event (organization_id, id, type, subject_type, subject_id, data, principal_kind,
                     principal_id, principal_name, request_id, recorded_at)
  values ({organization}, gen_random_uuid(), 'stock.posted', 'stock_document', {document},
          '{{"document_type": "sales_issue"}}', 'api_key', {organization}, 'bench', '', now())
)
select value from posted
"""

# Items of the benchmark have ids that arithmetic can make.
ITEM = "('00000000-0000-7000-8000-' || lpad(to_hex({n}), 12, '0'))::uuid"


def for_asyncpg() -> str:
    """One line; $1 organization, $2 document, $3 item, $4 place, $5 warehouse, $6 customer."""
    return _POST.format(
        organization="$1::uuid", document="$2::uuid", items="array[$3::uuid]", place="$4::uuid",
        warehouse="$5::uuid", customer="$6::uuid", lines=1,
    )  # fmt: skip


def for_pgbench(
    organization: str, place: str, warehouse: str, customer: str, *, items: int, lines: int = 1
) -> str:
    """A pgbench script: `lines` random distinct items of the first `items` a transaction."""
    first = f"\\set first random(0, {items - lines})\n"
    wanted = ITEM.format(n=":first + n")
    chosen = f"(select array_agg({wanted}) from generate_series(0, {lines - 1}) n)"
    uuids = {
        name: f"'{value}'::uuid"
        for name, value in (
            ("organization", organization),
            ("place", place),
            ("warehouse", warehouse),
            ("customer", customer),
        )
    }
    statement = _POST.format(
        document="(select id from document)", items=chosen, lines=lines, **uuids
    ).replace("with posted", "with document as materialized (select uuidv7() as id), posted", 1)
    return first + " ".join(statement.split()) + ";\n"
