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
    assert "training ratings halve every 20 days" in document["split"]["description"]
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
