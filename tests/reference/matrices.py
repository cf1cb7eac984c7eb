"""Small sparse matrices as Hypothesis makes them, dense with NaN for unrated; and their compressed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

Array = np.ndarray[Any, np.dtype[Any]]

HALF_STARS = st.integers(1, 10).map(lambda halves: halves / 2)
FLOATS = st.floats(-5, 5, width=32).filter(lambda x: abs(x) > 1e-3)
# what one matrix holds: half stars, one value everywhere, signs, any floats, far from zero with little variance
VALUES = st.sampled_from(
    [HALF_STARS, st.just(3.5), st.integers(-3, 3), FLOATS, st.integers(0, 8).map(lambda n: 10_000 + n / 4)]
)
POSITIVE = st.sampled_from([HALF_STARS, st.just(1.0), st.integers(1, 100).map(float)])


@st.composite
def rated(draw: st.DrawFn, values: st.SearchStrategy[Any] = VALUES, max_rows: int = 8, max_columns: int = 7) -> Array:
    """Ratings float32 (n, m), NaN where unrated: with empty rows and columns, and rows that are equal."""
    n, m = draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns))
    cell = st.one_of(st.just(float("nan")), draw(values))
    dense = draw(arrays(np.float32, (n, m), elements=cell, fill=st.nothing()))
    if draw(st.booleans()):
        dense = dense[draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n))]
    return dense


def compress(dense: Array) -> tuple[Array, Array, Array]:
    """`indptr` int64, `columns` int32 and `values` float32 of a dense matrix, row by row."""
    indptr, columns, values = [0], [], []
    for row in dense:
        for column, value in enumerate(row):
            if not np.isnan(value):
                columns.append(column)
                values.append(value)
        indptr.append(len(columns))
    return np.array(indptr, np.int64), np.array(columns, np.int32), np.array(values, np.float32)
