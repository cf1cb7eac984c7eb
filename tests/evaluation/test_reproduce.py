"""Published protocols on miniature data whose splits and figures are worked out by hand, and on real data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.evaluation.reproduce import (
    PROTOCOLS,
    Entry,
    Figure,
    Options,
    Result,
    module,
    protocol,
    surprise,
)
from coterie.models.base import Recommender
from coterie.models.registry import MODELS, model_class

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(eq=False)
class Mean(Recommender):
    """Predicts the mean of the training ratings."""

    name = "mean"
    predicts_ratings = True

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self.mean_ = train.mean

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return np.full(profiles.shape, self.mean_, np.float32)


def result(ours: float | None, published: float | None, direction: Any = "equal", tolerance: float = 0.0015) -> Result:
    return Result("ndcg@100", "data", "ease", ours, published, tolerance, direction, "source")


# ---- what all share ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "direction", "verdict"),
    [
        (0.3925, "equal", "within"), (0.3895, "equal", "within"),
        (0.3926, "equal", "worse"), (0.3894, "equal", "worse"),
        (0.9, "at least", "better"), (0.3926, "at least", "better"), (0.3925, "at least", "within"),
        (0.3895, "at least", "within"), (0.3894, "at least", "worse"),
        (0.1, "at most", "better"), (0.3894, "at most", "better"), (0.3895, "at most", "within"),
        (0.3925, "at most", "within"), (0.3926, "at most", "worse"),
    ],
)  # fmt: skip
def test_tolerance_ends_where_it_says_on_both_sides(ours: float, direction: str, verdict: str) -> None:
    found = result(ours, 0.391, direction)
    assert found.verdict == found.to_dict()["verdict"] == verdict
    assert found.within is found.to_dict()["within"] is (verdict == "within")


def test_nothing_is_in_tolerance_of_nothing() -> None:
    assert result(None, 0.391).within is None and result(None, 0.391).verdict is None
    assert result(0.391, None).within is None


def test_protocols_say_what_they_need_and_name_models_that_exist() -> None:
    for name, known in PROTOCOLS.items():
        assert known.name == name
        assert "http" in known.data
        assert known.duration
        for entry in known.entries:
            assert entry.source in known.sources
            assert entry.figures
            if entry.ours and name != "module":
                assert entry.model in MODELS
                model_class(entry.model)  # settings are checked as a fit checks them
                for parameter in model_class(entry.model).parameters().values():
                    parameter.check(getattr(entry.make(), parameter.name), entry.model)
        with pytest.raises(ParameterError, match=f"{name} has no model 'nonsense'; it has {known.models[0]}"):
            known.run("nowhere", Options(only=("nonsense",)))
    with pytest.raises(ParameterError, match="there is no protocol 'nonsense'; there are surprise"):
        protocol("nonsense")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_absent_data_is_an_error_that_says_what_to_get(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"needed: .*https://"):
        list(PROTOCOLS[name].run(str(tmp_path)))


def test_figures_of_other_data_are_not_compared() -> None:
    entry = Entry("ease", (Figure("rmse", 0.9, 0.1),), "source", {"regularization": 5.0}, note="why")
    (ours,) = entry.results("data", {"rmse": 0.95}, 2.0)
    assert (ours.within, ours.note, ours.seconds, ours.model) == (True, "why", 2.0, "ease(regularization=5)")
    (foreign,) = entry.results("data", {"rmse": 0.95}, foreign="other data")
    assert (foreign.within, foreign.published, foreign.note) == (None, None, "other data; why")


# ---- Surprise ------------------------------------------------------------------------------------------


def five_folds(tmp_path: Path) -> Path:
    """Ten ratings; the published shuffle of ten lines is 2 8 4 9 1 6 7 3 0 5."""
    ratings = [1, 2, 3, 4, 5, 5, 4, 3, 2, 1]
    lines = [f"{1 + line // 4}\t{10 + line % 4}\t{rating}\t88" for line, rating in enumerate(ratings)]
    (tmp_path / "u.data").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_the_folds_are_the_published_shuffle_in_five_parts(tmp_path: Path) -> None:
    parts = list(surprise.folds(five_folds(tmp_path)))
    asked = [held_out.select("user", "item", "rating").rows() for _, held_out in parts]
    # line n is user 1 + n // 4 and item 10 + n % 4
    assert asked == [
        [(1, 12, 3), (3, 10, 2)],
        [(2, 10, 5), (3, 11, 1)],
        [(1, 11, 2), (2, 12, 4)],
        [(2, 13, 3), (1, 13, 4)],
        [(1, 10, 1), (2, 11, 5)],
    ]
    for train, held_out in parts:
        assert train.nnz == 8
        assert train.shape == (3, 4)  # users and items of the whole
        told = set(train.to_frame().select("user", "item").rows())
        assert not told & set(held_out.select("user", "item").rows())


def test_errors_are_means_over_folds(tmp_path: Path) -> None:
    rmse, mae = surprise.cross_validated(Mean, five_folds(tmp_path))
    # training means 25/8, 24/8, 24/8, 23/8, 24/8; errors (1/8, 9/8), (2, 2), (1, 1), (1/8, 9/8), (2, 2)
    assert mae == pytest.approx((5 / 8 + 2 + 1 + 5 / 8 + 2) / 5)
    assert rmse == pytest.approx((2 * np.sqrt((1 / 64 + 81 / 64) / 2) + 2 + 1 + 2) / 5)


def test_editions_are_read_alike(tmp_path: Path) -> None:
    expected = surprise.ratings(five_folds(tmp_path), "ml-100k")
    (tmp_path / "ml-1m").mkdir()
    text = "\n".join("::".join(map(str, (*row, 88))) for row in expected.rows())
    (tmp_path / "ml-1m" / "ratings.dat").write_text(text + "\n")
    assert surprise.ratings(tmp_path, "ml-1m").equals(expected)
    results = list(PROTOCOLS["surprise"].run(str(tmp_path), Options(only=("bias",))))
    assert [(r.dataset, r.figure) for r in results] == [
        ("ml-100k", "rmse"), ("ml-100k", "mae"), ("ml-1m", "rmse"), ("ml-1m", "mae")
    ]  # fmt: skip
    assert results[0].ours == results[2].ours
    assert all(r.published is None and "not the published" in r.note for r in results)


def test_surprise_s_table_on_real_ratings(shared: Path) -> None:
    results = list(PROTOCOLS["surprise"].run(str(shared / "ml-100k"), Options(only=("bias", "slope-one"))))
    assert [(r.model, r.figure, r.verdict) for r in results] == [
        ("bias", "rmse", "within"), ("bias", "mae", "within"),
        ("slope-one", "rmse", "better"), ("slope-one", "mae", "better"),
    ]  # fmt: skip
    assert all(r.published is not None and r.ours is not None and r.ours > r.published - 0.01 for r in results)
    assert results[0].published == 0.944


# ---- the module ----------------------------------------------------------------------------------------


def three_people() -> Interactions:
    rows = [(1, 20, 4.0), (1, 30, 2.0), (2, 10, 5.0), (2, 20, 4.0), (2, 30, 2.0), (3, 10, 1.0), (3, 20, 2.0)]
    frame = pl.DataFrame(rows, schema=["user", "item", "rating"], orient="row")
    return Interactions.from_frame(frame, "user", "item", "rating")


def test_the_module_s_measures_by_hand() -> None:
    found = module.measures(three_people())
    # people 1 and 2 share (4, 2) and (4, 2), of three movies in all
    assert found == pytest.approx(
        {
            "jaccard": 2 / 3,
            "cosine": 20 / np.sqrt(20 * 45),
            "pearson": 1,
            "manhattan": 0,
            "euclidean": 0,
            "chebyshev": 0,
        }
    )


def test_the_module_s_examples_by_hand() -> None:
    x = three_people()
    # persons 2 and 3 rated movie 10, with 5 and 1; person 1's profile is (0, 4, 2), theirs (5, 4, 2) and (1, 2, 0)
    found = module.user_based(x)
    near = {"neighbour 1": 8 / np.sqrt(20 * 5), "neighbour 2": 20 / np.sqrt(20 * 45)}
    assert found == pytest.approx({**near, "rating": 3.0}, rel=1e-6)
    # movies as columns: 10 is (0, 5, 1), 20 is (4, 4, 2), 30 is (2, 2, 0)
    found = module.item_based(x)
    near = {"neighbour 1": 22 / np.sqrt(26 * 36), "neighbour 2": 10 / np.sqrt(26 * 8)}
    assert found == pytest.approx({**near, "mean with zeros": (5 + 4 + 2 + 1 + 2 + 0) / 6}, rel=1e-6)


def test_the_module_s_counts_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    x = three_people()
    movies = pl.DataFrame(
        {"item": [10, 20, 30, 40], "title": ["A (1990)"] * 4, "genres": ["Drama|War", "War", "", "War"]}
    )
    tags = pl.DataFrame({"user": [1, 1, 2], "item": [10, 20, 10], "tag": ["a", "b", "a"]})
    catalog = replace(Catalog.from_titles(movies), tags=tags)
    monkeypatch.setattr(module, "MIN_ITEM_RATINGS", 3)
    assert module.counts(Dataset(x, catalog)) == {
        "movies kept": 1, "people kept": 3, "movies": 4, "genres": 2, "genome tags": 0
    }  # fmt: skip
    monkeypatch.setattr(module, "OFFICIAL", x.nnz)
    assert module.counts(Dataset(x, catalog)) == {
        "movies kept": 1, "people kept": 3, "movies": 4, "genres": 2, "genome tags": 0,
        "people": 3, "rated movies": 3, "movies left out": 2, "people who tagged": 2, "tags": 2,
    }  # fmt: skip


def test_the_module_needs_its_thousand_people(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,10,5,100\n2,10,4,100\n")
    with pytest.raises(DataError, match=r"2 people, fewer than the 1,000 of the module; needed: MovieLens 20M"):
        list(PROTOCOLS["module"].run(str(tmp_path)))


def test_all_that_the_module_prints_of_its_thousand_people(shared: Path) -> None:
    results = list(PROTOCOLS["module"].run(str(shared)))
    assert all(r.within for r in results)
    ours = {(r.model.partition("(")[0], r.figure): r.ours for r in results}
    assert ours["counts", "movies kept"] == 1706
    assert ours["user-knn", "rating"] == pytest.approx(3.87)
    assert ours["item-knn", "mean with zeros"] == pytest.approx(1.7778, abs=5e-5)
    assert len(results) == 5 + 6 + 4 + 4
