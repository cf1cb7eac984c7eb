"""Fit, recommend, predict, explain: the answers are the library's, whichever way they are asked for."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import coterie as ct
from coterie.data.dataset import Dataset
from coterie.errors import UnknownIdError
from coterie.models.training import Sweep, Training
from tests.cli.conftest import Run

MODEL = ("--model", "user-knn", "--n-neighbors", "7", "--similarity", "pearson")


@pytest.fixture(scope="module")
def dataset(movies: Path) -> Dataset:
    return ct.load(movies)


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> Any:
    """What the commands fit."""
    return ct.UserKNN(n_neighbors=7, similarity="pearson").fit(dataset.interactions, dataset.catalog)


def same_rows(rows: list[dict[str, Any]], frame: pl.DataFrame) -> bool:
    return rows == [
        {name: pytest.approx(value, rel=1e-6) if isinstance(value, float) else value for name, value in row.items()}
        for row in frame.to_dicts()
    ]


def test_recommend_for_known_users(run: Run, movies: Path, model: Any) -> None:
    answer = run("recommend", "1", "2", "-k", "4", *MODEL, "--data", movies, "--json")
    assert answer.status == 0
    assert answer.err == ""
    document = answer.document
    assert document["model"] == "user-knn"
    assert document["hyper_parameters"]["n_neighbors"] == 7
    assert document["hyper_parameters"]["similarity"] == "pearson"
    assert document["users"] == [1, 2]
    assert same_rows(document["recommendations"], model.recommend([1, 2], k=4))


def test_recommend_for_a_stranger_by_titles_and_ids(run: Run, movies: Path, model: Any) -> None:
    rated = ["--rated", "toy story=5", "--rated", "The Fear = 2.5", "--rated", "9=1"]
    document = run("recommend", *rated, *MODEL, "--data", movies, "--json").document
    assert document["profile"] == {"1": 5.0, "5": 2.5, "9": 1.0}
    assert same_rows(document["recommendations"], model.recommend_for({1: 5.0, 5: 2.5, 9: 1.0}))


def test_recommend_among_candidates_and_what_was_seen(run: Run, movies: Path, model: Any) -> None:
    among = ["--candidate", "heat", "--candidate", "1"]
    seen = run("recommend", "1", *among, "--include-seen", *MODEL, "--data", movies, "--json").document
    assert {row["item"] for row in seen["recommendations"]} == {1, 2}
    unseen = run("recommend", "1", *among, *MODEL, "--data", movies, "--json").document
    assert {row["item"] for row in unseen["recommendations"]} == {2}


def test_the_table_shows_titles_as_they_are(run: Run, movies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    titles = ct.load(movies).catalog
    assert titles is not None
    shown = run("recommend", "1", "-k", "24", "--include-seen", "--model", "popularity", "--data", movies).out
    assert [title for title in titles.items["title"] if title not in shown] == []


def test_nothing_left_is_said(run: Run, movies: Path) -> None:
    command = ("recommend", "1", "--candidate", "1", "--model", "popularity", "--data", movies)
    answer = run(*command)
    assert answer.status == 0
    assert "Nothing is left to recommend: all that was asked for (1 item) was rated already" in answer.out
    note = run(*command, "--json").document["note"]
    assert note in " ".join(answer.out.split())


def test_a_model_without_evidence_is_not_said_to_have_nothing_left(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("user,item,rating\n1,10,5\n2,20,4\n2,30,4\n")
    answer = run("recommend", "1", "--model", "item-knn", "--data", file)
    assert answer.status == 0
    assert "Nothing it can recommend: item-knn has no evidence for any of the 2 items left." in answer.out
    answer = run("recommend", "1", "--candidate", "20", "--model", "item-knn", "--data", file)
    assert "no evidence for the one item left" in answer.out


def test_predict(run: Run, movies: Path, model: Any) -> None:
    document = run("predict", "1", "heat", "toy story", *MODEL, "--data", movies, "--json").document
    assert document["user"] == 1
    assert [row["item"] for row in document["predictions"]] == [2, 1]
    predicted = [row["prediction"] for row in document["predictions"]]
    assert predicted == pytest.approx(model.predict([1, 1], [2, 1]).tolist(), rel=1e-6)
    assert document["predictions"][0]["rated"] is None
    known = ct.load(movies).interactions.to_frame().filter(user=1, item=1)["rating"][0]
    assert document["predictions"][1]["rated"] == known


def test_predict_for_a_stranger(run: Run, movies: Path, model: Any) -> None:
    document = run("predict", "heat", "--rated", "1=5", "--rated", "9=1", *MODEL, "--data", movies, "--json").document
    [row] = document["predictions"]
    assert row["prediction"] == pytest.approx(float(model.predict_for({1: 5.0, 9: 1.0}, [2])[0]), rel=1e-6)


def test_a_ranker_does_not_predict(run: Run, movies: Path) -> None:
    answer = run("predict", "1", "heat", "--model", "popularity", "--data", movies)
    assert (answer.status, answer.out) == (1, "")
    assert "use recommend" in answer.err


def test_explain_says_what_was_rated_and_gives_every_contribution_the_same_decimals(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("user,item,rating\n1,10,5\n1,20,4\n2,10,4\n2,20,2\n3,30,3\n3,10,1\n")
    answer = run("explain", "1", "10", "--model", "bias", "--data", file)
    assert "User 1 rated it 5." in answer.out
    numbers = re.findall(r"-?\d+\.\d+(?= *$)", answer.out, re.MULTILINE)
    assert len(numbers) > 2
    assert {len(number.partition(".")[2]) for number in numbers} == {4}
    assert run("explain", "1", "10", "--model", "bias", "--data", file, "--json").document["rated"] == 5.0
    assert "rated it" not in run("explain", "1", "30", "--model", "bias", "--data", file).out
    stranger = run("explain", "10", "--rated", "10=2.5", "--model", "bias", "--data", file)
    assert "A stranger rated it 2.5." in stranger.out


def test_explain_adds_up(run: Run, movies: Path, model: Any) -> None:
    document = run("explain", "1", "heat", *MODEL, "--data", movies, "--json").document
    expected = model.explain(1, 2)
    assert document["item"] == 2
    assert document["title"] == "Heat (1995)"
    assert document["score"] == pytest.approx(expected.score)
    assert same_rows(document["contributions"], expected.contributions)
    total = document["base"] + sum(part["contribution"] for part in document["contributions"])
    assert total == pytest.approx(document["score"])


def test_the_table_of_an_explanation_adds_up_too(run: Run, movies: Path) -> None:
    shown = run("explain", "1", "heat", *MODEL, "-k", "2", "--data", movies).out.splitlines()
    document = run("explain", "1", "heat", *MODEL, "--data", movies, "--json").document
    start = next(i for i, line in enumerate(shown) if "─" in line)
    figures = [float(line.split()[-1]) for line in shown[start + 1 :] if line.strip()]
    assert len(figures) == 2 + (len(document["contributions"]) > 2) + 2
    assert sum(figures[:-1]) == pytest.approx(figures[-1], abs=2e-4 * len(figures))


def test_a_fitted_model_is_kept_and_used(run: Run, movies: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    fitted = run("fit", "user-knn", movies, "-o", folder, "--n-neighbors", "7", "--similarity", "pearson", "--json")
    assert fitted.document["folder"] == str(folder)
    assert fitted.document["hyper_parameters"]["n_neighbors"] == 7
    now = run("recommend", "1", *MODEL, "--data", movies, "--json").document
    later = run("recommend", "1", "--model", folder, "--json").document
    assert later == now


def test_ctrl_c_keeps_what_was_learned(run: Run, movies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Training.sweeps

    def interrupted(self: Training, *args: Any, **more: Any) -> Iterator[Sweep]:
        for sweep in plain(self, *args, **more):
            if sweep.number == 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield sweep

    folder, kept = tmp_path / "model", tmp_path / "sweeps"
    command = ("fit", "als", movies, "-o", folder, "--checkpoint", kept, "--n-factors", "3", "--json")
    with monkeypatch.context() as patch:
        patch.setattr(Training, "sweeps", interrupted)
        answer = run(*command)
    assert answer.status == 130
    assert (answer.document["interrupted"], answer.document["sweeps"]) == (True, 2)
    assert len(ct.load_model(folder).objective_) == 2  # type: ignore[attr-defined]
    assert run(*command).document["interrupted"] is False  # goes on
    assert len(ct.load_model(folder).objective_) == 15  # type: ignore[attr-defined]
    answer = run("fit", "popularity", movies, "-o", folder, "--checkpoint", kept)
    assert answer.status == 1
    assert "does not learn in sweeps" in answer.err


def test_a_fitted_model_brings_its_data_and_options(run: Run, movies: Path, tmp_path: Path) -> None:
    run("fit", "popularity", movies, "-o", tmp_path / "kept")
    answer = run("recommend", "1", "--model", tmp_path / "kept", "--data", movies)
    assert answer.status == 1
    assert "leave out --data" in answer.err
    assert "leave out --first-users" in run("recommend", "1", "--model", tmp_path / "kept", "--first-users", "5").err
    answer = run("recommend", "1", "--model", tmp_path / "kept", "--n-neighbors", "3")
    assert answer.status == 2
    assert "--n-neighbors" in answer.err


def test_a_folder_that_is_no_model_is_refused(run: Run, movies: Path) -> None:
    answer = run("recommend", "1", "--model", movies)
    assert answer.status == 1
    assert answer.err.count("\n") == 1


def test_reductions_reach_the_model(run: Run, movies: Path, dataset: Dataset, tmp_path: Path) -> None:
    options = ["--first-users", "20", "--min-item-ratings", "8", "--genre", "Comedy", "--since", "2001-09-09"]
    document = run("fit", "popularity", movies, "-o", tmp_path / "fitted", "--json", *options).document
    assert dataset.catalog is not None
    reduced = dataset.filter(genres=["Comedy"], first_users=20, min_item_ratings=8, since=999_993_600).interactions
    assert document["fitted_to"] == {"users": reduced.n_users, "items": reduced.n_items, "ratings": reduced.nnz}
    core = run("recommend", "1", "--model", "popularity", "--data", movies, "--json", "--k-core", "9").document
    assert core["fitted_to"]["ratings"] == dataset.interactions.k_core(9).nnz
    answer = run("fit", "popularity", movies, "-o", tmp_path / "empty", "--years", "1890-1899")
    assert answer.status == 1
    assert "meets the conditions" in answer.err


def test_columns_and_text_ids(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "likes.tsv"
    file.write_text("who\twhat\tstars\nann\tx\t5\nann\ty\t1\nbob\tx\t4\nbob\tz\t3\n")
    columns = ["--user", "who", "--item", "what", "--rating", "stars"]
    document = run("recommend", "ann", "--model", "popularity", "--data", file, *columns, "--json").document
    assert [row["item"] for row in document["recommendations"]] == ["z"]


def test_columns_by_position(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "likes.csv"
    file.write_text("1,10,5\n1,20,1\n2,10,4\n2,30,3\n")
    columns = ["--user", "0", "--item", "1", "--rating", "2"]
    document = run("recommend", "1", "--model", "popularity", "--data", file, *columns, "--json").document
    assert [row["item"] for row in document["recommendations"]] == [30]


def test_skipped_lines_are_shown_and_stdout_stays_clean(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("userId,movieId,rating\n1,10,5\n1,20,bad\n2,10,4\n2,30,worse\n2,40,3\n")
    answer = run("recommend", "1", "--model", "popularity", "--data", file, "--json")
    assert (answer.status, answer.out) == (1, "")
    assert "1,20,bad" in answer.err
    answer = run("recommend", "1", "--model", "popularity", "--data", file, "--on-error", "skip", "--json")
    assert [row["item"] for row in answer.document["recommendations"]] == [40]
    assert "2 lines were skipped" in answer.err
    assert "worse" in answer.err


def test_an_ambiguous_title_is_shown_with_what_it_may_be(run: Run, movies: Path) -> None:
    answer = run("recommend", "--rated", "sabrina=5", "--model", "popularity", "--data", movies)
    assert (answer.status, answer.out) == (1, "")
    assert "Sabrina (1954)" in answer.err
    assert "Sabrina (1995)" in answer.err
    assert answer.err.splitlines()[-1] == ("error: 'sabrina' could be any of these 2 titles; give the year or the id")


def test_of_an_ambiguous_title_the_only_rated_one_is_meant(run: Run, movies: Path) -> None:
    reduced = ["--years", "1995-2007", "--data", movies]
    document = run("predict", "1", "--rated", "sabrina=5", "--model", "bias", *reduced, "--json").document
    assert document["profile"] == {"4": 5.0}


@pytest.mark.parametrize("rated", ["Toy Story", "=5", "Toy Story=", "Toy Story=many", "Toy Story=nan"])
def test_what_is_no_rating_is_refused(run: Run, movies: Path, rated: str) -> None:
    answer = run("recommend", "--rated", rated, "--model", "popularity", "--data", movies)
    assert answer.status == 1
    assert repr(rated) in answer.err


def test_an_item_rated_twice_is_refused(run: Run, movies: Path) -> None:
    answer = run("recommend", "--rated", "1=5", "--rated", "toy story=4", "--model", "popularity", "--data", movies)
    assert answer.status == 1
    assert "twice" in answer.err


def test_an_unknown_user_is_named(run: Run, movies: Path, dataset: Dataset) -> None:
    with pytest.raises(UnknownIdError) as library:
        dataset.interactions.users.index(12345)
    answer = run("recommend", "12345", "--model", "popularity", "--data", movies)
    assert answer.err == f"error: {library.value}\n"


def test_what_items_share_is_in_words_for_people_and_in_numbers_for_programs(run: Run, movies: Path) -> None:
    asked = ("explain", "--model", "genre-knn", "--data", movies, "1", "Heat", "--of", "score")
    shown = run(*asked).out
    assert "both are Drama" in shown and "Drama 0." in shown and "{" not in shown
    parts = run(*asked, "--json").document["contributions"]
    assert parts and all(part["shared"][0]["name"] == "Drama" for part in parts)


def test_a_time_is_asked_about_and_explained(run: Run, movies: Path, dataset: Dataset) -> None:
    model = ct.TimeBiasBaseline(season=True).fit(dataset.interactions, dataset.catalog)
    x = dataset.interactions
    user, time = int(x.users.ids[0]), int(x.timestamps.min())
    fit_it = ("--model", "time-bias", "--season", "--data", movies)
    answer = run("predict", user, "1", "heat", "--at", time, *fit_it, "--json")
    assert (answer.status, answer.document["at"]) == (0, str(time))
    found = [row["prediction"] for row in answer.document["predictions"]]
    items = [row["item"] for row in answer.document["predictions"]]
    assert found == pytest.approx(model.predict([user] * 2, items, [time] * 2).tolist(), rel=1e-6)
    stranger = run("predict", "heat", "--rated", "1=5", "--at", "2003-07-01", *fit_it, "--json").document
    expected = model.predict_for({1: 5.0}, [stranger["predictions"][0]["item"]], ["2003-07-01"])
    assert stranger["predictions"][0]["prediction"] == pytest.approx(float(expected[0]), rel=1e-6)
    why = run("explain", user, "1", "--at", time, *fit_it, "--json").document
    assert why["score"] == pytest.approx(model.explain(user, 1, timestamp=time).score)
    assert same_rows(why["contributions"], model.explain(user, 1, timestamp=time).contributions)
    assert f"at {time}" in run("predict", user, "1", "--at", time, *fit_it).out
    assert "'soon', is missing or cannot be read" in run("explain", user, "1", "--at", "soon", *fit_it).err
    answer = run("predict", user, "1", "--at", time, "--model", "bias", "--data", movies)
    assert answer.status != 0 and "what bias predicts does not depend on when" in answer.err
