r"""What is known of a stranger's taste, and how much an answer would add to it: a normal distribution over factors.

Given vectors :math:`x_i = (q_i, 1)` and offsets :math:`o_i` of the items, a person is a vector
:math:`v = (p, b)` and rates

.. math:: r_i = o_i + x_i^\top v + \varepsilon, \qquad v \sim N(m, V), \quad \varepsilon \sim N(0, \sigma^2)

A rating moves mean and covariance as in Bayesian linear regression (Bishop 2006, section 3.3; one at a time, a Kalman
filter):

.. math:: g = \frac{V x_i}{\sigma^2 + x_i^\top V x_i}, \qquad m \leftarrow m + g (r_i - o_i - x_i^\top m), \qquad
          V \leftarrow V - g\, x_i^\top V

The covariance does not depend on the ratings, so what an answer will leave uncertain is known before it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coterie.data.interactions import Interactions
from coterie.errors import DataError
from coterie.kernels.parallel import one_blas_thread
from coterie.models.als import ALS
from coterie.models.base import Recommender

Array = np.ndarray[Any, np.dtype[Any]]

# People from whose ratings the prior is learnt, steps of that, and factors of a model made for it.
_N_PEOPLE = 2000
_STEPS = 10
_N_FACTORS = 8
# A prior variance is at least this share of the largest, so that matrices stay invertible.
_LEAST = 1e-6


@dataclass(frozen=True, eq=False)
class TasteSpace:
    r"""Items as vectors, and how people are spread among them before anything is known of one.

    Attributes
    ----------
    vectors : float64 (n_items, d)
        :math:`x_i`, the last entry 1.
    offsets : float64 (n_items,)
        :math:`o_i`.
    mean : float64 (d,), covariance : float64 (d, d)
        The prior of v.
    noise : float
        :math:`\sigma^2`.
    """

    vectors: Array = field(repr=False)
    offsets: Array = field(repr=False)
    mean: Array
    covariance: Array
    noise: float

    @classmethod
    def of(cls, model: Recommender, random_state: int = 0) -> TasteSpace:
        r"""From the item factors and biases of an `ALS` of 8 factors that is fitted to the same ratings as the model:
        factors that are about ratings, whatever the model is, and few enough to be learnt from a few answers.

        The prior and the noise are those that make the ratings of up to 2000 people most likely, by ten steps of
        expectation maximisation (Dempster, Laird and Rubin 1977): with everybody's posterior :math:`(m_u, V_u)`,

        .. math:: m = \overline{m_u}, \quad V = \overline{V_u + (m_u - m)(m_u - m)^\top}, \quad
                  \sigma^2 = \overline{(r_{ui} - o_i - x_i^\top m_u)^2 + x_i^\top V_u x_i}

        The spread of the folded-in factors themselves would not do: they are drawn to 0.

        Raises
        ------
        DataError
            All ratings are equal, so that no answer tells anything.
        """
        train = model.train_
        if not train.nnz or train.scale[0] == train.scale[1]:
            raise DataError(
                f"all {train.nnz:,} ratings are equal, so that an answer says nothing about taste; "
                "ask with the strategy 'popularity'"
            )
        fitted = ALS(n_factors=_N_FACTORS, random_state=random_state).fit(train)
        ones = np.ones((train.n_items, 1))
        vectors = np.hstack([fitted.item_factors_.astype(np.float64), ones])
        offsets = fitted.item_biases_.astype(np.float64) + fitted.mean_
        with one_blas_thread:  # the matrices are small
            return _learnt(train, vectors, offsets, random_state)

    def stranger(self) -> Taste:
        """Somebody of whom nothing is known."""
        return Taste(self, self.mean, self.covariance)


@dataclass(frozen=True, eq=False)
class Taste:
    """What is known of one person: `mean` (d,) and `covariance` (d, d) of v."""

    space: TasteSpace
    mean: Array
    covariance: Array

    def after(self, item: int, rating: float) -> Taste:
        """The same after one more rating."""
        x = self.space.vectors[item]
        seen = self.covariance @ x
        gain = seen / (self.space.noise + x @ seen)
        mean = self.mean + gain * (rating - self.space.offsets[item] - x @ self.mean)
        covariance = self.covariance - np.outer(gain, seen)
        return Taste(self.space, mean, (covariance + covariance.T) / 2)

    def ratings(self) -> Array:
        """Expected ratings of all items, float64 (n_items,)."""
        return np.asarray(self.space.offsets + self.space.vectors @ self.mean)

    def uncertainty(self, weights: Array) -> float:
        r"""The mean variance of what is expected of the items, :math:`\sum_j w_j x_j^\top V x_j / \sum_j w_j`."""
        return float((moments(self.space.vectors, weights) * self.covariance).sum())

    def reductions(self, moment: Array) -> Array:
        r"""By how much a rating of each item would reduce the uncertainty, float64 (n_items,).

        With :math:`M = \sum_j w_j x_j x_j^\top / \sum_j w_j` (`moments`) the uncertainty is the trace of :math:`M V`,
        and by the update of V a rating of i takes

        .. math:: \frac{x_i^\top V M V x_i}{\sigma^2 + x_i^\top V x_i}

        of it: A-optimal design where M is the unit matrix (Chaloner and Verdinelli 1995), and with the M of the items'
        own vectors what Cohn, Ghahramani and Jordan (1996) minimise, the variance of the predictions.
        """
        with one_blas_thread:  # a second thread would be waited for longer than it saves
            seen = self.space.vectors @ self.covariance  # (n_items, d)
            through = seen @ moment
        own = np.einsum("nd,nd->n", seen, self.space.vectors)
        return np.asarray(np.einsum("nd,nd->n", through, seen) / (self.space.noise + own))


def moments(vectors: Array, weights: Array) -> Array:
    r""":math:`\sum_j w_j x_j x_j^\top / \sum_j w_j`, float64 (d, d)."""
    return np.asarray((vectors * weights[:, None]).T @ vectors / max(float(weights.sum()), 1e-300))


def posteriors(grams: Array, targets: Array, mean: Array, covariance: Array, noise: float) -> tuple[Array, Array]:
    r"""Means (n, d) and covariances (n, d, d) of n people of all of whose ratings :math:`X_u^\top X_u` (n, d, d) and
    :math:`X_u^\top (r_u - o)` (n, d) tell: :math:`V_u = (V^{-1} + X_u^\top X_u / \sigma^2)^{-1}`."""
    precision = np.linalg.inv(covariance)
    after = np.linalg.inv(precision + grams / noise)
    return np.einsum("nde,ne->nd", after, precision @ mean + targets / noise), after


def _learnt(train: Interactions, vectors: Array, offsets: Array, random_state: int) -> TasteSpace:
    """The prior by expectation maximisation."""
    people = np.flatnonzero(train.user_counts)
    if len(people) > _N_PEOPLE:
        people = np.sort(np.random.default_rng(random_state).choice(people, _N_PEOPLE, replace=False))
    d, squares, n_ratings = vectors.shape[1], 0.0, 0
    grams, targets = np.empty((len(people), d, d)), np.empty((len(people), d))
    for place, user in enumerate(people):
        own = slice(train.indptr[user], train.indptr[user + 1])
        x, residuals = vectors[train.indices[own]], train.values[own].astype(np.float64) - offsets[train.indices[own]]
        grams[place], targets[place] = x.T @ x, x.T @ residuals
        squares, n_ratings = squares + float(residuals @ residuals), n_ratings + len(x)
    noise = max(squares / n_ratings, 1e-9)
    # at first, what varies is as much the person as it is noise
    mean, covariance = np.zeros(d), np.eye(d) * noise * n_ratings / max(float(np.einsum("ndd->", grams)), 1e-9)
    for _ in range(_STEPS):
        means, each = posteriors(grams, targets, mean, covariance, noise)
        mean = means.mean(axis=0)
        covariance = each.mean(axis=0) + (means - mean).T @ (means - mean) / len(means)
        covariance += np.eye(d) * _LEAST * max(float(np.trace(covariance)) / d, 1e-12)
        left = squares - 2 * np.einsum("nd,nd->", targets, means) + np.einsum("nd,nde,ne->", means, grams, means)
        noise = max(float(left + np.einsum("nde,nde->", grams, each)) / n_ratings, 1e-9)
    return TasteSpace(vectors, offsets, mean, covariance, noise)
