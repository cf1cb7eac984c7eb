"""Where items stand on a flat map: near where their vectors are."""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import numpy as np

from coterie.errors import ParameterError

Array = np.ndarray[Any, np.dtype[Any]]
MapMethod = Literal["tsne", "pca"]

_FEW = 12  # too few for t-SNE's neighbourhoods


def check_method(method: str) -> None:
    """`ParameterError` unless it is a way of making a map."""
    if method not in get_args(MapMethod):
        raise ParameterError(f"method must be 'tsne' or 'pca', not {method!r}")


def places(matrix: Any, method: MapMethod, random_state: int) -> Array:
    """float (n, 2): where the rows of a dense or sparse matrix (n, d) stand.

    Computed by one thread, so that it is always the same place.
    """
    from threadpoolctl import threadpool_limits

    from coterie.kernels.parallel import one_blas_thread

    with one_blas_thread, threadpool_limits(1, user_api="openmp"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # items that are all alike have no variance to explain
        if not isinstance(matrix, np.ndarray):
            from sklearn.decomposition import TruncatedSVD

            rank = min(50, *(side - 1 for side in matrix.shape))
            matrix = TruncatedSVD(max(rank, 1), random_state=random_state).fit_transform(matrix)
        matrix = np.asarray(matrix - matrix.mean(axis=0), np.float64)
        flat = _principal(matrix)
        if method == "pca" or len(matrix) < _FEW or not flat.any():
            return flat
        from sklearn.manifold import TSNE

        start = flat / (flat[:, 0].std() or 1.0) * 1e-4
        perplexity = min(30.0, (len(matrix) - 1) / 3)
        tsne = TSNE(init=start, perplexity=perplexity, random_state=random_state, learning_rate="auto")
        return np.asarray(tsne.fit_transform(matrix))


def _principal(matrix: Array) -> Array:
    """float (n, 2): the first two principal components of centred rows (n, d), from the smaller Gram matrix.

    The largest number of each component is positive; what there is not is 0.
    """
    from scipy.linalg import eigh

    n, d = matrix.shape
    tall = n >= d
    gram = matrix.T @ matrix if tall else matrix @ matrix.T
    side = len(gram)
    values, vectors = eigh(gram, subset_by_index=(max(side - 2, 0), side - 1))
    flat = matrix @ vectors if tall else vectors * np.sqrt(np.maximum(values, 0))
    flat = np.pad(flat[:, ::-1], ((0, 0), (0, 2 - flat.shape[1])))
    signs = np.sign(flat[np.abs(flat).argmax(axis=0), [0, 1]])
    return np.asarray(flat * np.where(signs == 0, 1, signs))
