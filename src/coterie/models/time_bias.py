"""TimeBiasBaseline: how generous the user and how good the item is, when the rating is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.kernels.memory import require_memory
from coterie.models import time_effects as when
from coterie.models.base import Recommender
from coterie.models.parameters import Range, hyper_parameters
from coterie.models.profiles import entry_rows
from coterie.models.scale import unit_of
from coterie.models.time_steps import Groups, groups_of, solve_calendar, solve_items, solve_people

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]

# Days that a key has room for: eleven thousand years.
_DAYS = 1 << 22


class People(NamedTuple):
    """What is worked out from profiles: when they rated, and the effects of each.

    Attributes
    ----------
    dates : Dates
    weights : float64 (n, 3)
        Bias, drift, and by how much the scale differs from 1.
    groups : Groups or None
        Their days.
    of_days : float64 (n_groups,)
    """

    dates: when.Dates
    weights: Array
    groups: Groups | None
    of_days: Array


@hyper_parameters
class TimeBiasBaseline(Recommender):
    r"""Predict from how generous the user and how good the item is at the time: biases that drift.

    .. math:: \hat r_{ui}(t) = \mu + b_u + \alpha_u \mathrm{dev}_u(t) + b_{u,\mathrm{day}(t)}
              + (b_i + b_{i,\mathrm{period}(t)}) c_u + w_{\mathrm{weekday}(t)} + m_{\mathrm{month}(t)}, \qquad
              \mathrm{dev}_u(t) = \mathrm{sign}(t - t_u) |t - t_u|^\beta.

    Each effect beside :math:`b_u` and :math:`b_i` can be left out. :math:`t_u` is the mean date of the user's ratings,
    and time is counted in years; periods are equal parts of the time from the first to the last training rating;
    weekdays, months and days are those of UTC. The unknowns minimise

    .. math:: \sum_{(u,i,t)} (r_{ui} - \hat r_{ui}(t))^2 + \lambda_u \sum_u b_u^2 + \lambda_\alpha \sum_u \alpha_u^2
              + \lambda_d \sum_{u,d} b_{u,d}^2 + \lambda_c \rho^2 \sum_u (c_u - 1)^2 + \lambda_i \sum_i b_i^2
              + \lambda_p \sum_{i,p} b_{i,p}^2 + \lambda_w \Big(\sum_w w^2 + \sum_m m^2\Big)

    where weekdays, and months, average 0 over the training ratings, so that they do not stand in for :math:`\mu`,
    by alternating exact solutions of three blocks: all of the items, the calendar, all of the users. None of them can
    raise the objective. The users come last, so that a stranger's effects follow from their profile in the same way.
    All effects but :math:`c_u` are in ratings. For that one there is the unit :math:`\rho`, how many five-star scales
    wide the ratings are, as a power of two (`unit_`: 1 from 1 to 5, 2 from 1 to 10, 32 from 0 to 100), so that every
    :math:`\lambda` means the same on all scales.

    **Time that the model has not seen.** After the last training rating items are as in the last period, and before the
    first as in the first. A user's drift stays what it was at their first or last rating: it is a level, and no trend
    that goes on. A day on which the user rated nothing has no bias of its own. Asked without a time, and in lists,
    the model answers for the time of the last training rating.

    **Time that is not known.** All that a stranger says is said at the end of training, so that they have no drift, and
    may get another answer than a known user with the same ratings at other times. A timestamp of 0 or less, which is
    what readers make of a missing one, is taken to be the mean date of that user, and the end of training where there
    is none or where a rating is asked about.

    Which effects help depends on what is asked. Between ratings in time (a random split) all may; after them (a split
    by time) what a day, a period or a trend was says little of what it will be. The page on context measures that.
    `update` is a fit.

    Attributes
    ----------
    mean_ : float
        :math:`\mu`, the mean of all ratings.
    unit_ : float
        :math:`\rho`.
    item_biases_ : float32 (n_items,)
    period_biases_ : float32 (n_items, n_periods)
        :math:`b_{i,p}`; one column of zeros without `item_drift`.
    weekdays_ : float32 (7,)
        From Monday.
    months_ : float32 (12,)
    span_ : int64 (2,)
        The times of the first and of the last training rating, Unix seconds.
    objective_ : float64 (n_iterations,)

    Raises
    ------
    DataError
        No training rating has a timestamp.

    References
    ----------
    Y. Koren, "Collaborative filtering with temporal dynamics", KDD 2009 and CACM 53(4), 2010, on baseline predictors
    that change with time. There the scale varies by day as well and the fit is by stochastic gradient descent; weekdays
    and months are ours.
    """

    name: ClassVar[str] = "time-bias"
    predicts_ratings = True
    predicts_at_times = True
    learns_in_sweeps = True
    update_equals_refit = True
    _update = Recommender._refit
    user_drift: Annotated[bool, Range(help="whether users become more or less generous")] = True
    item_drift: Annotated[bool, Range(help="whether items are liked more or less from period to period")] = True
    user_scale: Annotated[bool, Range(help="whether users follow the general opinion of items more or less")] = True
    user_days: Annotated[bool, Range(help="whether users have days on which they rate higher or lower")] = False
    weekday: Annotated[bool, Range(help="whether weekdays differ")] = False
    season: Annotated[bool, Range(help="whether months of the year differ")] = False
    user_regularization: Annotated[float, Range(0, help="λ_u, pulls user biases to 0", search=(1, 50), log=True)] = 15.0
    drift_regularization: Annotated[float, Range(0, help="λ_α, pulls drifts to 0", search=(1, 300), log=True)] = 30.0
    scale_regularization: Annotated[float, Range(0, help="λ_c, pulls scales to 1", search=(1, 300), log=True)] = 10.0
    day_regularization: Annotated[float, Range(0, help="λ_d, pulls days to 0", search=(1, 300), log=True)] = 15.0
    item_regularization: Annotated[float, Range(0, help="λ_i, pulls item biases to 0", search=(1, 50), log=True)] = 10.0
    period_regularization: Annotated[
        float, Range(0, help="λ_p, pulls an item's periods to 0", search=(10, 1000), log=True)
    ] = 200.0
    calendar_regularization: Annotated[
        float, Range(0, help="λ_w, pulls weekdays and months to 0", search=(1, 1000), log=True)
    ] = 100.0
    n_periods: Annotated[int, Range(1, 10_000, help="parts of the time of training", search=(2, 60), log=True)] = 10
    power: Annotated[float, Range(0, 2, help="β, how a drift slows down with time (below 1)", search=(0.1, 1))] = 0.4
    n_iterations: Annotated[int, Range(1, 1000, help="sweeps over items, calendar and users", search=(3, 30))] = 10

    # ---- learning ----------------------------------------------------------------------------------

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        known = when.known_times(train, type(self).__name__)
        dated = known[known > 0]
        self.mean_, self.unit_ = train.mean, unit_of(*train.scale)
        self.span_ = np.array([dated.min(), dated.max()] if len(dated) else [0, 0], np.int64)
        shape = (train.n_items, self.n_periods if self.item_drift else 1)
        self._require_memory(train, shape)
        rows, items = train.user_index, train.indices
        times = when.filled_times(known, rows, train.n_users, int(self.span_[1]))
        dates, features, groups = self._seen(times, rows, train.n_users)
        cells = items.astype(np.int64) * shape[1] + self._periods(times, shape[1])
        codes = when.weekdays(times) * 12 + when.months(times)
        ratings = train.values.astype(np.float64) - self.mean_
        biases, of_periods, weekdays, months = np.zeros(shape[0]), np.zeros(shape), np.zeros(7), np.zeros(12)
        weights, of_days = np.zeros((train.n_users, 3)), np.zeros(0 if groups is None else len(groups.keys))
        keep = {"items": biases, "periods": of_periods, "weekdays": weekdays, "months": months}
        keep |= {"users": weights, "days": of_days}

        def own() -> Array:
            """What users add themselves, (nnz,)."""
            drift = 0.0 if features[1] is None else weights[rows, 1] * features[1]
            return np.asarray(weights[rows, 0] + drift + (0.0 if groups is None else of_days[groups.of]))

        def liked() -> Array:
            return np.asarray(biases[items] + of_periods.ravel()[cells])

        def calendar() -> Array:
            return np.asarray((weekdays[:, None] + months).ravel()[codes])

        for sweep in self._sweeps(self.n_iterations, keep, self._watcher(keep, dates, groups)):
            scale = 1 + weights[rows, 2] if self.user_scale else None
            people = own()
            biases[:], of_periods[:] = solve_items(
                ratings - people - calendar(), scale, cells, shape, self.item_regularization, self.period_regularization
            )
            opinion = liked()
            rest = ratings - people - (opinion if scale is None else scale * opinion)
            if self.weekday or self.season:
                use = (self.weekday, self.season)
                weekdays[:], months[:] = solve_calendar(rest, codes, use, self.calendar_regularization)
            target = ratings - calendar() - opinion
            features[2] = opinion if self.user_scale else None
            weights[:], of_days[:] = solve_people(
                target, features, self._penalties, rows, train.n_users, groups, self.day_regularization
            )
            error = target - own() - (weights[rows, 2] * opinion if self.user_scale else 0.0)
            sweep.objective = float(error @ error) + self._penalty(**keep)
        self.item_biases_, self.period_biases_ = biases.astype(np.float32), of_periods.astype(np.float32)
        self.weekdays_, self.months_ = weekdays.astype(np.float32), months.astype(np.float32)

    def _require_memory(self, train: Interactions, shape: tuple[int, int]) -> None:
        require_memory(
            train.nnz * (20 if self.user_days else 14) * 8 + shape[0] * shape[1] * 5 * 8,
            f"{type(self).__name__} of {train.nnz:,} ratings with {shape[1]:,} periods of {shape[0]:,} items",
            "take fewer n_periods or a part of the ratings",
        )

    @property
    def _penalties(self) -> tuple[float, float, float]:
        return self.user_regularization, self.drift_regularization, self.unit_**2 * self.scale_regularization

    def _penalty(
        self, items: Array, periods: Array, weekdays: Array, months: Array, users: Array, days: Array
    ) -> float:
        """What the objective has beside the squared errors."""
        calendar = (weekdays**2).sum() + (months**2).sum()
        total = (
            self.item_regularization * (items**2).sum()
            + self.period_regularization * (periods**2).sum()
            + self.calendar_regularization * calendar
            + self.day_regularization * (days**2).sum()
            + (users**2).sum(0) @ np.array(self._penalties)
        )
        return float(total)

    def _watcher(self, keep: dict[str, Array], dates: when.Dates, groups: Groups | None) -> Any:
        """Ratings of held-out pairs in the middle of learning, at the times at which they were given."""
        held_out = self._training.validation

        def predict(users: Array, items: Array) -> Array:
            times = self._asked_times(None if held_out is None else held_out.timestamps, len(users))
            people = People(dates, keep["users"], groups, keep["days"])
            parts = self._parts(people, users, items, times, tuple(keep.values())[:4])  # type: ignore[arg-type]
            return np.asarray(self.mean_ + sum(parts.values()))

        return predict

    def _seen(self, times: Array, rows: Array, n: int) -> tuple[when.Dates, list[Array | None], Groups | None]:
        """Of ratings at times: the dates of the n people, the features of their effects, their days."""
        dates = when.dates_of(times, rows, n, int(self.span_[1]))
        drift = dates.deviations(times, rows, self.power) if self.user_drift else None
        groups = groups_of(_day_keys(times, rows), rows) if self.user_days else None
        return dates, [np.ones(len(rows)), drift, None], groups

    # ---- people ------------------------------------------------------------------------------------

    def _periods(self, times: Array, n: int) -> Array:
        return when.periods(times, int(self.span_[0]), int(self.span_[1]), n)

    def _asked_times(self, times: Array | None, n: int) -> Array:
        """The times of n ratings that are asked about."""
        end = int(self.span_[1])
        return np.full(n, end) if times is None else np.where(np.asarray(times) > 0, times, end)

    def _people(self, profiles: sp.csr_matrix, users: Array | None, train: Interactions) -> People:
        """The effects of people, by the step that ends every sweep."""
        rows, items, n = entry_rows(profiles), profiles.indices, profiles.shape[0]
        times = when.profile_times(profiles, users, train, int(self.span_[1]))
        dates, features, groups = self._seen(times, rows, n)
        opinion = self._opinion(items, times, self.item_biases_, self.period_biases_)
        if self.user_scale:
            features[2] = opinion
        target = profiles.data.astype(np.float64) - self.mean_ - opinion
        target -= self.weekdays_[when.weekdays(times)] + self.months_[when.months(times)].astype(np.float64)
        solved = solve_people(target, features, self._penalties, rows, n, groups, self.day_regularization)
        return People(dates, solved[0], groups, solved[1])

    def _opinion(self, items: Array, times: Array, biases: Array, of_periods: Array) -> Array:
        """How much items are liked at times, float64 (n,)."""
        added = of_periods[items, self._periods(times, of_periods.shape[1])] if self.item_drift else 0.0
        return np.asarray(biases[items].astype(np.float64) + added)

    def _parts(
        self,
        people: People,
        rows: Array,
        items: Array,
        times: Array,
        learned: tuple[Array, Array, Array, Array] | None = None,
    ) -> dict[str, Array]:
        """What each effect in use adds to the mean, float64 (n,), for people `rows` and items at times."""
        biases, of_periods, weekdays, months = learned or (
            self.item_biases_,
            self.period_biases_,
            self.weekdays_,
            self.months_,
        )
        weights = people.weights[rows]
        parts = {"user bias": weights[:, 0]}
        if self.user_drift:
            parts["user drift"] = weights[:, 1] * people.dates.deviations(times, rows, self.power)
        if people.groups is not None:
            parts["user's day"] = _values_at(people.groups.keys, people.of_days, _day_keys(times, rows))
        parts["item bias"] = biases[items].astype(np.float64)
        opinion = self._opinion(items, times, biases, of_periods)
        if self.item_drift:
            parts["item in this period"] = opinion - parts["item bias"]
        if self.user_scale:
            parts["user's scale"] = weights[:, 2] * opinion
        if self.weekday:
            parts["weekday"] = weekdays[when.weekdays(times)].astype(np.float64)
        if self.season:
            parts["month"] = months[when.months(times)].astype(np.float64)
        return parts

    # ---- answers -----------------------------------------------------------------------------------

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        people = self._people(profiles, users, self.train_)
        n, n_items = profiles.shape
        times = self._asked_times(None, max(n, n_items))
        parts = self._parts(people, np.arange(n), np.zeros(n, np.int64), times[:n]) if n_items else {}
        of_items = ("item bias", "item in this period", "user's scale")
        base = self.mean_ + sum((part for name, part in parts.items() if name not in of_items), np.zeros(n))
        opinion = self._opinion(np.arange(n_items), times[:n_items], self.item_biases_, self.period_biases_)
        return np.asarray(base[:, None] + (1 + people.weights[:, 2:]) * opinion, np.float32)

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        return self._predict_at(profiles, users, rows, items, None)

    def _predict_at(
        self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array, times: Array | None
    ) -> Array:
        people = self._people(profiles, users, self.train_)
        parts = self._parts(people, rows, items, self._asked_times(times, len(rows)))
        return np.asarray(self.mean_ + sum(parts.values())).astype(np.float32)

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        return self._explain_at(profile, user, item, None)

    def _explain_at(
        self, profile: sp.csr_matrix, user: int | None, item: int, time: int | None
    ) -> tuple[float, pl.DataFrame, str]:
        people = self._people(profile, None if user is None else np.array([user]), self.train_)
        times = self._asked_times(None if time is None else np.array([time]), 1)
        parts = self._parts(people, np.zeros(1, np.int64), np.array([item]), times)
        day, month = when.WEEKDAYS[when.weekdays(times)[0]], when.MONTHS[when.months(times)[0]]
        named = {"weekday": f"weekday ({day})", "month": f"month ({month})"}
        table = pl.DataFrame(
            {
                "term": [named.get(name, name) for name in parts],
                "contribution": [float(part[0]) for part in parts.values()],
            }
        )
        return self.mean_, table, self._summary({name: float(part[0]) for name, part in parts.items()}, int(times[0]))

    def _summary(self, parts: dict[str, float], time: int) -> str:
        asked = np.datetime64(time, "s").astype("datetime64[D]")  # knows years that datetime does not
        generous = sum(value for name, value in parts.items() if name in ("user bias", "user drift", "user's day"))
        good = sum(value for name, value in parts.items() if "item" in name or "scale" in name)
        other = sum(value for name, value in parts.items() if name in ("weekday", "month"))
        calendar = f", and the weekday and the month add {other:+.2f}" if self.weekday or self.season else ""
        return (
            f"Ratings average {self.mean_:.2f}. On {asked} this person rates {abs(generous):.2f} "
            f"{'above' if generous >= 0 else 'below'} that, this item is worth {good:+.2f} to them{calendar}."
        )


def _day_keys(times: Array, rows: Array) -> Array:
    """A number for each person's day; increasing with the person."""
    return np.asarray(rows * np.int64(_DAYS) + np.clip(when.days(times), 0, _DAYS - 1))


def _values_at(keys: Array, values: Array, wanted: Array) -> Array:
    """The values at wanted keys, 0 where there is none; `keys` is increasing."""
    place = np.searchsorted(keys, wanted)
    found = np.append(keys, -1)[place] == wanted
    return np.where(found, np.append(values, 0.0)[place], 0.0)
