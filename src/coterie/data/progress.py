"""A progress bar for what takes longer than two seconds: on a terminal's error stream, nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str, total: int | None, done: int = 0, *, unit: str = "") -> Iterator[Callable[[int], None]]:
    """Gives a function that is told how much more is done; any thread may call it.

    Parameters
    ----------
    what : str
        Shown before the bar.
    total : int or None
        All there is to do; None where that is not known.
    done : int
        What was done before.
    unit : {"", "bytes"}
        How amounts are shown.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    amounts = (
        [DownloadColumn(), TransferSpeedColumn()] if unit == "bytes" else [TextColumn("{task.percentage:>3.0f} %")]
    )
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *amounts,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=total, completed=done)
        yield lambda more: bar.advance(task, more)
