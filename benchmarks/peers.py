"""The peers' side of every job, each called in the way its documentation recommends; runs in ``.venv-bench``."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.work import (
    WARM_CALLS,
    Check,
    Data,
    K,
    Work,
    check_lists,
    check_matrix,
    check_sparse_lists,
    checked_rows,
    few_rows,
)

Array = np.ndarray[Any, np.dtype[Any]]

# Peers count everyone as their own nearest neighbour.
_K = K + 1


# ---- CSV -------------------------------------------------------------------------------------------------


def polars_parse(request: dict[str, Any]) -> Work:
    """Parsing alone: no matrix, no checks."""
    import polars as pl

    data = Data.of(request)
    return Work(act=lambda: pl.read_csv(data.csv), warm_up=lambda: pl.read_csv(data.few_csv))


def polars_to_csr(request: dict[str, Any]) -> Work:
    """A matrix by the shortest way: ids are small integers, rows are sorted by user, nothing is checked."""
    import polars as pl

    data = Data.of(request)

    def number(ids: Array) -> tuple[Array, int]:
        there = np.zeros(ids.max() + 1, bool)
        there[ids] = True
        return (np.cumsum(there, dtype=np.int32) - 1)[ids], int(there.sum())

    def read(csv: Any) -> sp.csr_matrix:
        types = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
        frame = pl.read_csv(csv, schema=types)
        (users, n_users), (items, n_items) = number(frame["userId"].to_numpy()), number(frame["movieId"].to_numpy())
        return sp.csr_matrix((frame["rating"].to_numpy(), (users, items)), shape=(n_users, n_items))

    def check(matrix: sp.csr_matrix) -> Check:
        matrix.sort_indices()
        return check_matrix(matrix.indptr, matrix.indices, matrix.data)

    return Work(act=lambda: read(data.csv), warm_up=lambda: read(data.few_csv), check=check)


# ---- neighbours by cosine --------------------------------------------------------------------------------


def topn_items(request: dict[str, Any]) -> Work:
    """sparse_dot_topn on the unit rows of the transposed matrix."""
    data = Data.of(request)
    x = data.matrix()
    return Work(
        act=lambda: _topn(sp.csr_matrix(x.T), data.threads),
        warm_up=lambda: _topn(sp.csr_matrix(x[: few_rows(x.shape[0])].T), data.threads),
        check=lambda similar: check_sparse_lists(similar, checked_rows(x.shape[1])),
    )


def topn_users(request: dict[str, Any]) -> Work:
    """sparse_dot_topn for a part of the users against all, scaled up by products."""
    data = Data.of(request)
    x = data.matrix()
    part = max(1, int(x.shape[0] * request["part"]))

    def act() -> tuple[sp.csr_matrix, float]:
        unit = _unit(x)
        others = sp.csr_matrix(unit.T)
        started = time.perf_counter()
        similar = _multiply(unit[:part], others, data.threads)
        return similar, time.perf_counter() - started

    def seconds(result: tuple[sp.csr_matrix, float], measured: float) -> float:
        return measured + result[1] * (_products_left(x, part))

    return Work(
        act=act,
        warm_up=lambda: _topn(x[: few_rows(x.shape[0])], data.threads),
        check=lambda result: check_sparse_lists(result[0], checked_rows(x.shape[0])),
        seconds=seconds,
    )


def _unit(x: sp.csr_matrix) -> sp.csr_matrix:
    """Rows of length 1."""
    lengths = np.sqrt(np.bincount(np.repeat(np.arange(x.shape[0]), np.diff(x.indptr)), x.data**2, x.shape[0]))
    scale = np.divide(1, lengths, out=np.zeros(len(lengths)), where=lengths > 0).astype(x.dtype)
    return sp.csr_matrix((x.data * np.repeat(scale, np.diff(x.indptr)), x.indices, x.indptr), shape=x.shape)


def _topn(x: sp.csr_matrix, threads: int) -> sp.csr_matrix:
    unit = _unit(x)
    return _multiply(unit, sp.csr_matrix(unit.T), threads)


def _multiply(rows: sp.csr_matrix, others: sp.csr_matrix, threads: int) -> sp.csr_matrix:
    from sparse_dot_topn import sp_matmul_topn

    similar: sp.csr_matrix = sp_matmul_topn(rows, others, top_n=_K, n_threads=threads)
    return similar


def _products_left(x: sp.csr_matrix, part: int) -> float:
    """Of all users' products (pairs of equal columns), those after the first `part` users, over those before."""
    columns = np.bincount(x.indices, minlength=x.shape[1])
    until = int(x.indptr[part])
    return float(columns[x.indices[until:]].sum() / columns[x.indices[:until]].sum())


def implicit_items(request: dict[str, Any]) -> Work:
    """implicit's CosineRecommender over items."""
    data = Data.of(request)
    x = data.matrix(np.float64)  # what it works in; other types it converts first
    return Work(
        act=lambda: _implicit(x, data.threads).similarity,
        warm_up=lambda: _implicit(x[: few_rows(x.shape[0])], data.threads),
        check=lambda similar: check_sparse_lists(similar, checked_rows(x.shape[1])),
    )


def implicit_users(request: dict[str, Any]) -> Work:
    """The same over users, stopped when a part of them is done, scaled up by products."""
    import implicit._nearest_neighbours as compiled

    data = Data.of(request)
    x = data.matrix(np.float64)
    part = max(1, int(x.shape[0] * request["part"]))
    flipped = sp.csr_matrix(x.T)

    class EnoughError(Exception):
        """Ends the work: the part is done."""

    class Progress:
        """Takes the place of the progress bar, which hears of every user in order."""

        def __init__(self, total: int, **_: Any) -> None:
            self.started, self.done, self.enough = time.perf_counter(), 0, min(part, total)

        def update(self, n: int) -> None:
            self.done += n
            if self.done >= self.enough:
                raise EnoughError(time.perf_counter() - self.started)

        def close(self) -> None:
            """Nothing to put away."""

    def act() -> float:
        compiled.tqdm = Progress
        try:
            _implicit(flipped, data.threads, show_progress=True)
        except EnoughError as enough:
            return float(enough.args[0])
        raise RuntimeError("implicit does not report its progress user by user any more, so it cannot be scaled up")

    def seconds(of_part: float, measured: float) -> float:
        return measured + of_part * _products_left(x, part)

    few = sp.csr_matrix(x[: few_rows(x.shape[0])].T)
    return Work(act=act, warm_up=lambda: _implicit(few, data.threads), seconds=seconds)


def _implicit(users_by_items: sp.csr_matrix, threads: int, show_progress: bool = False) -> Any:
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=_K, num_threads=threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it converts its own intermediate matrix and warns of that
        model.fit(users_by_items, show_progress=show_progress)
    return model


# ---- neighbours by Pearson's correlation over what both rated --------------------------------------------


def surprise_pearson(request: dict[str, Any]) -> Work:
    """scikit-surprise's dense matrix of all users; it has one thread."""
    from surprise import Dataset, KNNBasic, Reader

    data = Data.of(request)
    reader = Reader(line_format="user item rating timestamp", sep=",", skip_lines=1, rating_scale=(0.5, 5))

    def model(csv: Any) -> Any:
        made = KNNBasic(sim_options={"name": "pearson", "user_based": True}, verbose=False)
        made.trainset = Dataset.load_from_file(str(csv), reader).build_full_trainset()
        return made

    full, few = model(data.csv), model(data.few_csv)

    def check(similar: Array) -> Check:
        np.fill_diagonal(similar, -np.inf)
        # Its users are numbered in the order of the file, as everyone's are.
        best = np.sort(similar[checked_rows(len(similar))], axis=1)[:, ::-1][:, :K]
        return check_lists(np.where(best > -np.inf, best, 0), "pearson")

    return Work(act=full.compute_similarities, warm_up=few.compute_similarities, check=check)


# ---- one stranger ----------------------------------------------------------------------------------------


def implicit_stranger(request: dict[str, Any]) -> Work:
    """The ten best items for a stranger, by implicit's CosineRecommender."""
    data = Data.of(request)
    x = data.matrix(np.float64)
    model = _implicit(x, data.threads)
    calls, profiles = request["calls"], data.profiles(request["size"])
    waiting = iter([next(profiles).astype(np.int32) for _ in range(WARM_CALLS + calls)])

    def act() -> Any:
        columns = next(waiting)
        indptr = np.array([0, len(columns)], np.int32)
        row = sp.csr_matrix((np.full(len(columns), 4.0), columns, indptr), shape=(1, x.shape[1]))
        return model.recommend(0, row, N=10)

    return Work(act=act, warm_up=lambda: [act() for _ in range(WARM_CALLS)], times=calls)
