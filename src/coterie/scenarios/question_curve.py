"""How many questions it takes: accuracy for held-out people against the number of questions they were asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.data.progress import progress
from coterie.errors import ParameterError
from coterie.evaluation.evaluate import Questions, relevance_threshold
from coterie.evaluation.metrics import Measure, PerUser, Predictions, parse
from coterie.evaluation.significance import bootstrap, interval, paired_p_value
from coterie.evaluation.splits import Split, split_users
from coterie.kernels.topk import top_k_rows
from coterie.models.base import Recommender
from coterie.models.registry import model_class
from coterie.scenarios.elicitation import STRATEGIES, Asking, Inquiry, Strategy
from coterie.scenarios.people import row_blocks

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

_LENGTH = 10
# Share of the ratings of held-out people that are the answers which they can give.
_GIVEN = 0.8
#: Numbers of questions after which it is judged, as far as they go.
CHECKPOINTS = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 75, 100)


@dataclass(frozen=True)
class QuestionCurve:
    """Accuracy against questions.

    Attributes
    ----------
    table : polars.DataFrame
        One row a strategy and number of questions: `strategy, asked, answered` (how many of them a person could answer,
        on average), then each metric and the ends of its 95 % bootstrap interval over people (`rmse, rmse_low,
        rmse_high`; `ndcg@10, ...`). A model that predicts no ratings has no RMSE.
    everything : mapping of str to float
        The metrics where all is told that could be answered.
    model : str
    split : str
        How people were held out.
    n_people : int
    available : float
        Ratings that a person could answer with, on average.
    versus : polars.DataFrame
        After the last question, the best strategy by each metric against each other one: `metric, best, other,
        difference, p`, the p-value of a paired difference over the same people (`evaluation.significance`). The
        intervals of `table` are wide because people differ; these differences are of the same people.
    """

    table: pl.DataFrame
    everything: dict[str, float]
    model: str
    split: str
    n_people: int
    available: float
    metrics: tuple[str, ...] = field(default=())
    versus: pl.DataFrame = field(default_factory=pl.DataFrame, repr=False)

    def words(self) -> str:
        """What it says, in a sentence or two, of the last number of questions."""
        last = self.table.filter(pl.col("asked") == self.table["asked"].max())
        said = []
        for metric in self.metrics:
            larger = parse(metric).metric.larger_is_better
            ordered = last.sort(metric, descending=larger, maintain_order=True)
            best, runner_up = ordered.row(0, named=True), ordered.row(min(1, len(ordered) - 1), named=True)
            second = (
                f" before {runner_up['strategy']} ({runner_up[metric]:.4f}{self._p(metric, runner_up['strategy'])})"
            )
            second = second if len(ordered) > 1 else ""
            said.append(f"{metric} is best for {best['strategy']}, {best[metric]:.4f}{second}")
        asked = int(self.table["asked"].to_numpy().max())
        return f"After {asked} questions {'; '.join(said)}."

    def _p(self, metric: str, other: str) -> str:
        for name, rival, p in self.versus.select("metric", "other", "p").iter_rows() if len(self.versus) else ():
            if (name, rival) == (metric, other):
                return f"; p = {p:.2f}" if p >= 0.01 else "; p < 0.01"
        return ""


def question_curve(
    data: Dataset | Interactions,
    model: Recommender | str = "svd",
    strategies: Sequence[Strategy] = STRATEGIES,
    n_questions: int = 30,
    test_share: float = 0.2,
    n_people: int | None = None,
    random_state: int = 0,
) -> QuestionCurve:
    """Ask held-out people, and judge what the model makes of their answers.

    A share of the people is held out: nothing of theirs is learnt from. Four ratings in five of each, drawn at random,
    are the answers that they can give; asked about anything else they say that they do not know it. The others are
    what is to be predicted (RMSE) and recommended (NDCG of lists of 10). Lists leave out all that a person could have
    answered, asked or not, so that no strategy gains by asking for what would otherwise stand in the list. Everybody is
    judged after every number of questions, also who could not answer any.

    An item that is held out for judging is unknown when it is asked about, so that people seem to know less than they
    do: by a fifth, and for all strategies alike.

    Parameters
    ----------
    data : Dataset or Interactions
    model : Recommender or str
        What recommends; it is fitted to the other people. A name of the registry stands for the model with its
        defaults.
    strategies : names
    n_questions : int, at least 1
    test_share : float between 0 and 1
        Which share of the people is held out.
    n_people : int or None
        How many are, instead of a share.
    random_state : int

    Returns
    -------
    QuestionCurve
    """
    for strategy in strategies:
        if strategy not in STRATEGIES:
            raise ParameterError(f"unknown strategy {strategy!r}; there are {', '.join(STRATEGIES)}")
    if isinstance(n_questions, bool) or n_questions < 1 or not strategies:
        raise ParameterError(f"a curve needs a strategy and at least one question, not {n_questions!r}")
    x, catalog = (data.interactions, data.catalog) if isinstance(data, Dataset) else (data, None)
    split = split_users(x, test_share, n_people, _GIVEN, random_state)
    fitted = (model_class(model)() if isinstance(model, str) else model).fit(split.train, catalog)
    judge = _Judge(fitted, split)
    everything = {m.name: m.over(per_user) for m, per_user in judge(judge.given).items()}
    stops = sorted({n for n in CHECKPOINTS if n < n_questions} | {n_questions})
    rows, last = [], {}
    with progress("asking", len(strategies) * len(judge.people)) as advance:
        for strategy in strategies:
            orders = _asked(Asking(fitted, strategy, random_state), judge, n_questions, advance)
            for stop in stops:
                told = _told(judge.given, orders[:, :stop])
                row: dict[str, Any] = {"strategy": strategy, "asked": stop, "answered": told.nnz / len(judge.people)}
                last[strategy] = judge(told)
                for measure, per_user in last[strategy].items():
                    low, high = interval(measure.metric.finish(bootstrap([per_user], random_state)[0]))
                    row |= {measure.name: measure.over(per_user)}
                    row |= {f"{measure.name}_low": low, f"{measure.name}_high": high}
                rows.append(row)
    available = judge.given.nnz / len(judge.people)
    names = tuple(measure.name for measure in judge.measures)
    return QuestionCurve(
        pl.DataFrame(rows), everything, fitted.label, split.description, len(judge.people), available, names,
        _versus(judge.measures, last, random_state),
    )  # fmt: skip


def _versus(measures: Sequence[Measure], last: dict[Strategy, dict[Measure, PerUser]], seed: int) -> pl.DataFrame:
    """The best strategy by each metric against each of the others."""
    rows = []
    for measure in measures:
        values = {strategy: measure.over(found[measure]) for strategy, found in last.items()}
        best = (max if measure.metric.larger_is_better else min)(values, key=lambda name: values[name])
        for other in [name for name in values if name != best]:
            own, theirs = last[best][measure], last[other][measure]
            draws = [measure.metric.finish(part) for part in bootstrap([own, theirs], seed)]
            difference = values[best] - values[other]
            n = int(np.count_nonzero(own.weights))
            p = paired_p_value(difference, draws[0] - draws[1], n) if n > 1 else 1.0
            rows.append((measure.name, best, other, difference, p))
    schema = {"metric": pl.String, "best": pl.String, "other": pl.String, "difference": pl.Float64, "p": pl.Float64}
    return pl.DataFrame(rows, schema, orient="row")


class _Judge:
    """The held-out people, what they can answer, and how a model does when some of that is told."""

    def __init__(self, model: Recommender, split: Split) -> None:
        assert split.given is not None
        self.model, self.test = model, split.test
        questions = Questions(split, relevance_threshold(split.train), _LENGTH, model.predicts_ratings)
        self.questions = questions
        self.people = np.flatnonzero(split.test.user_counts)
        self.given: sp.csr_matrix = split.given.to_scipy()[self.people]
        self.mean = split.train.mean
        names = ["rmse", f"ndcg@{_LENGTH}"] if model.predicts_ratings else [f"ndcg@{_LENGTH}"]
        self.measures: list[Measure] = [parse(name) for name in names]

    def __call__(self, told: sp.csr_matrix) -> dict[Measure, PerUser]:
        """The metrics of each person when `told`, csr (n_people, n_items), is what is known of them."""
        found = {}
        for measure in self.measures:
            asked = self._predictions(told) if measure.metric.kind == "rating" else self._lists(told)
            found[measure] = measure.per_user(asked)
        return found

    def _predictions(self, told: sp.csr_matrix) -> Predictions:
        rows = np.searchsorted(self.people, self.test.user_index)
        predicted = self.model.rate(told, rows, self.test.indices)
        answered = np.isfinite(predicted)
        predicted = np.where(answered, predicted, self.mean)
        return Predictions(rows, self.test.values, predicted, len(self.people), answered, None, self.people)

    def _lists(self, told: sp.csr_matrix) -> Any:
        """The best 10 of all that a person could not have answered."""
        users = self.questions.users
        places = np.searchsorted(self.people, users)
        items = np.full((len(users), _LENGTH), -1, np.int32)
        for block in row_blocks(len(users), told.shape[1]):
            scores = self.model.score(told[places[block]])
            own = self.given[places[block]]
            scores[np.repeat(np.arange(own.shape[0]), np.diff(own.indptr)), own.indices] = -np.inf
            best = top_k_rows(scores, _LENGTH)[0]
            items[block, : best.shape[1]] = best
        return self.questions.judge(users, items)


def _asked(asking: Asking, judge: _Judge, n_questions: int, advance: Any) -> Array:
    """The items that each person is asked about, int64 (n_people, n_questions), in order; -1 where all were asked."""
    orders = np.full((len(judge.people), n_questions), -1, np.int64)
    given = judge.given
    for place in range(len(orders)):
        own = slice(given.indptr[place], given.indptr[place + 1])
        can_say = dict(zip(given.indices[own].tolist(), given.data[own].tolist(), strict=True))
        inquiry = Inquiry(asking, place)
        for question in range(n_questions):
            item = inquiry.ask()
            if item < 0:
                break
            orders[place, question] = item
            inquiry.hear(item, can_say.get(item))
        advance(1)
    return orders


def _told(given: sp.csr_matrix, orders: Array) -> sp.csr_matrix:
    """Of what people can answer, csr (n, n_items), what they were asked about, (n, n_questions)."""
    import scipy.sparse as sp

    rows = np.repeat(np.arange(len(orders)), orders.shape[1])
    columns = orders.ravel()
    some = columns >= 0
    ones = np.ones(int(some.sum()), np.float32)
    asked = sp.csr_matrix((ones, (rows[some], columns[some])), shape=given.shape)
    told = sp.csr_matrix(given.multiply(asked), dtype=np.float32)
    told.sort_indices()
    return told
