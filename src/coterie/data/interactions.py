"""Interactions: who rated what, how, and when. The structure that everything passes through."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import polars as pl

from coterie.data.compress import Duplicates as Duplicates
from coterie.data.compress import compress, flaw
from coterie.data.counting import tally
from coterie.data.feedback import Towards
from coterie.data.vocabulary import Id, Vocabulary
from coterie.errors import DataError, DataWarning, ParameterError

if TYPE_CHECKING:
    import scipy.sparse as sp

Array = np.ndarray[tuple[int], np.dtype[Any]]
Axis = Literal["users", "items"]


class Rows(NamedTuple):
    """Compressed rows for kernels: `indptr` int64 (n+1,), `indices` int32 (nnz,), `values` float32 (nnz,)."""

    indptr: Array
    indices: Array
    values: Array


class Repeats(NamedTuple):
    """Rows that repeated a (user, item) pair: how many, one such pair, and what was done."""

    rows: int
    user: Id
    item: Id
    policy: Duplicates

    @property
    def message(self) -> str:
        """The account in a sentence."""
        done = "" if self.policy == "error" else f": kept the {self.policy}"
        many = f"{self.rows:,} rows repeat" if self.rows > 1 else "1 row repeats"
        return f"{many} a (user, item) pair (the first: user {self.user!r}, item {self.item!r}){done}"


@dataclass(frozen=True, eq=False)
class Interactions:
    """A sparse users x items matrix of ratings with the ids of both sides.

    Attributes
    ----------
    users, items : Vocabulary
        Outside ids of the rows and of the columns.
    indptr : int64 (n_users + 1,)
        Row u is ``indptr[u]:indptr[u + 1]`` of the next three.
    indices : int32 (nnz,)
        Item row numbers, increasing and unique within a user.
    values : float32 (nnz,)
        Ratings; 1 everywhere where the source had none.
    timestamps : int64 (nnz,) or None
        Unix seconds.

    The arrays are read-only, whether they were made in memory or are mapped from disk. `from_frame` and `from_arrays`
    bring ratings into this form; the constructor raises DataError where arrays do not have it.
    """

    users: Vocabulary
    items: Vocabulary
    indptr: Array = field(repr=False)
    indices: Array = field(repr=False)
    values: Array = field(repr=False)
    timestamps: Array | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        wrong = flaw((self.n_users, self.n_items), self.indptr, self.indices, self.values, self.timestamps)
        if wrong is not None:
            raise DataError(f"{wrong}; make Interactions of such arrays with Interactions.from_arrays(...)")
        self._protect()

    def _protect(self) -> None:
        for name in ("indptr", "indices", "values", "timestamps"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, _read_only(array))

    # ---- making ------------------------------------------------------------------------------------

    @classmethod
    def trusted(
        cls, users: Vocabulary, items: Vocabulary, indptr: Array, indices: Array, values: Array, times: Array | None
    ) -> Interactions:
        """From arrays known to be as they should, which are not even read."""
        made = cls.__new__(cls)
        vars(made).update(users=users, items=items, indptr=indptr, indices=indices, values=values, timestamps=times)
        made._protect()
        return made

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        user: str,
        item: str,
        rating: str | None = None,
        timestamp: str | None = None,
        duplicates: Duplicates = "last",
        behavior: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> Interactions:
        """Interactions from a polars, pandas or Arrow frame, with the columns named by the caller.

        Parameters
        ----------
        frame : polars.DataFrame, pandas.DataFrame, pyarrow.Table, or anything with the Arrow interface
        user, item : str
            Columns of ids, integers or text.
        rating, timestamp : str or None
            Column of ratings (None: every value is 1), and of times (Unix seconds, a datetime, or
            ``YYYY-MM-DD HH:MM:SS`` text; None: no times).
        duplicates : {"last", "first", "mean", "max", "sum", "error"}
            What becomes of several rows for one (user, item): the last in time (in row order without
            times), the first, their mean, the largest, their sum, or an error. Merged rows are counted in a
            `DataWarning`. A log of behaviours usually wants "sum".
        behavior : str or None
            Column of what was done, such as ``view`` or ``buy``.
        weights : dict of str to float, or None
            What each behaviour is worth, such as ``{"view": 1, "cart": 3, "buy": 5}``: it becomes the rating,
            or is multiplied with the rating where there is one.

        Raises
        ------
        DataError
            A column is missing or of the wrong type, an id is missing, a rating is not finite, or a behaviour has
            no weight.
        """
        from coterie.data.frames import Columns  # the frame's columns are the reader's business
        from coterie.data.readers import interactions_from_frame

        columns = Columns(user, item, rating, timestamp, behavior)
        return interactions_from_frame(frame, columns, weights, duplicates)

    @classmethod
    def from_arrays(
        cls,
        users: Vocabulary,
        items: Vocabulary,
        user_index: Array,
        item_index: Array,
        values: Array | None = None,
        timestamps: Array | None = None,
        duplicates: Duplicates = "last",
    ) -> Interactions:
        """Interactions from parallel arrays of row numbers (coordinate form), in any order.

        Arrays of the right types that are sorted by user, then item, are not copied but shared.

        Parameters
        ----------
        users, items : Vocabulary
        user_index, item_index : int (nnz,)
            Row numbers in `users` and `items`.
        values : float (nnz,) or None
            Finite ratings; None: every value is 1.
        timestamps : int (nnz,) or None
            Unix seconds.
        duplicates : {"last", "first", "mean", "max", "sum", "error"}
            As in `from_frame`.

        Raises
        ------
        DataError
            The arrays differ in length, are not numbers of these kinds, or hold a row number that the
            vocabulary does not have or a rating that is not finite.
        """
        made, repeats = cls.assemble(users, items, user_index, item_index, values, timestamps, duplicates)
        if repeats:
            warnings.warn(repeats.message, DataWarning, stacklevel=2)
        return made

    @classmethod
    def assemble(
        cls,
        users: Vocabulary,
        items: Vocabulary,
        user_index: Array,
        item_index: Array,
        values: Array | None,
        timestamps: Array | None,
        duplicates: Duplicates,
    ) -> tuple[Interactions, Repeats | None]:
        """As `from_arrays`, but giving the account of repeated pairs back instead of warning."""
        if values is None:
            values = np.ones(len(user_index), np.float32)
        made = compress((len(users), len(items)), user_index, item_index, values, timestamps, duplicates)
        repeats = None
        if made.first_repeat is not None:
            u, i = made.first_repeat
            user, item = users.ids[u : u + 1].tolist()[0], items.ids[i : i + 1].tolist()[0]
            repeats = Repeats(made.repeated, user, item, duplicates)
            if duplicates == "error":
                raise DataError(f'{repeats.message}; choose duplicates="last", "first", "mean", "max" or "sum"')
        return cls.trusted(users, items, made.indptr, made.indices, made.values, made.timestamps), repeats

    def __repr__(self) -> str:
        return f"Interactions({self.n_users:,} users x {self.n_items:,} items, {self.nnz:,} ratings)"

    # ---- looking -----------------------------------------------------------------------------------

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def nnz(self) -> int:
        """Number of ratings."""
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_users, n_items)``."""
        return self.n_users, self.n_items

    @cached_property
    def scale(self) -> tuple[float, float]:
        """Lowest and highest rating; (1, 1) where there are none."""
        return (float(self.values.min()), float(self.values.max())) if self.nnz else (1.0, 1.0)

    @cached_property
    def mean(self) -> float:
        """Mean rating; 0 where there are none."""
        return float(self.values.mean(dtype=np.float64)) if self.nnz else 0.0

    @cached_property
    def by_item(self) -> Rows:
        """The transpose: for each item the users who rated it, in increasing row number."""
        indptr = np.zeros(self.n_items + 1, np.int64)
        np.cumsum(self.item_counts, out=indptr[1:])
        t = self.to_scipy().tocsc()  # a counting sort in one compiled pass
        users = t.indices.astype(np.int32, copy=False)
        return Rows(_read_only(indptr), _read_only(users), _read_only(t.data))

    def rows(self, axis: Axis = "users") -> Rows:
        """Compressed rows with users (or items) as rows."""
        if axis not in ("users", "items"):
            raise ParameterError(f"axis must be 'users' or 'items', not {axis!r}")
        return Rows(self.indptr, self.indices, self.values) if axis == "users" else self.by_item

    def vocabulary(self, axis: Axis) -> Vocabulary:
        """The ids along an axis."""
        return self.users if axis == "users" else self.items

    @cached_property
    def user_index(self) -> Array:
        """The user row number of every rating, int32 (nnz,)."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def user_counts(self) -> Array:
        """Ratings per user, int64 (n_users,)."""
        return np.diff(self.indptr)

    @cached_property
    def item_counts(self) -> Array:
        """Ratings per item, int64 (n_items,)."""
        return tally(self.indices, self.n_items)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over ids, matrix and times: equal data, equal fingerprint."""
        digest = hashlib.sha256()
        for vocabulary in (self.users, self.items):
            ids = vocabulary.ids
            content = json.dumps(ids.tolist()).encode() if vocabulary.kind == "str" else ids.tobytes()
            digest.update(f"{len(content)} ".encode() + content)  # the length, so that users cannot pass for items
        for array in (self.indptr, self.indices, self.values, self.timestamps):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def to_scipy(self) -> sp.csr_matrix:
        """The ratings as a SciPy CSR matrix (float32), sharing memory."""
        import scipy.sparse as sp

        matrix = sp.csr_matrix((self.values, self.indices, self.indptr), shape=self.shape, copy=False)
        matrix.has_sorted_indices = True
        matrix.has_canonical_format = True
        return matrix

    def to_frame(self) -> pl.DataFrame:
        """A polars frame `user, item, rating[, timestamp]` in row order."""
        columns = {
            "user": pl.Series(self.users.ids[self.user_index]),
            "item": pl.Series(self.items.ids[self.indices]),
            "rating": pl.Series(np.asarray(self.values)),
        }
        if self.timestamps is not None:
            columns["timestamp"] = pl.Series(np.asarray(self.timestamps))
        return pl.DataFrame(columns)

    # ---- growing: a new Interactions ---------------------------------------------------------------

    def merge(self, new: Interactions) -> Interactions:
        """These ratings and the new ones.

        Known ids keep their row numbers; unknown ones are appended in the order in which `new` has them. A pair
        that both have rated takes the value and the time of `new`, whichever is later. Where these ratings have no
        timestamps, those of the new ones are left out.

        Raises
        ------
        DataError
            These ratings have timestamps and the new ones have none, or ids are text on one side and integers
            on the other.
        """
        from coterie.data.merge import merge

        return merge(self, new)

    def with_items(self, ids: Iterable[Id]) -> Interactions:
        """The same ratings with columns for more items, such as those of a catalog that nobody has rated yet, so that
        a model that knows items by their content can recommend them. New ids are appended; known ones keep their
        place."""
        more = Vocabulary(list(dict.fromkeys(ids)), "item")
        return replace(self, items=self.items.grown(more)[0]) if len(more) else self

    # ---- weighing: each gives a new Interactions ----------------------------------------------------

    def decayed(self, half_life: float, now: int | None = None, towards: Towards = "zero") -> Interactions:
        r"""With old ratings weighing less: by :math:`w = 2^{-a/h}`, where a is a rating's age and h the half-life.

        Towards zero a value r becomes :math:`w r`: an old choice counts for less. Towards the mean it becomes
        :math:`\bar r_u + w (r - \bar r_u)`, :math:`\bar r_u` being the person's mean before decay: an old rating says
        less about how items differ, and none becomes lower for being old. (It is the weighting of deviations
        that neighbour models have in their numerator.) `scale` stays what it was, and all values lie on it.

        Parameters
        ----------
        half_life : float above 0
            Days in which a rating loses half its weight. After 60 half-lives it loses no more.
        now : int or None
            Unix seconds from which ages are counted; None: the latest rating has age 0. A rating that was merged of
            several has one time (see `from_frame`), and decays by that.
        towards : {"zero", "mean"}
            Zero for choices, and models that rank; the mean for ratings, and models that predict them.

        Raises
        ------
        DataError
            There are no timestamps.
        """
        from coterie.data.feedback import decayed

        made = replace(self, values=decayed(self, half_life, now, towards))
        if towards == "mean":
            vars(made)["scale"] = self.scale  # where cached_property looks first
        return made

    def binarized(self, threshold: float | None = None) -> Interactions:
        """With 1 for every rating, or for those of at least `threshold`, the others left out.

        Users and items that have nothing left fall out of the vocabularies.
        """
        kept = self if threshold is None else self.select(np.asarray(self.values) >= threshold)
        return replace(kept, values=np.ones(kept.nnz, np.float32))

    # ---- reducing: each gives a new Interactions -----------------------------------------------------

    def select(self, keep: Array, keep_vocabularies: bool = False) -> Interactions:
        """Only the ratings where `keep` (bool (nnz,)) is true; users and items left without any fall
        out of the vocabularies unless `keep_vocabularies`."""
        indptr = np.zeros(self.n_users + 1, np.int64)
        np.cumsum(np.bincount(self.user_index[keep], minlength=self.n_users), out=indptr[1:])
        times = None if self.timestamps is None else self.timestamps[keep]
        kept = replace(self, indptr=indptr, indices=self.indices[keep], values=self.values[keep], timestamps=times)
        return kept if keep_vocabularies else kept._compact()

    def _compact(self) -> Interactions:
        """Without users and items that have no ratings."""
        has_user, has_item = self.user_counts > 0, self.item_counts > 0
        if has_user.all() and has_item.all():
            return self
        renumber = np.cumsum(has_item, dtype=np.int32) - 1
        return replace(
            self,
            users=Vocabulary(self.users.ids[has_user], self.users.what),
            items=Vocabulary(self.items.ids[has_item], self.items.what),
            indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(self.user_counts[has_user])]),
            indices=renumber[self.indices].astype(np.int32, copy=False),
        )

    def filter(
        self,
        users: Iterable[Id] | None = None,
        items: Iterable[Id] | None = None,
        first_users: int | None = None,
        min_user_ratings: int = 1,
        min_item_ratings: int = 1,
        since: int | None = None,
        until: int | None = None,
        min_rating: float | None = None,
        keep_vocabularies: bool = False,
    ) -> Interactions:
        """Ratings that meet every condition.

        Parameters
        ----------
        users, items : ids to keep, or None for all
        first_users : int or None
            Only the first so many users in the order of their ids (the module's `USERS_N`).
        min_user_ratings, min_item_ratings : int, at least 1
            Tested last, once each: fewest ratings of a user among those that meet all other conditions,
            then fewest of an item among what is left. `k_core` repeats until both hold. (The module's
            ``RATINGS_N_MIN = 20`` keeps items with *more* than 20, so ``min_item_ratings=21``.)
        since, until : int or None
            Unix seconds, ``since <= t < until``.
        min_rating : float or None
            Lowest rating kept.
        keep_vocabularies : bool
            Keep users and items that have nothing left.
        """
        from coterie.data.reduce import meeting

        rare = min_user_ratings, min_item_ratings
        keep = meeting(self, users, items, first_users, *rare, since, until, min_rating)
        return self.select(keep, keep_vocabularies)

    def k_core(self, k: int) -> Interactions:
        """The largest part in which every user and every item has at least k ratings (may be empty)."""
        from coterie.data.reduce import core

        return self.select(core(self, k))


def _read_only(array: Array) -> Array:
    """A view that cannot be written through."""
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
