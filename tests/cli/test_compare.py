"""Comparing models from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import coterie as ct
from coterie.models.registry import MODELS
from tests.cli.conftest import Run

OPTIONS = ["--split", "random", "--metric", "ndcg@5", "--metric", "rmse", "--seed", "3"]


def test_compare_is_the_library_s(run: Run, movies: Path) -> None:
    models = ["-m", "popularity", "-m", "user-knn", "--n-neighbors", "4", "-m", "user-knn", "--n-neighbors", "9"]
    document = run("compare", movies, *models, *OPTIONS, "--json").document
    board = ct.compare(
        ct.load(movies),
        models=["popularity", ct.UserKNN(n_neighbors=4), ct.UserKNN(n_neighbors=9)],
        split="random",
        metrics=["ndcg@5", "rmse"],
        random_state=3,
        progress=False,
    )
    expected = board.to_dict()
    assert document["words"] == expected["words"]
    timeless = [[{k: v for k, v in row.items() if not k.endswith("seconds")} for row in d["rows"]]
                for d in (document, expected)]  # fmt: skip
    assert timeless[0] == timeless[1]


def test_without_models_all_are_compared(run: Run, movies: Path) -> None:
    rows = run("compare", movies, *OPTIONS, "--json").document["rows"]
    assert {row["model"] for row in rows} == set(MODELS)
    assert [row["error"] for row in rows if row["error"]] == []


def test_the_table_names_what_it_compared(run: Run, movies: Path) -> None:
    shown = run("compare", movies, "-m", "popularity", "-m", "random", "--random-state", "5", *OPTIONS).out
    assert "popularity" in shown
    assert "random_state=5" in shown
    assert "leads" in shown


@pytest.mark.parametrize("width", [40, 50, 70, 80])
def test_models_keep_their_names_on_a_narrow_terminal(
    run: Run, movies: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run("compare", movies, "-m", "popularity", "-m", "item-knn", "--n-neighbors", "5", "--split", "random").out
    assert {"popularity", "item-knn", "n_neighbors=5", "ndcg"} <= set(shown.split())
    assert max(map(len, shown.splitlines())) <= width
