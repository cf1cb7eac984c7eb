"""The search: what it looks at, when it stops, that it goes on, and that it never sees what models are tested on."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from polars.testing import assert_frame_equal

import coterie as ct
from coterie.data.dataset import Dataset
from coterie.errors import (
    ArtifactError,
    CapabilityError,
    DataError,
    MissingExtraError,
    ParameterError,
    SearchError,
)
from coterie.evaluation import Search, compare, split_at_random, split_by_time, tune
from coterie.evaluation.metrics import Measure
from coterie.models.registry import MODELS, model_class
from tests.contract.cases import catalog_of
from tests.evaluation.searchable import Scheduled, Spy, Sweeper, pairs, world


def search(model: Any = "ease", data: Any = None, **options: Any) -> Search:
    options = {"metric": "ndcg@5", "n_trials": 4, "progress": False} | options
    return tune(model, world() if data is None else data, **options)


def timeless(found: Search) -> Any:
    return found.trials.drop("seconds")


# ---- what is found ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_space_in_which_trials_come_to_values(name: str) -> None:
    cls = model_class(name)
    fixed = {"n_burn_in": 2, "n_samples": 3, "thinning": 1} if name.startswith("bayesian") else {}
    for metric in ["ndcg@5", *(["rmse"] if cls().predicts_ratings else [])]:
        data = Dataset(world(), catalog_of(world())) if cls.needs_catalog else world()
        found = search(name, data, metric=metric, fixed=fixed, n_trials=4)
        assert set(found.trials["state"]) <= {"complete", "pruned", "repeated", "failed"}
        for error in found.trials["error"].drop_nulls():  # more factors than anybody here has ratings
            assert name == "implicit-als" and error.startswith("DivergenceError")
        assert bool(found.searched) == (name not in ("random", "popularity"))
        assert "random_state" not in found.searched
        first = found.trials.row(0, named=True)
        at_default = {p.name: p.default for p in cls.parameters().values() if p.name != "n_iterations"}
        assert {key: first[key] for key in first if key in at_default} == {
            key: value for key, value in at_default.items() if key in found.searched
        }
        for values in found.trials.select(found.searched).iter_rows(named=True):
            for parameter, value in values.items():
                if parameter == "n_iterations" and value is None:
                    continue  # of a trial that failed before its sweeps were counted
                cls.parameters()[parameter].check(value, name)


@pytest.mark.parametrize(("model", "metric"), [("ease", "ndcg@5"), ("als", "rmse"), ("bpr", "ndcg@5"), ("nmf", "mae")])
def test_the_value_is_that_of_the_model_fitted_anew_and_never_worse_than_the_defaults(model: str, metric: str) -> None:
    x = world()
    found = search(model, x, metric=metric, n_trials=6, split="random")
    assert not hasattr(found.model, "train_")
    board = compare(x, [found.model, model_class(model)()], found.split, [metric], progress=False)
    values = {row.model: row.estimates[metric].value for row in board.rows}  # type: ignore[union-attr]
    assert values.pop(model) == found.default_value
    assert list(values.values()) == [found.value]
    better = found.value <= found.default_value if metric != "ndcg@5" else found.value >= found.default_value
    assert better
    worst = found.trials.filter(found.trials["state"] == "complete")["value"]
    assert found.value == (worst.min() if metric != "ndcg@5" else worst.max())


def test_what_is_fixed_or_set_stays_and_the_rest_is_searched() -> None:
    given = ct.ALS(n_factors=5)
    found = search(given, fixed={"biases": False})
    assert found.searched == ["regularization", "init_scale", "n_iterations"]
    assert found.fixed == {"n_factors": 5, "biases": False}
    assert (found.parameters["n_factors"], found.parameters["biases"]) == (5, False)
    assert given.biases and not hasattr(given, "train_")
    held = search("als", fixed={"n_iterations": 3}, metric="rmse")  # also at the number that would be counted
    assert "n_iterations" not in held.searched and held.parameters["n_iterations"] == 3
    at_default = search("bpr", fixed={"n_factors": 64})
    assert "n_factors" not in at_default.searched


def test_what_bears_on_ratings_alone_is_not_chosen_by_lists() -> None:
    by_lists, by_ratings = search("item-knn"), search("item-knn", metric="rmse")
    assert {"aggregation", "min_neighbors", "model_size"} <= set(by_ratings.searched) - set(by_lists.searched)
    assert "normalize" in set(by_lists.searched) - set(by_ratings.searched)


def test_a_small_space_is_tried_once() -> None:
    found = search("popularity", n_trials=9)
    assert found.n_trials == 1 and found.words()[1].startswith("Nothing tried was better than the defaults")
    settings = search("slope-one", metric="rmse", n_trials=200, fixed={"variant": "plain"}).trials
    new = settings.filter(settings["state"] != "repeated")
    assert len(new) <= 10 and new["min_support"].n_unique() == len(new)


def test_the_same_call_gives_the_same_and_another_seed_another() -> None:
    found = [search("bpr", random_state=seed, n_trials=6) for seed in (0, 0, 1)]
    assert_frame_equal(timeless(found[0]), timeless(found[1]))
    assert found[0].parameters == found[1].parameters
    assert not timeless(found[0]).equals(timeless(found[2]))


def test_it_is_told_in_words_and_as_json() -> None:
    found = search("ease", Dataset(world(), None, "toy"), n_trials=12)
    record = json.loads(json.dumps(found.to_dict()))
    assert record["value"] == found.value and len(record["trials_done"]) == 12 == record["trials"]
    assert record["command"] == found.command
    assert found.command.startswith("coterie fit ease DATA --output ease-tuned --regularization ")
    assert any("users are few to choose by" in sentence for sentence in found.words())
    assert found.importances == {}  # of a single one there is nothing to tell
    several = search("rp3beta", n_trials=12).importances
    assert set(several) == {"alpha", "beta", "n_neighbors", "normalize"} and sum(several.values()) == pytest.approx(1)


# ---- only what there is to learn from --------------------------------------------------------------------


@pytest.mark.parametrize("inner", [None, "random", "leave-1-out"])
def test_no_test_rating_reaches_the_search(inner: str | None) -> None:
    x = world()
    outer = split_by_time(x, 0.3)
    with Spy.fresh():
        found = search(Spy(), outer.train, split=inner, n_trials=5)
        assert len(Spy.fitted) == 5 and len(Spy.asked) >= 5
        ours, theirs = pairs(outer.train), pairs(outer.test)
        for train in Spy.fitted:
            assert train is found.split.train
            assert pairs(train) < ours and not pairs(train) & theirs
            assert not pairs(train) & pairs(found.split.test)  # what it is judged by teaches nothing
        for profiles, users in Spy.asked:
            rows, items = profiles.nonzero()
            told = zip(x.users.ids[users[rows]].tolist(), x.items.ids[items].tolist(), strict=True)
            assert set(told) <= pairs(found.split.train)
    assert pairs(found.split.train) | pairs(found.split.test) <= ours
    assert not pairs(found.split.test) & theirs


def test_a_split_of_more_than_the_data_is_refused() -> None:
    x = world()
    outer = split_by_time(x, 0.3)
    with Spy.fresh(), pytest.raises(DataError, match=r"\d+ ratings that the search is judged by are not in training"):
        search(Spy(), outer.train, split=outer)
    assert not Spy.fitted
    with pytest.raises(DataError, match="other ids than training"):
        search(Spy(), world(20, 20), split=outer)
    assert search(Spy(), x, split=outer).split is outer


# ---- trials that end early -------------------------------------------------------------------------------


def test_sweeps_end_when_they_no_longer_help_and_the_best_number_is_the_setting() -> None:
    Sweeper.swept = []
    found = search(Sweeper(peak=9.0, flaw=1.5), metric="rmse")  # nothing is drawn but the sweeps
    assert found.searched == ["n_iterations"] and found.n_trials == 1
    assert found.parameters["n_iterations"] == 10  # of 2, 2.5, 3.1, ... 7.6, 9.5, 11.9, ... 60 the nearest to 9
    assert len(Sweeper.swept) == 19  # three looks after the best, not all 60
    assert found.default_value is not None and found.default_value > found.value


def test_the_defaults_are_seen_to_their_own_number_of_sweeps() -> None:
    early = search(Sweeper(peak=1.0, flaw=1.5, n_iterations=4), metric="rmse")
    assert early.parameters["n_iterations"] == 2
    assert early.default_value is not None


def test_a_trial_that_is_worse_than_most_is_given_up() -> None:
    Sweeper.swept = []
    found = search(Scheduled(), metric="rmse", n_trials=20)
    states = found.trials["state"].value_counts()
    counts = dict(states.iter_rows())
    assert counts["pruned"] >= 3
    pruned = found.trials.filter(found.trials["state"] == "pruned")
    complete = found.trials.filter(found.trials["state"] == "complete")
    assert pruned["flaw"].min() > complete["flaw"].min()
    assert found.trials["state"][0] == "complete"
    # Of 8 epochs a trial is looked at after 2, 4 and 6; all learn alike but for the flaw, so the first look tells.
    assert len(Sweeper.swept) == 8 * len(complete) + 2 * len(pruned)


def test_a_failed_trial_is_noted_and_the_search_goes_on() -> None:
    with Spy.fresh(fails={1: MemoryError("no room")}):
        found = search(Spy(), n_trials=4)
    assert found.trials["state"].to_list() == ["complete", "failed", "complete", "complete"]
    assert found.trials["error"][1] == "MemoryError: no room"
    assert "(1 failed)" in found.words()[0]


def test_where_the_defaults_fail_others_may_do() -> None:
    with Spy.fresh(fails={0: ArithmeticError("went wrong")}):
        found = search(Spy(), n_trials=3)
    assert found.default_value is None and found.value > 0
    assert "the defaults did not get to a value" in found.words()[1]


def test_if_all_fail_the_first_reason_is_said() -> None:
    with Spy.fresh(fails={n: ValueError(f"reason {n}") for n in range(100)}):
        with pytest.raises(SearchError, match="all 10 trials of spy failed, the first with ValueError: reason 0"):
            search(Spy(), n_trials=100)
        assert len(Spy.fitted) == 10


def test_a_value_that_is_no_number_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Measure, "value", lambda self, answer: float("nan"))
    with pytest.raises(
        SearchError, match=r"all 4 trials of ease failed, the first with DivergenceError: ndcg@5 is nan"
    ):
        search()


# ---- time ------------------------------------------------------------------------------------------------


def test_the_budget_ends_the_search_and_the_trial_that_runs() -> None:
    started = time.monotonic()
    with Spy.fresh(sleeps=0.4):
        found = search(Spy(), n_trials=None, budget=1.0)
    assert 0.9 < time.monotonic() - started < 1.35  # the third fit would have ended at 1.2, the fourth at 1.6
    assert found.trials["state"].to_list() == ["complete", "complete", "cut"]
    assert found.n_trials == 2


def test_a_budget_too_small_for_one_trial_is_an_error() -> None:
    with Spy.fresh(sleeps=30), pytest.raises(SearchError, match=r"the budget of 0\.2 seconds ended before one trial"):
        search(Spy(), budget=0.2)


def test_in_another_thread_sweeps_end_at_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Search] = []
    slow = Sweeper._sweeps

    def slower(self: Any, *args: Any, **more: Any) -> Any:
        for sweep in slow(self, *args, **more):
            time.sleep(0.05)
            yield sweep

    monkeypatch.setattr(Sweeper, "_sweeps", slower)
    options = {"metric": "rmse", "budget": 0.5, "n_trials": None}
    thread = threading.Thread(target=lambda: found.append(search(Sweeper(peak=60.0), **options)))
    started = time.monotonic()
    thread.start()
    thread.join(10)
    assert time.monotonic() - started < 1.5
    assert found[0].trials["state"].to_list() == ["complete"]  # with what it got to
    assert 2 <= found[0].parameters["n_iterations"] <= 10


# ---- going on --------------------------------------------------------------------------------------------


def test_a_search_in_two_sittings_is_that_of_one(tmp_path: Path) -> None:
    whole = search("rp3beta", n_trials=14)
    search("rp3beta", n_trials=3, storage=tmp_path / "kept")
    on = search("rp3beta", n_trials=14, storage=tmp_path / "kept")
    assert_frame_equal(timeless(on), timeless(whole))
    assert on.trials["seconds"].min() > 0
    search("ease", n_trials=2, storage=tmp_path / "kept")  # another model may keep its own there
    with Spy.fresh():
        search(Spy(), n_trials=3, storage=tmp_path / "kept")
        search(Spy(), n_trials=3, storage=tmp_path / "kept")
        assert len(Spy.fitted) == 3  # nothing was left to do


def test_ctrl_c_keeps_what_is_done_and_the_trial_is_done_again(tmp_path: Path) -> None:
    with Spy.fresh():
        whole = search(Spy(), n_trials=6)
    with Spy.fresh(fails={2: KeyboardInterrupt()}):
        found = search(Spy(), n_trials=6, storage=tmp_path)
    assert found.interrupted and found.n_trials == 2
    assert_frame_equal(timeless(found), timeless(whole).head(2))
    with Spy.fresh():
        on = search(Spy(), n_trials=6, storage=tmp_path)
    assert not on.interrupted
    assert_frame_equal(timeless(on), timeless(whole))
    with Spy.fresh(fails={0: KeyboardInterrupt()}), pytest.raises(KeyboardInterrupt):
        search(Spy())


@pytest.mark.parametrize("last", ["outcome", "seconds", "settings"])  # what was written before the process was gone
def test_a_search_whose_process_died_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str) -> None:
    whole = search("rp3beta", n_trials=6)
    plain = optuna.Trial.set_user_attr

    def die(self: optuna.Trial, key: str, value: Any) -> None:
        plain(self, key, value)
        if self.number == 3 and key == last:
            raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Trial, "set_user_attr", die)
        with pytest.raises(SystemExit):
            search("rp3beta", n_trials=6, storage=tmp_path)
    assert_frame_equal(timeless(search("rp3beta", n_trials=6, storage=tmp_path)), timeless(whole))


def test_a_trial_that_the_budget_cut_is_done_again(tmp_path: Path) -> None:
    with Spy.fresh(sleeps=0.4):
        cut = search(Spy(), n_trials=4, budget=0.6, storage=tmp_path)
    assert cut.trials["state"].to_list() == ["complete", "cut"]
    with Spy.fresh():
        on = search(Spy(), n_trials=4, storage=tmp_path)
        whole = search(Spy(), n_trials=4)
    assert on.trials["weight"][1] == on.trials["weight"][2]
    kept = timeless(on).filter(on.trials["state"] != "cut")
    assert_frame_equal(kept.drop("number"), timeless(whole).drop("number"))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"metric": "recall@5"}, "metric 'ndcg@5', and now 'recall@5'"),
        ({"data": world(seed=1)}, "other data"),
        ({"split": "random"}, "other validation"),
        ({"fixed": {"normalize": False}}, "fixed"),
        ({"random_state": 1}, "random_state 0, and now 1"),
        ({"relevant_from": 2.0}, "relevant_from"),
    ],
)
def test_another_search_s_storage_is_refused(tmp_path: Path, other: dict[str, Any], said: str) -> None:
    search("rp3beta", n_trials=1, storage=tmp_path)
    with pytest.raises(ArtifactError, match=said):
        search("rp3beta", n_trials=2, storage=tmp_path, **other)


def test_a_file_that_is_no_search_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ease.journal").write_text("my thesis\nmore of it\n")
    with pytest.raises(ArtifactError, match=r"ease\.journal is not a search that can go on"):
        search("ease", storage=tmp_path)
    assert (tmp_path / "ease.journal").read_text() == "my thesis\nmore of it\n"


# ---- wrong questions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "options", "error", "said"),
    [
        ("ease", {"metric": "rmse"}, CapabilityError, "EASE predicts no ratings, so it has no rmse"),
        ("ease", {"metric": "ndgc"}, ParameterError, "unknown metric 'ndgc'"),
        ("ease", {"budget": 0}, ParameterError, "budget must be a time such as 90s, 10m or 1h, not 0"),
        ("ease", {"n_trials": 0}, ParameterError, "n_trials must be a whole number from 1 or None, not 0"),
        ("ease", {"fixed": {"n_factors": 3}}, ParameterError, "fixed has 'n_factors', which ease lacks"),
        ("als", {"fixed": {"n_factors": 0}}, ParameterError, "als: n_factors must be between 1 and 4096, not 0"),
        ("eese", {}, ParameterError, "unknown model 'eese'"),
        ("ease", {"relevant_from": 9.0}, DataError, "choose relevant_from=5 or lower"),
    ],
)
def test_wrong_questions_are_refused_at_once(model: str, options: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        search(model, **options)


def test_without_optuna_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[tune\]' in the folder of Coterie"):
        search()


def test_optuna_is_quiet_and_stays_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    optuna.logging.set_verbosity(logging.INFO)
    search("bpr", n_trials=7)
    assert capsys.readouterr().err == ""
    assert optuna.logging.get_verbosity() == logging.INFO


def test_a_random_split_is_the_default_without_times() -> None:
    found = search(data=world(times=False))
    assert found.split.description == split_at_random(world(times=False)).description


def test_nothing_is_concluded_where_no_setting_has_a_hit_or_one_person_is_asked() -> None:
    pairs = [(u, i) for u in range(30) for i in (u, 30 + u)]  # everybody has items of their own
    frame = {"user": [u for u, _ in pairs], "item": [i for _, i in pairs]}
    alone = tune("item-knn", ct.Interactions.from_frame(frame, "user", "item"), "ndcg@5", n_trials=2, progress=False)
    assert any(text.startswith("Nothing can be concluded about which options are better") for text in alone.words())
    sound = tune("item-knn", world(), "ndcg@5", n_trials=2, progress=False)
    assert not [text for text in sound.words() if "Nothing can be concluded" in text]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": 3}, "data must be a Dataset or Interactions"), ({"model": ct.EASE}, "EASE is a class and no model"),
        ({"k": 2.5}, "k must be a whole number"), ({"random_state": -1}, "random_state must be a whole number from 0"),
        ({"split": 3}, "split must be a Split"), ({"n_trials": 1.5}, "n_trials must be a whole number from 1"),
    ],
)  # fmt: skip
def test_arguments_that_are_none_are_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        tune(**{"model": "ease", "data": world(), "n_trials": 1, "progress": False, **change})
