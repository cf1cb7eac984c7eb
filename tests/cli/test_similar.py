"""Pairs worked step by step, and the nearest of one."""

from __future__ import annotations

import re
from math import sqrt
from pathlib import Path

import pytest

import coterie as ct
from coterie.similarity import MEASURES
from tests.cli.conftest import Run


@pytest.mark.parametrize(("axis", "option"), [("users", []), ("items", ["--items"])])
def test_a_pair_by_all_measures(run: Run, movies: Path, axis, option: list[str]) -> None:
    x = ct.load(movies).interactions
    document = run("similar", "1", "3", *option, "--data", movies, "--json").document
    assert [m["name"] for m in document["measures"]] == list(MEASURES)
    for measure in document["measures"]:
        for reading in ("table", "notebook"):
            value = ct.similarity.pair(x, 1, 3, measure["name"], reading=reading, axis=axis)
            assert measure[reading]["value"] == pytest.approx(value)
            assert arithmetic(measure[reading]["worked"]) == pytest.approx(value, rel=1e-4)
    assert document["data"] == "ratings"
    assert document["recommended"] == ["cosine", "pearson"]


def arithmetic(worked: str) -> float:
    """What a worked formula comes to."""
    assert re.fullmatch(r"[0-9e.√()·/+\- ]+", worked)
    return float(eval(worked.replace("√", "sqrt").replace("·", "*"), {"sqrt": sqrt}))


def test_co_rated_items_stand_side_by_side(run: Run, movies: Path) -> None:
    ratings = ct.load(movies).interactions.to_frame()
    sides = [dict(ratings.filter(user=user).select("item", "rating").iter_rows()) for user in (1, 3)]
    document = run("similar", "1", "3", "--data", movies, "--json").document
    shared = sorted(sides[0].keys() & sides[1].keys())
    assert [(row["item"], row["a"], row["b"]) for row in document["co_rated"]] == [
        (item, sides[0][item], sides[1][item]) for item in shared
    ]
    assert document["co_rated"][0]["title"] == "Toy Story (1995)"


def test_what_if_one_rating_changes(run: Run, movies: Path) -> None:
    data = ["--data", movies]
    row = run("similar", "1", "3", *data, "--json").document["co_rated"][0]
    wanted = ["similar", "1", "3", *data, "--change", f"{row['title']}=0.5"]
    answer = run(*wanted)
    assert f"What if user 1 had given {row['title']} 0.5 instead of" in " ".join(answer.out.split())
    what_if = run(*wanted, "--json").document["what_if"]
    assert (what_if["id"], what_if["after"]) == (row["item"], 0.5)
    x = ct.load(movies).interactions
    before = {m["name"]: m["notebook"]["before"] for m in what_if["measures"]}
    assert before == {name: ct.similarity.pair(x, 1, 3, name, "notebook") for name in MEASURES}
    by_user = run("similar", "1", "3", "--items", *data, "--json").document["co_rated"]
    assert run("similar", "1", "3", "--items", *data, "--change", f"{by_user[0]['user']}=5").status == 0
    for change, status, said in [
        ("heat", 2, "is not ITEM=RATING"),
        ("=4", 2, "ITEM=RATING"),
        ("1=9", 1, "rating of 9"),
    ]:
        refused = run("similar", "1", "3", *data, "--change", change)
        assert (refused.status, refused.out) == (status, "")
        assert said in refused.err
    assert run("similar", "1", *data, "--change", "1=4").status == 2


def test_as_many_terms_as_rows(run: Run, movies: Path) -> None:
    document = run("similar", "1", "3", "--data", movies, "--json").document
    n = len(document["co_rated"])
    manhattan = next(m for m in document["measures"] if m["name"] == "manhattan")["table"]
    few, all_of_them = (" ".join(run("similar", "1", "3", "-k", k, "--data", movies).out.split()) for k in (2, n))
    first, *rest = (f"{term:g}" for term in manhattan["terms"])
    assert f"{first} + {rest[0]} + ... = {manhattan['total']:g}" in few
    assert f"(-k {n} shows all, and all terms)" in few
    assert f"{' + '.join([first, *rest])} = {manhattan['total']:g}" in all_of_them and "..." not in all_of_them


def test_the_pair_of_the_examples_shares_something_worth_reading() -> None:
    found = ct.lesson(ct.load("movielens-sample"), 4, 59)
    assert len(found.co_rated) == 22 and found["pearson"].table.value > 0.3
    assert "They disagree" in found.summary and "one is the harsher judge" in found.summary


def test_the_module_s_example(run: Run, shared: Path) -> None:
    data = ["--data", shared / "ml-20m-1000users", "--first-users", "1000", "--min-item-ratings", "21"]
    document = run("similar", "1", "2", *data, "--json").document
    values = {m["name"]: round(m["notebook"]["value"], 3) for m in document["measures"]}
    assert values == {
        "jaccard": 0.053,
        "cosine": 0.133,
        "pearson": -0.069,
        "manhattan": 1.167,
        "euclidean": 0.412,
        "chebyshev": 0.444,
    }


def test_those_who_share_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("user,item,rating\n1,10,5\n2,20,4\n")
    answer = run("similar", "1", "2", "--data", file)
    assert answer.status == 0
    assert "nothing shared" in answer.out
    assert "∞" in answer.out
    document = run("similar", "1", "2", "--data", file, "--json").document
    assert {m["name"]: m["table"]["value"] for m in document["measures"]}["manhattan"] is None


@pytest.mark.parametrize("measure", ["cosine", "pearson", "l1"])
def test_the_nearest_of_one(run: Run, movies: Path, measure: str) -> None:
    x = ct.load(movies).interactions
    options = ["--measure", measure, "--reading", "notebook", "-k", "5"]
    document = run("similar", "heat", "--items", *options, "--data", movies, "--json").document
    expected = ct.similarity.neighbors(x, measure, n_neighbors=5, axis="items", reading="notebook").of(2)
    assert [row["neighbor"] for row in document["neighbors"]] == expected["neighbor"].to_list()
    assert [row["value"] for row in document["neighbors"]] == pytest.approx(expected["value"].to_list(), rel=1e-5)


def test_an_unknown_measure_lists_the_six(run: Run, movies: Path) -> None:
    answer = run("similar", "1", "--measure", "euclid", "--data", movies)
    assert (answer.status, answer.out) == (1, "")
    assert "euclidean" in answer.err
