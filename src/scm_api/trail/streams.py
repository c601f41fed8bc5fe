"""What is sealed: three streams of append-only rows, each row as one canonical text.

Rule: the columns of a format never change; a column added to a table later gets a new format.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from scm_api.core.outbox import Position

AUDIT, EVENT, LEDGER = "audit", "event", "ledger"
STREAMS = (AUDIT, EVENT, LEDGER)
NEWEST_FORMAT = 1
START = Position(-1, -1)

_WHO = ("principal_kind", "principal_id", "principal_name")
Columns = Mapping[str, Sequence[str]]
FORMATS: Mapping[int, Columns] = MappingProxyType(
    {
        1: {
            "audit_entry": (
                *("organization_id", "id", "tx_order", "seq", "object_type", "object_id"),
                *("object_key", "parent_id", "action", "changes", *_WHO, "user_id", "key_id"),
                *("session_id", "address", "request_id", "operation", "reason", "recorded_at"),
            ),
            "event": (
                *("organization_id", "id", "tx_order", "seq", "type", "subject_type"),
                *("subject_id", "data", *_WHO, "request_id", "recorded_at"),
            ),
            "stock_document": (
                *("organization_id", "id", "external_ref", "type", "reason", "reference_type"),
                *("reference_id", "reference", "reversal_of", "occurred_at", "recorded_at"),
                *("line_count", "principal_id"),
            ),
            "stock_movement": (
                *("organization_id", "document_id", "line_no", "item_id", "lot_id"),
                *("from_location_id", "to_location_id", "from_status", "to_status", "quantity"),
                *("value", "occurred_at", "recorded_at"),
            ),
        }
    }
)
TABLES = MappingProxyType({AUDIT: "audit_entry", EVENT: "event"})

# The text of a time depends on the session's zone; nothing else in these rows on any setting.
IN_UTC = "set local timezone = 'UTC'"


def _leaf(table: str, alias: str, format: int) -> str:
    """The leaf hash of a row, in SQL: SHA-256(0x00 || ["table",column,...])."""
    columns = ", ".join(f"{alias}.{name}" for name in FORMATS[format][table])
    text = f"json_build_array('{table}', {columns})::text"
    return f"sha256('\\x00'::bytea || convert_to({text}, 'UTF8'))"


def rows_in_order(stream: str, format: int) -> str:
    """SQL of the leaves of audit entries or events after position ($2, $3), up to ($4, $5): id,
    leaf, tx_order, seq."""
    table = TABLES[stream]
    return f"""
        select r.id, {_leaf(table, "r", format)} as leaf, r.tx_order, r.seq
        from {table} r
        where r.organization_id = $1 and (r.tx_order, r.seq) > ($2::bigint, $3::bigint)
          and (r.tx_order, r.seq) <= ($4::bigint, $5::bigint)
        order by r.tx_order, r.seq
    """


def documents_in_order(format: int) -> str:
    """SQL of the leaves of the stock documents $2, each followed by its lines: id, line_no (0: the
    document itself), leaf."""
    return f"""
        select d.id, 0 as line_no, {_leaf("stock_document", "d", format)} as leaf, asked.place
        from unnest($2::uuid[]) with ordinality as asked(id, place)
        join stock_document d on d.organization_id = $1 and d.id = asked.id
        union all
        select m.document_id, m.line_no, {_leaf("stock_movement", "m", format)}, asked.place
        from unnest($2::uuid[]) with ordinality as asked(id, place)
        join stock_movement m on m.organization_id = $1 and m.document_id = asked.id
        order by place, line_no
    """
