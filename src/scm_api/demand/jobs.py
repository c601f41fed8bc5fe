"""What demand does in the background: it follows the ledger's events."""

from collections.abc import Sequence

import asyncpg

from scm_api.core.consumers import consumer
from scm_api.core.tx import Tx
from scm_api.demand import service
from scm_api.stock.events import StockPosted
from scm_api.stock.shortage_events import ShortageRecorded


@consumer(service.CONSUMER, StockPosted, ShortageRecorded)
async def follow_the_ledger(tx: Tx, events: Sequence[asyncpg.Record]) -> None:
    """Keep the days of demand up to date with what was posted and what could not be."""
    await service.count_events(tx, events)
