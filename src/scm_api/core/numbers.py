"""Document numbers that people quote: one gapless series per organization and kind."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from scm_api.core.db import Base, Owned
from scm_api.core.tx import Tx


class NumberSeries(Owned, Base):
    """The last number given out of one series. Its row lock makes the series gapless: a document
    that rolls back gives its number back."""

    __tablename__ = "number_series"

    kind: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


async def take(tx: Tx, kind: str, prefix: str, count: int = 1) -> list[str]:
    """The next `count` numbers of a series, such as PO-000001."""
    last: int = await tx.fetchval(
        """
        insert into number_series (organization_id, kind, last) values ($1, $2, $3)
        on conflict (organization_id, kind) do update
          set last = number_series.last + excluded.last
        returning last
        """,
        tx.organization_id,
        kind,
        count,
    )
    return [f"{prefix}-{number:06d}" for number in range(last - count + 1, last + 1)]
