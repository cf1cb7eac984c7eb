"""Learner: hyper-parameters, fitting, taking in what is new. What can be asked of what was learned is in `base`."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from copy import copy
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.errors import CapabilityError, DataWarning, FitInterrupted, NotFittedError
from coterie.models.parameters import Parameter, parameters_of
from coterie.models.profiles import require_ratings
from coterie.models.training import Kept, Predict, Sweep, Training, Watch

Array = np.ndarray[Any, np.dtype[Any]]


class Learner(ABC):
    """Something with hyper-parameters that learns from interactions.

    A subclass is a dataclass whose fields are its hyper-parameters (`parameters.Range` gives their ranges and help);
    it writes `_fit`. What that learns is stored in attributes that end in ``_``. One that iterates sets
    `learns_in_sweeps` and loops over `_sweeps`: `n_iterations` times where a sweep does not depend on how many there
    are to be, so that a fit that ends early is one with fewer sweeps, and `n_epochs` times where it does, as with a
    learning rate that falls. One that can take in new ratings writes `_update`, and where that ends as a fit to all
    of them would, up to rounding, it sets `update_equals_refit`.

    Attributes
    ----------
    train_ : Interactions
        What the model was fitted on; the profiles of known users are its rows.
    catalog_ : Catalog or None
        What `fit` was told about the items.
    unit_ : float
        How wide the scale is that was fitted on (`scale.unit_of`), in a model that has to know; `update` keeps it. 1 in
        all others, and in artefacts from before there were units.
    prepared_ : dict or None
        How the command line prepared the ratings: options by name, for `coterie update`. None: nobody has said.
    """

    name: ClassVar[str]
    #: Whether it learns in sweeps, which can be watched, interrupted and resumed.
    learns_in_sweeps: ClassVar[bool] = False
    #: Whether `update` learns what a fit to all the data would learn, up to rounding.
    update_equals_refit: ClassVar[bool] = False
    #: Whether `fit` cannot do without a catalog.
    needs_catalog: ClassVar[bool] = False

    train_: Interactions
    catalog_: Catalog | None
    unit_: float = 1.0
    prepared_: dict[str, Any] | None = None
    _training: Training

    @abstractmethod
    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        """Learn; set attributes that end in ``_``."""

    # ---- fitting -----------------------------------------------------------------------------------

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The hyper-parameters: type, default, range and help of each."""
        return parameters_of(cls)

    @property
    def label(self) -> str:
        """The name, with what of the hyper-parameters is not as by default: ``ease(regularization=100.0)``."""
        values = [(p, getattr(self, p.name)) for p in self.parameters().values()]
        changed = [
            value.label if isinstance(value, Learner) else f"{p.name}={value}"
            for p, value in values
            if value != p.default
        ]
        return f"{self.name}({', '.join(changed)})" if changed else self.name

    @property
    def about(self) -> dict[str, Any]:
        """What was fitted to what, as JSON has it: `model`, `hyper_parameters` and `fitted_to`."""
        train = self._fitted()
        settings = {name: getattr(self, name) for name in self.parameters()}
        return {
            "model": self.name,
            "hyper_parameters": {name: getattr(value, "label", value) for name, value in settings.items()},
            "fitted_to": {"users": train.n_users, "items": train.n_items, "ratings": train.nnz},
        }

    def fit(
        self,
        train: Interactions,
        catalog: Catalog | None = None,
        *,
        validation: Interactions | None = None,
        checkpoint: str | PathLike[str] | None = None,
        watch: Watch | None = None,
    ) -> Self:
        """Learn from `train`; a second call starts afresh.

        What was learned before is kept in memory meanwhile, and is back where the second call fails.

        A model that learns in sweeps keeps the objective after each in `objective_` (float64 (sweeps,)). Ctrl-C
        lets the running sweep end and raises FitInterrupted; the model is then that of the sweeps done, and usable.

        Parameters
        ----------
        train : Interactions
        catalog : Catalog or None
            What is known about the items.
        validation : Interactions or None
            Held-out ratings; the RMSE on them after each sweep is kept in `held_out_rmse_`. They teach nothing.
        checkpoint : path or None
            A folder to which each sweep is written. A fit that was cut off goes on from there when it is called
            again in the same way, with the same result, bit for bit.
        watch : callable or None
            Called after each sweep as ``watch(done, total, so_far)``; ``so_far()`` is the model of the sweeps done,
            fitted and the caller's own, at the cost of what the model does before and after its sweeps. What it
            returns is whether to end here; the model is then that of the sweeps done.

        Raises
        ------
        ParameterError
            A hyper-parameter is out of its range.
        CapabilityError
            `validation`, `checkpoint` or `watch` with a model that does not learn in sweeps, or `validation` with one
            that predicts no ratings.
        DataError
            A rating is too large for sums in single precision, or is none.
        DivergenceError
            Learning led nowhere.
        """
        if not isinstance(train, Interactions):
            raise TypeError(
                f"fit takes Interactions, not {type(train).__name__}; "
                "make them with coterie.Interactions.from_frame(...) or take a dataset's .interactions"
            )
        if catalog is not None and not isinstance(catalog, Catalog):
            raise TypeError(f"fit takes a Catalog, not {type(catalog).__name__}; take a dataset's .catalog")
        self._check_parameters()
        require_ratings(train, type(self).__name__)
        extras = {"validation": validation, "checkpoint": checkpoint, "watch": watch}
        given = next((name for name, value in extras.items() if value is not None), None)
        if given is not None and not self.learns_in_sweeps:
            raise CapabilityError(f"{type(self).__name__} does not learn in sweeps; call fit without {given}")
        before = vars(self).copy()
        for learned in before.keys() - self.parameters().keys():  # and what was worked out from it
            delattr(self, learned)
        self._training = training = Training(train, catalog, validation, checkpoint, watch)
        try:
            self._fit(train, catalog)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise
        finally:
            training.release_interrupts()
        del self._training
        self.train_, self.catalog_ = train, catalog
        if training.interrupted:
            raise FitInterrupted(type(self).__name__, training.done, training.total)
        return self

    def check(self, train: Interactions, catalog: Catalog | None = None) -> None:
        """Refuse at once what `fit` would refuse, as far as that can be told without learning: hyper-parameters out of
        their ranges, and what a model asks for that the data do not have. For whoever is to fit many models.

        Raises
        ------
        ParameterError, DataError, UnknownIdError
            As `fit` does.
        """
        self._check_parameters()

    def _check_parameters(self) -> None:
        for parameter in self.parameters().values():
            parameter.check(getattr(self, parameter.name), type(self).__name__)

    def _sweeps(self, total: int, keep: Mapping[str, Kept], predict: Predict | None = None) -> Iterator[Sweep]:
        """For the loop of a model that learns in sweeps.

        Parameters
        ----------
        total : int
            How many there are to be; fewer come where some were done before, or after Ctrl-C.
        keep : arrays by name, or piles of what gets longer
            All that a sweep changes, and it changes it in place: where an earlier fit was cut off they are set
            to what it had.
        predict : callable or None
            Ratings of (users, items) by row number as of now, for a model that predicts ratings.
        """
        return self._training.sweeps(self, total, keep, predict)  # type: ignore[arg-type]  # it is a Recommender

    # ---- taking in what is new ---------------------------------------------------------------------

    def update(self, new: Interactions) -> Self:
        """Take in new ratings: of new users, of known users, and of new items where the model can.

        What the model knows becomes `train_.merge(new)`: ids are appended, known ones keep their row numbers, a
        new rating of a known pair replaces the old one. From then on everybody is answered from the new data. How
        much the model has learned from it is for the model to say: with `update_equals_refit` as much as a fit to
        all the data, otherwise only what `_update` says. The catalog stays; a new item that it lacks has no title.

        Raises
        ------
        CapabilityError
            There are new items, and the model cannot take them in without a fit.
        DataError
            The new ratings do not go with the old (see `Interactions.merge`).

        It is a `DataWarning` where all that it knows has one value, as choices have, and the new have others.
        After an error the model is as it was.
        """
        train = self._fitted()
        if not isinstance(new, Interactions):
            raise TypeError(f"update takes Interactions, not {type(new).__name__}")
        _warn_of_another_scale(train, new)
        merged = train.merge(new)
        changed = []
        for known, given, counts in (
            (train.users, new.users, new.user_counts),
            (train.items, new.items, new.item_counts),
        ):
            _, rows = known.grown(given)
            changed.append(np.unique(rows[(counts > 0) | (rows >= len(known))]))
        if not any(map(len, changed)):
            return self
        self.__dict__ = self._updated(merged, *changed).__dict__  # all at once, and only now that nothing can fail
        return self

    def _updated(self, merged: Interactions, changed_users: Array, changed_items: Array) -> Self:
        """A copy that has taken in what `_update` is told of."""
        updated = copy(self)
        updated._forget_derived()
        updated._update(merged, changed_users, changed_items)
        updated.train_ = merged
        updated._forget_derived()  # what `_update` worked out from the old `train_`
        return updated

    def _update(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        """Bring the learned state up to date with `merged`, which becomes `train_` afterwards.

        `changed_users` and `changed_items` are the row numbers, increasing, of those with new ratings and of those
        that are new. Learned arrays must be replaced, not written into: they may be mapped, and are needed if this
        fails. Here nothing is learned: profiles are read when they are asked about, so that new users and new
        ratings of known items need nothing, if all that is learned is about items.
        """
        added = merged.n_items - self.train_.n_items
        if added:
            raise CapabilityError(
                f"{type(self).__name__} has learned nothing about new items: {merged.items.name(self.train_.n_items)}"
                f"{f' and {added - 1:,} more' if added > 1 else ''}; "
                "fit it to all the data: model.fit(model.train_.merge(new), model.catalog_)"
            )

    def _refit(self, merged: Interactions, changed_users: Array, changed_items: Array) -> None:
        """`_update` for models that learn anew what they know, at the cost of a fit; Ctrl-C leaves all as it was."""
        self._training = training = Training(merged, self.catalog_)
        try:
            self._fit(merged, self.catalog_)
        finally:
            training.release_interrupts()
            del self._training
        if training.interrupted:
            raise KeyboardInterrupt(f"{type(self).__name__} was interrupted; it is as it was before the update")

    def _forget_derived(self) -> None:
        """Drop what was worked out from the learned state and kept (cached properties)."""
        for name in vars(self).keys() - self.parameters().keys():
            if not name.endswith("_"):
                delattr(self, name)

    @property
    def is_fitted(self) -> bool:
        """Whether there is something to ask it."""
        return hasattr(self, "train_")

    def _fitted(self) -> Interactions:
        if not self.is_fitted:
            raise NotFittedError(f"this {type(self).__name__} is not fitted; call fit(interactions) first")
        return self.train_


def _warn_of_another_scale(train: Interactions, new: Interactions) -> None:
    low, high = train.scale
    if train.nnz > 1 and new.nnz and low == high and new.scale != train.scale:
        warnings.warn(
            f"the model learned from choices, all of them {low:g}, and takes in ratings of {new.scale[0]:g} to "
            f"{new.scale[1]:g} as they are; to make them choices too, load them with implicit=...",
            DataWarning,
            stacklevel=3,
        )
