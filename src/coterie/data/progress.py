"""A progress bar for what takes longer than two seconds: on a terminal's error stream, nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


class Advance(Protocol):
    """Says how much more is done and, where there is something to say, how it goes."""

    def __call__(self, more: float, note: str = "", /) -> None:
        """Any thread may call it."""


@contextmanager
def quiet() -> Iterator[None]:
    """No bars inside: for whoever shows the progress of something larger."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


@contextmanager
def progress(what: str, total: float | None, done: float = 0, *, unit: str = "") -> Iterator[Advance]:
    """Gives a function that is told how much more is done.

    Parameters
    ----------
    what : str
        Shown before the bar.
    total : float or None
        All there is to do; None where that is not known.
    done : float
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
        disable=_quiet.get() or not console.is_terminal,
    )
    with bar, quiet():
        task = bar.add_task(what, total=total, completed=done)  # type: ignore[arg-type]  # a float will do

        def advance(more: float, note: str = "", /) -> None:
            bar.update(task, advance=more, description=f"{what}: {note}" if note else what)

        yield advance
