"""How good what a contender learnt is: on the held-out ratings, with the same few lines for everyone."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.work import Array, HeldOut

#: People whose lists are judged, evenly over all.
JUDGED = 10_000
_K = 10
_SCALE = (0.5, 5.0)
_BLOCK = 1 << 16


def rmse(predicted: Array, held_out: HeldOut) -> float:
    """Root mean squared error of predictions cut to the scale."""
    error = np.clip(predicted.astype(np.float64), *_SCALE) - held_out.values
    return float(np.sqrt(np.mean(error**2)))


def products(users: Array, items: Array, held_out: HeldOut) -> Array:
    """The dot products of the held-out pairs."""
    made = [
        np.einsum("ij,ij->i", users[held_out.users[pairs]], items[held_out.items[pairs]])
        for pairs in (slice(start, start + _BLOCK) for start in range(0, len(held_out.users), _BLOCK))
    ]
    return np.concatenate(made)


def ndcg(users: Array, items: Array, train: sp.csr_matrix, held_out: HeldOut, biases: Array | float = 0.0) -> float:
    """NDCG@10 of lists by ``users @ items.T + biases``, without what is in `train`; people with nothing held out
    do not count."""
    held = sp.csr_matrix((np.ones(len(held_out.users), np.float32), (held_out.users, held_out.items)), train.shape)
    people = np.unique(np.linspace(0, train.shape[0] - 1, JUDGED).astype(np.int64))
    people = people[np.diff(held.indptr)[people] > 0]
    total = sum(
        _gains(users[some] @ items.T + biases, train[some], held[some]).sum()
        for some in np.array_split(people, max(1, len(people) // 1000))
    )
    return float(total / len(people))


def _gains(scores: Array, seen: sp.csr_matrix, held: sp.csr_matrix) -> Array:
    """NDCG@10 of each row."""
    scores[np.repeat(np.arange(len(scores)), np.diff(seen.indptr)), seen.indices] = -np.inf
    k = min(_K, scores.shape[1] - 1)
    best = np.argpartition(-scores, k, axis=1)[:, :k]
    best = np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)
    hits = np.take_along_axis(held.toarray(), best, 1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal: Any = np.cumsum(discounts)[np.minimum(np.diff(held.indptr), k) - 1]
    return np.asarray(hits @ discounts / ideal)
