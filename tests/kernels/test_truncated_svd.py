"""Singular triplets against LAPACK's, of matrices that are easy, flat, steep, repeated, of low rank and empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from coterie.errors import DivergenceError, MemoryBudgetError
from coterie.kernels import truncated_svd as module
from coterie.kernels.sparse_products import Sparse
from coterie.kernels.truncated_svd import Triplets, truncated_svd

random = np.random.default_rng(0)


@pytest.fixture
def krylov(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bases of 48 or 64 vectors, so that small matrices take the long way, restarts and all."""
    monkeypatch.setattr(module, "_SMALL", 0)
    yield


def sparse(dense: Any) -> Sparse:
    x = sp.csr_matrix(np.asarray(dense, np.float32))
    return Sparse.of(x.indptr, x.indices, x.data, x.shape[1])


def rotated(values: Any, n: int = 100, m: int = 90) -> np.ndarray:
    """A matrix with these singular values."""
    u, v = (np.linalg.qr(random.standard_normal((size, len(values))))[0] for size in (n, m))
    return np.asarray(u * values @ v.T)


def check(dense: np.ndarray, found: Triplets, k: int, rtol: float = 1e-5, spaces: bool = True) -> None:
    """`found` are the first k triplets that LAPACK finds, up to signs."""
    exact = np.linalg.svd(np.asarray(dense, np.float32).astype(np.float64), full_matrices=False)
    expected = np.pad(exact[1], (0, k))[:k]
    expected[expected < 1e-6 * expected[0]] = 0
    np.testing.assert_allclose(found.values, expected, rtol=rtol, atol=1e-6 * expected[0])
    rank = int((expected > 0).sum())
    for vectors, others, size in ((found.left, exact[0], len(dense)), (found.right, exact[2].T, dense.shape[1])):
        assert (vectors.shape, vectors.dtype) == ((size, k), np.float32)
        np.testing.assert_allclose(vectors[:, :rank].T @ vectors[:, :rank], np.eye(rank), atol=1e-5)
        assert not vectors[:, rank:].any()
        if spaces:
            np.testing.assert_allclose(vectors @ vectors.T, others[:, :rank] @ others[:, :rank].T, atol=2e-3)
    assert (found.right.max(axis=0) >= -found.right.min(axis=0)).all()


SHAPES = {
    "tall": random.random((100, 90)) * (random.random((100, 90)) < 0.3),
    "wide": random.random((90, 100)) * (random.random((90, 100)) < 0.3),
    "steep": rotated(0.7 ** np.arange(20)),
    "flat": rotated(1 + 0.2 ** np.arange(90)),
    "low rank": rotated([5.0, 2.0]),
    "ones": np.ones((100, 90)),
    "empty rows and columns": np.diag(np.arange(100.0) % 3)[:, :90],
    "nothing": np.zeros((100, 90)),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("k", [1, 4])
def test_triplets_are_those_of_lapack(krylov: None, name: str, k: int) -> None:
    dense = SHAPES[name]
    apart = name not in ("flat", "empty rows and columns")  # else any vectors of a larger space will do
    check(dense, truncated_svd(sparse(dense), k, 1e-5), k, spaces=apart)


# but for those whose end is lost in rounding, or all of one size
WHOLE = [(name, k) for name in SHAPES for k in (1, 4, 90, 120) if k < 90 or name not in ("steep", "flat")]


@pytest.mark.parametrize(("name", "k"), WHOLE)
def test_small_matrices_are_solved_at_once(name: str, k: int) -> None:
    apart = name not in ("flat", "empty rows and columns")
    check(SHAPES[name], truncated_svd(sparse(SHAPES[name]), k), k, spaces=apart)


def test_more_copies_of_a_value_than_a_block_has_vectors_are_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SMALL", 0)
    dense = np.kron(np.eye(40), np.ones((4, 5)))  # forty times the square root of 20
    found = truncated_svd(sparse(dense), 30)
    np.testing.assert_allclose(found.values, np.sqrt(20), rtol=1e-5)
    np.testing.assert_allclose(found.right.T @ found.right, np.eye(30), atol=1e-5)
    check(dense, truncated_svd(sparse(dense), 45), 45)  # and five are zeros


def test_values_are_as_near_as_the_tolerance_says(krylov: None) -> None:
    dense, products = SHAPES["tall"], []
    exact = np.linalg.svd(dense, compute_uv=False)[:4]
    for tolerance in (0.1, 1e-2, 1e-4):
        found = truncated_svd(sparse(dense), 4, tolerance, watch=products.append)
        missed = np.linalg.norm(dense.T @ found.left - found.values * found.right, axis=0)
        assert (missed <= (tolerance + 1e-5) * found.values).all()
        assert (np.abs(found.values / exact - 1) <= tolerance / 2).all()
        assert sum(products) == 4
        products.clear()


def test_the_same_bytes_on_any_number_of_threads(krylov: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for threads in "123":
        monkeypatch.setenv("COTERIE_THREADS", threads)
        found.add(b"".join(part.tobytes() for part in truncated_svd(sparse(SHAPES["wide"]), 4)))
    assert len(found) == 1


def test_what_cannot_be_decomposed_is_refused(krylov: None, monkeypatch: pytest.MonkeyPatch) -> None:
    dense = np.ones((100, 90))
    dense[3, 4] = np.nan
    with pytest.raises(DivergenceError, match="not finite"):
        truncated_svd(sparse(dense), 4)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_MOST_PRODUCTS", 2)
        with pytest.raises(DivergenceError, match="2 products did not find 4 singular triplets"):
            truncated_svd(sparse(SHAPES["tall"]), 4, 0.01)
    monkeypatch.setenv("COTERIE_MEMORY", "0.00001")
    with pytest.raises(MemoryBudgetError, match=r"100 x 90 with 4 factors .*fewer factors"):
        truncated_svd(sparse(SHAPES["tall"]), 4)
