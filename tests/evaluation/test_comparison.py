"""What `compare` promises besides the figures: time limits, tuning, several splits, findings, going on after a stop."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any, ClassVar

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from scipy.stats import ttest_rel

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.errors import DataError, MissingExtraError, ParameterError, UnknownIdError
from coterie.evaluation import ComparisonInterrupted, Split, compare, split_at_random
from coterie.evaluation.comparison import _contestants
from coterie.evaluation.evaluate import Questions, answer
from coterie.evaluation.metrics import parse
from coterie.models.base import Recommender
from coterie.models.baselines import Popularity, Random
from coterie.models.ease import EASE
from coterie.models.parameters import Range
from coterie.models.registry import MODELS
from coterie.models.reranking import Reranked
from tests.evaluation.small import Broken, Mean, world

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(eq=False)
class Slow(Popularity):
    """Popularity that takes its time over the real fit; the little one that compiles kernels is over at once."""

    name: ClassVar[str] = "slow"
    seconds: Annotated[float, Range(0, 100, help="time that a fit takes")] = 30.0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        end = time.monotonic() + (self.seconds if train.n_users > 24 else 0)
        while time.monotonic() < end:
            try:
                time.sleep(0.01)
            except Exception as error:  # a model that keeps its errors to itself
                raise AssertionError from error
        super()._fit(train, catalog)


@dataclass(eq=False)
class Stops(Popularity):
    """Ctrl-C comes while it is fitted."""

    name: ClassVar[str] = "stops"
    willing: ClassVar[bool] = False

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        if not self.willing and train.n_users > 24:
            raise KeyboardInterrupt
        super()._fit(train, catalog)


@dataclass(eq=False)
class Counted(Popularity):
    """Counts its real fits."""

    name: ClassVar[str] = "counted"
    fits: ClassVar[int] = 0

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        type(self).fits += train.n_users > 24
        super()._fit(train, catalog)


@dataclass(eq=False)
class Forgetful(Popularity):
    """Recommends what people have rated."""

    name: ClassVar[str] = "forgetful"

    def _top(self, profiles: sp.csr_matrix, users: Any, k: int, exclude_seen: bool, allowed: Any) -> Any:
        return super()._top(profiles, users, k, False, allowed)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    Counted.fits, Stops.willing = 0, False
    yield


# ---- which models, which metrics ---------------------------------------------------------------------------


def test_models_and_metrics_may_be_named_in_one_text() -> None:
    board = compare(world(), "random, popularity", "random", "ndcg@5,recall@3 , rmse", progress=False)
    assert {row.model for row in board.rows} == {"random", "popularity"}
    assert [m.name for m in board.measures] == ["ndcg@5", "recall@3", "rmse"]
    assert set(_contestants("all")) == set(_contestants(None)) == set(MODELS)


def test_rows_say_what_models_cost_and_whom_they_favour() -> None:
    board = compare(world(), ["popularity", "random"], "random", ["ndcg@5"], progress=False)
    popular, random = board.rows
    assert popular.model_bytes == world().n_items * 4 and random.model_bytes == 0  # one float32 an item
    assert popular.popularity > board.profile_popularity > random.popularity > 0  # type: ignore[operator]
    for text in (str(board), board._repr_html_()):
        assert "160 B" in text and "peak" in text and "leads" in text


def test_mean_popularity_by_hand() -> None:
    x = world()
    parts = split_at_random(x, 0.3, 2)
    board = compare(x, "popularity", parts, ["ndcg@4"], progress=False)
    model = Popularity().fit(parts.train)
    shares = parts.train.item_counts / np.count_nonzero(parts.train.user_counts)
    liked = parts.test.select(parts.test.values >= board.relevant_from, keep_vocabularies=True)
    users = x.users.ids[np.flatnonzero(liked.user_counts)]
    listed = model.recommend(users.tolist(), k=4)["item"].to_numpy()
    assert board.rows[0].popularity == pytest.approx(shares[x.items.indices(listed)].mean())


def test_sampled_candidates_are_in_every_name_and_make_lists_easier() -> None:
    options: dict[str, Any] = {"models": ["popularity"], "split": "random", "metrics": ["ndcg@5", "rmse", "auc"]}
    exact = compare(world(), progress=False, **options)
    board = compare(world(), progress=False, sampled=3, **options)
    assert [m.name for m in board.measures] == ["ndcg@5 (sampled 3)", "rmse", "auc"]
    easy, hard = board.rows[0].estimates["ndcg@5 (sampled 3)"], exact.rows[0].estimates["ndcg@5"]
    assert easy is not None and hard is not None and easy.value > hard.value
    assert any(f.check == "sampled candidates" for f in board.findings)
    assert "ndcg@5 (sampled 3)_low" in board.to_frame().columns
    with pytest.raises(ParameterError, match=r"sampled must be a whole number from 1 or None.* not 0"):
        compare(world(), progress=False, sampled=0, **options)


def test_p_values_are_those_of_the_paired_t_test_over_users() -> None:
    x, parts = world(200), split_at_random(world(200), 0.3, 1)
    models = [Popularity(), Random(), Random(random_state=7)]
    board = compare(x, models, parts, ["ndcg@5"], progress=False)
    measure, questions = parse("ndcg@5"), Questions(parts, board.relevant_from, 5, False)
    values = {m: measure.per_user(answer(dataclasses.replace(m), questions).ranking).values for m in models}  # type: ignore[arg-type]
    plain = [row.estimates["ndcg@5"].p_uncorrected for row in board.rows[1:]]  # type: ignore[union-attr]
    expected = sorted(float(ttest_rel(values[models[0]], values[m]).pvalue) for m in models[1:])
    assert np.log10(sorted(plain)) == pytest.approx(np.log10(expected), rel=0.15)  # type: ignore[type-var]
    corrected = sorted(row.estimates["ndcg@5"].p_value for row in board.rows[1:])  # type: ignore[union-attr,type-var]
    assert corrected == pytest.approx([2 * sorted(plain)[0], max(2 * sorted(plain)[0], sorted(plain)[1])])  # type: ignore[type-var]


# ---- several splits ----------------------------------------------------------------------------------------


def test_over_folds_every_user_has_one_value() -> None:
    x = world()
    board = compare(x, [Mean(), Random()], "3-fold", ["recall@4", "rmse", "coverage@4"], progress=False)
    assert len(board.splits) == 3 and board.description.startswith("3 splits, the first: ")
    sums, counts = dict[int, float](), dict[int, int]()
    squares, reached = list[float](), list[float]()
    for part in board.splits:
        model = Mean().fit(part.train)
        listed = set[int]()
        for user in np.flatnonzero(part.test.user_counts).tolist():
            id = x.users.ids[user : user + 1].tolist()
            own = part.test.to_frame().filter(pl.col("user") == id[0])
            liked = own.filter(pl.col("rating") >= board.relevant_from)["item"].to_list()
            if liked:
                items = model.recommend(id, k=4)["item"].to_list()
                listed |= set(items)
                sums[user] = sums.get(user, 0) + len(set(items) & set(liked)) / len(liked)
                counts[user] = counts.get(user, 0) + 1
            predicted = model.predict(id * len(own), own["item"])
            predicted = np.where(np.isnan(predicted), part.train.mean, predicted)
            squares += ((predicted - own["rating"].to_numpy()) ** 2).tolist()
        reached.append(len(listed) / x.n_items)
    found = next(row for row in board.rows if row.model == "mean").estimates
    values = {name: estimate.value for name, estimate in found.items() if estimate is not None}
    assert values["recall@4"] == pytest.approx(sum(sums.values()) / sum(counts.values()))
    assert values["rmse"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6)
    assert values["coverage@4"] == pytest.approx(np.mean(reached))
    assert len(squares) == x.nnz and board.n_users == len(counts)


def test_one_split_in_a_list_is_that_split_and_the_same_twice_changes_no_value() -> None:
    x, parts = world(), split_at_random(world(), 0.3)
    options: dict[str, Any] = {"models": ["popularity", "random"], "metrics": ["ndcg@5"], "progress": False}
    alone, once, twice = (compare(x, split=s, **options) for s in (parts, [parts], [parts, parts]))
    assert alone.rows[0].estimates == once.rows[0].estimates and alone.rows[1].estimates == once.rows[1].estimates
    for one, two in zip(alone.rows, twice.rows, strict=True):
        # an interval over users, which more splits of the same ratings do not make narrower
        a, b = one.estimates["ndcg@5"], two.estimates["ndcg@5"]
        assert a is not None and b is not None and a.value == pytest.approx(b.value)
        assert (a.low, a.high) == pytest.approx((b.low, b.high))
    assert any(f.check == "ratings tested twice" and f.severity == "warning" for f in twice.findings)


def test_splits_of_different_data_are_refused() -> None:
    with pytest.raises(DataError, match="different ids"):
        compare(world(), "random", [split_at_random(world()), split_at_random(world(30))], progress=False)
    with pytest.raises(ParameterError, match="empty list"):
        compare(world(), "random", [], progress=False)


def test_groups_of_users_are_estimated_apart() -> None:
    x = world(150)
    board = compare(x, ["popularity", "random"], "random", ["recall@5"], progress=False)
    activity = board.groups["activity"]
    assert len(activity) == 3 and all(set(of_models) == {"popularity", "random"} for of_models in activity.values())
    counts = board.split.train.user_counts
    judged = Questions(board.split, board.relevant_from, 5, False)
    ranking = answer(Popularity(), judged).ranking
    assert ranking is not None and ranking.users is not None
    values = parse("recall@5").per_user(ranking).values
    tested = np.flatnonzero(board.split.test.user_counts)
    bound = np.quantile(counts[tested], 1 / 3, method="inverted_cdf")
    few = next(of for label, of in activity.items() if label.startswith("few"))
    assert few["popularity"].value == pytest.approx(values[counts[ranking.users] <= bound].mean())
    assert board.to_dict()["groups"]["activity"].keys() == activity.keys()


def test_every_metric_has_groups() -> None:
    names = ["recall@5", "rmse", "coverage@5", "diversity_genre@5"]  # there are no genres, so the last has no values
    board = compare(world(150), [Mean(), "random"], "3-fold", names, progress=False)
    document = board.to_dict()["groups_by_metric"]
    assert list(document) == names[:3] and document["recall@5"] == board.to_dict()["groups"]
    few = next(label for label in board.groups["activity"] if label.startswith("few"))
    answers = [answer(Mean(), Questions(part, board.relevant_from, 5, True)) for part in board.splits]
    members: dict[int, str] = {}
    for part in board.splits:
        tested = np.flatnonzero(part.test.user_counts)
        bound = np.quantile(part.train.user_counts[tested], 1 / 3, method="inverted_cdf")
        for user in tested.tolist():
            members.setdefault(user, few if part.train.user_counts[user] <= bound else "")
    own = [user for user, group in members.items() if group == few]
    covered = [
        len(np.unique(a.ranking.items[np.isin(a.ranking.users, own)])) / 40  # type: ignore[union-attr]
        for a in answers
    ]
    found = board.groups_by_metric["coverage@5"]["activity"][few]["mean"]
    assert found.value == pytest.approx(np.mean(covered)) and found.low is None
    assert board.groups_by_metric["rmse"]["activity"][few].keys() == {"mean"}


# ---- what the linter finds -----------------------------------------------------------------------------------


def leaking() -> Split:
    x = world()
    parts = split_at_random(x, 0.3)
    return Split(x, parts.test, "by hand", {})  # training has all of the test


@dataclass(eq=False)
class Watched(Popularity):
    """Notes how it is asked for scores: of how many rows, and whether they are strangers'."""

    name: ClassVar[str] = "watched"
    asked: ClassVar[list[tuple[int, bool]]] = []

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        self.asked.append((profiles.shape[0], users is None))
        return super()._score(profiles, users)


@pytest.mark.parametrize(("split", "n_users"), [("random", 20), ("random", 60), ("users", 60), ("users", 150)])
def test_the_first_of_models_does_not_pay_for_kernels(split: str, n_users: int) -> None:
    """What compiles is called before the clock starts: with more rows than NumPy answers alone, strangers or not."""
    Watched.asked.clear()
    compare(world(n_users), Watched(), split, ["ndcg@5"], progress=False)
    (n_before, strangers_before), (_, strangers) = Watched.asked
    assert strangers_before == strangers == (split == "users")
    assert 16 < n_before <= 24


def test_every_way_of_asking_is_warmed_up() -> None:
    x = world()
    for asked in ({"metrics": ["auc"]}, {"sampled": 5}, {"split": "new-items"}, {"metrics": ["rmse"]}):
        Watched.asked.clear()
        model: Recommender = Mean() if asked.get("metrics") == ["rmse"] else Watched()
        row = compare(x, model, **{"metrics": ["recall@3"], "progress": False, **asked}).rows[0]  # type: ignore[arg-type]
        assert row.error is None
        assert len(Watched.asked) % 2 == 0  # as often before as then


def test_lists_are_no_longer_than_the_catalogue() -> None:
    """... and the figures are those of the length that was asked for."""
    x = world()
    questions = Questions(split_at_random(x), 4.0, 10**9, False)
    ranking = answer(Popularity(), questions).ranking
    assert ranking is not None and ranking.items.shape == (len(questions.users), x.n_items)
    names = ["ndcg@1000000", "precision@1000000", "recall@1000000", "serendipity@1000000"]
    values = compare(x, "popularity", "random", names, progress=False, relevant_from=4.0).rows[0].estimates
    hits = ranking.hits
    gains = hits @ (1 / np.log2(np.arange(2, x.n_items + 2)))
    ideal = [sum(1 / np.log2(place + 1) for place in range(1, n + 1)) for n in ranking.n_relevant]
    expected = [(gains / ideal).mean(), hits.sum(axis=1).mean() / 1e6, 1.0, 0.0]
    assert [values[name].value for name in names] == pytest.approx(expected)  # type: ignore[union-attr]


def test_a_leak_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(DataError, match=r"flatter.*allow_leaks=True"):
        compare(world(), [Counted()], leaking(), ["ndcg@5"], progress=False)
    assert Counted.fits == 0


def test_a_leak_that_is_allowed_stands_first_among_the_findings() -> None:
    board = compare(world(), [Counted()], leaking(), ["ndcg@5"], progress=False, allow_leaks=True)
    assert Counted.fits == 1
    assert board.findings[0].severity == "error" and board.notes[0].startswith("Error: ")
    assert json.loads(json.dumps(board.to_dict()))["findings"][0]["severity"] == "error"


def test_seen_items_in_lists_are_an_error_that_is_found_afterwards() -> None:
    board = compare(world(), ["popularity", Forgetful()], "random", ["ndcg@5"], progress=False)
    (found,) = [f for f in board.findings if f.severity == "error"]
    assert found.check == "seen items in lists" and "forgetful" in found.message and found.count > 0
    assert str(found) in str(board)


# ---- budgets -------------------------------------------------------------------------------------------------


def test_a_model_that_runs_over_the_budget_is_a_row_that_says_so() -> None:
    started = time.monotonic()
    board = compare(world(), [Slow(), "popularity"], "random", ["ndcg@5"], progress=False, budget="0.5s")
    assert time.monotonic() - started < 20
    assert [row.model for row in board.rows] == ["popularity", "slow"]
    assert board.rows[1].error == "ran over the budget of 0.5 s for fitting and answering"
    assert board.budget == 0.5


def test_in_another_thread_the_budget_is_looked_at_between_the_steps() -> None:
    boards = []
    options: dict[str, Any] = {"metrics": ["ndcg@5"], "progress": False, "budget": 0.1}
    models = [Slow(seconds=0.3), "popularity"]
    thread = threading.Thread(target=lambda: boards.append(compare(world(), models, "random", **options)))
    thread.start()
    thread.join()
    assert [row.error is None for row in boards[0].rows] == [True, False]


@pytest.mark.parametrize("budget", ["soon", "0", -3])
def test_a_budget_that_is_none_is_refused(budget: Any) -> None:
    with pytest.raises(ParameterError, match="budget must be a time such as 90s, 10m or 1h"):
        compare(world(), "random", budget=budget, progress=False)


# ---- tuning --------------------------------------------------------------------------------------------------


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A search that moves `shift` to 0.5; what it was asked."""
    asked: list[dict[str, Any]] = []

    def tune(model: Recommender, data: Any, *, metric: str, budget: float, random_state: int, **rest: Any) -> Any:
        train = data.interactions if isinstance(data, Dataset) else data
        asked.append({"model": model, "train": train, "metric": metric, "budget": budget, "seed": random_state, **rest})
        best = dataclasses.replace(model, shift=0.5)  # type: ignore[type-var]
        return SimpleNamespace(model=best, n_trials=3, seconds=1.5, interrupted=budget == 62)

    stand_in = ModuleType("coterie.evaluation.search")
    stand_in.tune = tune  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "coterie.evaluation.search", stand_in)
    return asked


def test_each_model_is_tuned_on_training_alone_with_the_same_budget(searches: list[dict[str, Any]]) -> None:
    x, parts = world(), split_at_random(world(), 0.3)
    board = compare(x, [Mean(), "popularity"], parts, ["rmse"], budget=60, tune=True, random_state=4, progress=False)
    (asked,) = searches  # popularity predicts no ratings, so there is nothing to tune it by
    assert asked["train"].fingerprint == parts.train.fingerprint
    assert (asked["metric"], asked["budget"], asked["seed"]) == ("rmse", 60, 4)
    assert asked["relevant_from"] == board.relevant_from and asked["progress"] is False
    tuned = compare(x, [Mean(shift=0.5)], parts, ["rmse"], progress=False)
    assert board.rows[0].estimates["rmse"].value == tuned.rows[0].estimates["rmse"].value  # type: ignore[union-attr]
    assert board.rows[0].options == ["shift=0.5"] and board.rows[0].tuned[0].n_trials == 3
    assert "Tuned first for up to 60 s each, on training ratings alone: mean (3 trials)." in board.words()
    assert board.to_dict()["rows"][0]["tuned"] == [{"parameters": {"shift": 0.5}, "n_trials": 3, "seconds": 1.5}]


def test_what_was_tuned_is_not_tuned_again_after_a_stop(searches: list[dict[str, Any]], tmp_path: Path) -> None:
    options: dict[str, Any] = {"metrics": ["rmse"], "tune": True, "progress": False, "resume": tmp_path}
    first = compare(world(), [Mean()], "random", budget=60, **options)
    again = compare(world(), [Mean()], "random", budget=60, **options)
    assert len(searches) == 1 and again.rows[0].taken and again.rows[0].tuned == first.rows[0].tuned
    compare(world(), [Mean()], "random", budget=61, **options)
    assert len(searches) == 2  # another budget is another search


def test_ctrl_c_in_a_search_ends_the_comparison(searches: list[dict[str, Any]]) -> None:
    with pytest.raises(ComparisonInterrupted) as stop:
        compare(world(), [Mean(), "bias"], "random", ["rmse"], budget=62, tune=True, progress=False)
    assert len(searches) == 1 and stop.value.board.unfinished == ["mean", "bias"]


def test_tuning_needs_a_budget() -> None:
    with pytest.raises(ParameterError, match='budget="10m"'):
        compare(world(), "random", tune=True, progress=False)


def test_tuning_needs_optuna_and_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[tune\]' in the folder of Coterie"):
        compare(world(), [Counted()], "random", budget=5, tune=True, progress=False)
    assert Counted.fits == 0


# ---- going on ------------------------------------------------------------------------------------------------


def costless(board: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = board.to_dict()["rows"]
    for row in rows:
        row["from_earlier_run"] = None
        for cost in ("fit_seconds", "recommend_seconds", "predict_seconds", "peak_bytes"):
            row[cost] = row[cost] is not None
    return rows


METRICS = ["ndcg@5", "rmse", "auc", "coverage@5"]


def test_an_interrupted_comparison_has_what_is_done_and_goes_on_from_there(tmp_path: Path) -> None:
    models = [Counted(), Broken(), Mean(), Stops(), "popularity"]
    options: dict[str, Any] = {"split": "random", "metrics": METRICS, "progress": False}
    with pytest.raises(ComparisonInterrupted) as stop:
        compare(world(), models, resume=tmp_path, **options)
    assert isinstance(stop.value, KeyboardInterrupt)
    board = stop.value.board
    assert {row.model for row in board.rows} == {"counted", "broken", "mean"}
    assert board.unfinished == ["stops", "popularity"]
    assert "Interrupted; not compared: stops and popularity." in board.words()
    assert len(list(tmp_path.iterdir())) == 2  # what failed is not kept

    Stops.willing = True
    again = compare(world(), models, resume=tmp_path, **options)
    assert Counted.fits == 1
    assert {row.model for row in again.rows if row.taken} == {"counted", "mean"}
    assert next(row for row in again.rows if row.model == "broken").error is not None
    assert any(word.startswith("Taken from an earlier run: ") for word in again.words())
    assert costless(again) == costless(compare(world(), models, **options))


def test_interrupted_before_anything_was_done(tmp_path: Path) -> None:
    with pytest.raises(ComparisonInterrupted) as stop:
        compare(world(), [Stops()], "random", ["ndcg@5"], progress=False, resume=tmp_path)
    assert stop.value.board.rows == [] and not list(tmp_path.iterdir())
    json.dumps(stop.value.board.to_dict())
    assert stop.value.board.to_frame().is_empty() and "not compared: stops" in str(stop.value.board)


@pytest.mark.parametrize(
    "change",
    [
        {"split": split_at_random(world(), 0.2, 1)},
        {"metrics": ["ndcg@6", "rmse"]},
        {"metrics": ["ndcg@5"]},
        {"metrics": ["ndcg@5", "rmse", "auc"]},
        {"relevant_from": 3},
        {"sampled": 4},
        {"models": [Mean(shift=1.0)]},
        {"data": Dataset(world(), Catalog.from_titles(pl.DataFrame({"item": range(40), "title": ["A"] * 40})))},
    ],
    ids=["split", "k", "no ratings", "pairs", "relevant", "sampled", "parameters", "catalog"],
)
def test_answers_to_other_questions_are_not_taken(tmp_path: Path, change: dict[str, Any]) -> None:
    first: dict[str, Any] = {"data": world(), "models": [Mean()], "split": split_at_random(world(), 0.2)}
    first |= {"metrics": ["ndcg@5", "rmse"], "progress": False, "resume": tmp_path}
    compare(**first)
    assert compare(**first).rows[0].taken
    assert not compare(**first | change).rows[0].taken


def test_answers_that_are_damaged_are_made_again(tmp_path: Path) -> None:
    options: dict[str, Any] = {"split": "random", "metrics": METRICS, "progress": False, "resume": tmp_path}
    first = compare(world(), [Counted()], **options)
    (entry,) = tmp_path.iterdir()
    file = next(entry.rglob("*items.npy"))
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    again = compare(world(), [Counted()], **options)
    assert Counted.fits == 2 and not again.rows[0].taken and costless(again) == costless(first)
    assert compare(world(), [Counted()], **options).rows[0].taken


def test_a_folder_that_cannot_be_written_costs_only_the_resumption(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    board = compare(world(), "popularity", "random", ["ndcg@5"], progress=False, resume=blocked)
    assert board.rows[0].error is None
    assert any(f.check == "resuming" and f.severity == "warning" for f in board.findings)


def test_folds_are_kept_one_by_one(tmp_path: Path) -> None:
    options: dict[str, Any] = {"metrics": METRICS, "progress": False, "resume": tmp_path}
    first = compare(world(), [Counted(), Mean()], "3-fold", **options)
    assert Counted.fits == 3 and len(list(tmp_path.iterdir())) == 6
    again = compare(world(), [Counted(), Mean()], "3-fold", **options)
    assert Counted.fits == 3 and costless(again) == costless(first)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": [1, 2, 3]}, "data must be a Dataset or Interactions, not [1, 2, 3] (list); coterie.load reads"),
        ({"models": [Popularity]}, "Popularity is a class and no model; give an instance, Popularity()"),
        ({"models": Popularity}, "Popularity is a class and no model"),
        ({"models": [3]}, "a model is a name, such as 'ease', or an instance, such as EASE(), and not 3 (int)"),
        ({"split": 3}, "split must be a Split, several of them, a name such as 'time' or None, not 3"),
        ({"split": ["time"]}, "a name such as 'time' or None, not 'time'"),
        ({"random_state": -1}, "random_state must be a whole number from 0, not -1"),
        ({"k": 2.5}, "k must be a whole number from 1, not 2.5"),
        ({"k": True}, "k must be a whole number from 1, not True"),
        ({"sampled": 3.5}, "sampled must be a whole number from 1 or None, which ranks among all items, not 3.5"),
        ({"sampled": 0}, "not 0"),
        ({"metrics": [3]}, "metrics must be names"),
        ({"metrics": 3}, "metrics must be names"),
        ({"relevant_from": "4"}, "relevant_from must be a number or None, not '4'"),
        ({"budget": [1]}, "budget must be a time"),
    ],
)
def test_arguments_that_are_none_are_named_with_the_remedy(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(said)):
        compare(**{"data": world(), "models": "popularity", "progress": False, **change})


def test_a_sample_as_large_as_the_catalogue_is_refused() -> None:
    x = world()
    with pytest.raises(ParameterError, match=f"sampled={x.n_items} is no sample of {x.n_items} items"):
        compare(x, "random", sampled=x.n_items, progress=False)


def test_a_metric_that_the_catalog_cannot_serve_is_a_column_without_values_and_a_finding() -> None:
    board = compare(world(), "random,ease", metrics=["ndcg@5", "calibration@5", "recall@5"], progress=False)
    assert [measure.name for measure in board.measures] == ["ndcg@5", "calibration@5", "recall@5"]
    assert board.to_frame()["calibration@5"].to_list() == [None, None]
    assert board.to_frame()["recall@5"].null_count() == 0
    [finding] = [f for f in board.findings if f.check == "metrics without values"]
    assert finding.severity == "warning"
    assert finding.message.startswith("calibration@5 needs a catalog with genres, and there is none; bring one with")


def test_the_metric_that_decides_cannot_be_one_without_values() -> None:
    with pytest.raises(DataError, match=r"calibration@5 needs a catalog with genres.*it would decide the order"):
        compare(world(), "random", metrics=["calibration@5", "ndcg@5"], progress=False)
    with pytest.raises(DataError, match=r"diversity_genome@10 needs a catalog with a tag genome.*out$"):
        compare(world(), "random", metrics=["diversity_genome"], progress=False)


def test_a_metric_that_no_model_has_is_said() -> None:
    board = compare(world(), "random", metrics=["ndcg@5", "rmse"], progress=False)
    assert any("None of these models has a value of rmse" in note for note in board.notes)
    with pytest.raises(ParameterError, match="rmse is to decide the order, and no model here predicts ratings"):
        compare(world(), [Counted()], metrics=["rmse", "ndcg@5"], progress=False)
    assert Counted.fits == 0


# ---- what is refused before the first fit ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (EASE(regularization=-1.0), ParameterError, "EASE: regularization must be"),
        (Reranked(EASE(), diversity=1.5), ParameterError, "Reranked: diversity must be between 0 and 1, not 1.5"),
        (Reranked(EASE(regularization=-1.0), diversity=0.5), ParameterError, "EASE: regularization must be"),
        (Reranked(EASE(), diversity=0.7, calibration=0.7), ParameterError, "add up to more than 1"),
        (Reranked(EASE(), at_most={"Horor": 1}), UnknownIdError, "at_most names 'Horor'.*genres are Drama, Horror"),
        (Reranked(EASE(), never=["Horor"]), UnknownIdError, "never names 'Horor'"),
        (Reranked(EASE(), diversity=0.5, similarity="genome"), DataError, "needs a tag genome"),
    ],
)
def test_a_model_that_cannot_be_is_refused_before_any_is_fitted(
    wrong: Recommender, error: type[Exception], said: str
) -> None:
    x = world()
    items = pl.DataFrame({"item": x.items.ids, "genres": ["Horror", "Drama"] * (x.n_items // 2)})
    with pytest.raises(error, match=said):
        compare(Dataset(x, Catalog.from_titles(items)), [Counted(), wrong], metrics=["ndcg@5"], progress=False)
    assert Counted.fits == 0
