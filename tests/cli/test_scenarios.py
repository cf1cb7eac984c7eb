"""Groups, bundles, cohorts and questions on the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import coterie as ct
from coterie.scenarios.cohorts import _N_FACTORS
from tests.cli.conftest import Run


def test_a_group_of_users_and_a_stranger(run: Run, movies: Path) -> None:
    command = ("group", "1", "2", "--stranger", "Toy Story=5; heat=2", "--data", movies, "--model", "svd", "-k", "3")
    answer = run(*command, "--json")
    assert answer.status == 0, answer.err
    ds = ct.load(movies)
    members = {"user 1": 1, "user 2": 2, "stranger 1": {1: 5.0, 2: 2.0}}
    found = ct.recommend_to_group(ct.SVD().fit(ds.interactions, ds.catalog), members, 3)
    assert [row["item"] for row in answer.document["recommendations"]] == found.items["item"].to_list()
    assert {row["strategy"] for row in answer.document["strategies"]} >= {"fair", "least_misery"}
    wanted = run(*command, "--years", "1995", "--json").document
    assert wanted["constraints"] == {"years": [1995, 1995]}
    assert all("(1995)" in row["title"] for row in wanted["recommendations"])
    text = run(*command, "--strategy", "least_misery").out
    assert "least misery" in text
    assert "stranger 1" in text
    assert run("group", "--data", movies).status == 2
    assert "twice" in run("group", "1", "1", "--data", movies).err


def test_bundles(run: Run, movies: Path) -> None:
    answer = run("bundle", "1", "--data", movies, "--size", "3", "--json")
    assert answer.status == 0, answer.err
    assert len(answer.document["bundle"]) == 3
    assert answer.document["proven"]
    text = run("bundle", "--complete", "Heat", "--complete", "1984", "--data", movies, "--size", "4").out
    assert text.count("added") == 2
    assert text.count("given") == 2
    assert "Worth" in text
    value = run("bundle", "--complete", "Heat", "--value", "--data", movies).out
    assert "The value of a bundle" in value
    assert run("bundle", "--data", movies).status == 2
    assert run("bundle", "1", "--value", "--data", movies).status == 2
    assert "make it larger" in run("bundle", "--complete", "Heat", "--size", "1", "--data", movies).err


def test_cohorts(run: Run, movies: Path) -> None:
    answer = run("cohorts", movies, "--model", "svd", "-n", "2", "--of", "1", "-k", "2", "--json")
    assert answer.status == 0, answer.err
    assert sum(row["users"] for row in answer.document["cohorts"]) == 30
    assert len(answer.document["recommendations"]) == 2
    wanted = run("cohorts", movies, "-n", "2", "--cohort", "1", "--years", "1995", "--json").document
    assert wanted["recommendations"] and all("(1995)" in row["title"] for row in wanted["recommendations"])
    assert run("cohorts", movies, "-n", "2", "--years", "1995").status == 2
    text = run("cohorts", movies, "-n", "2", "--cohort", "2", "--by", "genres").out
    assert "What cohort 2 likes" in text
    assert run("cohorts", movies, "--cohort", "1", "--of", "1").status == 2
    assert "no cohort 5" in run("cohorts", movies, "-n", "2", "--cohort", "5").err


def test_the_help_of_cohorts_says_whose_factors_they_are(run: Run, movies: Path) -> None:
    assert "where it has any, else those of an SVD of 16 factors" in " ".join(run("cohorts", "--help").out.split())
    assert _N_FACTORS == 16
    assert "by the factors of als" in run("cohorts", movies, "-n", "2", "--model", "als").out
    assert "by an SVD of 16 factors" in run("cohorts", movies, "-n", "2", "--model", "ease").out


def test_questions_with_scripted_answers(run: Run, movies: Path) -> None:
    answer = run("ask", movies, "--answers", "4,-,2.5", "--json", "--model", "ease")
    assert answer.status == 0, answer.err
    assert [row["rating"] for row in answer.document["questions"]] == [4.0, None, 2.5]
    assert len(answer.document["profile"]) == 2
    assert answer.document["recommendations"]
    assert "is no rating from 0.5 to 5" in run("ask", movies, "--answers", "9").err
    wanted = run("ask", movies, "--answers", "4,-,2.5", "--json", "--model", "ease", "--years", "1995")
    assert wanted.document["constraints"] == {"years": [1995, 1995]}
    years = [row["title"][-5:-1] for row in wanted.document["recommendations"]]
    assert years and set(years) == {"1995"}
    assert run("ask", movies, "--curve", "--years", "1995").status == 2
    assert run("ask", movies, "--picture", "x.png").status == 2
    assert "-0" not in run("ask", movies, "--answers", "4").out


def test_who_answers_nothing_gets_what_is_popular(run: Run, movies: Path) -> None:
    popular = run("recommend", "--rated", "1=3", "--model", "popularity", "-k", "3", "--data", movies, "--json")
    best = [row["item"] for row in popular.document["recommendations"]]
    for model in ("item-knn", "ease"):
        command = ("ask", movies, "--answers=-,-,-", "-k", "4", "--model", model)
        said = run(*command, "--json")
        assert said.status == 0, said.err
        answer = said.document
        assert answer["by_popularity"]
        assert [row["item"] for row in answer["recommendations"] if row["item"] != 1][:3] == best
        text = run(*command).out
        assert "by popularity" in text
        assert f"{model} has nothing to say from no answers" in text
    text = run("group", "1", "--stranger", " ", "--data", movies, "--model", "ease").out
    assert "counts by popularity" in " ".join(text.split())


def test_questions_to_a_person(run: Run, movies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("5\n\nlots\n3,5\nq\n"))
    answer = run("ask", movies, "--model", "ease", "--strategy", "popularity")
    assert answer.status == 0
    assert "'lots' is no rating" in answer.err
    assert "3 questions, 2 answers" in answer.out
    assert "because" in answer.out
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "0 questions, 0 answers" in run("ask", movies, "--model", "popularity").out


def test_the_curve(run: Run, movies: Path, tmp_path: Path) -> None:
    picture = tmp_path / "curve.png"
    command = ("ask", movies, "--curve", "--model", "svd", "-n", "3", "--people", "5")
    answer = run(*command, "--json", "--picture", picture)
    assert answer.status == 0, answer.err
    assert len(answer.document["curve"]) == 16
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "answers given, on average" in run(*command, "--strategy", "popularity").out
    assert run(*command, "--answers", "4").status == 2
    assert run("ask", movies, "--curve", "--model", tmp_path).status == 2
