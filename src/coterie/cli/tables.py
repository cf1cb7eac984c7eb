"""Tables that keep words whole on a narrow terminal: there, columns that matter less are left out and named."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table

_LONGEST_WORD = 24  # what is longer, such as a path, may be broken
_WIDE = 10_000  # no bound


class FittingTable(Table):
    """A table that breaks no word to fit; it leaves out columns instead, and names them.

    The first column stays, the last, and the one called "title"; the leftmost of the others go first. With
    `last_goes_first`, the first two columns stay and the last go first. With `stacked`, what goes is a table of its own
    below, again behind the first column, so that nothing is left out.
    """

    last_goes_first = False
    stacked = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        free = options.update(width=_WIDE)
        needs = [_need(console, free, column) for column in self.columns]
        left = list(range(len(self.columns)))
        while left:
            kept = self._kept(left, needs, console, options)
            fitted: Table = self
            for level in range(options.max_width, -1, -1):  # the widest columns give way first
                widths = [min(max(level, needs[at].minimum), needs[at].maximum) for at in kept]
                fitted, total = self._fixed(kept, widths, console, free)
                if total <= options.max_width:
                    break
            yield from Table.__rich_console__(fitted, console, options)
            missing = [at for at in left if at not in kept]
            left = [0, *missing] if self.stacked and missing else []
            if missing and not left:
                names = [" ".join(str(self.columns[at].header).split()) for at in missing]
                yield f"A wider terminal also shows: {', '.join(names)}"

    def _kept(self, left: list[int], needs: list[Measurement], console: Console, options: ConsoleOptions) -> list[int]:
        """Those of the columns `left` that there is room for."""
        kept, free = list(left), options.update(width=_WIDE)
        for expendable in self._least_first(left):
            if self._fixed(kept, [needs[at].minimum for at in kept], console, free)[1] <= options.max_width:
                break
            kept.remove(expendable)
        return kept

    def _least_first(self, places: list[int]) -> list[int]:
        if self.last_goes_first:
            return places[:1:-1]
        return [at for at in places[1:-1] if self.columns[at].header != "title"]

    def _fixed(
        self, kept: list[int], widths: list[int], console: Console, options: ConsoleOptions
    ) -> tuple[Table, int]:
        """The table with only the columns `kept`, as wide as `widths` say; and the width of it all."""
        fixed = copy(self)
        fixed.columns = [
            replace(self.columns[at], _index=place, width=width)
            for place, (at, width) in enumerate(zip(kept, widths, strict=True))
        ]
        return fixed, Table.__rich_measure__(fixed, console, options).maximum


def _need(console: Console, options: ConsoleOptions, column: Column) -> Measurement:
    """The width of a column with every word whole, and the one that wraps nothing."""
    sizes = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
    widest = max((size.maximum for size in sizes), default=1)
    if column.no_wrap:
        return Measurement(widest, widest)
    return Measurement(min(max((size.minimum for size in sizes), default=1), _LONGEST_WORD), widest)
