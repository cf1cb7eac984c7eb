"""Nearest rows of dense matrices against all products, in blocks of any shape, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.kernels import gram
from coterie.kernels.dense_neighbors import nearest_dense
from tests.reference import dense_neighbors as reference

# Sums of a few eighths are exact in float32, in whatever order BLAS adds them up: so ties are ties.
EIGHTHS = st.integers(-8, 8).map(lambda number: number / 8)


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    n, d = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    return np.array(draw(st.lists(st.lists(EIGHTHS, min_size=d, max_size=d), min_size=n, max_size=n)), np.float32)


@settings(max_examples=60, deadline=None)
@given(matrices(), st.integers(1, 4), st.sampled_from([1, 2, 384]), st.sampled_from([1, 3, 1536]), st.data())
def test_every_shape_gives_the_pairs_of_the_twin(
    rows: np.ndarray, k: int, block: int, panel: int, data: st.DataObject
) -> None:
    left_out = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    order = np.argsort(~left_out, kind="stable").astype(np.int32)
    for threads in ("1", "3"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gram, "BLOCK", block)
            patch.setattr(gram, "PANEL", panel)
            patch.setenv("COTERIE_THREADS", threads)
            all_pairs = nearest_dense(rows, k)
            some = nearest_dense(rows, k, order, int(left_out.sum()))
        for (found, cosines), expected in (
            (all_pairs, reference.nearest_dense(rows, k)),
            (some, reference.nearest_dense(rows, k, left_out)),
        ):
            for i, pairs in enumerate(expected):
                assert list(zip(cosines[i].tolist(), found[i].tolist(), strict=True))[: len(pairs)] == pairs
                assert (found[i, len(pairs) :] == -1).all() and not cosines[i, len(pairs) :].any()


@settings(max_examples=30, deadline=None)
@given(matrices(), st.integers(1, 3), st.data())
def test_lists_of_different_pairs_are_merged_as_if_they_had_been_one(
    rows: np.ndarray, k: int, data: st.DataObject
) -> None:
    left_out = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    order = np.argsort(~left_out, kind="stable").astype(np.int32)
    alone = nearest_dense(np.where(left_out[:, None], rows, 0).astype(np.float32), k)
    merged = gram.merge_nearest(alone, nearest_dense(rows, k, order, int(left_out.sum())))
    for one, other in zip(merged, nearest_dense(rows, k), strict=True):
        np.testing.assert_array_equal(one, other)


def test_more_rows_than_a_block_agree_with_scikit_learn() -> None:
    from sklearn.neighbors import NearestNeighbors

    random = np.random.default_rng(0)
    rows = random.standard_normal((1700, 40), dtype=np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    found, cosines = nearest_dense(unit, 7)
    distances, others = NearestNeighbors(n_neighbors=8, metric="cosine", algorithm="brute").fit(rows).kneighbors()
    np.testing.assert_allclose(cosines, 1 - distances[:, :7], atol=2e-6)
    assert (found == others[:, :7]).mean() > 0.999


def test_threads_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).random((1200, 30), dtype=np.float32)
    results = set()
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("COTERIE_THREADS", threads)
        results.add(b"".join(part.tobytes() for part in nearest_dense(rows, 9)))
    assert len(results) == 1
