"""Bayesian matrix factorisation: predictions averaged over all factors that the ratings leave possible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions, Rows
from coterie.data.vocabulary import Id
from coterie.errors import ParameterError
from coterie.kernels.memory import memory_budget, require_memory
from coterie.kernels.parallel import run_blocks
from coterie.models.factors import FactorModel, grown
from coterie.models.gibbs import ROUNDS, Chain, Sample, Side, Trace
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.profiles import FEW_ROWS, Profile

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# Spread of the first factors; sampling forgets it.
_START = 0.1
# Profiles whose vectors of all samples are in memory at once.
_BLOCK_ROWS = 4096


class Posterior(NamedTuple):
    r"""What is known of one person's vector, sample by sample: it is normal with this mean and covariance.

    Attributes
    ----------
    means : float64 (n_samples, d), covariances : float64 (n_samples, d, d)
    parts : float64 (n_samples, d, n)
        What each item of the profile adds to ``means - user_means_``.
    variances : float64 (n_samples,)
        Of the noise in this person's ratings of items with :math:`\beta_i = 1`.
    """

    means: Array
    covariances: Array
    parts: Array
    variances: Array


@hyper_parameters
class BayesianMF(FactorModel):
    r"""Bayesian probabilistic matrix factorisation with biases, by Gibbs sampling.

    With :math:`m` and :math:`s` the mean and standard deviation of the training ratings, vectors
    :math:`v_u = (p_u, b_u)` and :math:`z_i = (q_i, b_i)` of d = `n_factors` + 1 entries generate the ratings:

    .. math:: \frac{r_{ui} - m}{s} \sim N\bigl(p_u^\top q_i + b_u + b_i, (\tau \alpha_u \beta_i)^{-1}\bigr), \quad
              v_u \sim N(\mu_U, \Lambda_U^{-1}), \quad z_i \sim N(\mu_I, \Lambda_I^{-1})

    with the priors :math:`\Lambda \sim W(I, d)`, :math:`\mu \sim N(0, \Lambda^{-1})` on either side and
    :math:`\tau \sim \mathrm{Gamma}(1, 1)`. There is no regularisation to choose: how strongly factors are drawn
    to their mean is learnt. With ``noise="common"`` this is the model of Salakhutdinov and Mnih with biases,
    :math:`\alpha_u = \beta_i = 1`. With ``noise="individual"`` some people rate more steadily than others, and some
    items are more agreed upon: :math:`\alpha_u \sim \mathrm{Gamma}(\kappa_U, \kappa_U)`,
    :math:`\beta_i \sim \mathrm{Gamma}(\kappa_I, \kappa_I)`, as in Lakshminarayanan et al.

    A sweep draws :math:`\tau`, then :math:`\mu_I, \Lambda_I`, all :math:`z_i`, all :math:`\beta_i` and
    :math:`\kappa_I`, then the same of the users, each from its distribution given all the rest. For a
    user with ratings of the items :math:`I_u` and :math:`x_i = (q_i, 1)` that is

    .. math:: v_u \sim N(\bar v_u, A_u^{-1}), \quad
              A_u = \Lambda_U + \tau \alpha_u \sum_{i \in I_u} \beta_i x_i x_i^\top, \quad
              \bar v_u = A_u^{-1} \Bigl(\Lambda_U \mu_U + \tau \alpha_u \sum_{i \in I_u}
              \beta_i \bigl(\tfrac{r_{ui} - m}{s} - b_i\bigr) x_i\Bigr)

    .. math:: \alpha_u \sim \mathrm{Gamma}\Bigl(\kappa_U + \tfrac{|I_u|}{2}, \kappa_U + \tfrac{\tau}{2}
              \sum_{i \in I_u} \beta_i \bigl(\tfrac{r_{ui} - m}{s} - b_i - x_i^\top v_u\bigr)^2\Bigr)

    and the same for items. After `n_burn_in` sweeps every `thinning`-th is kept, `n_samples` of them. Their item
    sides are the model. A person's vector in a sample is its mean :math:`\bar v_u` there, for known users and
    strangers alike (averaging means instead of draws is more accurate), with :math:`\alpha_u` at what is to be
    expected given the profile, found by three rounds of mean-field updates from 1. The prediction is the mean over
    samples, one product of factors of length ``n_samples * n_factors``. `update` folds in changed and new users; new
    items have no factors before the next fit.

    Attributes
    ----------
    mean_, spread_ : float
        m and s; s is 1 where all ratings are equal.
    item_factors_ : float32 (n_items, n_samples * n_factors)
        :math:`q_i - \mu_q` of one sample after the other; zero for items that nobody rated.
    item_bias_samples_ : float32 (n_items, n_samples)
        :math:`b_i - \mu_b` likewise.
    item_biases_ : float32 (n_items,)
        s times the mean of the row above.
    user_factors_ : float32 (n_users, n_samples * n_factors)
        :math:`\tfrac{s}{n} \bar p_u` of one sample after the other, n being their number.
    user_offsets_ : float32 (n_users,)
        What of a prediction does not depend on the item: m, the person's bias and what :math:`\mu_I` adds.
    item_means_, user_means_ : float64 (n_samples, d)
        :math:`\mu_I` and :math:`\mu_U`.
    item_precisions_, user_precisions_ : float64 (n_samples, d, d)
    noise_precisions_, noise_shapes_ : float64 (n_samples,)
        :math:`\tau`; :math:`\kappa_U`, or 0 with common noise.
    item_noise_ : float32 (n_items, n_samples)
        :math:`\beta_i`; 1 with common noise.
    objective_ : float64 (sweeps,)
        Mean negative log likelihood of the training ratings under each sweep's draw. It falls at first, then
        fluctuates.
    held_out_rmse_ : float64 (sweeps,)
        Of the mean over the samples by then, where `fit` was given `validation`.

    Raises
    ------
    MemoryBudgetError
        The samples do not fit.

    References
    ----------
    R. Salakhutdinov and A. Mnih, "Bayesian probabilistic matrix factorization using Markov chain Monte Carlo",
    ICML 2008, equations 11 to 14. B. Lakshminarayanan, G. Bouchard and C. Archambeau, "Robust Bayesian matrix
    factorisation", AISTATS 2011. S. Rendle, L. Zhang and Y. Koren, "On the difficulty of evaluating baselines",
    2019, section 3, for how strong this is.
    """

    name: ClassVar[str] = "bayesian-mf"
    predicts_ratings = True
    learns_in_sweeps = True
    _implicit: ClassVar[bool] = False

    n_factors: Annotated[int, Range(1, 500, help="length of the factors of a sample", search=(4, 64), log=True)] = 16
    noise: Annotated[
        Literal["individual", "common"],
        Range(help="whether people and items differ in how noisy their ratings are, or all are alike"),
    ] = "individual"
    n_burn_in: Annotated[int, Range(0, 100_000, help="sweeps before the first sample is kept")] = 50
    n_samples: Annotated[int, Range(1, 10_000, help="samples kept; time and size of answers grow with it")] = 50
    thinning: Annotated[int, Range(1, 1000, help="sweeps for each sample kept")] = 5
    random_state: Annotated[int, Range(0, 2**32 - 1, help="seed of all draws")] = 0

    # ---- learning ----------------------------------------------------------------------------------

    @property
    def n_sweeps(self) -> int:
        """Sweeps of a whole fit, those before the first sample included."""
        return self.n_burn_in + self.n_samples * self.thinning

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self._check_memory(train)
        self.mean_ = train.mean
        self.spread_ = float(train.values.std(dtype=np.float64)) if train.scale[0] < train.scale[1] else 1.0
        users, items = self._sides(train)
        chain = Chain(self.n_samples, users, items)
        self._sample(users, items, chain)
        self._keep(chain)
        self.user_factors_, self.user_offsets_ = self._fold_in(train.to_scipy())

    def _check_memory(self, train: Interactions) -> None:
        d = self.n_factors + 1
        numbers = 2 * d * train.n_items * (2 if self._implicit else 1) + d * train.n_users
        fit = max(1, memory_budget() // (4 * max(1, numbers)))
        require_memory(
            4 * self.n_samples * numbers, f"{type(self).__name__} with n_samples={self.n_samples}",
            f"n_samples={fit} would fit, and so do fewer n_factors",
        )  # fmt: skip

    def _sides(self, train: Interactions) -> tuple[Side, Side]:
        """Users and items before the first sweep."""
        random = np.random.default_rng(self.random_state)
        rows = [Rows(r.indptr, r.indices, self._standard(r.values)) for r in (train.rows("users"), train.rows("items"))]
        vectors = [np.zeros((n, self.n_factors + 1), np.float32) for n in train.shape]
        for start in vectors:
            start[:, :-1] = _START * random.standard_normal((len(start), self.n_factors))
        individual = self.noise == "individual"
        users = Side(rows[0], rows[1], vectors[0], self._implicit, individual)
        return users, Side(rows[1], rows[0], vectors[1], self._implicit, individual)

    def _standard(self, ratings: Array) -> Array:
        return np.asarray((ratings - np.float32(self.mean_)) / np.float32(self.spread_), np.float32)

    def _sample(self, users: Side, items: Side, chain: Chain) -> None:
        """All sweeps; they leave their samples in `chain`."""
        n = len(users.rows.values)
        errors, trace = np.array([n], np.float64), Trace(chain)
        groups = {"users": users.kept, "items": items.kept, "chain": chain.kept}
        keep = {f"{group}.{name}": array for group, kept in groups.items() for name, array in kept.items()}
        keep = {"errors": errors} | {name: array for name, array in keep.items() if array.size}
        for sweep in self._sweeps(self.n_sweeps, keep, lambda u, i: self.mean_ + self.spread_ * trace(u, i)):
            random = sweep.generator
            precision = random.gamma(1 + n / 2, 1 / (1 + errors[0] / 2))
            items.draw_prior(random)
            items.draw_vectors(users, precision, random)
            users.draw_prior(random)
            errors[0] = users.draw_vectors(items, precision, random)
            # each sweep takes the place of those before it that are not kept, so there is a sample at any time
            chain.put(max(0, sweep.number - self.n_burn_in) // self.thinning, precision)
            logs = users.log_noise + items.log_noise + n * np.log(precision / (2 * np.pi * self.spread_**2))
            sweep.objective = float(precision * errors[0] - logs) / (2 * max(n, 1))

    def _keep(self, chain: Chain) -> None:
        """The samples as the model's own arrays."""
        n = int(chain.length[0])
        n_items = chain.items.shape[1]
        by_item = chain.items[:n].transpose(1, 0, 2)
        self.item_factors_ = by_item[:, :, :-1].reshape(n_items, n * self.n_factors)
        self.item_bias_samples_ = np.ascontiguousarray(by_item[:, :, -1])
        biases = self.item_bias_samples_.mean(axis=1, dtype=np.float64)
        self.item_biases_ = np.asarray(self.spread_ * biases, np.float32)
        self.item_means_, self.item_precisions_ = chain.item_means[:n], chain.item_precisions[:n]
        self.user_means_, self.user_precisions_ = chain.user_means[:n], chain.user_precisions[:n]
        self.noise_precisions_, self.noise_shapes_ = chain.noise_precisions[:n], chain.noise_shapes[:n]
        self.item_noise_ = np.ascontiguousarray(chain.item_noise[:n].T)

    # ---- people ------------------------------------------------------------------------------------

    def _fold_in(self, profiles: sp.csr_matrix) -> tuple[Array, Array]:
        n, (n_samples, d) = profiles.shape[0], self.user_means_.shape
        factors, offsets = np.empty((n, n_samples * (d - 1)), np.float32), np.empty(n, np.float32)
        for start in range(0, n, _BLOCK_ROWS):
            block = slice(start, min(start + _BLOCK_ROWS, n))
            means = self._user_vectors(profiles[block] if n > _BLOCK_ROWS else profiles)
            factors[block] = (means[:, :, :-1] * (self.spread_ / n_samples)).reshape(len(means), -1)
            # what an item's prior mean adds is the same for all items, so it belongs to the person
            same = np.einsum("nsd,sd->n", means[:, :, :-1], self.item_means_[:, :-1])
            same += (means[:, :, -1] + self.item_means_[:, -1]).sum(axis=1)
            offsets[block] = self.mean_ + self.spread_ * same / n_samples
        return factors, offsets

    def _user_vectors(self, profiles: sp.csr_matrix) -> Array:
        """The expected vector of each profile in each sample, (n, n_samples, d)."""
        n, (n_samples, d) = profiles.shape[0], self.user_means_.shape
        if n <= FEW_ROWS:
            each = [self._posterior(profiles[row]).means for row in range(n)]
            return np.array(each).reshape(n, n_samples, d)
        vectors = np.empty((n, n_samples, d), np.float32)
        values, indptr = self._standard(profiles.data), profiles.indptr.astype(np.int64)
        for place in range(n_samples):
            vectors[:, place] = self._sample_at(place).user_vectors(indptr, profiles.indices, values)
        return vectors

    def _sample_at(self, place: int) -> Sample:
        d = self.n_factors
        items = np.empty((len(self.item_factors_), d + 1), np.float32)
        items[:, :-1] = self.item_factors_[:, place * d : (place + 1) * d]
        items[:, -1] = self.item_bias_samples_[:, place]
        items += self.item_means_[place].astype(np.float32)
        return Sample(
            items, self.user_means_[place], self.user_precisions_[place],
            np.ascontiguousarray(self.item_noise_[:, place]), float(self.noise_precisions_[place]),
            float(self.noise_shapes_[place]), None,
        )  # fmt: skip

    def _item_vectors_of(self, items: Array) -> tuple[Array, Array]:
        """x (n_samples, n, d) and biases (n_samples, n) of items in each sample."""
        n_samples, d = self.item_means_.shape
        x = np.ones((n_samples, len(items), d), np.float32)
        x[:, :, :-1] = self.item_factors_[items].reshape(len(items), n_samples, d - 1).transpose(1, 0, 2)
        x[:, :, :-1] += self.item_means_[:, None, :-1].astype(np.float32)
        return x, self.item_bias_samples_[items].T + self.item_means_[:, -1:]

    def _posterior(self, profile: sp.csr_matrix) -> Posterior:
        """What one profile (1, n_items) says, by NumPy alone."""
        x, biases = self._item_vectors_of(profile.indices)
        n, d, own = x.shape[1], x.shape[2], self.user_precisions_
        expected = biases + (x @ self.user_means_[:, :, None])[:, :, 0]
        surprise = self._standard(profile.data) - expected  # (n_samples, n)
        beta = self.item_noise_[profile.indices].T
        weighted = (x * beta[:, :, None]).transpose(0, 2, 1)  # (n_samples, d, n)
        gram = (weighted @ x).astype(np.float64)
        said, implied = weighted * surprise[:, None, :], self._implicit_parts(profile.indices)
        rest, squares = implied.sum(axis=2), (beta * surprise**2).sum(axis=1)
        target, shape = said.sum(axis=2), self.noise_shapes_
        rate, alpha = shape, self.noise_precisions_
        covariances = np.linalg.inv(own + alpha[:, None, None] * gram)
        for _ in range(ROUNDS if shape.any() else 0):
            moved = (covariances @ (alpha[:, None] * target + rest)[:, :, None])[:, :, 0]
            error = squares + (moved * ((gram @ moved[:, :, None])[:, :, 0] - 2 * target)).sum(axis=1)
            error = np.maximum(error, 0) + np.maximum(d - (covariances * own).sum(axis=(1, 2)), 0) / alpha
            rate = shape + self.noise_precisions_ * error / 2
            alpha = self.noise_precisions_ * (shape + n / 2) / rate
            covariances = np.linalg.inv(own + alpha[:, None, None] * gram)
        parts = covariances @ (alpha[:, None, None] * said + implied)
        # E[1/α_u] of a Gamma distribution, whose mean was used above
        variances = np.where(shape > 0, rate / np.maximum(shape + n / 2 - 1, 1e-30), 1.0) / self.noise_precisions_
        return Posterior(self.user_means_ + parts.sum(axis=2), covariances, parts, variances)

    def _implicit_parts(self, items: Array) -> Array:
        """What each item of a profile says by being rated at all, (n_samples, d, n)."""
        return np.zeros((*self.user_means_.shape, len(items)))

    # ---- how sure a prediction is ------------------------------------------------------------------

    def predict_std(self, user_ids: Iterable[Id], item_ids: Iterable[Id]) -> Array:
        r"""Standard deviations of the ratings that pairs would get, float32 (n,), before clipping to the scale.

        .. math:: s^2 \Bigl(\mathrm{mean}_t \bigl(\mathrm{E}[(\tau_t \alpha_{ut} \beta_{it})^{-1}] +
                  x_{it}^\top A_{ut}^{-1} x_{it}\bigr) +
                  \mathrm{var}_t \bigl(x_{it}^\top \bar v_{ut} + b_{it}\bigr)\Bigr)

        over samples t: the noise of ratings, what a profile leaves open about a person, and what the training
        ratings leave open about everything else.

        Raises
        ------
        ParameterError
            The two differ in length.
        """
        train = self._rates()
        users, items = train.users.indices(user_ids), train.items.indices(item_ids)
        if len(users) != len(items):
            raise ParameterError(f"{len(users)} users and {len(items)} items; predict_std takes pairs")
        order = np.argsort(users, kind="stable")
        distinct, starts = np.unique(users[order], return_index=True)
        pairs, matrix = np.split(order, starts[1:]), train.to_scipy()
        spreads = np.empty(len(users), np.float32)

        def work(start: int, stop: int) -> None:
            for place in range(start, stop):
                spreads[pairs[place]] = self._spreads(matrix[distinct[place]], items[pairs[place]])

        run_blocks(work, len(distinct), 16)
        return spreads

    def predict_std_for(self, profile: Profile, item_ids: Iterable[Id]) -> Array:
        """As `predict_std`, float32 (n,), of a stranger who rated ``{item: rating}``."""
        items = self._rates().items.indices(item_ids)
        return self._spreads(self._profile(profile), items).astype(np.float32)

    def _spreads(self, profile: sp.csr_matrix, items: Array) -> Array:
        means, covariances, _, variances = self._posterior(profile)
        x, biases = self._item_vectors_of(items)
        predicted = (x @ means[:, :, None])[:, :, 0] + biases
        variance = ((x @ covariances) * x).sum(axis=2) + variances[:, None] / self.item_noise_[items].T
        unrated = ~self._known_items[items]
        if unrated.any():  # then the item's vector is as uncertain as any: add E[wᵀ Λ_I⁻¹ w], w = (p_u, 1)
            w = np.concatenate([means[:, :-1], np.ones((len(means), 1))], axis=1)
            of_items = np.linalg.inv(self.item_precisions_)
            more = np.einsum("sa,sab,sb->s", w, of_items, w)
            more += np.einsum("sab,sab->s", of_items[:, :-1, :-1], covariances[:, :-1, :-1])
            variance += more[:, None] * unrated
        return np.asarray(self.spread_ * np.sqrt(variance.mean(axis=0) + predicted.var(axis=0)))

    # ---- looking inside ----------------------------------------------------------------------------

    def _contributions(self, profile: sp.csr_matrix, item: int) -> tuple[float, pl.DataFrame, str]:
        """What each rating adds to the prediction for somebody of whom nothing is known."""
        x, biases = self._item_vectors_of(np.array([item]))
        stranger = (x[:, 0] * self.user_means_).sum(axis=1) + biases[:, 0]
        base = self.mean_ + self.spread_ * float(stranger.mean())
        contributions = self.spread_ * np.einsum("sd,sdn->n", x[:, 0], self._posterior(profile).parts) / len(x)
        parts = pl.DataFrame(
            {"item_index": profile.indices, "rating": profile.data, "contribution": contributions},
            schema={"item_index": pl.Int64, "rating": pl.Float32, "contribution": pl.Float64},
        )
        summary = (
            f"Somebody of whom nothing is known would rate it {base:.2f}; each of this person's {len(parts)} "
            f"ratings moves that by how far it is from what was to be expected."
        )
        return base, parts, summary

    # ---- taking in what is new ---------------------------------------------------------------------

    def _grow_items(self, n: int) -> None:
        super()._grow_items(n)
        self.item_bias_samples_ = grown(self.item_bias_samples_, n)
        known = len(self.item_noise_)
        self.item_noise_ = grown(self.item_noise_, n)
        self.item_noise_[known:] = 1
