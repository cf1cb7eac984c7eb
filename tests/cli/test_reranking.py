"""Re-ranked lists on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import coterie as ct
from coterie.cli.reranking import LIST_FLAGS, reranked_from_text
from coterie.errors import ParameterError, UnknownIdError
from tests.cli.conftest import Run

MODEL = ("--model", "ease")


def test_lists_as_the_options_say(run: Run, movies: Path) -> None:
    ds = ct.load(movies)
    answer = run(
        "recommend", "1", "2", *MODEL, "--data", movies, "-k", "5", "--json", "--diversity", "0.3", "--calibration",
        "0.2", "--max-exposure", "1", "--must", "heat", "--never", "4", "--at-most", "comedy=2", "--pool", "20",
    )  # fmt: skip
    assert answer.status == 0, answer.err
    weights = {"diversity": 0.3, "calibration": 0.2, "max_exposure": 1.0, "pool": 20}
    model = ct.Reranked(ct.EASE(), must=(2,), never=(4,), at_most={"comedy": 2}, **weights)
    model.fit(ds.interactions, ds.catalog)
    found = [(row["user"], row["item"]) for row in answer.document["recommendations"]]
    assert found == model.recommend([1, 2], 5).select("user", "item").rows()
    assert (1, 2) in found
    assert answer.document["model"] == "reranked"
    assert answer.document["hyper_parameters"]["model"] == "ease"


def test_without_options_nothing_changes(run: Run, movies: Path) -> None:
    document = run("recommend", "1", *MODEL, "--data", movies, "--json").document
    assert document["model"] == "ease"


def test_a_genre_for_a_stranger_and_the_heading_says_how(run: Run, movies: Path) -> None:
    answer = run("recommend", "--rated", "heat=5", *MODEL, "--data", movies, "-k", "3", "--never", "Comedy")
    assert "by reranked (ease, never=('Comedy',))" in " ".join(answer.out.split())
    kinds = dict(ct.load(movies).catalog.items.select("title", "genres").iter_rows())  # type: ignore[union-attr]
    assert sum(title in answer.out for title in kinds) == 4  # three, and what was rated
    assert not any("Comedy" in own for title, own in kinds.items() if title in answer.out)


def test_a_folder_with_a_model_is_wrapped_too(run: Run, movies: Path, tmp_path: Path) -> None:
    assert run("fit", "ease", movies, "-o", tmp_path / "ease").status == 0
    folder = run("recommend", "1", "--model", tmp_path / "ease", "--diversity", "0.5", "--json").document
    fresh = run("recommend", "1", *MODEL, "--data", movies, "--diversity", "0.5", "--json").document
    assert folder["recommendations"] == fresh["recommendations"]


def test_a_saved_reranked_model_explains(run: Run, movies: Path, tmp_path: Path) -> None:
    ds = ct.load(movies)
    ct.Reranked(ct.EASE(), diversity=0.5).fit(ds.interactions, ds.catalog).save(tmp_path / "model")
    answer = run("explain", "1", "heat", "--model", tmp_path / "model")
    assert (answer.status, answer.err) == (0, "")
    again = run("recommend", "1", "--model", tmp_path / "model", "--diversity", "0.2")
    assert "model is Reranked itself" in again.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--diversity", "2"), "reranked: diversity must be between 0 and 1, not 2.0"),
        (("--diversity-by", "hue", "--diversity", "1"), "similarity must be one of 'genre', 'genome', 'ratings'"),
        (("--at-most", "Horror"), "--at-most takes a genre and a number, such as Horror=2, not 'Horror'"),
        (("--at-most", "Western=2"), "at_most names 'Western', which is no genre (genres are Comedy, Drama)"),
        (("--never", "nonsense"), "'nonsense' is no genre (genres are Comedy, Drama), and no item: no title is like"),
        (("--pool", "x"), "pool must be a whole number, not 'x'"),
    ],
)
def test_what_cannot_be_meant_is_said(options: tuple[str, ...], said: str, run: Run, movies: Path) -> None:
    answer = run("recommend", "1", *MODEL, "--data", movies, *options)
    assert answer.status == 1
    assert said in answer.err


def test_nothing_left_by_the_rules(run: Run, movies: Path) -> None:
    answer = run("recommend", "1", *MODEL, "--data", movies, "--never", "Drama")
    assert "the rules leave nothing" in answer.out


def test_options_as_texts(movies: Path) -> None:
    ds = ct.load(movies)
    base = ct.EASE()
    given = [("diversity", "0.3"), ("diversity_by", "ratings"), ("never", "comedy"), ("never", "Heat"), ("pool", "9")]
    model = reranked_from_text(base, given, ds.interactions, ds.catalog)
    assert model.label == "reranked(ease, diversity=0.3, similarity=ratings, never=('Comedy', 2), pool=9)"
    assert reranked_from_text(base, [], ds.interactions, ds.catalog) is base
    with pytest.raises(ParameterError, match="--colour says nothing about lists; there are --diversity"):
        reranked_from_text(base, [("colour", "1")], ds.interactions, ds.catalog)
    with pytest.raises(UnknownIdError, match="nonsense"):
        reranked_from_text(base, [("must", "nonsense")], ds.interactions, ds.catalog)
    assert set(LIST_FLAGS) >= {"--diversity", "--max-exposure", "--at-most"}


def test_a_wrong_rule_is_refused_before_anything_is_fitted(
    run: Run, movies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*_: object) -> None:
        raise AssertionError("fitted")

    monkeypatch.setattr(ct.EASE, "_fit", fit)
    for command in (["recommend", "1", "-m", "ease", "-d", movies], ["compare", movies, "-m", "ease"]):
        answer = run(*command, "--at-most", "Western=2")
        assert answer.status == 1
        assert answer.err == "error: at_most names 'Western', which is no genre (genres are Comedy, Drama)\n"
