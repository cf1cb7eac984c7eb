"""What a search has found: the best options, what was tried, and how to go on from there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from coterie.data.wording import counted
from coterie.evaluation.linter.finding import chosen
from coterie.evaluation.metrics import Measure
from coterie.evaluation.splits import Split
from coterie.models.base import Recommender
from coterie.models.config import save_config

# With fewer users than this a note warns that what is best is chosen by chance too.
_FEW_USERS = 100
# States of trials, as the account of a search has them.
_STATES = {"pruned": "given up early", "failed": "failed", "repeated": "tried before", "cut": "cut"}


@dataclass(frozen=True)
class Search:
    """The best hyper-parameters that were found.

    Attributes
    ----------
    model : Recommender
        Unfitted, with the best hyper-parameters.
    value : float
        Of the best on the validation ratings. It was chosen for being the best, so on other ratings expect less.
    default_value : float or None
        Of the defaults, with what was fixed; None where they failed.
    measure : Measure
    trials : polars.DataFrame
        `number, state, value, seconds`, each hyper-parameter that was searched, `error`; states as in
        `coterie.evaluation.trials.Outcome`.
    searched : sequence of str
        The hyper-parameters that were searched.
    fixed : mapping of str to value
        Those that were settled beforehand.
    seconds : float
        Of this call.
    split : Split
        Training and validation ratings.
    n_users : int
        Users by whom models were judged.
    relevant_from : float
        Validation ratings from this on counted as relevant.
    importances : mapping of str to float
        Share of the value's variance over the trials that each explains (fANOVA); empty with fewer than ten values.
    interrupted : bool
        Whether Ctrl-C ended it.
    source : sequence of str
        The data as the command line takes them.
    n_kept : int
        Trials that came from `storage`; this call did the others.
    doubts : sequence of str
        Why nothing can be concluded from the values, in sentences; empty where something can.
    """

    model: Recommender
    value: float
    default_value: float | None
    measure: Measure
    trials: pl.DataFrame = field(repr=False)
    searched: Sequence[str]
    fixed: Mapping[str, Any]
    seconds: float
    split: Split = field(repr=False)
    n_users: int
    relevant_from: float
    importances: Mapping[str, float] = field(repr=False)
    interrupted: bool = False
    source: Sequence[str] = ("DATA",)
    n_kept: int = 0
    doubts: Sequence[str] = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """All hyper-parameters of the best."""
        return {name: getattr(self.model, name) for name in self.model.parameters()}

    @property
    def metric(self) -> str:
        """What was searched for."""
        return self.measure.name

    @property
    def n_trials(self) -> int:
        """Trials that count: all but those that were cut."""
        return int((self.trials["state"] != "cut").sum())

    @property
    def trial_seconds(self) -> float:
        """Of all trials, those that were kept too."""
        return float(self.trials["seconds"].sum())

    @property
    def command(self) -> str:
        """The command line that fits the best to all the data; of data without a known source, put it for DATA."""
        words = ["coterie", "fit", self.model.name, *self.source, "--output", f"{self.model.name}-tuned"]
        for name, parameter in self.model.parameters().items():
            value, flag = getattr(self.model, name), name.replace("_", "-")
            if value == parameter.default:
                continue
            if isinstance(value, bool):
                words.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                words += [f"--{flag}", "none" if value is None else str(value)]
        return shlex.join(words)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the hyper-parameters to a TOML file, for `coterie.load_config` and ``coterie fit --config``."""
        save_config(path, self.model, {key: value for key, value in self._found().items() if value is not None})

    def words(self) -> list[str]:
        """What was found, a sentence each."""
        counts = dict(self.trials["state"].value_counts().iter_rows())
        others = [f"{counts[s]:,} {text}" for s, text in _STATES.items() if counts.get(s)]
        said = counted(self.n_trials, "trial") + (f" ({', '.join(others)})" if others else "")
        if self.n_kept:
            new = self.n_trials - self.n_kept
            sentences = [
                f"{said}, which took {self.trial_seconds:.1f} s: {self.n_kept:,} of them from storage, {new:,} new in "
                f"{self.seconds:.1f} s."
            ]
        else:
            sentences = [f"{said} in {self.seconds:.1f} s."]
        if self.default_value is None:
            sentences.append(f"The best has {self.metric} {self.value:.4f}; the defaults did not get to a value.")
        elif self.value == self.default_value:
            sentences.append(f"Nothing tried was better than the defaults, {self.metric} {self.value:.4f}.")
        else:
            sentences.append(f"The best has {self.metric} {self.value:.4f}, the defaults {self.default_value:.4f}.")
            sentences.append("It was chosen by these very ratings; on others expect worse.")
        sentences += self.doubts
        if self.n_users < _FEW_USERS:
            more = 'A random split (split="random") asks more of them, at the price of knowing the future.'
            if not self.split.timed:
                more = "Hold out a larger share, or search on more data."
            sentences.append(
                f"{counted(self.n_users, 'user')} {chosen(self.n_users, 'is', 'are')} few to choose by: chance has a "
                f"say. {more}"
            )
        return sentences

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON knows it."""
        return {
            "model": self.model.name,
            "parameters": self.parameters,
            **self._found(),
            "searched": list(self.searched),
            "fixed": dict(self.fixed),
            "importances": dict(self.importances),
            "interrupted": self.interrupted,
            "command": self.command,
            "trials_done": self.trials.to_dicts(),
            "words": self.words(),
        }

    def _found(self) -> dict[str, Any]:
        """How the best was found."""
        return {
            "metric": self.metric,
            "value": self.value,
            "default_value": self.default_value,
            "trials": self.n_trials,
            "kept_trials": self.n_kept,
            "trial_seconds": round(self.trial_seconds, 3),
            "seconds": round(self.seconds, 3),
            "validation": self.split.description,
            "validation_ratings": self.split.test.nnz,
            "judged_users": self.n_users,
            "relevant_from": self.relevant_from,
        }

    def __str__(self) -> str:
        values = ", ".join(f"{name}={self.parameters[name]!r}" for name in self.searched)
        return "\n".join([f"{self.model.name}({values})", *self.words(), self.command])
