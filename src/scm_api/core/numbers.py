"""Document numbers that people quote: one gapless series per organization and kind."""

from datetime import date

from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import Base, Owned
from scm_api.core.tx import Tx

# The kinds of numbered documents, each named as its table, with the rule they have from the start.
BUILT_IN = {"purchase_order": "PO-{n:6}", "receipt": "GR-{n:6}", "alert": "AL-{n:6}"}


class NumberSeries(Owned, Base):
    """The last number given out of one series, and its rule. Its row lock makes the series gapless:
    a document that rolls back gives its number back."""

    __tablename__ = "number_series"

    kind: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)
    # Such as `PO-{yyyy}-{n:5}`; null: the built-in one.
    pattern: Mapped[str | None] = mapped_column(String(64))
    restarts: Mapped[str] = mapped_column(String(8), server_default="never")
    # The organization's date of the latest number.
    day: Mapped[date | None]
    version: Mapped[int] = mapped_column(server_default="1")

    __table_args__ = (
        CheckConstraint("restarts in ('never', 'year', 'month', 'day')", name="restarts"),
    )


async def take(tx: Tx, kind: str, count: int = 1) -> list[str]:
    """The next `count` numbers of a kind, such as PO-000001, by the organization's rule."""
    taken: list[str] = await tx.fetchval(
        "select next_numbers($1, $2, $3, $4, $5)",
        tx.organization_id,
        kind,
        BUILT_IN[kind],
        count,
        tx.now,
    )
    return taken
