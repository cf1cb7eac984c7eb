"""The largest singular triplets of a sparse matrix by block Krylov iteration, to a promised accuracy.

A basis Q of the space spanned by B, GB, GGB, ... with G = X'X (on the shorter side of X) grows by a block of sixteen
vectors at a time (Golub and Underwood 1977; Musco and Musco 2015 for why that beats powers of G on one block). Each
block is made orthogonal to the whole basis, and cleaned twice. The eigenvectors s of the small matrix T = Q'GQ give
the best approximations v = Qs there are in the space. What a Ritz pair (theta, v) misses, ``Gv - theta v``, is the
next block times the last rows of s, so its norm is known at no cost, and the iteration ends when it is small for every
wanted pair. A basis that is full is cut back to its best vectors and goes on (thick restart; Stewart 2001).

Vectors are float32 and all small matrices float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from coterie.errors import DivergenceError
from coterie.kernels.memory import require_memory
from coterie.kernels.parallel import run_blocks
from coterie.kernels.sparse_products import GramProduct, Sparse, times
from coterie.kernels.tiles import NARROW

Array = np.ndarray[Any, np.dtype[Any]]
#: Told now and then how many more triplets are found.
Watch = Callable[[int], None]

# Vectors for which a basis has room at least. Where the shorter side has few more, all its eigenvectors are computed.
_SMALL = 256
# Columns of a long, thin matrix that one task multiplies, and rows that are made dense at once.
_RANGE = 4096
# Products with G before giving up. Residuals fall geometrically, so that hundreds are far more than it takes.
_MOST_PRODUCTS = 1000
# Rounding: no residual of an eigenvalue theta gets below this times the largest eigenvalue in float32.
_NOISE = 3e-7
# A singular value below this times the largest is rounding, and is given as 0.
_ZERO = 2e-6


class Triplets(NamedTuple):
    """``X v_c = sigma_c u_c``, the largest singular value first.

    Where X has fewer non-zero singular values than wanted, the others are 0, and so are their vectors.
    """

    left: Array  # float32 (n_rows, k): u in the columns
    values: Array  # float64 (k,)
    right: Array  # float32 (n_columns, k): v in the columns


def truncated_svd(matrix: Sparse, k: int, tolerance: float = 1e-3, watch: Watch = lambda more: None) -> Triplets:
    """The k largest singular values of X and their vectors.

    Parameters
    ----------
    matrix : Sparse
        X (n, m).
    k : int, at least 1
    tolerance : float above 0
        The iteration ends when ``|X'u - sigma v| <= tolerance * sigma`` for each triplet, with u = Xv / sigma, or when
        float32 allows no better, as for values below a thousandth of the largest. Each other sigma is then within
        ``tolerance / 2`` of a singular value, relatively, and in practice within about the square of that.
    watch : callable
        Called now and then with how many more triplets are found (fewer, where better ones come up).

    Returns
    -------
    Triplets
        The largest component of each column of `right` is positive. The same on any number of threads.

    Raises
    ------
    DivergenceError
        X holds a value that is not finite.
    """
    if not np.isfinite(matrix.values).all():
        raise DivergenceError("the matrix holds a value that is not finite, and has no singular values")
    if not matrix.n_rows or not matrix.n_columns:
        left, right = (np.zeros((n, k), np.float32) for n in (matrix.n_rows, matrix.n_columns))
        return Triplets(left, np.zeros(k), right)
    tall = matrix.n_rows >= matrix.n_columns
    if not tall:
        matrix = matrix.transposed()
    made = run_blocks(lambda start, stop: _triplets_of_tall(matrix, k, tolerance, watch), 1, 1)[0]  # one BLAS thread
    left, values, right = made if tall else (made.right, made.values, made.left)
    signs = np.sign(right[np.argmax(np.abs(right), axis=0), np.arange(k)])
    return Triplets(left * signs, values, right * signs)


def _triplets_of_tall(matrix: Sparse, k: int, tolerance: float, watch: Watch) -> Triplets:
    n, m = matrix.n_rows, matrix.n_columns
    room = _room(k)
    wanted = min(k, m)
    require_memory(
        4 * (min(room, m) * m + 2 * n * k + 2 * m * k) + 1024 * m,
        f"a singular value decomposition of {n:,} x {m:,} with {k} factors",
        "ask for fewer factors",
    )
    vectors = _all_vectors(matrix)[:, :wanted] if m <= room + NARROW else _krylov_vectors(matrix, k, tolerance, watch)
    return _finish(matrix, vectors, k)


def _room(k: int) -> int:
    """Vectors that a basis may have: enough for the wanted ones and for as many on the way, in whole blocks."""
    return max(_SMALL, 4 * k) // NARROW * NARROW + 3 * NARROW


def _all_vectors(matrix: Sparse) -> Array:
    """Eigenvectors, float32 (m, m), of G; the largest eigenvalue first."""
    import scipy.sparse as sp

    n, m = matrix.n_rows, matrix.n_columns
    x = sp.csr_matrix((matrix.values, matrix.indices, matrix.indptr), shape=(n, m))
    gram = np.zeros((m, m))
    for start in range(0, n, _RANGE):
        rows = x[start : start + _RANGE].toarray().astype(np.float64)
        gram += rows.T @ rows
    return np.asarray(np.linalg.eigh(gram)[1][:, ::-1], np.float32)


def _krylov_vectors(matrix: Sparse, k: int, tolerance: float, watch: Watch) -> Array:
    """Eigenvectors, float32 (m, k), of the k largest eigenvalues of G."""
    m, room = matrix.n_columns, _room(k)
    gram = GramProduct(matrix)
    basis = np.empty((room + NARROW, m), np.float32)  # in the rows
    small = np.zeros((room, room))  # T
    size, next_check, n_found = 0, k + NARROW, 0
    chance = np.random.default_rng(0)
    block = _orthogonal(basis[:0], chance.standard_normal((m, NARROW), np.float32), 0.0, chance)[0]
    for _ in range(_MOST_PRODUCTS):
        basis[size : size + NARROW] = block.T
        size += NARROW
        product = gram(block)
        remains = np.linalg.norm(product)
        overlap = _project_out(basis[:size], product)
        small[:size, size - NARROW : size] = overlap
        small[size - NARROW : size, :size] = overlap.T
        block, rest = _orthogonal(basis[:size], product, small.diagonal().max(), chance)
        if size < next_check and size < room:
            continue
        values, vectors = np.linalg.eigh(small[:size, :size])
        values, vectors = values[::-1], vectors[:, ::-1]
        residuals = np.linalg.norm(rest @ vectors[-NARROW:, :k], axis=0)
        noise = _NOISE * values[0]
        found = residuals <= tolerance * values[:k] + noise
        found &= (values[:k] > noise) | (remains <= NARROW * noise)  # nothing is 0 while something may be left
        watch(int(found.sum()) - n_found)
        n_found = int(found.sum())
        if found.all():
            return _combined(basis[:size], vectors[:, :k])
        if size == room:  # thick restart: what was missed is still the new block's share
            size = (k + 2 * NARROW) // NARROW * NARROW
            basis[:size] = _combined(basis[:room], vectors[:, :size]).T
            small[:] = 0
            np.fill_diagonal(small[:size, :size], values[:size])
        next_check = size + max(NARROW, size // 8)
    raise DivergenceError(
        f"{_MOST_PRODUCTS} products did not find {k} singular triplets to a tolerance of {tolerance:g}; "
        "try a larger tolerance or fewer factors"
    )


def _orthogonal(basis: Array, block: Array, scale: float, chance: np.random.Generator) -> tuple[Array, Array]:
    """An orthonormal block (m, NARROW) orthogonal to the basis, and R (NARROW, NARROW) with ``block ~ it @ R``.

    Columns that have nothing left but rounding, as compared with `scale`, give way to random ones: what is in the
    space of the basis G keeps there, and what else there is must be looked for elsewhere.
    """
    made, factor = np.linalg.qr(block)
    gone = np.abs(np.diag(factor)) <= _NOISE * scale
    made[:, gone] = chance.standard_normal((len(made), int(gone.sum())), np.float32)
    total = np.where(gone[:, None], 0, factor.astype(np.float64))
    for _ in range(2):  # a vector that was mostly rounding has to be cleaned again after it was scaled up
        _project_out(basis, made)
        made, factor = np.linalg.qr(made)
        total = factor @ total
    return np.ascontiguousarray(made), total


def _project_out(basis: Array, block: Array) -> Array:
    """Subtract from `block` (m, NARROW), in place, its part in the basis (size, m); the part's coordinates."""
    m = len(block)

    def coordinates(start: int, stop: int) -> Array:
        return np.asarray(basis[:, start:stop] @ block[start:stop], np.float64)

    overlap = np.sum(run_blocks(coordinates, m, _RANGE), axis=0)
    rounded = overlap.astype(np.float32)

    def subtract(start: int, stop: int) -> None:
        block[start:stop] -= basis[:, start:stop].T @ rounded

    run_blocks(subtract, m, _RANGE)
    return np.asarray(overlap)


def _combined(basis: Array, weights: Array) -> Array:
    """``basis.T @ weights``, float32 (m, columns)."""
    out, rounded = np.empty((basis.shape[1], weights.shape[1]), np.float32), weights.astype(np.float32)

    def work(start: int, stop: int) -> None:
        np.matmul(basis[:, start:stop].T, rounded, out=out[start:stop])

    run_blocks(work, len(out), _RANGE)
    return out


def _finish(matrix: Sparse, vectors: Array, k: int) -> Triplets:
    """Triplets from vectors (m, at most k) that span the space: singular values as X itself gives them."""
    products = times(matrix, vectors)

    def gram(start: int, stop: int) -> Array:
        part = products[start:stop].astype(np.float64)
        return np.asarray(part.T @ part)

    squares, rotation = np.linalg.eigh(np.sum(run_blocks(gram, len(products), _RANGE), axis=0))
    values = np.sqrt(np.maximum(squares[::-1], 0))
    values[values <= _ZERO * values[0]] = 0
    scale = np.divide(1, values, out=np.zeros(len(values)), where=values > 0)
    rotation = rotation[:, ::-1]
    padding = ((0, 0), (0, k - len(values)))
    right = np.pad(_combined(vectors.T, rotation * (values > 0)), padding)
    left = np.pad(_combined(products.T, rotation * scale), padding)
    return Triplets(left, np.pad(values, padding[1]), right)
