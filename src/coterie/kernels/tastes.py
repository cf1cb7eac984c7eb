r"""A person's taste from what they chose, given the items: the factors p that rank it above the rest.

p maximises

    sum_a w_a E[ln sigma(x_a - x)]  -  ridge / 2 |p|^2,      x_a = p.q_a + c_a,

over the chosen items a, where x is the score of an item that was not chosen. Its mean and variance over those items
are exact; for the rest the scores are taken to be normally distributed, so that the expectation is a sum over a few
nodes of Gauss-Hermite quadrature, and one person's equations cost nothing that grows with the number of items. The
function is concave (ln sigma is, and it falls with the spread, which is a norm of p), and Newton's method finds its
maximum.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from coterie.kernels.parallel import run_blocks

Array = np.ndarray[Any, np.dtype[Any]]

# Up to this many rows NumPy answers, so that serving one person never waits for a compiler.
_FEW_ROWS = 16
_TASK = 64
MOST_STEPS = 50
#: A step this small, as a share of the largest factor, is the last: what it leaves is of the order of its square.
SMALL_STEP = 1e-4
#: Added to the variance of scores, so that its root is smooth where they do not differ.
LEAST_VARIANCE = 1e-10
NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
SHARES = _WEIGHTS / _WEIGHTS.sum()


class Items(NamedTuple):
    """All items and what is needed of them together.

    Attributes
    ----------
    vectors : float64 (n_items, d + 1)
        q and c.
    weights : float64 (n_items,)
        How often an item stands for what was not chosen.
    total : float
        The sum of the weights.
    first : float64 (d + 1,), second : float64 (d + 1, d + 1)
        Weighted sums of the vectors, and of their outer products.
    """

    vectors: Array
    weights: Array
    total: float
    first: Array
    second: Array

    @classmethod
    def of(cls, factors: Array, biases: Array, weights: Array) -> Items:
        """From factors (n_items, d), biases and weights (n_items,)."""
        vectors = np.column_stack([factors, biases]).astype(np.float64)
        weights = weights.astype(np.float64)
        weighted = vectors * weights[:, None]
        return cls(vectors, weights, float(weights.sum()), weighted.sum(axis=0), vectors.T @ weighted)


def solve_tastes(items: Items, indptr: Array, columns: Array, weights: Array, ridge: Array) -> Array:
    """Factors float32 (n, d) of compressed rows of chosen items; zero for a row that chose nothing, or everything.

    Parameters
    ----------
    weights : float32 (nnz,)
        w_a > 0.
    ridge : float64 (n,)
        Above 0 for rows that chose something.
    """
    n = len(indptr) - 1
    out = np.zeros((n, items.vectors.shape[1] - 1), np.float32)
    if n <= _FEW_ROWS:
        for row in range(n):
            part = slice(indptr[row], indptr[row + 1])
            person = Person.of(items, columns[part], weights[part], float(ridge[row]))
            if person is not None:
                out[row] = person.solve()
        return out
    from coterie.kernels.bpr import solve_taste_rows

    def work(start: int, stop: int) -> None:
        solve_taste_rows(
            indptr[start : stop + 1], columns, weights, ridge[start:stop], *items, NODES, SHARES, out[start:stop]
        )

    run_blocks(work, n, _TASK)
    return out


class Person(NamedTuple):
    """One person's choices, and the rest of the items by mean and covariance, biases set apart.

    Attributes
    ----------
    chosen : float64 (n, d), chosen_biases : float64 (n,)
        Vectors of the chosen items, less the mean of the rest.
    weights : float64 (n,)
    covariance : float64 (d, d), covariance_bias : float64 (d,), variance_bias : float
        Of the rest: of the factors, of the factors and the bias, of the bias.
    ridge : float
    """

    chosen: Array
    chosen_biases: Array
    weights: Array
    covariance: Array
    covariance_bias: Array
    variance_bias: float
    ridge: float

    @classmethod
    def of(cls, items: Items, columns: Array, weights: Array, ridge: float) -> Person | None:
        """None where nothing was chosen or nothing is left."""
        vectors, shares = items.vectors[columns], items.weights[columns]
        rest = items.total - shares.sum()
        if not len(columns) or rest <= 1e-9 * items.total:
            return None
        mean = (items.first - shares @ vectors) / rest
        covariance = (items.second - (vectors * shares[:, None]).T @ vectors) / rest - np.outer(mean, mean)
        chosen = vectors - mean
        return cls(
            chosen[:, :-1], chosen[:, -1], weights.astype(np.float64),
            covariance[:-1, :-1], covariance[:-1, -1], max(float(covariance[-1, -1]), 0.0), ridge,
        )  # fmt: skip

    def spread(self, p: Array) -> tuple[float, Array]:
        """Standard deviation of the scores of the rest, and its gradient (d,)."""
        turned = self.covariance @ p
        variance = p @ turned + 2 * (self.covariance_bias @ p) + self.variance_bias
        spread = float(np.sqrt(max(variance, 0.0) + LEAST_VARIANCE))
        return spread, (turned + self.covariance_bias) / spread

    def chances(self, p: Array, spread: float) -> tuple[Array, Array]:
        """ln sigma and sigma(-x), (n, nodes), of the chosen items' leads x over the rest."""
        lead = (self.chosen @ p + self.chosen_biases)[:, None] - spread * NODES
        log_wins = -np.logaddexp(0.0, -lead)
        return log_wins, -np.expm1(log_wins)

    def solve(self) -> Array:
        """The maximum, float64 (d,)."""
        p = before = step = np.zeros(self.chosen.shape[1])
        best = -np.inf
        for _ in range(MOST_STEPS):
            spread, turn = self.spread(p)
            log_wins, losses = self.chances(p, spread)
            value = self.weights @ (log_wins @ SHARES) - self.ridge / 2 * (p @ p)
            if value < best - 1e-12 * abs(best):  # too far
                step = step / 2
                p = before + step
                continue
            best, before = value, p
            step = self._newton(p, spread, turn, losses)
            p = before + step
            if np.abs(step).max() <= SMALL_STEP * np.abs(p).max():
                break
        return p

    def _newton(self, p: Array, spread: float, turn: Array, losses: Array) -> Array:
        """Newton's step, (d,)."""
        loss = losses * SHARES * self.weights[:, None]
        curve = loss * (1 - losses)
        pull = float((loss @ NODES).sum())
        gradient = self.chosen.T @ loss.sum(axis=1) - pull * turn - self.ridge * p
        cross = np.outer(self.chosen.T @ (curve @ NODES), turn)
        matrix = (self.chosen.T * curve.sum(axis=1)) @ self.chosen - cross - cross.T
        matrix += float((curve @ NODES**2).sum()) * np.outer(turn, turn)
        matrix += pull / spread * (self.covariance - np.outer(turn, turn))
        matrix[np.diag_indices(len(matrix))] += self.ridge
        return np.asarray(np.linalg.solve(matrix, gradient))

    def contributions(self, p: Array, factors: Array) -> Array:
        """What each chosen item adds to ``p @ factors`` at the maximum p, where the gradient is zero: (n,)."""
        spread, turn = self.spread(p)
        loss = self.chances(p, spread)[1] * SHARES * self.weights[:, None]
        added = loss.sum(axis=1) * (self.chosen @ factors) - (loss @ NODES) * (turn @ factors)
        return np.asarray(added / self.ridge)
