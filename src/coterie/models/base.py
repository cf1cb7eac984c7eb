"""Recommender: a function from what a person liked to a score for every item, and all that follows from it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import polars as pl

from coterie.content.constraints import Constraints
from coterie.content.facts import ItemFacts
from coterie.content.parts import satisfying
from coterie.data.interactions import Interactions
from coterie.data.times import Times, given_times
from coterie.data.vocabulary import Id
from coterie.errors import CapabilityError, ParameterError
from coterie.kernels.topk import top_k_rows
from coterie.models.explanation import Explanation
from coterie.models.learner import Learner
from coterie.models.profiles import Profile, entry_rows, profile_row, profile_rows
from coterie.models.tables import Top, check_length, id_list, named, owned, ranked

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[Any, np.dtype[Any]]
#: Which items may be recommended; None for all.
Candidates = Iterable[Id] | Id | Constraints | None
#: Profiles and, where they are those of known users, the row numbers of these.
People = tuple["sp.csr_matrix", Array | None]

# A block of scores is kept to about this size, so that it stays near the processor and memory stays bounded.
_BLOCK_BYTES = 32 << 20


class Recommender(Learner):
    """A model from which recommendations come.

    A subclass writes, beside what a `Learner` has to, `_score`, and where it can `_explain` and `_similarities`.
    """

    #: Whether the model predicts ratings; its scores need not be those ratings.
    predicts_ratings: bool = False
    #: Whether predicted ratings depend on when they are given.
    predicts_at_times: ClassVar[bool] = False
    #: Whether a list is the best scores in order, each list by itself.
    lists_by_score: ClassVar[bool] = True

    # ---- what a model writes -----------------------------------------------------------------------

    @abstractmethod
    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        """Scores, float32 (n, n_items), of profiles (n, n_items); `users` are their rows in `train_` or None.

        NaN says that the model has nothing to say about an item; it is then not recommended.
        """

    def _predict(self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array) -> Array:
        """Predicted ratings (n,) of pairs (``profiles[rows[j]]``, ``items[j]``); `rows` is increasing."""
        return self._score(profiles, users)[rows, items]

    def _predict_at(
        self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array, times: Array | None
    ) -> Array:
        """As `_predict`, of ratings given at `times` (Unix seconds; None: at the end of training), for a model that
        `predicts_at_times`."""
        return self._predict(profiles, users, rows, items)

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        """Base, contributions (`user_index` or `item_index`, `similarity`, `rating`, `contribution`), a sentence."""
        raise CapabilityError(f"{type(self).__name__} does not explain single scores")

    def _explain_rating(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        """As `_explain`, of the predicted rating; for a model whose scores are not its predicted ratings."""
        return self._explain(profile, user, item)

    def _explain_at(
        self, profile: sp.csr_matrix, user: int | None, item: int, time: int | None
    ) -> tuple[float, pl.DataFrame, str]:
        """As `_explain_rating`, of a rating given at `time` (None: at the end of training), for a model that
        `predicts_at_times`."""
        return self._explain_rating(profile, user, item)

    def _similarities(self, items: Array) -> Array:
        """Similarity, float32 (n, n_items), of the given items to all items."""
        raise CapabilityError(f"{type(self).__name__} has no notion of similar items; ItemKNN has one")

    # ---- scores ------------------------------------------------------------------------------------

    def score(self, profiles: sp.csr_matrix, users: Array | None = None) -> Array:
        """Scores of all items for each profile.

        Parameters
        ----------
        profiles : sparse (n, n_items)
            A row of ratings a person, columns in the order of ``train_.items``.
        users : int (n,) or None
            Row numbers in `train_` where the profiles are those of known users, so that a neighbour
            model does not count them as their own neighbour.

        Returns
        -------
        float32 (n, n_items); NaN where the model has nothing to say.
        """
        return self._score(*self._asked(profiles, users))

    def _asked(self, profiles: sp.csr_matrix, users: Array | None) -> tuple[sp.csr_matrix, Array | None]:
        """Profiles from outside and whose they are, checked."""
        train = self._fitted()
        matrix = profile_rows(profiles, train)
        if users is not None:
            users = np.asarray(users)
            if len(users) != matrix.shape[0]:
                raise ParameterError(f"{len(users)} users given for {matrix.shape[0]} profiles")
            whole = np.issubdtype(users.dtype, np.integer) or not len(users)
            if not whole or (len(users) and (users.min() < 0 or users.max() >= train.n_users)):
                raise ParameterError(f"users must be row numbers from 0 to {train.n_users - 1}, not {users!r}")
        return matrix, users

    def _block_size(self) -> int:
        """Profiles that are answered together."""
        return max(1, min(1024, _BLOCK_BYTES // (4 * max(1, self.train_.n_items))))

    def _blocks(self, n: int) -> Iterator[slice]:
        size = self._block_size()
        return (slice(start, min(start + size, n)) for start in range(0, n, size))

    def _profile(self, profile: Profile) -> sp.csr_matrix:
        """A stranger's ratings as one row."""
        return profile_row(profile, self.train_, stacklevel=3)

    # ---- recommendations ---------------------------------------------------------------------------

    def recommend(
        self,
        users: Iterable[Id] | Id,
        k: int = 10,
        exclude_seen: bool = True,
        candidates: Candidates = None,
    ) -> pl.DataFrame:
        """The k best items for each known user.

        Parameters
        ----------
        users : ids, or one id
        k : int, at least 1
            A user gets fewer rows where fewer items are left that the model has anything to say about: a
            neighbour model says nothing about an item without a neighbour in the profile.
        exclude_seen : bool
            Leave out what the user has rated.
        candidates : item ids, or one, or Constraints, or None
            Only these items, or items that satisfy the constraints, may be recommended.

        Returns
        -------
        polars.DataFrame
            `user, rank` (from 1), `item, score` and, where a catalog is known, `title`.

        Raises
        ------
        NothingFitsError
            No item satisfies the constraints; it says which to relax, and what that would give: to the user where
            there is one, else of all items. A user who has rated all that do gets no rows (`coterie.models.nothing`
            says why).
        """
        train = self._fitted()
        check_length(k)
        rows = train.users.indices(id_list(users))
        matrix = train.to_scipy()
        allowed = self._allowed(candidates, (matrix[rows], rows) if len(rows) == 1 else None, exclude_seen)
        people = ((matrix[rows[block]], rows[block]) for block in self._blocks(len(rows)))
        parts = self._lists(people, len(rows), k, exclude_seen, allowed)
        return owned(self._table(parts), "user", train.users, rows, parts)

    def recommend_for(
        self,
        profile: Profile,
        k: int = 10,
        exclude_seen: bool = True,
        candidates: Candidates = None,
    ) -> pl.DataFrame:
        """The k best items for a stranger who rated ``{item: rating}``: `rank, item, score[, title]`."""
        self._fitted()
        check_length(k)
        row = self._profile(profile)
        allowed = self._allowed(candidates, (row, None), exclude_seen)
        return self._table([self._top(row, None, k, exclude_seen, allowed)])

    def satisfying(self, candidates: Candidates) -> list[Id]:
        """Ids of the items that may be recommended with such `candidates`, whoever asks."""
        ids = self._fitted().items.ids
        allowed = self._allowed(candidates)
        found: list[Id] = (ids if allowed is None else ids[allowed]).tolist()
        return found

    def rank(
        self,
        profiles: sp.csr_matrix,
        k: int = 10,
        users: Array | None = None,
        exclude_seen: bool = True,
        allowed: Array | None = None,
    ) -> Top:
        """The k best items of each profile by row number: what `recommend` says, before it is said in ids.

        Parameters
        ----------
        profiles : sparse (n, n_items)
        k : int, at least 1
        users : int (n,) or None
            As in `score`.
        exclude_seen : bool
            Leave out what the profile has.
        allowed : bool (n_items,) or None
            Which items may be recommended.

        Returns
        -------
        items : int32 (n, min(k, n_items)), scores : float32 of the same shape, counts : int64 (n,)
            Row r has ``counts[r]`` items, best first; the rest is -1 and -inf.
        """
        matrix, users = self._asked(profiles, users)
        check_length(k)
        blocks = self._blocks(matrix.shape[0])
        people = ((matrix[block], None if users is None else users[block]) for block in blocks)
        parts = self._lists(people, matrix.shape[0], k, exclude_seen, allowed)
        if not parts:
            width = min(k, matrix.shape[1])
            return np.empty((0, width), np.int32), np.empty((0, width), np.float32), np.empty(0, np.int64)
        items, scores, counts = zip(*parts, strict=True)
        return np.concatenate(items), np.concatenate(scores), np.concatenate(counts)

    def _allowed(
        self, candidates: Candidates, person: People | None = None, exclude_seen: bool = False
    ) -> Array | None:
        """bool (n_items,): which items may be recommended; None for all. Where no item is what was asked for, the error
        speaks of what `person`, one profile, could be recommended."""
        if candidates is None:
            return None
        if isinstance(candidates, Constraints):
            within = None if person is None else lambda: self._open(person, exclude_seen)
            return satisfying(candidates, self._facts, within) if candidates else None
        allowed = np.zeros(self.train_.n_items, bool)
        allowed[self.train_.items.indices(id_list(candidates))] = True
        return allowed

    def _open(self, person: People, exclude_seen: bool) -> Array:
        """bool (n_items,): of which items the model has something to say to one person."""
        scores = self._score(*person)[0]
        if exclude_seen:
            scores[person[0].indices] = np.nan
        told: Array = np.isfinite(scores)
        return told

    @cached_property
    def _facts(self) -> ItemFacts:
        """What constraints ask of the items."""
        return ItemFacts(self.train_.items, self.catalog_, self.train_.item_counts)

    def _lists(self, people: Iterable[People], n: int, k: int, exclude_seen: bool, allowed: Array | None) -> list[Top]:
        """The lists that are asked for together, in blocks, of n people who come in blocks."""
        return [self._top(profiles, users, k, exclude_seen, allowed) for profiles, users in people]

    def _top(
        self, profiles: sp.csr_matrix, users: Array | None, k: int, exclude_seen: bool, allowed: Array | None
    ) -> Top:
        scores = self._score(profiles, users)
        if exclude_seen:
            scores[entry_rows(profiles), profiles.indices] = -np.inf
        if allowed is not None:
            scores[:, ~allowed] = -np.inf
        return top_k_rows(scores, k)

    def _table(self, parts: list[Top]) -> pl.DataFrame:
        """Blocks of lists as `rank, item, score[, title]`."""
        return self._with_titles(ranked(parts, self.train_.items), "item")

    def _with_titles(self, table: pl.DataFrame, column: str) -> pl.DataFrame:
        return table if self.catalog_ is None else table.hstack([self.catalog_.titles(table[column])])

    # ---- ratings -----------------------------------------------------------------------------------

    def predict(self, user_ids: Iterable[Id], item_ids: Iterable[Id], timestamps: Times | None = None) -> Array:
        """Predicted ratings of pairs, float32 (n,), clipped to the scale of the training ratings.

        Parameters
        ----------
        user_ids, item_ids : ids
            As many of the one as of the other.
        timestamps : times (n,) or None
            When the ratings are given, for a model that `predicts_at_times`; the others do not ask. Unix seconds,
            datetimes or text, as readers take them. None: at the time of the last training rating.

        Raises
        ------
        CapabilityError
            The model ranks but does not predict ratings.
        ParameterError
            Not as many items or times as users, or a time that is missing or cannot be read.
        """
        train = self._rates()
        users, items = train.users.indices(user_ids), train.items.indices(item_ids)
        if len(users) != len(items):
            raise ParameterError(f"{len(users)} users and {len(items)} items; predict takes pairs")
        times = None if timestamps is None else given_times(timestamps, len(users), "pairs")
        return self._rate_pairs(train.to_scipy(), np.arange(train.n_users), users, items, times)

    def rate(
        self,
        profiles: sp.csr_matrix,
        rows: Array,
        items: Array,
        users: Array | None = None,
        times: Array | None = None,
    ) -> Array:
        """Predicted ratings, float32 (m,), of pairs (``profiles[rows[j]]``, item ``items[j]``), clipped to the scale.

        Parameters
        ----------
        profiles : sparse (n, n_items)
        rows, items : int (m,)
            A profile and an item of each pair.
        users : int (n,) or None
            As in `score`.
        times : int (m,) or None
            As `timestamps` in `predict`, in Unix seconds.
        """
        self._rates()
        if times is not None and len(times) != len(rows):
            raise ParameterError(f"{len(times)} times for {len(rows)} pairs; give as many, or None")
        return self._rate_pairs(*self._asked(profiles, users), rows, items, times)

    def _rate_pairs(
        self, profiles: sp.csr_matrix, users: Array | None, rows: Array, items: Array, times: Array | None
    ) -> Array:
        order = np.argsort(rows, kind="stable")
        distinct, place = np.unique(rows[order], return_inverse=True)
        predictions = np.empty(len(rows), np.float32)
        for block in self._blocks(len(distinct)):
            start, stop = np.searchsorted(place, [block.start, block.stop])
            asked = distinct[block]
            pairs = order[start:stop]
            predictions[pairs] = self._predict_at(
                profiles[asked],
                None if users is None else users[asked],
                place[start:stop] - block.start,
                items[pairs],
                None if times is None else times[pairs],
            )
        return np.clip(predictions, *self.train_.scale)

    def predict_for(self, profile: Profile, item_ids: Iterable[Id], timestamps: Times | None = None) -> Array:
        """Predicted ratings, float32 (n,), of items by a stranger who rated ``{item: rating}``; `timestamps` as in
        `predict`."""
        train = self._rates()
        items = train.items.indices(item_ids)
        times = None if timestamps is None else given_times(timestamps, len(items), "items")
        rows = np.zeros(len(items), np.int64)
        predictions = self._predict_at(self._profile(profile), None, rows, items, times)
        return np.clip(predictions, *train.scale).astype(np.float32)

    def _rates(self) -> Interactions:
        train = self._fitted()
        if not self.predicts_ratings:
            raise CapabilityError(f"{type(self).__name__} ranks items but does not predict ratings; use recommend")
        return train

    # ---- looking inside ----------------------------------------------------------------------------

    def similar_items(self, items: Iterable[Id] | Id, k: int = 10) -> pl.DataFrame:
        """The k items nearest to each given item: `item, rank, neighbor, similarity[, title]` (of the neighbour)."""
        train = self._fitted()
        check_length(k)
        rows = train.items.indices(id_list(items))
        parts = []
        for block in self._blocks(len(rows)):
            similarities = self._similarities(rows[block])
            similarities[np.arange(len(similarities)), rows[block]] = -np.inf
            parts.append(top_k_rows(similarities, k))
        table = self._table(parts).rename({"item": "neighbor", "score": "similarity"})
        return owned(table, "item", train.items, rows, parts)

    def explain(
        self,
        user: Id | Profile,
        item: Id,
        of: Literal["rating", "score"] | None = None,
        timestamp: int | str | datetime | None = None,
    ) -> Explanation:
        """Why `item` has its predicted rating or its score for a known user (an id) or a stranger (a profile).

        Parameters
        ----------
        of : {"rating", "score"} or None
            What to explain: the predicted rating or the score that ranks.
            None: the rating where the model predicts ratings, else the score. Often they are the same.
        timestamp : time or None
            When the rating is given, as in `predict`.
        """
        train = self._fitted()
        of = of or ("rating" if self.predicts_ratings else "score")
        if of not in ("rating", "score"):
            raise ParameterError(f"of must be 'rating' or 'score', not {of!r}")
        if of == "rating":
            self._rates()
        elif timestamp is not None:
            raise ParameterError("timestamp is when a rating is given, and this explains a score; leave it out")
        time = None if timestamp is None else int(given_times([timestamp], 1, "rating")[0])
        if isinstance(user, Mapping):
            row, profile = None, self._profile(user)
        else:
            row = train.users.index(user)
            profile = train.to_scipy()[row]
        column = train.items.index(item)
        rating = of == "rating"
        base, parts, summary = (
            self._explain_at(profile, row, column, time) if rating else self._explain(profile, row, column)
        )
        if (
            not rating
            and parts.is_empty()
            and np.isnan(self._score(profile, row if row is None else np.array([row]))[0, column])
        ):
            summary = f"It has no score: {summary[0].lower()}{summary[1:]}"
        parts = named(parts, train)
        if "item" in parts.columns:
            parts = self._with_titles(parts, "item")
        parts = parts.sort(pl.col("contribution").abs(), descending=True, maintain_order=True)
        score = uncut = base + float(parts["contribution"].sum())
        if of == "rating":
            score = float(np.clip(uncut, *train.scale))
        who = None if isinstance(user, Mapping) else user
        return Explanation(who, item, score, base, parts, summary, of, score - uncut)

    # ---- keeping -----------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model to a folder: arrays and a manifest, whole or not at all. `load_model` reads it."""
        from coterie.artifact import save_model

        self._fitted()
        save_model(self, path)
