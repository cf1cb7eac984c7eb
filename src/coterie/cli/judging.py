"""How models are compared: options of the comparison, and what the library is asked because of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coterie.cli.options import DataArgument
from coterie.errors import ParameterError

if TYPE_CHECKING:
    from coterie.data.dataset import Dataset
    from coterie.evaluation.splits import Split

_JUDGING = "How models are judged"
# Written out, since the help is to be there before NumPy is; a test holds them against the library's.
SPLITS = (
    "time, random, each-user, each-user-latest, users, cold-items, new-items, each with a share if need be, as in "
    "time:0.1; leave-k-out, leave-last-k-out"
)
METRICS = (
    "precision, recall, recall_capped, ndcg, ndcg_full, map, map_full, mrr, hit_rate, r_precision, coverage, gini, "
    "novelty, popularity_lift, serendipity, diversity_genre, diversity_genome, diversity_factors and calibration of "
    "lists, cut as in ndcg@10; auc; rmse, mae, r2, rating_coverage and deviation_calibration of ratings"
)


@dataclass
class Judging:
    """By what, on which split, and how long."""

    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,NAME", help=f"The first decides. May be repeated. There are {METRICS}."),
    ] = None
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="What each model may take to fit and answer: 90s, 10m, 1h."),
    ] = None
    tune: Annotated[
        bool, typer.Option("--tune", metavar="", help="Tune each model first, for as long as --budget says.")
    ] = False
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"What is held out: {SPLITS}; k-fold. k is a number, as in 5-fold.",
            rich_help_panel=_JUDGING,
        ),
    ] = None
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A split of your own: DATA is all training, and this file, read in the same way, is the test.",
            rich_help_panel=_JUDGING,
        ),
    ] = None
    overlap: Annotated[
        Literal["error", "drop"],
        typer.Option(help="What becomes of ratings of --test that DATA has as well.", rich_help_panel=_JUDGING),
    ] = "error"
    timed: Annotated[
        bool,
        typer.Option(
            "--timed",
            metavar="",
            help="--test is meant to be later than all of DATA; what is not is an error.",
            rich_help_panel=_JUDGING,
        ),
    ] = False
    k: Annotated[
        int,
        typer.Option(
            "-k", min=1, metavar="N", help="Length of lists where a metric does not say.", rich_help_panel=_JUDGING
        ),
    ] = 10
    relevant_from: Annotated[
        float | None,
        typer.Option(metavar="RATING", help="Held-out ratings from this on are relevant.", rich_help_panel=_JUDGING),
    ] = None
    sampled: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Rank among N sampled items, not among all.", rich_help_panel=_JUDGING),
    ] = None
    seed: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="Seed of all that is drawn.", rich_help_panel=_JUDGING)
    ] = 0
    allow_leaks: Annotated[
        bool,
        typer.Option(
            "--allow-leaks",
            metavar="",
            help="Go on where training has what models are asked; it is then said.",
            rich_help_panel=_JUDGING,
        ),
    ] = False

    def asked(self, dataset: Dataset, data: DataArgument) -> dict[str, Any]:
        """What `coterie.compare` is asked of the dataset that `data` named."""
        if self.test is not None and self.split is not None:
            raise ParameterError("--test brings a split along, and --split makes one; give one of the two")
        for option, given in (("--timed", self.timed), ("--overlap", self.overlap != "error")):
            if given and self.test is None:
                raise ParameterError(
                    f"{option} is about a test file of your own; give --test FILE too, or leave it out"
                )
        return {
            "split": self._split(dataset, data),
            "metrics": self.metric or None,
            "k": self.k,
            "relevant_from": self.relevant_from,
            "random_state": self.seed,
            "budget": self.budget,
            "tune": self.tune,
            "sampled": self.sampled,
            "allow_leaks": self.allow_leaks,
        }

    def _split(self, dataset: Dataset, data: DataArgument) -> Split | list[Split] | str | None:
        """What is held out; with a half-life, what is learnt from is weighed by age and what is asked about is not."""
        from coterie.cli.sources import decayed_split
        from coterie.evaluation.splits import Split, splits

        plain = replace(data, half_life=None)
        split = self.split if self.test is None else self._brought_along(dataset, plain, self.test)
        if data.half_life is None:
            return split
        parts = [split] if isinstance(split, Split) else splits(dataset.interactions, split, self.seed)
        return [decayed_split(part, data) for part in parts]

    def _brought_along(self, dataset: Dataset, data: DataArgument, test: Path) -> Split:
        """The dataset as training with the test ratings of a file."""
        from coterie.cli.sources import read_dataset
        from coterie.evaluation import load_split

        # What both have is refused by the comparison itself, which knows whether leaks are allowed.
        overlap: Literal["drop", "keep"] = "drop" if self.overlap == "drop" else "keep"
        return load_split(dataset, read_dataset(replace(data, data=str(test))), overlap, self.timed)[1]
