"""The six measures of likeness between users or between items, one definition each.

======================  ========  ====================================================  ======================
measure                 closer    formula over the co-rated set C = I_a ∩ I_b           recommended for
======================  ========  ====================================================  ======================
``jaccard``             larger    ``|I_a ∩ I_b| / |I_a ∪ I_b|``                         unary, binary
``cosine``              larger    Σ_C a b / (‖a‖ ‖b‖), norms over the whole profiles    ratings
``pearson``             larger    Σ_C (a-ā)(b-b̄) / √(Σ_C (a-ā)² Σ_C (b-b̄)²)             ratings
``manhattan`` (``l1``)  smaller   ``Σ_C |a - b|``                                       profiles of equal sets
``euclidean`` (``l2``)  smaller   √(Σ_C (a - b)²)                                       profiles of equal sets
``chebyshev``           smaller   ``max_C |a - b|``                                     worst disagreement
======================  ========  ====================================================  ======================

Each has two readings. ``"table"``: as written above, with ā the mean of all of a's ratings; profiles that
share nothing have similarity 0 and distance infinity. ``"notebook"``: ā is the mean over C; Manhattan and
Euclidean are divided by ``|C|``, Chebyshev by the range of the ratings; profiles that share nothing have
similarity 0 and distance 1. Jaccard and cosine read the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from coterie.data.interactions import Axis, Interactions, Rows
from coterie.data.vocabulary import Id
from coterie.kernels import corated
from coterie.kernels.memory import require_memory
from coterie.kernels.parallel import run_blocks
from coterie.measures import MEASURES as MEASURES
from coterie.measures import Measure as Measure
from coterie.measures import Reading as Reading
from coterie.measures import measure as measure
from coterie.nearest import Neighbors as Neighbors
from coterie.nearest import all_neighbors as all_neighbors
from coterie.nearest import neighbors as neighbors
from coterie.nearest import require_shrinkage
from coterie.nearest import spread as spread

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class PairSums:
    """What two profiles share, as the kernels add it up; every measure is a function of these.

    `shared` are the row numbers (along the other axis) of what both have, `a` and `b` their ratings there;
    `n, sum_a, ...` the sums over them; `length`, `norm` and `mean` belong to the whole profiles (a, b).
    """

    shared: Array
    a: Array
    b: Array
    n: int
    sum_a: float
    sum_b: float
    sum_aa: float
    sum_bb: float
    sum_ab: float
    sum_abs: float
    max_abs: float
    length: tuple[int, int]
    norm: tuple[float, float]
    mean: tuple[float, float]


class Profile(NamedTuple):
    """A user's ratings, or an item's: increasing row numbers along the other axis, and values."""

    columns: Array
    values: Array


class Parts(NamedTuple):
    """What the kernel makes a measure of.

    Attributes
    ----------
    whole : (p, q, r)
        Of the pair; `coterie.kernels.corated.split_rows` says what they are for each measure.
    entries : float64 (n, 3)
        The same for every co-rated rating alone; p, and Pearson's q and r, add up to the pair's (Chebyshev's
        p is the largest).
    means : (ā, b̄)
        About which Pearson's are taken.
    """

    whole: tuple[float, float, float]
    entries: Array
    means: tuple[float, float]


def profile(x: Interactions, id: Id, axis: Axis = "users") -> Profile:
    """What one user rated (or who rated one item), and how."""
    return Profile(*_row(x.rows(axis), x.vocabulary(axis).index(id)))


def pair_sums(x: Interactions, a: Id, b: Id, axis: Axis = "users") -> PairSums:
    """The co-rated ratings of two users (or items) and the sums from which all six measures follow."""
    x.vocabulary(axis).indices([a, b])  # one error for both
    return sums_of(profile(x, a, axis), profile(x, b, axis))


def sums_of(a: Profile, b: Profile) -> PairSums:
    """The same of two profiles."""
    lanes = _lanes(a, b)
    shared, in_a, in_b = np.intersect1d(a.columns, b.columns, assume_unique=True, return_indices=True)
    n, sum_a, sum_b, sum_aa, sum_bb, sum_ab, sum_abs, max_abs = lanes.tolist()
    of_a, of_b = _statistics_of(a.values).tolist(), _statistics_of(b.values).tolist()
    return PairSums(
        shared, a.values[in_a], b.values[in_b], int(n), sum_a, sum_b, sum_aa, sum_bb, sum_ab, sum_abs, max_abs,
        length=(int(of_a[0]), int(of_b[0])), norm=(of_a[1], of_b[1]), mean=(of_a[2], of_b[2]),
    )  # fmt: skip


def pair(
    x: Interactions, a: Id, b: Id, measure: str | Measure, reading: Reading = "table", axis: Axis = "users"
) -> float:
    """The measure of two users (or, with ``axis="items"``, two items).

    Returns
    -------
    float
        A similarity (larger is closer) or a distance (smaller is closer): see `MEASURES`. Profiles that
        share nothing give `Measure.nothing_shared`.
    """
    found = _measure(measure)
    found.code(reading)
    x.vocabulary(axis).indices([a, b])  # one error for both
    return value_of(profile(x, a, axis), profile(x, b, axis), found, spread(x), reading)


def value_of(a: Profile, b: Profile, measure: Measure, spread: float, reading: Reading = "table") -> float:
    """The measure of two profiles from data whose ratings range over `spread`."""
    out = np.empty(1)
    of_a, of_b = _statistics_of(a.values), _statistics_of(b.values)
    corated.measure_rows(measure.code(reading), _lanes(a, b)[None, :], of_a, of_b[None, :], spread, out)
    return float(out[0])


def parts_of(a: Profile, b: Profile, measure: Measure, spread: float, reading: Reading = "table") -> Parts:
    """What `value_of` is made of."""
    code, lanes, sums = measure.code(reading), _lanes(a, b), sums_of(a, b)
    of_a, of_b = _statistics_of(a.values), _statistics_of(b.values)
    means, whole, alone = np.empty(2), np.empty((1, 3)), np.empty((sums.n, 3))
    corated.center_pair(code, lanes, of_a, of_b, means)
    corated.split_rows(code, lanes[None, :], of_a, of_b, spread, means, whole)
    entries = np.empty((sums.n, corated.LANES))
    corated.sum_entries(sums.a, sums.b, entries)
    corated.split_rows(code, entries, of_a, of_b, spread, means, alone)
    p, q, r = whole[0].tolist()
    return Parts((p, q, r), alone, (means[0].item(), means[1].item()))


def one_to_all(
    x: Interactions,
    id: Id,
    measure: str | Measure,
    reading: Reading = "table",
    axis: Axis = "users",
    shrinkage: float = 0.0,
) -> Array:
    """The measure of one user (or item) with every one, float64 (n,), in the order of the vocabulary."""
    require_shrinkage(shrinkage)
    rows, row = x.rows(axis), x.vocabulary(axis).index(id)
    return AgainstAll(x, _measure(measure), reading, axis, shrinkage).measure(*_row(rows, row))[0]


class AgainstAll:
    """Any profiles against all users (or items) of `x`, one at a time, by one measure."""

    def __init__(
        self, x: Interactions, measure: Measure, reading: Reading, axis: Axis = "users", shrinkage: float = 0.0
    ) -> None:
        self.code, self.shrinkage, self.spread = measure.code(reading), shrinkage, spread(x)
        rows, self.columns = x.rows(axis), x.rows("items" if axis == "users" else "users")
        self.statistics = corated.row_statistics(rows.indptr, rows.values)

    def measure(self, columns: Array, values: Array) -> tuple[Array, Array]:
        """Values float64 (n,) and numbers of shared entries float64 (n,) of one sparse profile."""
        lanes = self.sums(columns, values)
        out = np.empty(len(lanes))
        corated.measure_rows(self.code, lanes, _statistics_of(values), self.statistics, self.spread, out)
        corated.shrink_rows(self.code, lanes, self.shrinkage, out)
        return out, lanes[:, 0]

    def sums(self, columns: Array, values: Array) -> Array:
        """float64 (n, LANES): what all measures are made from."""
        lanes = np.zeros((len(self.statistics), corated.LANES))
        corated.sum_row(columns, values, self.columns.indptr, self.columns.indices, self.columns.values, lanes)
        return lanes


class ByAllMeasures(NamedTuple):
    """One user (or item) and every one.

    Attributes
    ----------
    values : dict of str to float64 (n,)
        By the measure's name, as `one_to_all` gives them.
    shared : float64 (n,)
        How many entries each shares with the one.
    uncorrelated : bool (n,)
        With whom there is no Pearson correlation, though they share entries: one of the two rated all that both have
        alike (in the table's reading: as their own mean), so that nothing goes up and down. Pearson is 0 there, as for
        those who share nothing.
    """

    values: dict[str, Array]
    shared: Array
    uncorrelated: Array


def all_measures(
    x: Interactions, ids: Sequence[Id], reading: Reading = "table", axis: Axis = "users"
) -> list[ByAllMeasures]:
    """All six measures of each of some users (or items) with every one, from one pass over the data for each."""
    rows, spot = x.rows(axis), x.vocabulary(axis).indices(ids)
    against = AgainstAll(x, MEASURES["pearson"], reading, axis)
    return [_by_all_measures(against, reading, *_row(rows, row)) for row in spot.tolist()]


def _by_all_measures(against: AgainstAll, reading: Reading, columns: Array, values: Array) -> ByAllMeasures:
    lanes, of_row = against.sums(columns, values), _statistics_of(values)
    found = {name: np.empty(len(lanes)) for name in MEASURES}
    for name, one in MEASURES.items():
        corated.measure_rows(one.code(reading), lanes, of_row, against.statistics, against.spread, found[name])
    uncorrelated = np.empty(len(lanes), bool)
    corated.constant_rows(against.code, lanes, of_row, against.statistics, uncorrelated)
    return ByAllMeasures(found, lanes[:, 0], uncorrelated)


def matrix(x: Interactions, measure: str | Measure, reading: Reading = "table", axis: Axis = "users") -> Array:
    """The measure of every pair, float32 (n, n), for small data.

    Raises
    ------
    MemoryBudgetError
        The matrix is larger than memory allows; `neighbors` never is.
    """
    rows, n = x.rows(axis), len(x.vocabulary(axis))
    require_memory(4 * n * n, f"the {n:,} x {n:,} matrix", "use similarity.neighbors, which keeps the nearest only")
    against = AgainstAll(x, _measure(measure), reading, axis)
    out = np.empty((n, n), np.float32)

    def work(start: int, stop: int) -> None:
        for row in range(start, stop):
            out[row] = against.measure(*_row(rows, row))[0]

    run_blocks(work, n, 64)
    return out


_measure = measure  # functions here have a parameter of that name


def _row(rows: Rows, row: int) -> tuple[Array, Array]:
    entries = slice(rows.indptr[row], rows.indptr[row + 1])
    return rows.indices[entries], rows.values[entries]


def _statistics_of(values: Array) -> Array:
    """Length, norm and mean of one row."""
    statistics: Array = corated.row_statistics(np.array([0, len(values)]), values)[0]
    return statistics


def _lanes(a: Profile, b: Profile) -> Array:
    lanes = np.zeros(corated.LANES)
    corated.sum_pair(*a, *b, lanes)
    return lanes
