"""Every error a user can meet. A message says what is wrong, which value it was, and how to mend it."""

from __future__ import annotations

import numbers
from typing import Any


class CoterieError(Exception):
    """The parent of all errors that Coterie raises on purpose."""


class ParameterError(CoterieError, ValueError):
    """An argument or hyper-parameter is outside what it may be."""


class DataError(CoterieError, ValueError):
    """A file or frame cannot be read as ratings."""


class UnknownIdError(CoterieError, LookupError):
    """A user or item id that the data does not have."""


class AmbiguousTitleError(UnknownIdError):
    """A title that several items may mean; `candidates` are their ids."""

    def __init__(self, message: str, candidates: tuple[int | str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


class NothingFitsError(CoterieError, LookupError):
    """No item is what was asked for; `relaxations` say what to give up and what that would give, the best first."""

    def __init__(self, message: str, relaxations: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.relaxations = relaxations


class NotFittedError(CoterieError, RuntimeError):
    """A model was asked before `fit`."""


class CapabilityError(CoterieError, TypeError):
    """A model was asked for something it does not do, such as ratings from a pure ranker."""


class ArtifactError(CoterieError, OSError):
    """A stored model or dataset is damaged, foreign, truncated or newer than this version."""


class DownloadError(CoterieError, OSError):
    """A dataset could not be fetched."""


class MissingExtraError(CoterieError, ImportError):
    """A feature needs a package of an optional extra."""


class MemoryBudgetError(CoterieError, MemoryError):
    """A computation would need more memory than the budget allows."""


class DivergenceError(CoterieError, ArithmeticError):
    """Learning led to numbers that are not finite, or to equations without a solution."""


class FitInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a fit early. The model is that of the sweeps done, `done` of `total`, and usable."""

    def __init__(self, who: str, done: int, total: int) -> None:
        super().__init__(f"{who} was interrupted; it is fitted with {done} of {total} sweeps")
        self.done, self.total = done, total


class SearchError(CoterieError, RuntimeError):
    """A search for hyper-parameters ended without any."""


class DataWarning(UserWarning):
    """Data was loaded, but something about it was counted and put right; the message says what."""


class PrecisionWarning(UserWarning):
    """A model was fitted, but its numbers hold fewer digits than usual; the message says how many and what helps."""


def check_whole(name: str, value: Any, least: int, otherwise: str = "") -> None:
    """`ParameterError` unless a value is a whole number from `least` on; `otherwise` says what else it may be."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ParameterError(f"{name} must be a whole number from {least}{otherwise}, not {value!r}")


def how_to_install(extra: str, *options: str) -> str:
    """The command that installs an optional extra. Coterie is on no package index, so it is run where the source is."""
    return f"{' '.join(('pip install', *options))} '.[{extra}]' in the folder of Coterie's source"
