"""Lists chosen greedily from each one's best candidates, under rules: the choice itself, for few people and for many.

A list is filled place by place. What may stand at a place and what is best there is said in `fill_lists`. For few
people NumPy chooses (`Person`), so that serving never waits for a compiler; for many, `reranking_loops`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coterie.kernels.parallel import run_blocks

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

#: How much of a person's own mix is added to that of their list, so that the divergence is finite.
ALPHA = 0.01
#: Objectives this close count as equal: far more than rounding, far less than anybody can mean.
TIE = 1e-9
_State = tuple[Array, Array, Array]
# Up to this many rows NumPy answers.
_FEW_ROWS = 16
# Lists a task.
_TASK = 256


class Pools(NamedTuple):
    """The candidates of n people, best first.

    Attributes
    ----------
    items : int32 (n, P)
        Row numbers; -1 where there are fewer.
    scores : float32 (n, P)
        The model's; decreasing, -inf where there are fewer.
    counts : int64 (n,)
    low, spread : float64 (n,)
        A score s counts as (s - low) / spread.
    """

    items: Array
    scores: Array
    counts: Array
    low: Array
    spread: Array


class Steps(NamedTuple):
    """What lists are to be like.

    Attributes
    ----------
    k : int
        Length of the lists.
    diversity, calibration : float
        Weights in the objective; what is left to 1 is the weight of the scores.
    likeness : csr (n_items, m) or None
        Similarities between items where `direct`; else vectors of items, whose products are their similarities.
        None without diversity.
    direct : bool
    genres : csr (n_items, n_genres), float64
        The share of each genre in an item; the shares of an item add up to 1, or there are none.
    limits : int64 (n_genres,)
        The most items of each genre in a list.
    must : int64 (n_must,)
        What has to be in a list: an item by its row number, or any item of genre g as -1 - g. At most k.
    """

    k: int
    diversity: float
    calibration: float
    likeness: sp.csr_matrix | None
    direct: bool
    genres: sp.csr_matrix
    limits: Array
    must: Array


def fill_lists(
    pools: Pools, steps: Steps, mixes: sp.csr_matrix, capacity: int | None = None
) -> tuple[Array, Array, Array]:
    r"""Lists of at most k candidates, the place at the top first.

    First every entry of `must`, in the order given, holds an item of the pool: the item that it names, or the best one
    of the genre that is left, unless an entry before holds such an item already; an entry for which nothing is left
    holds nothing. Then each place, from the top, goes to the candidate i with the largest

    .. math:: (1 - \delta - \kappa)\, s_i - \delta \max_{j \in L} \operatorname{sim}(i, j)
       - \kappa \operatorname{KL}\big(p \,\|\, \tilde q_{L + i}\big)

    where L is the list so far, the largest similarity counts as 0 where it is below, p is the person's mix of
    genres, :math:`q_L` the mean mix of those items of L that have genres, and :math:`\tilde q = (1 - \alpha) q +
    \alpha p`. Objectives within `TIE` of the largest count as equal: of these, the one with the larger score, then
    with the smaller row number. A held item may stand at any place, and must where there are no more places than
    items held. Any other may where no genre of it is used up and the item itself is not.

    Parameters
    ----------
    mixes : csr (n, n_genres), float64
        Each person's mix of genres; its shares add up to 1, or there are none.
    capacity : int or None
        The most lists in which an item may stand. Lists are then filled in rounds: all hold what they must, then
        all get their first place, then all the second, and so on; the first to choose is the first row in the
        first round, the last row in the second, and so on in turn. So the lists depend on one another.

    Returns
    -------
    items : int32 (n, k), scores : float32 (n, k), counts : int64 (n,)
        Row r has ``counts[r]`` items in the order of their places; the rest is -1 and -inf.
    """
    n = len(pools.counts)
    room = np.empty(0, np.int64) if capacity is None else np.full(steps.genres.shape[0], capacity, np.int64)
    chosen, lengths = np.full((n, steps.k), -1, np.int32), np.zeros(n, np.int64)
    if n <= _FEW_ROWS:
        _fill_few(pools, steps, mixes, room, chosen, lengths)
    else:
        _fill_many(pools, steps, mixes, room, chosen, lengths)
    if not pools.items.shape[1]:
        return chosen, np.full(chosen.shape, -np.inf, np.float32), lengths
    at = np.maximum(chosen, 0).astype(np.int64)
    items = np.where(chosen >= 0, np.take_along_axis(pools.items, at, 1), np.int32(-1))
    scores = np.where(chosen >= 0, np.take_along_axis(pools.scores, at, 1), np.float32(-np.inf))
    return items, scores, lengths


def _fill_few(pools: Pools, steps: Steps, mixes: sp.csr_matrix, room: Array, chosen: Array, lengths: Array) -> None:
    people = [Person(pools, steps, mixes, row) for row in range(len(lengths))]
    for person in people:
        person.hold(room)
    for place in range(steps.k):
        for row in range(len(people))[:: -1 if place % 2 else 1]:
            if lengths[row] == place and (best := people[row].choose(steps.k - place, room)) >= 0:
                chosen[row, place] = best
                lengths[row] = place + 1


def _fill_many(pools: Pools, steps: Steps, mixes: sp.csr_matrix, room: Array, chosen: Array, lengths: Array) -> None:
    from coterie.kernels.reranking_loops import fill_places

    n, width = pools.items.shape
    likeness = steps.genres[:0] if steps.likeness is None else steps.likeness
    fixed = (
        steps.diversity, steps.calibration, *parts_of(likeness), likeness.shape[1], steps.direct,
        *parts_of(steps.genres, np.float64), steps.genres.shape[1], steps.limits, steps.must, room,
    )  # fmt: skip
    indptr, genres, shares = parts_of(mixes, np.float64)

    def work(start: int, stop: int, first: int, last: int, backwards: bool, state: _State) -> None:
        rows = slice(start, stop)
        own = [*(part[rows] for part in pools), indptr[start : stop + 1], genres, shares]
        arguments: list[Any] = [*own, *fixed, *state, chosen[rows], lengths[rows]]
        fill_places(first, last, backwards, *arguments)

    def alone(start: int, stop: int) -> None:
        work(start, stop, 0, steps.k, False, _state(stop - start, width, steps))

    if not len(room):
        run_blocks(alone, n, _TASK)
        return
    state = _state(n, width, steps)
    for place in range(steps.k):  # one after the other: who comes first has the choice
        work(0, n, place, place + 1, place % 2 == 1, state)


def _state(n: int, width: int, steps: Steps) -> _State:
    """Which candidates are held, which are listed, and the largest similarity of each to those listed."""
    near = (n, width if steps.diversity > 0 else 0)
    return np.zeros((n, width), np.bool_), np.zeros((n, width), np.bool_), np.zeros(near)


def parts_of(matrix: sp.csr_matrix, dtype: Any = np.float32) -> tuple[Array, Array, Array]:
    """Row pointers, columns and values in the types that kernels are compiled for."""
    return (
        matrix.indptr.astype(np.int64, copy=False),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(dtype, copy=False),
    )


class Person:
    """One list in the making, by NumPy alone."""

    def __init__(self, pools: Pools, steps: Steps, mixes: sp.csr_matrix, row: int) -> None:
        count = int(pools.counts[row])
        self.steps = steps
        self.items = pools.items[row, :count]
        weight = 1 - steps.diversity - steps.calibration
        self.worth = weight * ((pools.scores[row, :count].astype(np.float64) - pools.low[row]) / pools.spread[row])
        self.shares = steps.genres[self.items].toarray().astype(np.float64)  # (P, n_genres)
        self.has = self.shares > 0
        self.mix = mixes[row].toarray()[0]
        self.held, self.listed = np.zeros(count, bool), np.zeros(count, bool)
        self.nearest = np.zeros(count)
        self.similarities = self._similarities() if steps.diversity > 0 else None

    def _similarities(self) -> Array:
        """(P, P) of the candidates to one another."""
        assert self.steps.likeness is not None
        own = self.steps.likeness[self.items].astype(np.float64)
        if self.steps.direct:
            return np.asarray(own[:, self.items].toarray())
        if own.nnz * 4 > own.shape[0] * own.shape[1]:  # hardly a zero in it
            dense = own.toarray()
            return np.asarray(dense @ dense.T)
        return np.asarray((own @ own.T).toarray())

    def hold(self, room: Array) -> None:
        """Hold a candidate for every entry of `must`."""
        for entry in self.steps.must:
            fits = self.items == entry if entry >= 0 else self.has[:, -1 - entry]
            if (fits & self.held).any():
                continue
            left = np.flatnonzero(fits & self._may(room))
            if len(left):
                self.held[left[0]] = True
                self._take(left[0], room)

    def choose(self, places: int, room: Array) -> int:
        """The candidate at the next place, with so many `places` left; -1 where there is none."""
        waiting = self.held & ~self.listed
        may = waiting.copy() if np.count_nonzero(waiting) >= places else waiting | (self._may(room) & ~self.listed)
        if not may.any():
            return -1
        values = self.worth.copy()
        if self.similarities is not None:
            values -= self.steps.diversity * self.nearest
        if self.steps.calibration > 0:
            values -= self.steps.calibration * self._divergences()
        values[~may] = -np.inf
        best = int(np.flatnonzero(values >= values.max() - TIE)[0])
        self.listed[best] = True
        if not self.held[best]:
            self._take(best, room)
        if self.similarities is not None:
            np.maximum(self.nearest, self.similarities[best], out=self.nearest)
        return best

    def _may(self, room: Array) -> Array:
        """bool (P,): which candidates no rule is against."""
        taken = self.has[self.held | self.listed].sum(axis=0)
        may: Array = np.asarray(~self.has[:, taken >= self.steps.limits].any(axis=1))
        return may & (room[self.items] > 0) if len(room) else may

    def _take(self, best: int, room: Array) -> None:
        if len(room):
            room[self.items[best]] -= 1

    def _divergences(self) -> Array:
        """KL(p || q~) of the list with each candidate, (P,)."""
        own = np.flatnonzero(self.mix)
        p = self.mix[own]
        told = self.has.any(axis=1)
        so_far = self.shares[self.listed][:, own].sum(axis=0)
        n = np.count_nonzero(self.listed & told) + told  # (P,): items with genres
        q = (so_far + self.shares[:, own]) / np.maximum(n, 1)[:, None]
        found: Array = (p * np.log(p / ((1 - ALPHA) * q + ALPHA * p))).sum(axis=1)
        return found
