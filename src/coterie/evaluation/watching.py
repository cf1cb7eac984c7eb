"""The progress of a comparison, on a terminal's error stream: what is being done, and a line for each model done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Watch(AbstractContextManager["Watch"]):
    """Shows nothing where it is not wanted or where there is no terminal; a function is told a line for each model."""

    def __init__(self, n_models: int, wanted: bool | Callable[[str], None]) -> None:
        self._bar: Progress
        self._bar, self._shown = _bar(wanted is True)
        self._tell = None if isinstance(wanted, bool) else wanted
        self._n_models, self._n_done = n_models, 0
        self._all = self._bar.add_task("models compared", total=n_models)
        self._task: TaskID | None = None
        self._what = ""

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, what: str, doing: str) -> None:
        """From now on something else is being done."""
        self._end()
        self._what = what
        self._task = self._bar.add_task(f"{what}: {doing}", total=None)

    def now(self, doing: str) -> None:
        """The same model goes on to something else."""
        if self._task is not None:
            self._bar.update(self._task, description=f"{self._what}: {doing}", advance=1)

    def done(self, line: str) -> None:
        """A model is done; `line` says what came of it, and stays."""
        from rich.markup import escape

        self._end()
        self._bar.advance(self._all)
        self._n_done += 1
        if self._tell is not None:
            self._tell(f"{line} ({self._n_done} of {self._n_models})")
        if self._shown:
            self._bar.console.print(escape(line))

    def _end(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


def _bar(wanted: bool) -> tuple[Progress, bool]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    shown = wanted and console.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not shown), shown
