"""Lists of the nearest others of every user or item, by the measures of `coterie.similarity`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from coterie.data.interactions import Axis, Interactions
from coterie.data.progress import progress
from coterie.data.vocabulary import Id, Vocabulary
from coterie.errors import ParameterError
from coterie.kernels import corated
from coterie.kernels.gram import top_k_gram
from coterie.kernels.memory import require_memory
from coterie.kernels.parallel import run_blocks
from coterie.measures import MEASURES, Measure, Reading
from coterie.measures import measure as named

Array = np.ndarray[Any, np.dtype[Any]]

# Above this many products, neighbours by cosine or Jaccard come from the Gram kernel.
_GRAM_PRODUCTS = 200_000_000


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The nearest others of every user or item.

    Attributes
    ----------
    ids : Vocabulary
        Whose neighbours, and who the neighbours are.
    measure : Measure
    indices : int32 (n, n_neighbors)
        Row numbers, nearest first; -1 where there are fewer.
    values : float32 (n, n_neighbors)
        The measure's values; NaN where there are fewer.
    """

    ids: Vocabulary
    measure: Measure
    indices: Array = field(repr=False)
    values: Array = field(repr=False)

    def of(self, id: Id) -> pl.DataFrame:
        """One id's neighbours: `rank, neighbor, value`."""
        row = self.ids.index(id)
        valid = self.indices[row] >= 0
        neighbors = self.ids.ids[self.indices[row][valid]]
        ranks = np.arange(1, valid.sum() + 1, dtype=np.int32)
        return pl.DataFrame({"rank": ranks, "neighbor": self._column(neighbors), "value": self.values[row][valid]})

    def to_frame(self) -> pl.DataFrame:
        """Everyone's neighbours: `id, rank, neighbor, value`."""
        valid = self.indices >= 0
        rows, places = np.nonzero(valid)
        return pl.DataFrame(
            {
                "id": self._column(self.ids.ids[rows]),
                "rank": (places + 1).astype(np.int32),
                "neighbor": self._column(self.ids.ids[self.indices[valid]]),
                "value": self.values[valid],
            }
        )

    def _column(self, ids: Array) -> pl.Series:
        return pl.Series(ids.tolist(), dtype=pl.String if self.ids.kind == "str" else pl.Int64)


def neighbors(
    x: Interactions,
    measure: str | Measure,
    n_neighbors: int = 50,
    axis: Axis = "users",
    reading: Reading = "table",
    shrinkage: float = 0.0,
    min_overlap: int = 1,
    absolute: bool = False,
) -> Neighbors:
    """The nearest others of every user (or item), exactly, with memory for n x n_neighbors only.

    Parameters
    ----------
    n_neighbors : int, at least 1
    shrinkage : float, at least 0
        Trust pairs by what they share: ``s n / (n + shrinkage)`` for a similarity with n co-rated entries,
        ``d (n + shrinkage) / n`` for a distance.
    min_overlap : int, at least 1
        Fewest co-rated entries of neighbours. Pairs that share nothing are never neighbours.
    absolute : bool
        Take similarities from the largest magnitude instead of the largest.

    Ties go to the smaller row number.
    """
    found = named(measure)
    found.code(reading)  # also where it makes no difference
    _check_neighbors(n_neighbors, shrinkage, min_overlap)
    if _gram_applies(x, found, axis, shrinkage, min_overlap):
        indices, values = _gram_neighbors(x, found, n_neighbors, axis)
        return Neighbors(x.vocabulary(axis), found, indices, values)
    return _corated_neighbors(x, [found], n_neighbors, axis, reading, shrinkage, min_overlap, absolute)[0]


def all_neighbors(
    x: Interactions,
    n_neighbors: int = 50,
    axis: Axis = "users",
    reading: Reading = "table",
    shrinkage: float = 0.0,
    min_overlap: int = 1,
    absolute: bool = False,
) -> dict[str, Neighbors]:
    """`neighbors` by all six measures from one pass over the data, by name."""
    _check_neighbors(n_neighbors, shrinkage, min_overlap)
    found = list(MEASURES.values())
    lists = _corated_neighbors(x, found, n_neighbors, axis, reading, shrinkage, min_overlap, absolute)
    return dict(zip(MEASURES, lists, strict=True))


def _corated_neighbors(
    x: Interactions, measures: list[Measure], k: int, axis: Axis, reading: Reading, shrinkage: float,
    min_overlap: int, absolute: bool,
) -> list[Neighbors]:  # fmt: skip
    rows, columns = x.rows(axis), x.rows("items" if axis == "users" else "users")
    n = len(x.vocabulary(axis))
    k = max(1, min(k, n - 1))
    require_memory(
        8 * len(measures) * n * k,
        f"{n:,} lists of {k:,} neighbours",
        "ask for fewer (n_neighbors; model_size of ItemKNN)",
    )
    codes = np.array([m.code(reading) for m in measures], np.int64)
    statistics = corated.row_statistics(rows.indptr, rows.values)
    values, indices = np.empty((len(codes), n, k), np.float32), np.empty((len(codes), n, k), np.int32)

    def work(start: int, stop: int) -> None:
        corated.corated_neighbors(
            start, stop, *rows, *columns, statistics, codes, spread(x), shrinkage, max(1, min_overlap), absolute,
            values, indices,
        )  # fmt: skip
        advance((stop - start) / n)

    with progress(f"nearest {axis}", 1) as advance:
        run_blocks(work, n, 64)
    return [Neighbors(x.vocabulary(axis), m, indices[i], values[i]) for i, m in enumerate(measures)]


def _gram_applies(x: Interactions, found: Measure, axis: Axis, shrinkage: float, min_overlap: int) -> bool:
    """Whether the pairs' products are all that is needed, and many enough to be worth the larger kernel."""
    if found.name not in ("cosine", "jaccard") or shrinkage > 0 or min_overlap > 1:
        return False
    if found.name == "cosine" and not x.scale[0] > 0:  # a product of 0 would look like nothing shared
        return False
    lengths = (x.item_counts if axis == "users" else x.user_counts).astype(np.float64)
    return float(lengths @ lengths) > _GRAM_PRODUCTS


def _gram_neighbors(x: Interactions, found: Measure, k: int, axis: Axis) -> tuple[Array, Array]:
    rows, n = x.rows(axis), len(x.vocabulary(axis))
    k = max(1, min(k, n - 1))
    require_memory(16 * n * k, f"{n:,} lists of {k:,} neighbours", "ask for fewer (n_neighbors; model_size of ItemKNN)")
    n_columns = x.n_items if axis == "users" else x.n_users
    jaccard = found.name == "jaccard"
    if jaccard:
        values, size = np.ones(x.nnz, np.float32), np.diff(rows.indptr)
    else:
        # the cosine knows no scale; a power of two brings products into float32's range and costs no digit
        values = np.ldexp(rows.values, -np.frexp(x.scale[1])[1])
        size = corated.row_statistics(rows.indptr, values)[:, 1]
    with progress(f"nearest {axis}", 1) as advance:
        indices, similarities = top_k_gram(rows.indptr, rows.indices, values, n_columns, size, jaccard, k, advance)
    similarities[indices < 0] = np.nan
    return indices, similarities


def _check_neighbors(n_neighbors: int, shrinkage: float, min_overlap: int) -> None:
    counts: list[tuple[str, Any]] = [("n_neighbors", n_neighbors), ("min_overlap", min_overlap)]
    for name, value in counts:
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ParameterError(f"{name} must be a whole number from 1, not {value!r}")
    require_shrinkage(shrinkage)


def require_shrinkage(shrinkage: float) -> None:
    """Refuse what is no weight for what pairs share."""
    if not 0 <= shrinkage < float("inf"):
        raise ParameterError(f"shrinkage must be a number from 0, not {shrinkage!r}")


def spread(x: Interactions) -> float:
    """The range of the ratings, by which Chebyshev's distance is scaled."""
    return x.scale[1] - x.scale[0]
