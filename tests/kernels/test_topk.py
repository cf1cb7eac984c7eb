"""The best entries of rows of scores, by NumPy and by the compiled loop, against a sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coterie.kernels import topk
from coterie.kernels.topk import top_k_row, top_k_rows
from tests.reference import topk as reference

SCORES = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 12)),
    elements=st.sampled_from([np.nan, -np.inf, -1.0, 0.0, 0.25, 0.5, 0.5, 2.0]),
)


@pytest.mark.parametrize("few_rows", [16, 0], ids=["numpy", "compiled"])
@given(SCORES, st.integers(1, 15))
def test_rows_against_the_twin(few_rows: int, scores: np.ndarray, k: int) -> None:
    before = scores.copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topk, "_FEW_ROWS", few_rows)
        indices, values, counts = top_k_rows(scores, k)
    assert (indices.dtype, values.dtype) == (np.int32, np.float32)
    assert indices.shape == values.shape == (len(scores), min(k, scores.shape[1]))
    np.testing.assert_array_equal(scores, before)
    for row, expected in enumerate(reference.top_k(scores, k)):
        count = counts[row]
        assert list(zip(values[row, :count].tolist(), indices[row, :count].tolist(), strict=True)) == expected
        assert (indices[row, count:] == -1).all()
        assert (values[row, count:] == -np.inf).all()


@given(SCORES, st.integers(1, 15))
def test_one_row_against_the_twin(scores: np.ndarray, k: int) -> None:
    assert top_k_row(scores[0], k).tolist() == [column for _, column in reference.top_k(scores[:1], k)[0]]


def test_no_columns_give_empty_rows() -> None:
    indices, _, counts = top_k_rows(np.empty((2, 0), np.float32), 5)
    assert indices.shape == (2, 0)
    assert counts.tolist() == [0, 0]
