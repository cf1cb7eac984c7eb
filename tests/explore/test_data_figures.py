"""Lorenz curves and the matrix of ratings hold what the data say, also where there is next to nothing."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.data.describe import gini
from coterie.data.interactions import Interactions
from coterie.errors import DataError, ParameterError
from coterie.explore import lorenz_curves, ratings_matrix, to_svg
from coterie.explore.data_figures import DENSITIES
from coterie.explore.style import description
from tests.explore.pictures import levels_of, make, world


def test_lorenz_curves_hold_the_shares_of_the_least_rated() -> None:
    x = world()
    figure = lorenz_curves(x)
    axes = figure.axes[0]
    _, items, users = axes.lines
    for line, counts, name in ((items, x.item_counts, "items"), (users, x.user_counts, "users")):
        ordered = sorted(counts.tolist())
        places, shares = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        assert (places[0], shares[0], places[-1], shares[-1]) == (0, 0, 100, 100)
        for place, share in zip(places, shares, strict=True):
            assert share == pytest.approx(100 * sum(ordered[: round(place * len(ordered) / 100)]) / x.nnz)
        area = np.trapezoid(shares, places) / 1e4
        assert 1 - 2 * area == pytest.approx(gini(counts))  # twice the area above the curve
        assert line.get_label() == f"{name}, Gini {gini(counts):.2f}"
    assert "most unevenly over items" in description(figure)
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "items or users, fewest ratings first (%)",
        "their share of the ratings (%)",
    )


def test_even_and_long_curves() -> None:
    assert description(lorenz_curves(make([1, 1, 2, 2], [1, 2, 1, 2]))).startswith("Ratings are spread evenly")
    n = 5000
    figure = lorenz_curves(make(np.arange(n), np.arange(n) % 7))
    assert all(len(line.get_xdata()) <= 400 for line in figure.axes[0].lines)  # type: ignore[arg-type]
    assert np.asarray(figure.axes[0].lines[2].get_ydata())[-1] == 100


@pytest.mark.parametrize("cells", [1, 7, 60])
def test_the_matrix_shows_the_density_of_its_cells(cells: int) -> None:
    x = world()
    figure = ratings_matrix(x, cells)
    dense = (x.to_scipy().toarray() > 0)[np.argsort(-x.user_counts, kind="stable")]
    dense = dense[:, np.argsort(-x.item_counts, kind="stable")]
    rows, columns = min(cells, x.n_users), min(cells, x.n_items)
    expected = np.array([[block.mean() for block in _parts(part.T, columns)] for part in _parts(dense, rows)])
    levels = levels_of(figure.axes[0], (rows, columns))
    assert ((levels > 0) == (expected > 0)).all()
    low = np.array([0, *DENSITIES])[levels]
    high = np.array([0, *DENSITIES[1:], 1.01])[levels]
    assert ((low <= expected + 1e-12) & (expected <= high)).all()
    assert f"{100 * x.nnz / x.n_users / x.n_items:.0f}% of the matrix" in description(figure)
    assert figure.axes[0].get_ylabel() == "users, the busiest first (rank)"
    to_svg(figure)


def _parts(rows: np.ndarray, n: int) -> list[np.ndarray]:
    cell = np.arange(len(rows)) * n // len(rows)
    return [rows[cell == c] for c in range(n)]


def test_one_rating_and_none() -> None:
    one = make([3], [4], [2.5])
    assert levels_of(ratings_matrix(one).axes[0], (1, 1)).tolist() == [[len(DENSITIES)]]
    assert description(ratings_matrix(one)).startswith("100% of the matrix")
    lorenz_curves(one)
    nothing = one.select(np.zeros(1, bool), keep_vocabularies=True)
    for draw in (lorenz_curves, ratings_matrix):
        with pytest.raises(DataError, match="no ratings"):
            draw(nothing)
    with pytest.raises(ParameterError, match="1 to 200, not 0"):
        ratings_matrix(one, 0)


def test_who_has_no_ratings_is_not_in_the_matrix() -> None:
    x = world()
    kept = x.select(x.indices < 5, keep_vocabularies=True)
    assert levels_of(ratings_matrix(kept).axes[0], (int((kept.user_counts > 0).sum()), 5)).shape[1] == 5


def test_real_ratings(shared) -> None:  # type: ignore[no-untyped-def]
    import polars as pl

    frame = pl.read_csv(shared / "ml-latest-small" / "ratings.csv")
    x = Interactions.from_frame(frame, "userId", "movieId", "rating")
    assert description(ratings_matrix(x)).startswith("1.7% of the matrix of ratings is filled. In the busiest corner 8")
    assert "Gini 0.72" in str(lorenz_curves(x).axes[0].lines[1].get_label())
