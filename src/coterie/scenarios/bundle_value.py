r"""What a set of items is worth together, the best set of a size, and how far from it another can be.

The value of a set S of K places is, with weights :math:`\alpha, \beta, \gamma \ge 0`,

.. math:: f(S) = \frac{\alpha}{K} \sum_{i \in S} r_i + \frac{\beta}{K (K - 1) / 2} \sum_{\{i, j\} \subseteq S} c_{ij}
          + \gamma D(S), \qquad D(S) = \sum_t w_t \Bigl(1 - \prod_{i \in S} (1 - a_{it})\Bigr)

with relevance :math:`r_i`, complementarity :math:`c_{ij} = c_{ji}`, topics' weights :math:`w_t` (at most 1 in sum) and
how much of a topic an item has, :math:`a_{it}`, all in [0, 1]. So each of the three parts is in [0, 1] for a full set.

**f is monotone, but not submodular** where :math:`\beta > 0`. The first part is modular and the last, probabilistic
coverage, is submodular (El-Arini et al. 2009), but a pair that goes well together is worth more than its halves: the
middle part is supermodular. So the well-known :math:`1 - 1/e` of the greedy set (Nemhauser, Wolsey and Fisher 1978)
holds for :math:`\beta = 0` only. In general let

.. math:: \rho = \min_v \frac{m_v}{m_v + \beta' C_v}

over the items v, where :math:`m_v` is the modular part of what v adds to any set (relevance, and its pairs with what is
in the bundle from the beginning), :math:`\beta' C_v` the most that its pairs with up to :math:`2n - 2` others can add,
and n the number of items to choose. What v adds to a set Y is at most :math:`1/\rho` of what it adds to a subset of
it, so with the best set O and greedy sets :math:`S_0 \subset S_1 \subset \dots`

.. math:: f(O) \le f(S_j \cup O) \le f(S_j) + \frac{n}{\rho} \bigl(f(S_{j+1}) - f(S_j)\bigr), \quad\text{hence}\quad
          f(S_n) - f(S_0) \ge \bigl(1 - (1 - \rho / n)^n\bigr) \bigl(f(O) - f(S_0)\bigr)

and the factor is at least :math:`1 - e^{-\rho}`: the bound of Bai and Bilmes (2018, theorem 3.7) for a sum of a
submodular and a supermodular function with the curvature :math:`1 - \rho` of the latter and nothing known of the
former. An item that nothing is to be said for but its pairs makes :math:`\rho = 0`, and then there is no guarantee in
advance. That is why the search also proves a bound on the very case: see `best_set`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class SetValue:
    r"""The function f over n candidates, its weights already in the parts, for bundles of `places` places.

    Attributes
    ----------
    relevance : float64 (n,)
        :math:`\alpha r_i / K`.
    pairs : float64 (n, n)
        :math:`\beta c_{ij} / (K (K - 1) / 2)`; symmetric, 0 on the diagonal.
    topics : float64 (n, n_topics)
        :math:`a_{it}`.
    topic_weights : float64 (n_topics,)
        :math:`\gamma w_t`.
    places : int
        K.
    """

    relevance: Array
    pairs: Array = field(repr=False)
    topics: Array = field(repr=False)
    topic_weights: Array = field(repr=False)
    places: int

    @classmethod
    def weighted(
        cls, relevance: Array, complementarity: Array, topics: Array, topic_weights: Array,
        places: int, weights: tuple[float, float, float],
    ) -> SetValue:  # fmt: skip
        r"""From r, c, a and w in [0, 1] and :math:`\alpha, \beta, \gamma`."""
        alpha, beta, gamma = weights
        n_pairs = max(1, places * (places - 1) // 2)
        return cls(alpha * relevance / places, beta * complementarity / n_pairs, topics, gamma * topic_weights, places)

    def parts(self, chosen: Sequence[int]) -> tuple[float, float, float]:
        """Relevance, complementarity and coverage of a set; f is their sum."""
        own = list(chosen)
        covered = 1 - np.prod(1 - self.topics[own], axis=0)
        pairs = self.pairs[np.ix_(own, own)].sum() / 2
        return float(self.relevance[own].sum()), float(pairs), float(self.topic_weights @ covered)

    def value(self, chosen: Sequence[int]) -> float:
        """f of a set."""
        return sum(self.parts(chosen))

    def start(self, chosen: Sequence[int] = ()) -> tuple[Array, Array]:
        """What is kept of a set: pair gains (n,) and what is not covered (n_topics,)."""
        own = list(chosen)
        return self.pairs[own].sum(axis=0), np.prod(1 - self.topics[own], axis=0)

    def gains(self, pair_gains: Array, uncovered: Array) -> Array:
        """What each candidate would add (n,) to the set of which `start` is told."""
        return np.asarray(self.relevance + pair_gains + self.topics @ (self.topic_weights * uncovered))


@dataclass(frozen=True)
class Found:
    """A set and what is known of it.

    Attributes
    ----------
    chosen : tuple of int
        The items in the order of choice; those that were there from the beginning are not among them.
    value : float
        f of all.
    upper : float
        No set of this size is worth more; equal to `value` where the set is proven to be the best.
    greedy : float
        What the greedy set is worth.
    guarantee : float
        What share of the best possible gain the greedy set was sure to reach in advance.
    nodes : int
        Sets that the search looked at.
    """

    chosen: tuple[int, ...]
    value: float
    upper: float
    greedy: float
    guarantee: float
    nodes: int

    @property
    def gap(self) -> float:
        """How much more the best set may be worth."""
        return max(0.0, self.upper - self.value)

    @property
    def proven(self) -> bool:
        """Whether no other set is better."""
        return self.gap <= _ROUNDING


_ROUNDING = 1e-9


def greedy_set(f: SetValue, n: int, base: Sequence[int] = ()) -> list[int]:
    """n items, each the one that adds most to `base` and those before it; ties go to the smaller number."""
    pair_gains, uncovered = f.start(base)
    free = np.ones(len(f.relevance), bool)
    free[list(base)] = False
    chosen: list[int] = []
    for _ in range(min(n, int(free.sum()))):
        best = int(np.where(free, f.gains(pair_gains, uncovered), -np.inf).argmax())
        free[best] = False
        chosen.append(best)
        pair_gains, uncovered = pair_gains + f.pairs[best], uncovered * (1 - f.topics[best])
    return chosen


def guarantee(f: SetValue, n: int, base: Sequence[int] = ()) -> float:
    r"""The share :math:`1 - (1 - \rho / n)^n` of the best gain that the greedy set is sure to reach.

    1 where nothing has to be chosen or the function is modular; with :math:`\beta = 0` it is
    :math:`1 - (1 - 1/n)^n \ge 1 - 1/e`; 0 where nothing can be said.
    """
    free = np.ones(len(f.relevance), bool)
    free[list(base)] = False
    n = min(n, int(free.sum()))
    if n == 0:
        return 1.0
    alone = (f.relevance + f.pairs[list(base)].sum(axis=0))[free]
    others = np.sort(f.pairs[np.ix_(free, free)], axis=1)[:, ::-1][:, : 2 * n - 2].sum(axis=1)
    if not f.topic_weights.any() and not others.any():
        return 1.0
    rho = np.divide(alone, alone + others, out=np.ones(len(alone)), where=others > 0)
    return float(1 - (1 - rho.min() / n) ** n)


def best_set(f: SetValue, n: int, base: Sequence[int] = (), max_nodes: int = 20_000) -> Found:
    r"""The best n items to add to `base`, by branch and bound from the greedy set.

    A node is a set P; its children add one item each of those R that are left to it, the most promising first, so that
    each set is met once. With m places left, no set below it is worth more than

    .. math:: f(P) + \text{the sum of the m greatest of}\quad f(P \cup \{v\}) - f(P) +
              \tfrac12 \sum \bigl(\text{the } m - 1 \text{ greatest } \beta' c_{vj}, j \in R\bigr), \quad v \in R

    since what v adds to coverage only falls as P grows, and each pair of new items is counted half at either. Where
    `max_nodes` do not suffice, the best set so far is the answer and `upper` the greatest bound that was left open:
    a bound on this very case, which is mostly far better than the guarantee in advance.
    """
    greedy = greedy_set(f, n, base)
    n = len(greedy)
    search = _Search(f, max_nodes, f.value([*base, *greedy]), tuple(greedy))
    free = np.setdiff1d(np.arange(len(f.relevance)), np.array(base, np.int64))
    if n:
        search.look((), free, n, *f.start(base), f.value(base))
    upper = max(search.best, search.open)
    first = f.value([*base, *greedy])
    return Found(search.chosen, search.best, upper, first, guarantee(f, n, base), search.nodes)


class _Search:
    """Branch and bound; `open` is the greatest bound of what was given up for want of nodes."""

    def __init__(self, f: SetValue, max_nodes: int, best: float, chosen: tuple[int, ...]) -> None:
        self.f, self.max_nodes = f, max_nodes
        self.best, self.chosen = best, chosen
        self.open, self.nodes = -np.inf, 0

    def look(
        self, added: tuple[int, ...], left: Array, m: int, pair_gains: Array, uncovered: Array, value: float
    ) -> None:
        f = self.f
        self.nodes += 1
        gains = f.gains(pair_gains, uncovered)[left]
        if m == 1:
            best = int(gains.argmax())
            if value + gains[best] > self.best + _ROUNDING:
                self.best, self.chosen = float(value + gains[best]), (*added, int(left[best]))
            return
        among = f.pairs[np.ix_(left, left)]
        promise = gains + _largest(among, min(m - 1, len(left) - 1)) / 2
        order = np.argsort(-promise, kind="stable")
        left, gains, promise = left[order], gains[order], promise[order]
        for place in range(len(left) - m + 1):
            # of sets that begin with this item and go on with later ones
            bound = value + promise[place : place + m].sum()
            if bound <= self.best + _ROUNDING:
                break  # promises fall, so no later item can begin a better set
            if self.nodes >= self.max_nodes:
                self.open = max(self.open, float(bound))
                return
            item = int(left[place])
            self.look(
                (*added, item), left[place + 1 :], m - 1, pair_gains + f.pairs[item],
                uncovered * (1 - f.topics[item]), float(value + gains[place]),
            )  # fmt: skip


def _largest(matrix: Array, m: int) -> Array:
    """The sum of the m greatest entries of each row."""
    if m <= 0:
        return np.zeros(len(matrix))
    if m >= matrix.shape[1]:
        return np.asarray(matrix.sum(axis=1))
    return np.asarray(np.partition(matrix, -m, axis=1)[:, -m:].sum(axis=1))
