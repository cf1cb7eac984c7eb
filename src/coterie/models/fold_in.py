"""Folding in by least squares: a person's factors from their ratings, given the items'."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from coterie.kernels.least_squares import System, singular, solve_rows

if TYPE_CHECKING:
    import scipy.sparse as sp

    from coterie.data.interactions import Interactions

Array = np.ndarray[Any, np.dtype[Any]]


def require_solvable(train: Interactions, regularization: float, unknowns: int) -> None:
    """Refuse before a long fit what folding in would refuse after it: people with too few ratings, and no λ."""
    few = np.flatnonzero((train.user_counts > 0) & (train.user_counts < unknowns))
    if regularization == 0 and len(few):
        raise singular(train.users.name(few[0]), int(train.user_counts[few[0]]), unknowns)


class LeastSquaresFoldIn:
    r"""A person's factors from their ratings, given the items': those that explain the ratings best.

    The factors p and, where there is one, the bias b minimise

    .. math:: \sum_{i \in I} w_i \left(\frac{t_i}{w_i} - o_i - b - p^\top q_i\right)^2 + p^\top B p
              + \lambda(|I|) \left(\|p\|^2 + b^2\right)

    over the items :math:`I` of their profile. Where items have offsets :math:`o_i` (such as the mean and the item's
    bias) there is a bias b of the person, else there is none.

    Parameters
    ----------
    system : System
        The items' factors, the weights w and targets t, the matrix B, and the offsets.
    ridge : callable
        :math:`\lambda` of profiles, float32 (n,), by their lengths (n,).
    """

    def __init__(self, system: System, ridge: Callable[[Array], Array]) -> None:
        self.biased = system.offsets is not None
        self.system, self.ridge = system._replace(bias=self.biased), ridge

    def __call__(self, profiles: sp.csr_matrix) -> tuple[Array, Array | None]:
        """Factors (n, n_factors) and, where there are offsets, biases (n,) of profiles; zero for an empty one."""
        ridge = self.ridge(np.diff(profiles.indptr))
        who = "the profile".format if profiles.shape[0] == 1 else "profile {}".format
        found = solve_rows(self.system, profiles.indptr, profiles.indices, profiles.data, ridge, who)
        return (np.ascontiguousarray(found[:, :-1]), found[:, -1].copy()) if self.biased else (found, None)

    def contributions(self, profile: sp.csr_matrix, factors: Array) -> pl.DataFrame:
        r"""What each rating of a profile adds to ``b + p @ factors``: `item_index, rating, contribution`.

        The solution is linear in the targets, :math:`p = A^{-1} \sum_i (t_i - w_i o_i) q_i`, so that of item i is
        :math:`(t_i - w_i o_i) \, q_i^\top A^{-1} q` (Hu, Koren and Volinsky 2008, section 5).
        """
        wanted = np.append(factors, np.float32(1)) if self.biased else factors
        columns = profile.indices
        if not len(columns):
            parts = np.empty(0)
        else:
            ridge = float(self.ridge(np.array([len(columns)]))[0])
            matrix, _, coefficients = self.system.equations(columns, profile.data, ridge)
            direction = np.linalg.solve(matrix.astype(np.float64), wanted.astype(np.float64))
            parts = coefficients * (self.system.fixed[columns] @ direction[: len(factors)])
            if self.biased:
                parts += coefficients * direction[-1]
        return pl.DataFrame({"item_index": columns, "rating": profile.data, "contribution": parts})
