"""How alike two users or two items are."""

from __future__ import annotations

from coterie.cli.options import DataOptions
from coterie.cli.output import Output


def similar(data: DataOptions, out: Output) -> None:
    """Sim."""
