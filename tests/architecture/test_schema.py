"""Rules that every table keeps, read from the models and from the migrated database."""

import asyncpg
import pytest
from sqlalchemy import CheckConstraint, String, Table, Text, Uuid

from scm_api import wiring
from scm_api.core.db import Base

assert wiring.registered
TABLES = Base.metadata.sorted_tables
TENANT = [t for t in TABLES if "organization_id" in t.c]
# People and the process itself: no organization owns them; their policies open them to the process
# and, where one may, to the organizations of a person.
GLOBAL = {
    "access_log",
    "known_device",
    "login_throttle",
    "oidc_flow",
    "one_time_link",
    "organization",
    "organization_group",
    "session_token",
    "user_account",
    "user_credential",
    "user_identity",
    "user_session",
}
# Columns named like a choice whose values an outside list or another domain decides.
OPEN_CHOICES = {
    "audit_entry.object_type",
    "audit_entry.principal_kind",
    "event.type",
    "event.subject_type",
    "event.principal_kind",
    "job.kind",
    "number_rule.kind",
    "number_series.kind",
    "stock_document.reference_type",
    "inbound_supply.source_type",
    "shortage.source",
    "purchase_order_line.source_type",
    "idempotency_key.method",
}
# The observation belongs to the supplier and outlives the order, which stands in a room above. Plan
# lines are derived in one transaction with what they name, and deleted after a month. A plan
# outlives its job.
LOOSE = {
    "lead_time_observation.purchase_order_id",
    "lead_time_observation.purchase_order_line_id",
    "lead_time_observation.receipt_id",
    "replenishment_plan.job_id",
    "replenishment_plan_line.item_id",
    "replenishment_plan_line.supplier_id",
    "replenishment_plan_line.warehouse_id",
}

every_tenant_table = pytest.mark.parametrize("table", TENANT, ids=str)


def test_every_table_belongs_to_an_organization_or_is_known_not_to() -> None:
    assert {t.name for t in TABLES} - {t.name for t in TENANT} == GLOBAL


async def test_every_table_of_ours_is_under_forced_row_security(admin: asyncpg.Connection) -> None:
    rows = await admin.fetch(
        """
        select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
          and (not relrowsecurity or not relforcerowsecurity)
        """
    )
    ours = {row["relname"] for row in rows} & {t.name for t in TABLES}
    # The search rows are read by a function of their owner (self_check.NOT_FORCED).
    assert ours == {"item_search"}


@every_tenant_table
def test_the_organization_leads_every_key(table: Table) -> None:
    assert next(iter(table.primary_key.columns)).name == "organization_id"
    for constraint in table.foreign_key_constraints:
        if "organization_id" in constraint.referred_table.c:
            assert constraint.column_keys[0] == "organization_id", constraint.name
            first = constraint.elements[0].target_fullname
            assert first == f"{constraint.referred_table.name}.organization_id"


@every_tenant_table
def test_every_unique_index_begins_with_the_organization(table: Table) -> None:
    for index in table.indexes:
        if index.unique and index.name != "uq_api_key_public":
            first = str(next(iter(index.expressions)))
            assert first.endswith("organization_id"), index.name


@every_tenant_table
def test_every_choice_is_checked(table: Table) -> None:
    checks = " ".join(str(c.sqltext) for c in table.constraints if isinstance(c, CheckConstraint))
    choice = ("status", "kind", "type", "mode", "method", "state", "scope", "severity", "outcome")
    for column in table.c:
        named = column.name in choice or column.name.endswith(tuple(f"_{c}" for c in choice))
        if not named or not isinstance(column.type, String | Text):
            continue
        if f"{table.name}.{column.name}" not in OPEN_CHOICES:
            assert f"{column.name} in" in checks, f"{table.name}.{column.name} has no CHECK"


@every_tenant_table
def test_every_reference_is_a_foreign_key(table: Table) -> None:
    """A UUID column named `<table>_id` points to that table with its organization."""
    names = {t.name: t for t in TENANT}
    keyed = {key for c in table.foreign_key_constraints for key in c.column_keys}
    for column in table.c:
        target = column.name.removesuffix("_id")
        if f"{table.name}.{column.name}" in LOOSE:
            continue
        if column.name.endswith("_id") and isinstance(column.type, Uuid) and target in names:
            assert column.name in keyed, f"{table.name}.{column.name}"


async def test_every_model_is_explained_in_the_code() -> None:
    silent = [m.class_.__name__ for m in Base.registry.mappers if not m.class_.__doc__]
    assert silent == []


async def test_the_migrated_database_is_what_the_models_say(admin: asyncpg.Connection) -> None:
    rows = await admin.fetch(
        """
        select c.relname, array_agg(a.attname::text) as columns
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
          and not a.attisdropped
        where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace group by 1
        """
    )
    stored = {row["relname"]: set(row["columns"]) for row in rows}
    for table in TABLES:
        assert stored[table.name] == {column.name for column in table.c}, table.name


async def test_every_foreign_key_has_an_index_that_serves_it(admin: asyncpg.Connection) -> None:
    """Deleting or locking a referred row must not scan the table that refers to it."""
    rows = await admin.fetch(
        """
        select k.conrelid::regclass::text || '.' || k.conname as name
        from pg_constraint k
        where k.contype = 'f' and k.confdeltype <> 'a'
          and k.connamespace = 'public'::regnamespace
          and not exists (
            select from pg_index i
            where i.indrelid = k.conrelid
              and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
        """
    )
    assert [row["name"] for row in rows] == []
