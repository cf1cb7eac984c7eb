"""Gibbs sampling of factor models: the state of each side, and what a sweep draws."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from coterie.data.interactions import Rows
from coterie.models.factors import pair_products

Array = np.ndarray[Any, np.dtype[Any]]

# The normal-Wishart prior of a side's mean and precision: mean 0 as sure as one row would make it, and an expected
# precision of the identity times d. Ratings are brought to unit variance, so this suits any scale of ratings.
_PRIOR_ROWS = 1.0
# Shapes κ that Gamma(κ, κ), of mean 1, may have for noise precisions: standard deviations from 0.71 to 0.09.
_SHAPES = 2.0 ** np.arange(1, 7.1, 0.25)
# How often a person's noise is estimated anew from what their ratings leave unexplained.
ROUNDS = 3


class Side:
    r"""Users or items in the middle of sampling: vectors :math:`v_n \sim N(\mu + s_n, \Lambda^{-1})`.

    The last entry of a vector is a bias. With implicit feedback
    :math:`s_n = |J_n|^{-1/2} \sum_{j \in J_n} y_j` over the columns :math:`J_n` that n has ratings in; without,
    :math:`s_n = 0`. Ratings of n have noise of the precision :math:`\tau \alpha_n \beta`, where :math:`\tau` is common
    and :math:`\beta` the other side's, with :math:`\alpha_n \sim \mathrm{Gamma}(\kappa, \kappa)`, or 1 for all.

    Attributes
    ----------
    vectors : float32 (n, d)
    noise : float64 (n,)
        :math:`\alpha_n`.
    shape : float64 (1,)
        :math:`\kappa`.
    mean : float64 (d,), precision : float64 (d, d)
        :math:`\mu` and :math:`\Lambda`.
    weights : float32 (m, d)
        :math:`y_j`; (0, d) without implicit feedback.
    weight_mean : float64 (d,)
        The prior mean of the weights.
    shifts : float32 (n, d)
        :math:`s_n`; (0, d) without implicit feedback.
    """

    def __init__(self, rows: Rows, columns: Rows, vectors: Array, implicit: bool, individual: bool) -> None:
        """`rows` are this side's ratings, `columns` the same ratings by the other side."""
        self.rows, self.columns, self.implicit, self.individual = rows, columns, implicit, individual
        n, d = vectors.shape
        self.vectors = vectors
        self.noise, self.shape = np.ones(n), np.full(1, _SHAPES[len(_SHAPES) // 2])
        self.mean, self.precision = np.zeros(d), np.eye(d)
        self.weights = np.zeros((len(columns.indptr) - 1 if implicit else 0, d), np.float32)
        self.weight_mean = np.zeros(d)
        self.shifts = np.zeros((n if implicit else 0, d), np.float32)

    @property
    def kept(self) -> dict[str, Array]:
        """What sweeps change, in place."""
        names = ("vectors", "noise", "shape", "mean", "precision", "weights", "weight_mean", "shifts")
        return {name: getattr(self, name) for name in names}

    def draw_prior(self, random: np.random.Generator) -> None:
        """Draw mean, precision and, with implicit feedback, the weights, given the vectors."""
        own = self.vectors.astype(np.float64)
        if not self.implicit:
            self.mean[:], self.precision[:] = draw_normal_wishart(own, random)
            return
        own -= self.shifts
        self.mean[:], self.precision[:] = draw_normal_wishart(own, random)
        weights = self.weights.astype(np.float64)
        self.weight_mean[:], weight_precision = draw_normal_wishart(weights, random)
        self._draw_weights(own - self.mean, weights, weight_precision, random)

    def _draw_weights(
        self, residuals: Array, weights: Array, weight_precision: Array, random: np.random.Generator
    ) -> None:
        r"""Draw the weights in coordinates in which the columns of residuals and weights are independent.

        With :math:`\Lambda = L L^\top` and :math:`L^{-1} \Lambda_y L^{-\top} = U D U^\top`, the vector
        :math:`x \mapsto U^\top L^\top x` turns the precision :math:`\Lambda` into the identity and
        :math:`\Lambda_y` into the diagonal D.
        """
        from coterie.kernels.gibbs import draw_weights

        lower = np.linalg.cholesky(self.precision)
        half = np.linalg.solve(lower, weight_precision)  # L⁻¹ Λ_y
        diagonal, u = np.linalg.eigh(np.linalg.solve(lower, half.T))
        turn = u.T @ lower.T
        residuals, turned = (np.ascontiguousarray(a @ turn.T, dtype=np.float32) for a in (residuals, weights))
        noise = random.standard_normal(turned.shape, np.float32)
        draw_weights(
            self.columns.indptr, self.columns.indices, scales_of(self.rows.indptr),
            np.asarray(turn @ self.weight_mean, np.float32), np.asarray(diagonal, np.float32), noise, residuals, turned,
        )  # fmt: skip
        self.weights[:] = np.linalg.solve(turn, turned.T).T
        self.shifts[:] = sums_of_weights(self.rows.indptr, self.rows.indices, self.weights)

    def draw_vectors(self, others: Side, precision: float, random: np.random.Generator) -> float:
        r"""Draw all vectors given the other side and the common precision :math:`\tau`, then :math:`\alpha_n`.

        Returns the sum of squared errors, each times its two individual precisions.
        """
        from coterie.kernels.gibbs import draw_rows

        noise = random.standard_normal((len(self.vectors), len(self.mean)), np.float32)
        means = np.tile(self.mean.astype(np.float32), (len(self.vectors), 1))
        if self.implicit:
            means += self.shifts
        errors = draw_rows(
            *self.rows, others.vectors, np.sqrt(others.noise).astype(np.float32), means, self.precision,
            precision * self.noise, noise, self.vectors,
        )  # fmt: skip
        if self.individual:
            rates = self.shape[0] + precision * errors / 2
            self.noise[:] = random.gamma(self.shape[0] + np.diff(self.rows.indptr) / 2, 1 / rates)
            self.shape[0] = draw_shape(self.noise, random)
        return float(self.noise @ errors)

    @property
    def log_noise(self) -> float:
        """Sum over ratings of the logarithm of this side's precision."""
        return float(np.diff(self.rows.indptr) @ np.log(self.noise))


def scales_of(indptr: Array) -> Array:
    """1 / sqrt(length) of compressed rows, float32 (n,); 1 for empty ones, which have nothing to scale."""
    return (1.0 / np.sqrt(np.maximum(np.diff(indptr), 1))).astype(np.float32)


def sums_of_weights(indptr: Array, columns: Array, weights: Array) -> Array:
    """``|J|^-1/2 Σ_{j in J} y_j`` for the columns J of each compressed row, float32 (n, d)."""
    import scipy.sparse as sp

    ones = np.ones(len(columns), np.float32)
    shape = (len(indptr) - 1, len(weights))
    sums = sp.csr_matrix((ones, columns, indptr), shape=shape) @ weights
    return np.asarray(sums * scales_of(indptr)[:, None])


def draw_normal_wishart(rows: Array, random: np.random.Generator) -> tuple[Array, Array]:
    r"""Draw mean and precision of the normal distribution that `rows` (n, d) were drawn from.

    The prior is :math:`\Lambda \sim W(I, d)`, :math:`\mu \sim N(0, (\beta_0 \Lambda)^{-1})`; the conditional is
    equation 14 of Salakhutdinov and Mnih, 2008.

    Returns
    -------
    mean : float64 (d,), precision : float64 (d, d)
    """
    n, d = rows.shape
    center = rows.mean(axis=0) if n else np.zeros(d)
    apart = rows - center
    inverse = np.eye(d) + apart.T @ apart + (_PRIOR_ROWS * n / (_PRIOR_ROWS + n)) * np.outer(center, center)
    precision = draw_wishart(np.linalg.inv(inverse), d + n, random)
    certainty = np.linalg.cholesky((_PRIOR_ROWS + n) * precision)
    mean = n / (_PRIOR_ROWS + n) * center + np.linalg.solve(certainty.T, random.standard_normal(d))
    return mean, precision


def draw_shape(precisions: Array, random: np.random.Generator) -> float:
    """A draw of κ, given what was drawn from Gamma(κ, κ), among `_SHAPES` that are equally probable before."""
    n, k = len(precisions), _SHAPES
    log_gamma = np.array([math.lgamma(shape) for shape in k])
    logs = n * (k * np.log(k) - log_gamma) + (k - 1) * np.log(precisions).sum() - k * precisions.sum()
    chances = np.exp(logs - logs.max())
    return float(random.choice(k, p=chances / chances.sum()))


def draw_wishart(scale: Array, degrees: float, random: np.random.Generator) -> Array:
    """A draw of the Wishart distribution with mean ``degrees * scale``, by Bartlett's decomposition."""
    d = len(scale)
    bartlett = np.tril(random.standard_normal((d, d)), -1)
    bartlett[np.diag_indices(d)] = np.sqrt(random.chisquare(degrees - np.arange(d)))
    root = np.linalg.cholesky(scale) @ bartlett
    return root @ root.T


class Sample(NamedTuple):
    r"""One draw of all that a person's vector depends on.

    Attributes
    ----------
    items : float32 (n_items, d)
        Item vectors :math:`z_i`, the last entry a bias.
    user_mean : float64 (d,), user_precision : float64 (d, d)
    item_noise : float32 (n_items,)
        :math:`\beta_i`.
    noise_precision : float
        :math:`\tau`.
    noise_shape : float
        :math:`\kappa` of the users, or 0 where their :math:`\alpha_u` are all 1.
    weights : float32 (n_items, d) or None
        :math:`y_j` of the users' implicit feedback.
    """

    items: Array
    user_mean: Array
    user_precision: Array
    item_noise: Array
    noise_precision: float
    noise_shape: float
    weights: Array | None

    def user_vectors(self, indptr: Array, indices: Array, values: Array) -> Array:
        """The expected vector of each profile, float32 (n, d)."""
        from coterie.kernels.gibbs import draw_rows

        means = np.tile(self.user_mean.astype(np.float32), (len(indptr) - 1, 1))
        if self.weights is not None:
            means += sums_of_weights(indptr, indices, self.weights)
        vectors = np.empty_like(means)
        draw_rows(
            indptr, indices, values, self.items, np.sqrt(self.item_noise), means, self.user_precision,
            np.full(len(means), self.noise_precision), np.zeros_like(means), vectors,
            self.noise_shape, ROUNDS if self.noise_shape else 0,
        )  # fmt: skip
        return vectors


class Chain:
    """The samples kept, in arrays that sweeps fill in place; `length` (1,) is how many there are.

    Attributes
    ----------
    items : float32 (n_samples, n_items, d)
        Item vectors less their prior mean: zero for items without ratings, of which nothing else is known.
    item_means, user_means : float64 (n_samples, d)
    item_precisions, user_precisions : float64 (n_samples, d, d)
    item_noise : float32 (n_samples, n_items)
        Of items without ratings, what makes the expected variance.
    noise_precisions, noise_shapes : float64 (n_samples,)
    weights : float32 (n_samples, n_items, d)
        Of the users' implicit feedback; the prior mean for items without ratings. (n_samples, 0, d) without it.
    """

    def __init__(self, n_samples: int, users: Side, items: Side) -> None:
        """Room for `n_samples` samples of these two sides."""
        self.user_side, self.item_side, self._rated = users, items, np.diff(items.rows.indptr) > 0
        d = len(users.mean)
        self.length = np.zeros(1, np.int64)
        self.items = np.zeros((n_samples, *items.vectors.shape), np.float32)
        self.item_means, self.user_means = np.zeros((n_samples, d)), np.zeros((n_samples, d))
        self.item_precisions, self.user_precisions = np.zeros((n_samples, d, d)), np.zeros((n_samples, d, d))
        self.item_noise = np.ones((n_samples, len(self._rated)), np.float32)
        self.noise_precisions, self.noise_shapes = np.zeros(n_samples), np.zeros(n_samples)
        self.weights = np.zeros((n_samples, *users.weights.shape), np.float32)

    @property
    def kept(self) -> dict[str, Array]:
        """What sweeps change, in place."""
        sides = ("user_side", "item_side", "_rated")
        return {name: array for name, array in vars(self).items() if name not in sides}

    def put(self, place: int, noise_precision: float) -> None:
        """Keep the two sides as they are as the sample at `place`, which is the last."""
        self.length[0] = place + 1
        np.subtract(self.item_side.vectors, self.item_side.mean, out=self.items[place], casting="same_kind")
        self.items[place][~self._rated] = 0
        self.item_means[place], self.item_precisions[place] = self.item_side.mean, self.item_side.precision
        self.user_means[place], self.user_precisions[place] = self.user_side.mean, self.user_side.precision
        self.noise_precisions[place] = noise_precision
        if self.user_side.individual:
            self.item_noise[place] = self.item_side.noise
            self.item_noise[place][~self._rated] = 1 - 1 / self.item_side.shape[0]
            self.noise_shapes[place] = self.user_side.shape[0]
        self.weights[place] = self.user_side.weights
        if self.user_side.implicit:
            self.weights[place][~self._rated] = self.user_side.weight_mean

    def sample(self, place: int) -> Sample:
        """The sample at `place`."""
        return Sample(
            self.items[place] + self.item_means[place].astype(np.float32),
            self.user_means[place], self.user_precisions[place], self.item_noise[place],
            float(self.noise_precisions[place]), float(self.noise_shapes[place]),
            self.weights[place] if self.user_side.implicit else None,
        )  # fmt: skip


class Trace:
    """Ratings predicted in the middle of sampling: means over the samples kept by now, in units of the sides."""

    def __init__(self, chain: Chain) -> None:
        """Nothing is asked of `chain` yet."""
        self.chain = chain
        self._asked: tuple[Array, Array] | None = None
        self._done, self._total = 0, np.zeros(0)

    def __call__(self, users: Array, items: Array) -> Array:
        """Ratings of pairs of row numbers, float64 (n,). Sums over samples that are final are kept."""
        if self._asked is None or self._asked[0] is not users or self._asked[1] is not items:
            self._asked, self._done, self._total = (users, items), 0, np.zeros(len(users))
        last = int(self.chain.length[0]) - 1
        for place in range(self._done, last):
            self._total += self._ratings(place, users, items)
        self._done = last
        return (self._total + self._ratings(last, users, items)) / (last + 1)

    def _ratings(self, place: int, users: Array, items: Array) -> Array:
        sample = self.chain.sample(place)
        vectors, others = sample.user_vectors(*self.chain.user_side.rows), sample.items
        ratings = pair_products(vectors[:, :-1], others[:, :-1], users, items)
        return np.asarray(ratings + vectors[users, -1] + others[items, -1])
