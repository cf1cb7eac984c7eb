"""The dense Gram matrix against every product by itself, whatever its blocks and panels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.kernels import dense_gram, gram
from tests.reference import dense_gram as reference
from tests.reference.matrices import HALF_STARS, compress, rated

SHAPES = st.fixed_dictionaries(
    {
        "BLOCK": st.sampled_from([1, 2, 3, 384]),
        "PANEL": st.sampled_from([1, 2, 5, 1536]),
        "CHUNK": st.sampled_from([1, 2, 4096]),
    }
)
COSTS = st.sampled_from([0.0, 2.0, 1e9])  # nothing dense, some, everything


@given(rated(max_rows=9), SHAPES, COSTS, st.sampled_from([1, 4, 1000]), st.integers(1, 3))
def test_products_are_those_of_the_twin(
    dense: np.ndarray, shape: dict[str, int], cost: float, entries: int, threads: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shape.items():
            patch.setattr(gram, name, value)
        patch.setattr(dense_gram, "SCATTER_COST", cost)
        patch.setattr(dense_gram, "ENTRIES", entries)
        patch.setattr(dense_gram, "ROWS", shape["BLOCK"])
        patch.setenv("COTERIE_THREADS", str(threads))
        found = dense_gram.dense_gram(*compress(dense.T), len(dense))
    assert (found.dtype, found.flags.c_contiguous) == (np.float32, True)
    expected = reference.dense_gram(dense)
    scale = float(np.abs(np.nan_to_num(dense)).max(initial=0)) ** 2 * dense.shape[1]
    np.testing.assert_allclose(np.tril(found), np.tril(expected), rtol=1e-5, atol=1e-6 * scale)


@settings(max_examples=20)
@given(rated(st.just(HALF_STARS), max_rows=9), SHAPES, COSTS)
def test_any_number_of_threads_gives_the_same_bytes(dense: np.ndarray, shape: dict[str, int], cost: float) -> None:
    found = set()
    for threads in "123":
        with pytest.MonkeyPatch.context() as patch:
            for name, value in shape.items():
                patch.setattr(gram, name, value)
            patch.setattr(dense_gram, "SCATTER_COST", cost)
            patch.setenv("COTERIE_THREADS", threads)
            found.add(np.tril(dense_gram.dense_gram(*compress(dense.T), len(dense))).tobytes())
    assert len(found) == 1


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(1, 5), st.integers(1, 10))
def test_blocks_are_all_ranks_once_and_bounded(lengths: list[int], rows: int, entries: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gram, "BLOCK", rows)
        patch.setattr(dense_gram, "ENTRIES", entries)
        found = dense_gram.blocks_of_ranks(np.array(lengths, np.int64))
    assert [rank for start, stop in found for rank in range(start, stop)] == list(range(len(lengths)))
    for start, stop in found:
        assert 1 <= stop - start <= rows
        assert stop - start == 1 or sum(lengths[start:stop]) <= entries


@given(st.integers(0, 9), st.sampled_from([1, 2, 4, 64]), st.integers(0, 5))
def test_a_triangle_is_made_whole(n: int, tile: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    triangle, scale = random.integers(-9, 9, (n, n)).astype(np.float32), random.integers(1, 4, n).astype(np.float32)
    expected = reference.mirror(triangle, scale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense_gram, "TILE", tile)
        dense_gram.mirror(triangle, scale)
    np.testing.assert_array_equal(triangle, expected)
