"""What the triggers write: every change, by whomever and however, and nothing that was not."""

import json
import re
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from scm_api import wiring
from scm_api.access import service as access
from scm_api.core.db import Base
from tests.support import Client, new_client
from tests.trail.world import entries, post, small_company

assert wiring.registered
# Tables that no trigger listens to, and why.
NOT_AUDITED = {
    "alert": "raised by computation; what people decide about it is audited",
    "audit_entry": "the trail itself",
    "audit_seal": "the trail itself",
    "demand_day": "derived from the ledger",
    "demand_series": "derived from the ledger",
    "event": "a record of its own, sealed",
    "event_consumer": "bookmarks of the process",
    "idempotency_key": "answers kept for a while",
    "inbound_supply": "derived from orders",
    "item_search": "derived from items",
    "job": "work, with its principal and its result",
    "lead_time_observation": "derived from receipts",
    "lot": "made by postings, never changed",
    "number_series": "counts all day; changes of its rule are audited",
    "purchase_order_revision": "a record of its own, append-only",
    "rate_window": "counts requests",
    "replenishment_plan": "computed",
    "replenishment_plan_line": "computed",
    "replenishment_suggestion": "computed; what people decide about it is audited",
    "shortage": "a record of its own, append-only",
    "stock_balance": "derived from the ledger",
    "stock_document": "the ledger: append-only, sealed",
    "stock_movement": "the ledger: append-only, sealed",
    "stock_position": "derived from the ledger",
}
HIDDEN = {
    "alert": {"latest", "last_seen_at", "raised_count", "evidence", "actions"},
    "api_key": {"secret_sha256", "previous_sha256", "last_used_at", "public"},
    "item": {"sku_key"},
    "number_series": {"last", "day"},
    "replenishment_suggestion": {"recipe"},
    "supplier_item": {"lead_time_count", "lead_time_sum", "lead_time_sum_squares"},
}
SECRETS = ("secret", "sha256", "password", "token", "totp", "public")
Entry = dict[str, Any]


async def _audited(admin: asyncpg.Connection) -> dict[str, set[str]]:
    """The operations each table's triggers listen to."""
    rows = await admin.fetch(
        """
        select c.relname, array_agg(t.tgname::text) as names from pg_trigger t
        join pg_class c on c.oid = t.tgrelid
        where t.tgname like 'audit\\_%' and not t.tgisinternal and t.tgenabled = 'O' group by 1
        """
    )
    return {row["relname"]: set(row["names"]) for row in rows}


async def test_every_table_is_audited_or_has_a_reason_not_to_be(
    admin: asyncpg.Connection,
) -> None:
    tenant = {t.name for t in Base.metadata.sorted_tables if "organization_id" in t.c}
    audited = await _audited(admin)
    all_of_it = {"audit_insert", "audit_update", "audit_delete"}
    wholly = {name for name, names in audited.items() if names == all_of_it}
    assert wholly - {"organization"} == tenant - set(NOT_AUDITED)
    partly = set(audited) - wholly
    assert partly == {"alert", "number_series", "organization_group", "replenishment_suggestion"}
    assert set(NOT_AUDITED) <= tenant


async def test_every_column_of_an_audited_table_is_shown_or_known_to_be_hidden(
    admin: asyncpg.Connection,
) -> None:
    """The functions are written out by column: who adds a column installs the function anew."""
    rows = await admin.fetch(
        """
        select distinct c.relname, p.prosrc, array(
          select a.attname::text from pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
        from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
        where t.tgname like 'audit\\_%' and not t.tgisinternal
        """
    )
    always = {"organization_id", "id", "version", "created_at", "updated_at"}
    hidden = {}
    for row in rows:
        shown = set(re.findall(r"'\"(\w+)\":", row["prosrc"]))
        if rest := set(row["columns"]) - shown - always:
            hidden[row["relname"]] = rest
        assert not [name for name in shown if any(word in name for word in SECRETS)]
    assert hidden == HIDDEN


async def test_a_key_is_made_without_a_trace_of_its_secret(
    admin: asyncpg.Connection, api: Client
) -> None:
    made = [e for e in await entries(admin, api.organization_id) if e["object_type"] == "api_key"]
    assert made
    text = json.dumps([e["changes"] for e in made])
    assert api.token.split("_")[2] not in text
    assert not any(word in text for word in ("sha256", "secret"))


async def only(admin: asyncpg.Connection, api: Client, since: int) -> list[Entry]:
    return (await entries(admin, api.organization_id))[since:]


async def count(admin: asyncpg.Connection, api: Client) -> int:
    return len(await entries(admin, api.organization_id))


async def test_a_change_says_who_when_from_where_and_why(
    api: Client, admin: asyncpg.Connection
) -> None:
    await small_company(api, items=1)
    before = await count(admin, api)
    response = await api.patch(
        "/v1/items/sku=I-0", {"name": "Renamed"}, headers={"Scm-Reason": "%E6%94%B9%E5%90%8D"}
    )
    assert response.is_success, response.text
    (entry,) = await only(admin, api, before)
    key = await admin.fetchrow(
        "select id, name from api_key where organization_id = $1", api.organization_id
    )
    assert {name: entry[name] for name in ("object_type", "action", "changes")} == {
        "object_type": "item",
        "action": "changed",
        "changes": {"name": {"old": "Item 0", "new": "Renamed"}},
    }
    assert (entry["object_id"], entry["object_key"]) == (UUID(response.json()["id"]), None)
    assert (entry["principal_kind"], entry["principal_name"]) == ("api_key", key["name"])
    assert entry["principal_id"] == entry["key_id"] == key["id"]
    assert (entry["user_id"], entry["session_id"]) == (None, None)
    assert entry["address"] == "127.0.0.1"
    assert entry["request_id"] == response.headers["x-request-id"]
    assert entry["operation"] == "items_change"
    assert entry["reason"] == "改名"
    age = await admin.fetchval("select now() - $1::timestamptz", entry["recorded_at"])
    assert 0 <= age.total_seconds() < 10


async def test_the_reason_in_the_body_counts_before_that_of_the_header(
    api: Client, admin: asyncpg.Connection
) -> None:
    await small_company(api, items=1)
    order = {
        "supplier": {"code": "S"},
        "warehouse": {"code": "W"},
        "need_by": "2030-03-01",
        "lines": [{"item": {"sku": "I-0"}, "quantity": "5"}],
    }
    made = await api.post("/v1/purchase-orders", order)
    path = f"/v1/purchase-orders/{made.json()['id']}"
    before = await count(admin, api)
    response = await api.post(
        f"{path}/cancel",
        {"reason": "No need"},
        headers={"If-Match": made.headers["etag"], "Scm-Reason": "other"},
    )
    assert response.is_success, response.text
    told = await only(admin, api, before)
    assert {entry["reason"] for entry in told} == {"No need"}
    (header,) = [entry for entry in told if entry["object_type"] == "purchase_order"]
    assert header["changes"]["status"] == {"old": "draft", "new": "cancelled"}


async def test_what_is_made_and_removed_shows_all_its_values_and_what_it_was_part_of(
    api: Client, admin: asyncpg.Connection
) -> None:
    item = await api.ok(
        "POST",
        "/v1/items",
        json={
            "sku": "A",
            "name": "A",
            "base_unit": "EA",
            "units": [{"unit": "BOX", "numerator": 12}],
        },
    )
    told = await entries(admin, api.organization_id)
    (made,) = [e for e in told if e["object_type"] == "item"]
    assert made["changes"]["sku"] == {"new": "A"}
    # Neither its id, which the entry names, nor what every new row has.
    assert set(made["changes"]) == {"sku", "name", "base_unit"}
    (unit,) = [e for e in told if e["object_type"] == "item_unit"]
    assert (unit["action"], unit["parent_id"]) == ("created", UUID(item["id"]))
    before = len(told)
    await api.ok("PATCH", "/v1/items/sku=A", json={"units": []})
    removed = [e for e in await only(admin, api, before) if e["object_type"] == "item_unit"]
    assert [(e["action"], e["object_id"]) for e in removed] == [("deleted", unit["object_id"])]
    assert removed[0]["changes"]["unit"] == {"old": "BOX"}


async def test_a_bulk_call_writes_one_entry_for_each_row_that_changed(
    api: Client, admin: asyncpg.Connection
) -> None:
    body = {"items": [{"sku": f"B-{n}", "name": f"Item {n}", "base_unit": "EA"} for n in range(20)]}
    await api.ok("PUT", "/v1/items/bulk", json=body)
    told = await entries(admin, api.organization_id)
    assert len([e for e in told if e["object_type"] == "item"]) == 20
    before = len(told)
    for line in body["items"][:3]:
        line["name"] += " again"
    await api.ok("PUT", "/v1/items/bulk", json=body)
    changed = await only(admin, api, before)
    assert [(e["object_type"], e["action"], set(e["changes"])) for e in changed] == [
        ("item", "changed", {"name"})
    ] * 3
    before += 3
    await api.ok("PUT", "/v1/items/bulk", json=body)
    assert await only(admin, api, before) == []


async def test_what_is_refused_tried_or_rolled_back_leaves_no_entry(
    api: Client, admin: asyncpg.Connection
) -> None:
    await small_company(api, items=1)
    before = await count(admin, api)
    tried = await api.patch("/v1/items/sku=I-0?dry_run=true", {"name": "Tried"})
    assert tried.headers["dry-run"] == "true"
    refused = await api.patch(
        "/v1/items/sku=I-0", {"name": "Refused"}, headers={"If-Match": '"99"'}
    )
    assert refused.status_code == 412
    same = await api.patch("/v1/items/sku=I-0", {"name": "Item 0"})
    assert same.is_success
    async with api.runtime.database.transaction(api.principal(), now=api.runtime.clock()) as tx:
        await tx.execute("update item set name = 'Lost'")
    assert await only(admin, api, before) == []


async def test_a_change_by_hand_is_the_databases(api: Client, admin: asyncpg.Connection) -> None:
    await small_company(api, items=2)
    before = await count(admin, api)
    changed = "update item set name = 'By hand' where organization_id = $1 and sku = 'I-0'"
    await admin.execute(changed, api.organization_id)
    (entry,) = await only(admin, api, before)
    user = await admin.fetchval("select session_user::text")
    assert (entry["principal_kind"], entry["principal_name"]) == ("database", user)
    assert (entry["principal_id"], entry["operation"], entry["request_id"]) == (None, None, "")
    assert entry["changes"] == {"name": {"old": "Item 0", "new": "By hand"}}


async def test_a_row_whose_key_is_changed_by_hand_is_gone_and_another_is_there(
    api: Client, admin: asyncpg.Connection
) -> None:
    await small_company(api, items=1)
    before = await count(admin, api)
    supplier = await admin.fetchval(
        "select id from supplier where organization_id = $1", api.organization_id
    )
    shutdown = await admin.fetchval(
        """
        insert into supplier_shutdown (organization_id, id, supplier_id, starts_on, ends_on)
        values ($1, gen_random_uuid(), $2, '2030-01-01', '2030-01-02') returning id
        """,
        api.organization_id,
        supplier,
    )
    await admin.execute(
        "update supplier_shutdown set id = gen_random_uuid() where id = $1", shutdown
    )
    told = await only(admin, api, before)
    assert sorted(e["action"] for e in told) == ["created", "created", "deleted"]
    assert [e["object_id"] for e in told if e["action"] == "deleted"] == [shutdown]


async def test_prices_orders_and_receipts_leave_their_entries(
    api: Client, admin: asyncpg.Connection
) -> None:
    await small_company(api, items=1)
    told = {e["object_type"] for e in await entries(admin, api.organization_id)}
    assert {"warehouse", "location", "supplier", "item", "supplier_item", "supplier_price"} <= told
    assert "stock_movement" not in told
    before = await count(admin, api)
    await post(api, "sales_issue", [("I-0", "1")])
    assert await only(admin, api, before) == []


async def test_decimals_are_strings_without_needless_zeros(
    api: Client, admin: asyncpg.Connection
) -> None:
    await small_company(api, items=1)
    terms = {"prices": [{"minimum_quantity": "0", "unit_price": "4.75"}], "priority": 2}
    await api.ok("PUT", "/v1/suppliers/code=S/items/sku=I-0", json=terms)
    told = await entries(admin, api.organization_id)
    prices = [e["changes"] for e in told if e["object_type"] == "supplier_price"]
    assert prices[0]["unit_price"] == {"new": "4.5"}
    assert "4.75" in {change["unit_price"].get("new") for change in prices}
    (priority,) = [e["changes"] for e in told if "priority" in e["changes"]]
    assert priority["priority"]["new"] == 2


async def test_nobody_reads_or_writes_anothers_entries(
    api: Client, other: Client, admin: asyncpg.Connection
) -> None:
    await small_company(api, items=1)
    async with other.runtime.database.transaction(
        other.principal(), now=other.runtime.clock()
    ) as tx:
        assert await tx.fetchval("select count(*) from audit_entry where object_type = 'item'") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.driver.execute(
                """
                insert into audit_entry (organization_id, id, object_type, action, changes,
                                         principal_kind, principal_name)
                values ($1, gen_random_uuid(), 'item', 'changed', '{}', 'user', 'x')
                """,
                api.organization_id,
            )


async def test_a_second_key_is_told_apart(api: Client, admin: asyncpg.Connection) -> None:
    second = await new_client(api.runtime, api.http, organization_id=api.organization_id)
    before = await count(admin, api)
    await api.ok("POST", "/v1/warehouses", json={"code": "A", "name": "A"})
    await second.ok("POST", "/v1/warehouses", json={"code": "B", "name": "B"})
    made = [e for e in await only(admin, api, before) if e["object_type"] == "warehouse"]
    assert len({e["key_id"] for e in made}) == 2


async def test_what_differs_from_a_default_is_told_of_a_new_row(
    api: Client, admin: asyncpg.Connection
) -> None:
    item = {"sku": "L", "name": "L", "base_unit": "EA", "is_lot_tracked": True, "note": "Fragile"}
    await api.ok("POST", "/v1/items", json=item)
    (made,) = [e for e in await entries(admin, api.organization_id) if e["object_type"] == "item"]
    told = {field: change["new"] for field, change in made["changes"].items()}
    assert told == item


async def test_renaming_a_group_is_told_to_each_organization_in_it(
    api: Client, other: Client, admin: asyncpg.Connection
) -> None:
    stranger = await new_client(api.runtime, api.http)
    group = f"G-{uuid4().hex[:8]}"
    async with api.runtime.database.system() as driver:
        for client in (api, other):
            await access.join_group(driver, client.organization_id, group)
        await access.join_group(driver, api.organization_id, group, "Renamed")
    for client in (api, other):
        (told,) = [
            e
            for e in await entries(admin, client.organization_id)
            if e["object_type"] == "organization_group"
        ]
        assert told["action"] == "changed"
        assert told["changes"] == {"name": {"old": group, "new": "Renamed"}}
    kinds = {e["object_type"] for e in await entries(admin, stranger.organization_id)}
    assert "organization_group" not in kinds
