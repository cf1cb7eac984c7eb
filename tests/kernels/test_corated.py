"""Sums over co-rated entries, the six measures and the nearest rows against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels import codes, corated
from tests.reference import corated as reference
from tests.reference.matrices import compress, rated

CODES = {
    ("jaccard", "table"): codes.JACCARD,
    ("cosine", "table"): codes.COSINE,
    ("pearson", "table"): codes.PEARSON,
    ("pearson", "notebook"): codes.PEARSON_CORATED,
    ("manhattan", "table"): codes.MANHATTAN,
    ("manhattan", "notebook"): codes.MANHATTAN_MEAN,
    ("euclidean", "table"): codes.EUCLIDEAN,
    ("euclidean", "notebook"): codes.EUCLIDEAN_MEAN,
    ("chebyshev", "table"): codes.CHEBYSHEV,
    ("chebyshev", "notebook"): codes.CHEBYSHEV_SCALED,
}
ALL_CODES = np.array(list(CODES.values()), np.int64)


def all_lanes(dense: np.ndarray, row: int) -> np.ndarray:
    """What the kernels add up for one row against all."""
    columns, values = compress(dense[row : row + 1])[1:]
    lanes = np.zeros((len(dense), corated.LANES))
    corated.sum_row(columns, values, *compress(dense.T), lanes)
    return lanes


@given(rated())
def test_sums_of_a_row_and_of_a_pair(dense: np.ndarray) -> None:
    expected = [reference.lanes(dense[0], other) for other in dense]
    np.testing.assert_allclose(all_lanes(dense, 0), expected, rtol=1e-13, atol=1e-12)
    indptr, columns, values = compress(dense)
    lanes, last = np.full(corated.LANES, 7.0), slice(indptr[-2], indptr[-1])
    corated.sum_pair(columns[: indptr[1]], values[: indptr[1]], columns[last], values[last], lanes)
    np.testing.assert_allclose(lanes, expected[-1], rtol=1e-13, atol=1e-12)


@given(rated())
def test_what_a_row_knows_alone(dense: np.ndarray) -> None:
    indptr, _, values = compress(dense)
    expected = [reference.statistics(row) for row in dense]
    np.testing.assert_allclose(corated.row_statistics(indptr, values), expected, rtol=1e-13)


def test_what_many_rows_know_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    dense = np.where(random.random((3000, 9)) < 0.3, random.random((3000, 9)), np.nan).astype(np.float32)
    indptr, _, values = compress(dense)
    expected = [reference.statistics(row) for row in dense]
    found = set()
    for threads in "12":
        monkeypatch.setenv("COTERIE_THREADS", threads)
        statistics = corated.row_statistics(indptr, values)
        np.testing.assert_allclose(statistics, expected, rtol=1e-13)
        found.add(statistics.tobytes())
    assert len(found) == 1


@given(rated(), st.sampled_from([0.0, 4.5]))
def test_measures_are_their_formulas(dense: np.ndarray, spread: float) -> None:
    indptr, _, values = compress(dense)
    statistics, lanes = corated.row_statistics(indptr, values), all_lanes(dense, 0)
    for (name, reading), code in CODES.items():
        out = np.empty(len(dense))
        corated.measure_rows(code, lanes, statistics[0], statistics, spread, out)
        expected = [reference.measure(name, reading, dense[0], other, spread) for other in dense]
        # sums of squares about 1e8 leave differences of about 1e-7 of a star
        np.testing.assert_allclose(out, expected, rtol=1e-6, atol=2e-6, err_msg=f"{name}, {reading}")


@given(rated(), st.sampled_from([0.0, 4.5]))
def test_what_a_measure_is_made_of(dense: np.ndarray, spread: float) -> None:
    indptr, _, values = compress(dense)
    statistics, lanes = corated.row_statistics(indptr, values), all_lanes(dense, 0)[-1]
    both = ~np.isnan(dense[0]) & ~np.isnan(dense[-1])
    alone = np.full((int(both.sum()), corated.LANES), 7.0)
    corated.sum_entries(dense[0][both], dense[-1][both], alone)
    means, of_pair, of_entries = np.empty(2), np.empty((1, 3)), np.empty((len(alone), 3))
    for (name, reading), code in CODES.items():
        corated.center_pair(code, lanes, statistics[0], statistics[-1], means)
        corated.split_rows(code, lanes[None, :], statistics[0], statistics[-1], spread, means, of_pair)
        corated.split_rows(code, alone, statistics[0], statistics[-1], spread, means, of_entries)
        whole, entries = reference.parts(name, reading, dense[0], dense[-1], spread)
        scale = max(1.0, float(np.nanmax(np.abs(dense), initial=0.0)) ** 2)  # of what cancels
        np.testing.assert_allclose(of_pair[0], whole, rtol=1e-6, atol=2e-12 * scale * (1 + len(alone)), err_msg=name)
        if name in ("manhattan", "euclidean"):  # the divisor of an entry alone is that of one entry
            of_entries[:, 1] = 1.0
        got = of_entries.reshape(-1, 3)
        np.testing.assert_allclose(got, np.reshape(entries, (-1, 3)), rtol=1e-6, atol=2e-12 * scale, err_msg=name)


@pytest.mark.parametrize("level", [0.1, 3.7, 1e6, 1e6 + 0.0625])
def test_pearson_takes_rounding_for_no_variance(level: float) -> None:
    dense = np.full((2, 500), level, np.float32)
    dense[1, ::2] = 1.0
    indptr, _, values = compress(dense)
    statistics, out = corated.row_statistics(indptr, values), np.empty(2)
    for code in (codes.PEARSON, codes.PEARSON_CORATED):
        corated.measure_rows(code, all_lanes(dense, 0), statistics[0], statistics, 1.0, out)
        assert out.tolist() == [0.0, 0.0]


def test_pearson_far_from_zero_keeps_its_digits() -> None:
    random = np.random.default_rng(0)
    dense = (1e6 + random.integers(0, 80, (2, 40)) / 4).astype(np.float32)
    indptr, _, values = compress(dense)
    statistics, out = corated.row_statistics(indptr, values), np.empty(2)
    corated.measure_rows(codes.PEARSON_CORATED, all_lanes(dense, 0), statistics[0], statistics, 1.0, out)
    assert out[1] == pytest.approx(np.corrcoef(dense.astype(np.float64))[0, 1], abs=1e-3)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.sampled_from([0.0, 1.0, 25.0]), st.booleans())
def test_shrinking(overlaps: list[int], shrinkage: float, distance: bool) -> None:
    values = np.linspace(-1, 1, len(overlaps))
    lanes = np.zeros((len(overlaps), corated.LANES))
    lanes[:, 0] = overlaps
    out = values.copy()
    corated.shrink_rows(codes.EUCLIDEAN if distance else codes.PEARSON, lanes, shrinkage, out)
    expected = [reference.shrunk(v, n, shrinkage, distance) for v, n in zip(values, overlaps, strict=True)]
    np.testing.assert_allclose(out, expected, rtol=1e-15)


@given(rated(max_rows=20), st.sampled_from([0.0, 3.0]), st.integers(1, 3), st.booleans(), st.integers(1, 6), st.data())
def test_nearest_rows_by_all_measures_in_one_pass(
    dense: np.ndarray, shrinkage: float, min_overlap: int, absolute: bool, k: int, data: st.DataObject
) -> None:
    n = len(dense)
    start = data.draw(st.integers(0, n - 1))
    rows, columns = compress(dense), compress(dense.T)
    statistics = corated.row_statistics(rows[0], rows[2])
    best, best_rows = np.full((len(CODES), n, k), 9, np.float32), np.full((len(CODES), n, k), 9, np.int32)
    corated.corated_neighbors(
        start, n, *rows, *columns, statistics, ALL_CODES, 4.5, shrinkage, min_overlap, absolute, best, best_rows
    )
    assert (best_rows[:, :start] == 9).all()
    for row in range(start, n):
        lanes, out = all_lanes(dense, row), np.empty(n)
        for m, code in enumerate(ALL_CODES):
            corated.measure_rows(code, lanes, statistics[row], statistics, 4.5, out)
            corated.shrink_rows(code, lanes, shrinkage, out)
            distance = bool(code >= codes.FIRST_DISTANCE)
            expected = reference.nearest(out, lanes[:, 0], row, k, distance, min_overlap, absolute)
            count = len(expected)
            found = list(zip(best_rows[m, row].tolist(), best[m, row].tolist(), strict=True))
            assert found[:count] == expected
            assert (best_rows[m, row, count:] == -1).all()
            assert np.isnan(best[m, row, count:]).all()
