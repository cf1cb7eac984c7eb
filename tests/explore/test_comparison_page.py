"""The page of a comparison says what the leaderboard says, and needs nothing but itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from coterie.evaluation import Leaderboard, compare
from coterie.explore import write_comparison
from tests.evaluation.small import Broken, Mean, world
from tests.explore.test_report import Page


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    models = ["random", "popularity", Mean(shift=1.0), Broken()]
    return compare(world(200), models, "random", ["ndcg@5", "rmse", "coverage@5"], progress=False)


@pytest.fixture(scope="module")
def page(board: Leaderboard, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("page") / "new" / "board.html"
    assert write_comparison(path, board) == path
    return Page.read(path)


def test_it_needs_nothing_but_itself(page: Page) -> None:
    assert {name for name, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "a"})
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "url(" not in "".join(page.text)


def test_it_has_the_words_the_findings_and_the_figures(page: Page, board: Leaderboard) -> None:
    text = "".join(page.text)
    for sentence in [*board.words(), *(finding.message for finding in board.findings)]:
        assert sentence in text
    for row in board.rows:
        for estimate in row.estimates.values():
            assert estimate is None or f"{estimate.value:.4f}" in text
    assert "failed: MemoryError: no room for 3 <numbers>" in text
    assert "shift=1.0" in text and "p < 0.001" in text and "model 160 B" in text


def test_it_has_a_picture_of_everything(page: Page) -> None:
    said = [image["alt"] or "" for image in page.all("img")]
    starts = [
        "popularity is best by ndcg@5.",
        "What accuracy costs in time.",
        "Accurate, or merely popular?",
        "By how many ratings people have.",
        "By how popular the items are that people rate.",
    ]
    assert len(said) == len(starts)
    assert all(text.startswith(start) for text, start in zip(said, starts, strict=True))


def test_further_metrics_by_group_are_tables(page: Page, board: Leaderboard) -> None:
    text = "".join(page.text)
    for name in ("rmse", "coverage@5"):
        for of_models in board.groups_by_metric[name]["activity"].values():
            for estimate in of_models.values():
                assert f"{estimate.value:.4f}" in text


def test_without_anything_to_draw_it_still_says_so(tmp_path: Path) -> None:
    failed = compare(world(), [Broken()], "random", ["ndcg@5"], progress=False)
    page = Page.read(write_comparison(tmp_path / "board.html", failed))
    assert not page.all("img") and "No model could be judged." in "".join(page.text)
    whole = compare(world(), ["random", "popularity"], "random", ["coverage@5"], progress=False)
    page = Page.read(write_comparison(tmp_path / "board.html", whole))
    assert len(page.all("img")) == 5  # groups of users have lists of their own
    rated = compare(world(), [Mean()], "3-fold", ["rmse"], progress=False)
    text = "".join(Page.read(write_comparison(tmp_path / "board.html", rated)).text)
    assert "pooled over 3 splits" in text and "merely popular" not in text
