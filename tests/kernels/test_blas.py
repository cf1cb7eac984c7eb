"""What BLAS does in place against NumPy's products, on parts of larger matrices and their transposes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.kernels.blas import add_product, add_square, times_triangle, triangle_times

Array = np.ndarray[Any, np.dtype[Any]]

SIZES = st.integers(0, 9)
SCALES = st.sampled_from([1, -1, 0.5])


def part(seed: int, rows: int, columns: int, transposed: bool = False) -> Array:
    """A matrix of small whole numbers, whose sums are exact, inside a larger one of NaN."""
    if transposed:
        return part(seed, columns, rows).T
    around = np.full((rows + 3, columns + 5), np.nan, np.float32)
    inside = around[1 : rows + 1, 2 : columns + 2]
    inside[:] = np.random.default_rng(seed).integers(-8, 9, (rows, columns))
    return inside


def unchanged_around(inside: Array) -> bool:
    around = inside.base
    assert around is not None
    return bool(np.isnan(around).sum() == around.size - inside.size)


@given(st.integers(0, 99), SIZES, SIZES, SIZES, st.booleans(), st.booleans(), SCALES)
def test_products_are_added(seed: int, m: int, n: int, k: int, left: bool, right: bool, scale: float) -> None:
    out, a, b = part(seed, m, n), part(seed + 1, m, k, left), part(seed + 2, k, n, right)
    expected = out + np.float32(scale) * (a @ b)
    add_product(out, a, b, scale)
    np.testing.assert_array_equal(out, expected)
    assert unchanged_around(out)


@given(st.integers(0, 99), SIZES, SIZES, st.booleans(), SCALES)
def test_squares_are_added_below_the_diagonal(seed: int, n: int, k: int, transposed: bool, scale: float) -> None:
    out, a = part(seed, n, n), part(seed + 1, n, k, transposed)
    expected = np.triu(out, 1) + np.tril(out + np.float32(scale) * (a @ a.T))
    add_square(out, a, scale)
    np.testing.assert_array_equal(out, expected)
    assert unchanged_around(out)


@given(st.integers(0, 99), SIZES, SIZES, st.booleans())
def test_triangles_multiply_from_either_side(seed: int, m: int, n: int, transposed: bool) -> None:
    only = np.triu if transposed else np.tril
    for multiply, size in ((triangle_times, m), (times_triangle, n)):
        out, triangle = part(seed, m, n), part(seed + 1, size, size, transposed)
        triangle[np.tril_indices(size, -1) if transposed else np.triu_indices(size, 1)] = np.nan  # never looked at
        whole = only(np.nan_to_num(triangle))
        if multiply is triangle_times:
            expected = whole @ out
            triangle_times(triangle, out)
        else:
            expected = out @ whole
            times_triangle(out, triangle)
        np.testing.assert_array_equal(out, expected)
        assert unchanged_around(out)
