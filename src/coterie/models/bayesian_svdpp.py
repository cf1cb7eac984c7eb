"""Bayesian SVD++ with the implicit feedback of both sides."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from coterie.models.bayesian_mf import BayesianMF
from coterie.models.factors import grown
from coterie.models.gibbs import Chain, Sample, scales_of
from coterie.models.parameters import hyper_parameters

Array = np.ndarray[Any, np.dtype[Any]]


@hyper_parameters
class BayesianSVDPlusPlus(BayesianMF):
    r"""Bayesian SVD++, "flipped": what somebody rated and who rated an item say something whatever the ratings.

    The model is that of `BayesianMF`, but that the vectors of users and items lie about means of their own:

    .. math:: v_u \sim N\Bigl(\mu_U + |I_u|^{-1/2} \sum_{j \in I_u} y_j,\ \Lambda_U^{-1}\Bigr), \quad
              z_i \sim N\Bigl(\mu_I + |U_i|^{-1/2} \sum_{w \in U_i} t_w,\ \Lambda_I^{-1}\Bigr)

    with a vector of d = `n_factors` + 1 entries for being rated, :math:`y_j \sim N(\mu_Y, \Lambda_Y^{-1})`, of each
    item and one for having rated, :math:`t_w \sim N(\mu_T, \Lambda_T^{-1})`, of each user, and the same priors for
    all four means and precisions. Only training ratings count as implicit feedback. In a sweep each
    :math:`y_j` is drawn given all the rest (and each :math:`t_w` likewise): with :math:`s_u = |I_u|^{-1/2}`,
    :math:`g_u = v_u - \mu_U - s_u \sum_{l \in I_u, l \ne j} y_l` and :math:`c_j = \sum_{u \in U_j} s_u^2`,

    .. math:: y_j \sim N\Bigl(B_j^{-1} \bigl(\Lambda_Y \mu_Y + \Lambda_U \sum_{u \in U_j} s_u g_u\bigr),
              B_j^{-1}\Bigr), \quad B_j = \Lambda_Y + c_j \Lambda_U.

    All :math:`B_j` become diagonal by one change of basis, so this costs as much as reading the ratings a few times.
    A stranger has :math:`\sum y_j` by their profile; everything else is as in `BayesianMF`.

    Attributes
    ----------
    implicit_factors_ : float32 (n_items, n_samples * d)
        :math:`y_j` of one sample after the other, the mean :math:`\mu_Y` for items that nobody rated.
    item_factors_, user_factors_, objective_, held_out_rmse_ and the others of `BayesianMF`
        Of the same shapes and meanings as there.

    References
    ----------
    S. Rendle, L. Zhang and Y. Koren, "On the difficulty of evaluating baselines", 2019, section 3.2 ("Bayesian SVD++
    flipped"). S. Rendle, "Scaling factorization machines to relational data", PVLDB 6(5), 2013. The means that depend
    on features of a row are those of J. Simm et al., "Macau: scalable Bayesian factorization with
    high-dimensional side information using MCMC", MLSP 2017.
    """

    name: ClassVar[str] = "bayesian-svd++"
    _implicit: ClassVar[bool] = True

    def _keep(self, chain: Chain) -> None:
        super()._keep(chain)
        weights = chain.weights[: int(chain.length[0])]
        n, n_items, d = weights.shape
        self.implicit_factors_ = weights.transpose(1, 0, 2).reshape(n_items, n * d)

    def _sample_at(self, place: int) -> Sample:
        d = self.n_factors + 1
        weights = np.ascontiguousarray(self.implicit_factors_[:, place * d : (place + 1) * d])
        return super()._sample_at(place)._replace(weights=weights)

    def _implicit_parts(self, items: Array) -> Array:
        n_samples, d = self.user_means_.shape
        weights = self.implicit_factors_[items].reshape(len(items), n_samples, d).transpose(1, 2, 0)
        return np.asarray(self.user_precisions_ @ (weights * scales_of(np.array([0, len(items)]))))

    def _grow_items(self, n: int) -> None:
        super()._grow_items(n)
        self.implicit_factors_ = grown(self.implicit_factors_, n)
