"""The peers' side of jobs about what items are about; runs in ``.venv-bench``."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.work import Data, K, Work, check_lists, checked_rows

Array = np.ndarray[Any, np.dtype[Any]]


def sklearn_genome(request: dict[str, Any]) -> Work:
    """scikit-learn's NearestNeighbors by brute force, each row's own left out."""
    from sklearn.neighbors import NearestNeighbors

    data = Data.of(request)
    genome = data.genome()

    def find(rows: Array) -> Array:
        model = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute", n_jobs=data.threads).fit(rows)
        distances: Array = model.kneighbors()[0]
        return 1 - distances

    return _work(genome, find)


def faiss_genome(request: dict[str, Any]) -> Work:
    """faiss, a flat index of inner products; everyone is their own nearest."""
    import faiss

    data = Data.of(request)
    faiss.omp_set_num_threads(data.threads)
    genome = data.genome()

    def find(rows: Array) -> Array:
        unit = rows.copy()
        faiss.normalize_L2(unit)
        index = faiss.IndexFlatIP(unit.shape[1])
        index.add(unit)
        cosines: Array = index.search(unit, K + 1)[0]
        return cosines[:, 1:]

    return _work(genome, find)


def _work(genome: Array, find: Any) -> Work:
    return Work(
        act=lambda: find(genome),
        warm_up=lambda: find(genome[:1000]),
        check=lambda cosines: check_lists(cosines[checked_rows(len(genome))], "cosine"),
    )
