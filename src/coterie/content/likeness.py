"""How alike items are by what they are about: nearest items, and what two of them share, in numbers and words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.content.features import ItemFeatures
from coterie.kernels.memory import require_memory

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
#: A feature that two items share, and how much of their similarity it makes up.
Share = dict[str, Any]

# Features named of two items that share more; the others are one entry, so that an explanation stays readable.
_MOST = 20
# What genres are worth at the least.
_LEAST = 0.001


def shrunk_rows(features: ItemFeatures, shrinkage: float) -> Any:
    r"""Features scaled so that products of rows are cosines, shrunk where little is known.

    .. math:: \hat x_i = \frac{x_i}{\sqrt{\|x_i\|^2 + \lambda \, \overline{\|x\|^2}}}

    The mean is over the items that have features, and λ is the `shrinkage`. It is the plain cosine of items that have,
    besides what they share with others, something of their own that nobody knows: without it, two items with one tag,
    the same, would be as alike as can be.
    """
    dense = isinstance(features.matrix, np.ndarray)
    squares = features.matrix * features.matrix if dense else features.matrix.multiply(features.matrix)
    squares = np.asarray(squares.sum(axis=1, dtype=np.float64)).ravel()
    there = squares > 0
    own = shrinkage * squares[there].mean() if there.any() else 0.0
    scale = np.where(there, 1 / np.sqrt(np.where(there, squares, 1) + own), 0).astype(np.float32)
    if dense:
        return features.matrix * scale[:, None]
    scaled = features.matrix.copy()
    scaled.data *= np.repeat(scale, np.diff(scaled.indptr))
    return scaled


def _squares(matrix: Any) -> Array:
    """Squared lengths of rows, float64 (n,); a dense matrix stays dense and is not copied."""
    if isinstance(matrix, np.ndarray):
        return np.asarray(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    return np.asarray(matrix.astype(np.float64).power(2).sum(axis=1)).ravel()


def known_rows(matrix: Any) -> Array:
    """bool (n,): which rows are not all zeros."""
    return np.asarray(matrix.any(axis=1) if isinstance(matrix, np.ndarray) else np.diff(matrix.indptr) > 0)


def _dense(matrix: Any) -> Array:
    return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())


def worth(features: Any, genres: Any) -> float:
    r"""What a similarity by genres is worth in similarities by features: what items of the same genres have of them.

    .. math:: c = \frac{1}{|P|} \sum_{i \in P} \frac{1}{|P_i|} \sum_{j \in P_i} \hat t_i \cdot \hat t_j, \qquad
              P_i = \{j \ne i : \hat g_j = \hat g_i\}

    the mean over the other items of the same genres, averaged over the items P that have such others, so that a genre
    of many items does not count by all their pairs. Only items that have both are
    looked at. It is held within [0.001, 1], so that items without features have neighbours even where genres tell
    nothing, and is 1 where there are no such pairs.
    """
    import scipy.sparse as sp

    both = np.flatnonzero(known_rows(features) & known_rows(genres))
    if not len(both):
        return 1.0
    t = features[both]
    _, kinds = np.unique(np.round(_dense(genres[both]), 5), axis=0, return_inverse=True)
    alike = sp.csr_matrix((np.ones(len(both)), (kinds.ravel(), np.arange(len(both)))))
    sizes = np.bincount(kinds.ravel())
    means = (_squares(alike @ t) - alike @ _squares(t))[sizes > 1] / (sizes[sizes > 1] - 1)
    return float(np.clip(means.sum() / sizes[sizes > 1].sum(), _LEAST, 1)) if len(means) else 1.0


def nearest(features: Any, fallback: Any, k: int) -> tuple[Array, Array]:
    """The k items nearest to each item, by features where both have some, else by the fallback.

    Returns
    -------
    items : int32 (n, k), similarities : float32 (n, k)
        Nearest first, ties by smaller row number, only similarities above 0; -1 and NaN where there are fewer.
    """
    from coterie.kernels import gram
    from coterie.kernels.dense_neighbors import nearest_dense
    from coterie.kernels.parallel import thread_count

    n = features.shape[0]
    k = max(1, min(k, n - 1))
    copies = thread_count() + 3  # of the lists: each thread's, those found, those turned round
    require_memory(8 * copies * n * k, f"{n:,} lists of {k:,} items", "ask for fewer (model_size, n_neighbors)")
    if n == 0:
        return np.empty((0, k), np.int32), np.empty((0, k), np.float32)
    if isinstance(features, np.ndarray):
        found = nearest_dense(features, k)
    else:
        rows = features.indptr.astype(np.int64), features.indices.astype(np.int32), features.data
        found = gram.top_k_gram(*rows, features.shape[1], np.ones(n), False, k)
    known = known_rows(features)
    if not known.all() and known_rows(fallback).any():
        order = np.argsort(~known, kind="stable").astype(np.int32)
        found = gram.merge_nearest(found, nearest_dense(_dense(fallback), k, order, int(known.sum())))
    found[1][found[0] < 0] = np.nan
    return found


# ---- what two items share ------------------------------------------------------------------------------


def shared_features(matrix: Any, names: tuple[str, ...], one: int, other: int) -> list[Share]:
    """What makes two rows alike: `name` and `weight` of each feature, strongest first.

    The weights add up to the product of the rows. Where features are adjusted, both items may have less of one than
    most, which makes them alike: its name says so. Weights below 0 are features in which they are opposites. Of many,
    only the strongest are named; the others are the last entry.
    """
    if isinstance(matrix, np.ndarray):
        columns = np.arange(matrix.shape[1])
        a, b = matrix[one].astype(np.float64), matrix[other].astype(np.float64)
    else:
        columns, a, b = _common(matrix, one, other)
    weights = a * b
    order = np.argsort(-weights, kind="stable")
    order = order[weights[order] != 0]
    said = [
        {"name": f"less {names[columns[c]]}" if a[c] < 0 and b[c] < 0 else names[columns[c]], "weight": weights[c]}
        for c in order[:_MOST].tolist()
    ]
    rest = order[_MOST:]
    if len(rest):
        said.append({"name": f"({len(rest):,} more)", "weight": weights[rest].sum()})
    return [{"name": share["name"], "weight": float(share["weight"])} for share in said]


def _common(matrix: sp.csr_matrix, one: int, other: int) -> tuple[Array, Array, Array]:
    """The columns that two sparse rows have, and the values of both there."""
    p, q = (slice(matrix.indptr[row], matrix.indptr[row + 1]) for row in (one, other))
    columns, in_a, in_b = np.intersect1d(matrix.indices[p], matrix.indices[q], assume_unique=True, return_indices=True)
    a, b = matrix.data[p].astype(np.float64), matrix.data[q].astype(np.float64)
    return columns, a[in_a], b[in_b]


def in_words(shared: list[Share], source: str, most: int = 3) -> str:
    """``both are 'atmospheric', 'noir'``: the strongest of what two items share."""
    named = [share["name"] for share in shared if share["weight"] > 0 and not share["name"].startswith("(")][:most]
    if source != "genres":
        named = [f"'{name}'" for name in named]
    return f"both are {', '.join(named)}"
