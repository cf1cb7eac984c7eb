"""Behaviours, half-lives and implicit ratings on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import coterie as ct
from coterie.data.interactions import Interactions
from coterie.evaluation import split
from tests.cli.conftest import Run

WEIGHTS = ("--behavior", "event", "--weight", "view=1", "--weight", "buy=5")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "log.csv"
    rows = ["1,a,view,0", "1,b,buy,86400", "2,a,buy,86400", "2,b,view,172800", "3,b,view,172800"]
    file.write_text("\n".join(["user,item,event,time", *rows]) + "\n")
    return file


def fitted(run: Run, data: Path, *options: object) -> Interactions:
    folder = data.parent / "model"
    answer = run("fit", "popularity", data, "-o", folder, *options)
    assert (answer.status, answer.err) == (0, "")
    return ct.load_model(folder).train_


def test_behaviours_and_half_lives_are_those_of_load(run: Run, log: Path) -> None:
    weights = {"view": 1.0, "buy": 5.0}
    plain = ct.load(log, behavior="event", weights=weights).interactions
    assert fitted(run, log, *WEIGHTS).fingerprint == plain.fingerprint
    assert fitted(run, log, *WEIGHTS, "--half-life", "2").fingerprint == plain.decayed(2).fingerprint
    assert fitted(run, log, *WEIGHTS, "--implicit", "5").fingerprint == plain.binarized(5).fingerprint
    assert fitted(run, log, *WEIGHTS, "--implicit", "all").fingerprint == plain.binarized().fingerprint


@pytest.mark.parametrize(
    ("model", "options", "towards"),
    [("bias", (), "mean"), ("popularity", (), "zero"), ("bias", ("--implicit", "4"), "zero")],
)
def test_a_model_reads_age_as_suits_it(
    run: Run, movies: Path, tmp_path: Path, model: str, options: tuple[str, ...], towards: Any
) -> None:
    x = ct.load(movies).interactions
    x = x.binarized(4) if options else x
    answer = run("fit", model, movies, "-o", tmp_path / "m", "--half-life", "0.1", *options)
    assert (answer.status, answer.err) == (0, "")
    assert ct.load_model(tmp_path / "m").train_.fingerprint == x.decayed(0.1, towards=towards).fingerprint
    assert x.decayed(0.1).fingerprint != x.decayed(0.1, towards="mean").fingerprint


def test_behaviours_are_no_ratings_even_where_the_model_predicts_some(run: Run, log: Path) -> None:
    plain = ct.load(log, behavior="event", weights={"view": 1.0, "buy": 5.0}).interactions
    answer = run("fit", "bias", log, *WEIGHTS, "--half-life", "2", "-o", log.parent / "m")
    assert (answer.status, answer.err) == (0, "")
    assert ct.load_model(log.parent / "m").train_.fingerprint == plain.decayed(2).fingerprint


def test_a_short_half_life_leaves_no_zeros(run: Run, movies: Path, tmp_path: Path) -> None:
    answer = run("fit", "implicit-als", movies, "--half-life", "0.0001", "-o", tmp_path / "m")
    assert (answer.status, answer.err) == (0, "")
    assert (ct.load_model(tmp_path / "m").train_.values > 0).all()


def test_ages_are_counted_from_the_latest_rating_that_is_kept(run: Run, log: Path) -> None:
    x = fitted(run, log, *WEIGHTS, "--half-life", "1", "--until", "1970-01-03")
    assert x.to_frame()["rating"].to_list() == [0.5, 5.0, 5.0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--behavior", "event"), "--behavior needs the weight of each behavior, as in --weight view=1"),
        (("--weight", "view=1"), "name it with --behavior ..."),
        ((*WEIGHTS, "--weight", "buy=2"), "--weight names behavior 'buy' twice, the second time as 'buy=2'"),
        ((*WEIGHTS, "--weight", "cart"), "--weight takes a behavior and a number, such as buy=5, not 'cart'"),
        ((*WEIGHTS, "--weight", "cart=much"), "--weight takes a behavior and a number, such as buy=5, not 'cart=much'"),
        (("--behavior", "event", "--weight", "view=1"), "behavior is none of view: "),
        ((*WEIGHTS, "--half-life", "0"), "half_life must be a number of days above 0, not 0.0"),
        ((*WEIGHTS, "--implicit", "some"), "--implicit takes the lowest rating that counts, or all, not 'some'"),
        ((*WEIGHTS, "--implicit", "6"), "no rating of log meets the conditions"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(run: Run, log: Path, options: tuple[str, ...], words: str) -> None:
    answer = run("data", "describe", log, *options)
    assert (answer.status, answer.out) == (1, "")
    assert words in answer.err and answer.err.count("\n") == 1


def values(document: Any, metric: str) -> dict[str, float]:
    return {row["model"]: row["metrics"][metric]["value"] for row in document["rows"]}


def test_in_a_comparison_only_what_is_learnt_from_decays(run: Run, movies: Path) -> None:
    asked = ("--models", "popularity,item-knn", "--metric", "ndcg@5", "--json")
    answer = run("compare", movies, *asked, "--half-life", "20")
    assert (answer.status, answer.err) == (0, "")
    dataset = ct.load(movies)
    board = ct.compare(
        dataset, ["popularity", "item-knn"], split(dataset.interactions).decayed(20), "ndcg@5", progress=False
    )
    document = answer.document
    assert "old training ratings weigh less, half in 20 days" in document["split"]["description"]
    assert document["relevant_from"] == board.to_dict()["relevant_from"] >= 3
    assert values(document, "ndcg@5") == pytest.approx(values(board.to_dict(), "ndcg@5"))


def test_a_test_file_does_not_decay(run: Run, tmp_path: Path) -> None:
    rows = [f"{u},{i},{1 + (u + i) % 5},{86_400 * (1 + u + i)}" for u in range(6) for i in range(6)]
    for name, part in (("train", rows[::2]), ("test", rows[1::2])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["user,item,rating,timestamp", *part]) + "\n")
    asked = (tmp_path / "train.csv", "--test", tmp_path / "test.csv", "--models", "popularity", "--metric", "ndcg@3")
    plain = run("compare", *asked, "--json").document
    weighed = run("compare", *asked, "--half-life", "1", "--json").document
    assert weighed["relevant_from"] == plain["relevant_from"] == 4
    assert values(weighed, "ndcg@3") == values(plain, "ndcg@3")  # popularity counts, whatever the values


def test_a_search_is_judged_by_ratings_that_do_not_age(run: Run, movies: Path) -> None:
    asked = ("tune", "ease", movies, "--n-trials", "1", "--metric", "ndcg@5", "--half-life", "0.1", "--json")
    answer = run(*asked)
    assert (answer.status, answer.err) == (0, "")
    dataset = ct.load(movies)
    found = ct.tune("ease", dataset, "ndcg@5", n_trials=1, split=split(dataset.interactions).decayed(0.1))
    assert found.relevant_from == answer.document["relevant_from"] == 4
    assert answer.document["value"] == pytest.approx(found.value)
    weighed = split(dataset.interactions).decayed(0.1).for_model(found.model).train
    assert found.split.train.fingerprint == weighed.fingerprint


# ---- update ----------------------------------------------------------------------------------------------


@pytest.fixture
def new(tmp_path: Path) -> Path:
    file = tmp_path / "new.csv"
    file.write_text("userId,movieId,rating,timestamp\n1,2,4.5,1000900000\n1,1,3.5,1000900001\n999,3,5.0,1000900002\n")
    return file


def test_new_ratings_are_prepared_as_those_before(run: Run, movies: Path, new: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    assert run("fit", "ease", movies, "--implicit", "4", "-o", folder).status == 0
    before = ct.load_model(folder)
    for options in ((), ("--implicit", "4.0")):
        answer = run("update", folder, new, "-o", tmp_path / "updated", *options)
        assert (answer.status, answer.err) == (0, "")
        after = ct.load_model(tmp_path / "updated")
        assert after.train_.fingerprint == before.train_.merge(ct.load(new, implicit=4).interactions).fingerprint
        assert after.train_.scale == (1, 1) and after.prepared_ == before.prepared_


def test_new_behaviours_weigh_what_those_before_did(run: Run, log: Path) -> None:
    before, more = fitted(run, log, *WEIGHTS, "--duplicates", "sum"), log.parent / "more.csv"
    more.write_text("user,item,what,time\n4,a,view,200000\n4,a,buy,200001\n")
    answer = run("update", log.parent / "model", more, "--behavior", "what", "--json")
    assert answer.status == 0 and "1 row repeats" in answer.err
    after = ct.load_model(log.parent / "model").train_
    assert after.to_frame().filter(user=4)["rating"].to_list() == [6.0] and after.nnz == before.nnz + 1


@pytest.mark.parametrize(
    ("fit", "update", "words"),
    [
        (
            ("--implicit", "4"),
            ("--implicit", "3"),
            "was fitted with --implicit 4, and new ratings are to mean the same",
        ),
        (
            (),
            ("--implicit", "4"),
            "was fitted without --implicit, and new ratings are to mean the same; leave out --im",
        ),
        ((), ("--half-life", "30"), "was fitted without --half-life"),
        (("--half-life", "30"), (), "was fitted with --half-life 30, and new ratings make all that it has older; fit"),
        (("--duplicates", "mean"), ("--duplicates", "last"), "was fitted with --duplicates mean"),
        ((), ("--behavior", "rating", "--weight", "4.5=1"), "was fitted without --weight"),
    ],
)
def test_a_contradiction_is_refused(
    run: Run, movies: Path, new: Path, tmp_path: Path, fit: tuple[str, ...], update: tuple[str, ...], words: str
) -> None:
    folder = tmp_path / "m"
    assert run("fit", "popularity", movies, *fit, "-o", folder).status == 0
    before = ct.load_model(folder).train_.fingerprint
    answer = run("update", folder, new, *update)
    assert (answer.status, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert words in answer.err
    assert ct.load_model(folder).train_.fingerprint == before


def test_a_model_of_unknown_preparation_warns_where_ratings_meet_choices(
    run: Run, movies: Path, new: Path, tmp_path: Path
) -> None:
    ct.Popularity().fit(ct.load(movies).interactions.binarized(4)).save(tmp_path / "m")
    answer = run("update", tmp_path / "m", new)
    assert answer.status == 0 and "choices, all of them 1, and takes in ratings of 3.5 to 5" in answer.err
    assert "load them with --implicit ..." in answer.err
    ct.Popularity().fit(ct.load(movies).interactions.binarized(4)).save(tmp_path / "m")
    answer = run("update", tmp_path / "m", new, "--implicit", "4")
    assert (answer.status, answer.err) == (0, "")
    assert ct.load_model(tmp_path / "m").train_.scale == (1, 1)
