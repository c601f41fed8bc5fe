"""How the demo talks: progress bars while it works, tables of what happened."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table

from scm_api.demo.figures import Figures

Number: TypeAlias = int | float | Decimal


def progress(console: Console) -> Progress:
    """One bar a step; where there is no terminal, only its last state is written."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
    )


def heading(console: Console, text: str) -> None:
    """A step of the story."""
    console.print()
    console.print(Rule(f"[bold]{text}[/bold]", align="left"))


def before_and_after(console: Console, before: Figures, after: Figures) -> None:
    """Two moments side by side."""
    kinds = sorted(before.open_alerts.keys() | after.open_alerts.keys())
    rows: list[tuple[str, Number, Number]] = [
        ("stock value", before.stock_value, after.stock_value),
        ("units on hand", before.units_on_hand, after.units_on_hand),
        ("units on order", before.units_on_order, after.units_on_order),
        ("item-locations stocked out", before.stocked_out, after.stocked_out),
        ("open purchase orders", before.open_orders, after.open_orders),
        ("their value", before.open_order_value, after.open_order_value),
        ("open suggestions", before.open_suggestions, after.open_suggestions),
        *(
            (f"alerts: {kind}", before.open_alerts.get(kind, 0), after.open_alerts.get(kind, 0))
            for kind in kinds
        ),
    ]
    table = Table("", before.on.isoformat(), after.on.isoformat(), "change")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, old, new in rows:
        change = Decimal(new) - Decimal(old)
        table.add_row(name, number(old), number(new), number(change, sign=True))
    console.print(table)


def table(
    console: Console, head: Sequence[str], rows: Sequence[Sequence[Any]], **look: Any
) -> None:
    """A table; numbers to the right."""
    made = Table(*head, **look)
    for place, column in enumerate(made.columns):
        if rows and isinstance(rows[0][place], int | float | Decimal):
            column.justify = "right"
    for row in rows:
        made.add_row(*(number(v) if isinstance(v, int | float | Decimal) else str(v) for v in row))
    console.print(made)


def number(value: Number, *, sign: bool = False) -> str:
    """With thousands separators, and decimals only where they matter."""
    size = abs(float(value))
    places = 0 if size.is_integer() or size >= 1000 else 2
    return f"{value:{'+' if sign else ''},.{places}f}"
