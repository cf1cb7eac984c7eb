"""Top-k of a Gram matrix against all products, and against the kernel that adds up co-rated entries, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.kernels import codes, corated, gram
from tests.reference import gram as reference
from tests.reference.matrices import HALF_STARS, POSITIVE, compress, rated

SHAPES = st.fixed_dictionaries(
    {
        "BLOCK": st.sampled_from([1, 2, 3, 384]),
        "PANEL": st.sampled_from([1, 2, 5, 1536]),
        "CHUNK": st.sampled_from([1, 2, 4096]),
        "SCATTER_COST": st.sampled_from([0.0, 2.0, 1e9]),  # nothing dense, some, everything
    }
)


@contextmanager
def shaped(shape: dict[str, float], threads: int = 1) -> Iterator[None]:
    """The kernel's blocks and costs as `shape` says, on so many threads."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shape.items():
            patch.setattr(gram, name, value)
        patch.setenv("COTERIE_THREADS", str(threads))
        yield


def top_k(dense: np.ndarray, jaccard: bool, k: int) -> tuple[np.ndarray, np.ndarray]:
    indptr, columns, values = compress(dense)
    size = np.diff(indptr) if jaccard else corated.row_statistics(indptr, values)[:, 1]
    values = np.ones_like(values) if jaccard else values
    shares: list[float] = []
    found = gram.top_k_gram(indptr, columns, values, dense.shape[1], size, jaccard, k, shares.append)
    assert sum(shares) == pytest.approx(1)
    return found


def by_corated_entries(dense: np.ndarray, jaccard: bool, k: int) -> tuple[np.ndarray, np.ndarray]:
    rows, n = compress(dense), len(dense)
    best, best_rows = np.empty((1, n, k), np.float32), np.empty((1, n, k), np.int32)
    asked = np.array([codes.JACCARD if jaccard else codes.COSINE], np.int64)
    statistics = corated.row_statistics(rows[0], rows[2])
    corated.corated_neighbors(0, n, *rows, *compress(dense.T), statistics, asked, 1.0, 0.0, 1, False, best, best_rows)
    return best_rows[0], np.nan_to_num(best[0])


@given(rated(POSITIVE, max_rows=9), SHAPES, st.booleans(), st.integers(1, 4))
def test_every_shape_gives_the_pairs_of_the_twin(
    dense: np.ndarray, shape: dict[str, float], jaccard: bool, k: int
) -> None:
    with shaped(shape):
        rows, similarities = top_k(dense, jaccard, k)
    expected = reference.top_k_gram(dense, jaccard, k)
    for i, pairs in enumerate(expected):
        assert list(zip(similarities[i].tolist(), rows[i].tolist(), strict=True))[: len(pairs)] == pairs
        assert (rows[i, len(pairs) :] == -1).all()
        assert (similarities[i, len(pairs) :] == 0).all()
    other_rows, other = by_corated_entries(dense, jaccard, k)
    assert (rows.tobytes(), similarities.tobytes()) == (other_rows.tobytes(), other.tobytes())


@settings(max_examples=20)
@given(rated(st.just(st.floats(0.125, 5, width=32)), max_rows=9), SHAPES, st.integers(1, 4))
def test_any_floats_agree_but_for_rounding(dense: np.ndarray, shape: dict[str, float], k: int) -> None:
    with shaped(shape):
        rows, similarities = top_k(dense, False, k)
    expected = reference.top_k_gram(dense, False, k)
    for i, pairs in enumerate(expected):
        assert (rows[i] >= 0).sum() == len(pairs)
        np.testing.assert_allclose(similarities[i, : len(pairs)], [s for s, _ in pairs], rtol=2e-6)


@settings(max_examples=30)
@given(rated(st.just(HALF_STARS), max_rows=12), SHAPES, st.booleans())
def test_any_number_of_threads_gives_the_same_bytes(dense: np.ndarray, shape: dict[str, float], jaccard: bool) -> None:
    found = set()
    for threads in (1, 2, 3):
        with shaped(shape, threads):
            found.add(b"".join(part.tobytes() for part in top_k(dense, jaccard, 3)))
    assert len(found) == 1


def test_many_equal_rows_are_tied_across_blocks_and_threads() -> None:
    dense = np.tile(np.array([[1.5, np.nan, 4.0, 0.5]], np.float32), (40, 1))
    dense[17, 1] = 2.0  # longer, so ranked first, and farther from all the others
    for threads in (1, 3):
        with shaped({"BLOCK": 7, "PANEL": 5, "CHUNK": 2, "SCATTER_COST": 2.0}, threads):
            rows, _ = top_k(dense, False, 3)
        assert rows[0].tolist() == [1, 2, 3]
        assert rows[1].tolist() == [0, 2, 3]
        assert rows[39].tolist() == [0, 1, 2]


def test_a_larger_matrix_with_whole_panels() -> None:
    random = np.random.default_rng(3)
    dense = np.where(random.random((130, 40)) < 0.15, random.integers(1, 11, (130, 40)) / 2, np.nan).astype(np.float32)
    for shape in ({"BLOCK": 48, "PANEL": 64, "CHUNK": 8}, {"BLOCK": 16, "PANEL": 33, "CHUNK": 3, "SCATTER_COST": 4.0}):
        with shaped(shape, 2):
            rows, similarities = top_k(dense, False, 10)
        other_rows, other = by_corated_entries(dense, False, 10)
        assert (rows.tobytes(), similarities.tobytes()) == (other_rows.tobytes(), other.tobytes())


@given(rated(POSITIVE))
def test_ranks_and_their_columns(dense: np.ndarray) -> None:
    ranked = gram.rank_rows(*compress(dense), dense.shape[1])
    order, columns = reference.rank_lists(dense)
    assert ranked.order.tolist() == order
    for column, expected in enumerate(columns):
        entries = slice(ranked.column_ptr[column], ranked.column_ptr[column + 1])
        listed = zip(ranked.ranks[entries].tolist(), ranked.column_values[entries].tolist(), strict=True)
        assert list(listed) == expected
