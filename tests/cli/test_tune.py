"""Searching from the command line, and fitting what was found."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import coterie as ct
from coterie.cli.options import DataOptions, as_words
from tests.cli.conftest import Run

OPTIONS = ["--split", "random", "--metric", "ndcg@5", "--n-trials", "5", "--seed", "3"]


def test_tune_is_the_library_s(run: Run, movies: Path) -> None:
    document = run("tune", "rp3beta", movies, *OPTIONS, "--json").document
    options: Any = {"metric": "ndcg@5", "n_trials": 5, "split": "random", "random_state": 3, "progress": False}
    found = ct.tune("rp3beta", ct.load(movies), **options)
    assert document["parameters"] == found.parameters
    assert (document["value"], document["default_value"]) == (found.value, found.default_value)
    assert [line["value"] for line in document["trials_done"]] == found.trials["value"].to_list()


def test_the_command_line_that_is_shown_fits_what_was_found(
    run: Run, movies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    data = [movies, "--min-user-ratings", "3", "--genre", "Drama"]
    shown = run("tune", "item-knn", *data, *OPTIONS, "--normalize", "--config", "best.toml", "--similarity", "jaccard")
    assert shown.status == 0 and shown.err == ""
    *text, command = shown.out.splitlines()
    assert max(map(len, text)) <= 80
    assert run(*shlex.split(command)[1:]).status == 0
    fitted = ct.load_model(tmp_path / "item-knn-tuned")
    wanted = ct.load_config("best.toml")
    assert type(fitted) is type(wanted)
    assert {name: getattr(fitted, name) for name in fitted.parameters()} == {
        name: getattr(wanted, name) for name in wanted.parameters()
    }
    assert fitted.train_.nnz == ct.load(movies).filter(genres=["Drama"], min_user_ratings=3).interactions.nnz
    fit = run("fit", movies, "--config", "best.toml", "-o", "again", "--json").document
    assert fit["hyper_parameters"] == {name: getattr(wanted, name) for name in wanted.parameters()}


def test_own_options_of_the_model_are_not_searched(run: Run, movies: Path) -> None:
    given = ["--n-factors", "64", "--no-biases"]  # the first as by default
    document = run("tune", "bpr", movies, *OPTIONS, *given, "--n-epochs", "3", "--json").document
    assert document["fixed"] == {"n_factors": 64, "biases": False, "n_epochs": 3}
    assert document["searched"] == ["learning_rate", "regularization", "fold_in_regularization", "negatives"]
    shown = run("tune", "bpr", movies, *OPTIONS, *given, "--n-epochs", "3").out
    assert "n_factors=64" in shown and "--no-biases" in shown


def test_options_win_over_a_configuration(run: Run, movies: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('model = "als"\n[parameters]\nn_factors = 3\nbiases = false\n')
    config = f"--config={tmp_path / 'c.toml'}"
    fitted = run("fit", "als", movies, config, "-o", tmp_path / "m", "--n-factors", "2", "--json").document
    assert (fitted["hyper_parameters"]["n_factors"], fitted["hyper_parameters"]["biases"]) == (2, False)
    wrong = run("fit", "bpr", movies, config, "-o", tmp_path / "m")
    assert wrong.status == 2 and "is about als, not bpr" in wrong.err
    absent = run("fit", movies, "--config", tmp_path / "none.toml", "-o", tmp_path / "m")
    assert absent.status == 1 and "there is no file" in absent.err


def test_a_search_is_kept_and_goes_on(run: Run, movies: Path, tmp_path: Path) -> None:
    kept = ["--storage", tmp_path / "kept", "--json"]
    first = run("tune", "ease", movies, *OPTIONS, *kept).document
    again = run("tune", "ease", movies, *OPTIONS, "--n-trials", "7", *kept).document
    assert again["trials_done"][:5] == first["trials_done"] and again["trials"] == 7
    assert (first["kept_trials"], again["kept_trials"]) == (0, 5)
    assert again["trial_seconds"] > first["trial_seconds"]
    assert re.match(r"7 trials.*: 5 of them from storage, 2 new in \d+\.\d s\.", again["words"][0])
    other = run("tune", "ease", movies, *OPTIONS, "--metric", "recall@5", *kept)
    assert other.status == 1 and other.err.count("\n") == 1 and "metric 'ndcg@5', and now 'recall@5'" in other.err


@pytest.mark.parametrize("done", [0, 2])
def test_ctrl_c_shows_the_best_so_far(run: Run, movies: Path, monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    fits = []
    plain = ct.EASE._fit

    def fit(self: Any, *args: Any) -> None:
        fits.append(self)
        if len(fits) == done + 1:
            raise KeyboardInterrupt
        plain(self, *args)

    monkeypatch.setattr(ct.EASE, "_fit", fit)
    answer = run("tune", "ease", movies, *OPTIONS, "--json")
    assert answer.status == 130
    if done:
        assert answer.document["trials"] == done and answer.document["interrupted"]
    else:
        assert (answer.out, answer.err.count("\n")) == ("", 1) and "before the first trial" in answer.err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["tune"], 2, "MODEL"),
        (["tune", "eese"], 1, "unknown model 'eese'"),
        (["tune", "ease", "--n-factors", "3"], 2, "options of ease: --regularization"),
        (["tune", "ease", "--budget", "soon"], 1, "--budget must be a time such as 90s, 10m or 1h, not 'soon'"),
        (["tune", "ease", "--metric", "rmse"], 1, "EASE predicts no ratings"),
        (["tune", "ease", "--n-trials", "0"], 2, "--n-trials"),
        (
            ["tune", "ease", "--storage", __file__],
            1,
            f"storage is a folder, in which each model has a file, and {__file__}",
        ),
        (["tune", "ease", "-d", "x.csv"], 2, "here the data is an argument, without an option"),
    ],
)
def test_an_error_is_one_line(run: Run, movies: Path, arguments: list[str], status: int, said: str) -> None:
    answer = run(*arguments, *([] if arguments == ["tune"] else [movies]))
    assert (answer.status, answer.out) == (status, "")
    assert answer.err.count("\n") == 1 and said in answer.err


def test_data_options_are_typed_again_as_they_were() -> None:
    assert as_words(DataOptions()) == ["movielens-sample"]
    given = DataOptions("my file.csv", user="u", weight=["a=1", "b=2"], no_cache=True, min_user_ratings=4)
    assert as_words(given) == [
        "my file.csv", "--user", "u", "--weight", "a=1", "--weight", "b=2", "--no-cache", "--min-user-ratings", "4"
    ]  # fmt: skip


def test_several_splits_are_refused_with_one_that_will_do(run: Run, movies: Path) -> None:
    answer = run("tune", "ease", movies, "--n-trials", "2", "--split", "5-fold")
    assert answer.status == 1 and "'5-fold' stands for several splits, and one is wanted here" in answer.err
    assert "random:0.2 holds out as much" in answer.err and "evaluation." not in answer.err


def test_remedies_are_options_in_json_too(run: Run, movies: Path) -> None:
    words = " ".join(run("tune", "ease", movies, "--n-trials", "2", "--json").document["words"])
    assert "--split random" in words and "split=" not in words
