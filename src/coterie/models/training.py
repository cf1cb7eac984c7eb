"""Learning in sweeps: the loop around a model's own, with its trace, progress, Ctrl-C and checkpoints.

A model writes a plain loop::

    for sweep in self._sweeps(self.n_iterations, keep={"users": X, "items": Y}):
        ...                      # change X and Y in place; chance comes from sweep.generator
        sweep.objective = ...

and everything around it happens here, once.

A watcher may look at the model between sweeps: `model_so_far` runs what a model does before and after its loop on a
copy, with the arrays as they are now in place of sweeps. So every model that can be interrupted can be watched.
"""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.data.progress import progress
from coterie.errors import ArtifactError, CapabilityError, DivergenceError, UnknownIdError
from coterie.storage import MANIFEST, read_folder, write_folder

if TYPE_CHECKING:
    from coterie.models.base import Recommender

Array = np.ndarray[Any, np.dtype[Any]]
#: Ratings (n,) predicted for users (n,) and items (n,), by row number, in the middle of learning.
Predict = Callable[[Array, Array], Array]
#: Told after each sweep how many are done, how many there are to be, and what gives the model of those done; says
#: whether that is enough.
Watch = Callable[[int, int, Callable[[], "Recommender"]], bool]

KIND = "coterie-checkpoint"


@dataclass
class Sweep:
    """One pass over the data.

    Attributes
    ----------
    number : int
        From 0.
    seed : int
        The model's `random_state`.
    objective : float or None
        What the model says of it when it has done the sweep; None where it has nothing to say.
    """

    number: int
    seed: int = 0
    objective: float | None = None

    @property
    def generator(self) -> np.random.Generator:
        """The sweep's own source of chance, so that a resumed fit draws what an uninterrupted one does."""
        return np.random.default_rng([self.seed, self.number])


class Pile:
    """An array (n,) that gets longer from sweep to sweep, for `keep`."""

    def __init__(self, dtype: Any) -> None:
        self._parts = [np.empty(0, dtype)]

    def add(self, part: Array) -> None:
        """Append the entries of `part` (m,)."""
        self._parts.append(part.astype(self._parts[0].dtype))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self._parts = [np.concatenate(self._parts)]
        return self._parts[0] if dtype is None else self._parts[0].astype(dtype)

    def __setitem__(self, everything: Any, entries: Array) -> None:
        self._parts = [entries.astype(self._parts[0].dtype)]


#: What a sweep changes in place.
Kept = Array | Pile


class Training:
    """What one call of `fit` was told besides the data, and what came of it.

    Attributes
    ----------
    interrupted : bool
        Whether Ctrl-C ended the sweeps early; the model is then that of the sweeps done.
    done, total : int
        Sweeps, and how many there were to be.
    """

    def __init__(
        self,
        train: Interactions,
        catalog: Catalog | None = None,
        validation: Interactions | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.train, self.catalog, self.validation, self.checkpoint = train, catalog, validation, checkpoint
        self.watch = watch
        self.interrupted = False
        self.done = self.total = 0
        self._earlier: Any = None

    def sweeps(
        self, model: Recommender, total: int, keep: Mapping[str, Kept], predict: Predict | None
    ) -> Iterator[Sweep]:
        """The sweeps to do, one at a time; see `Learner._sweeps`."""
        judge = self._judge(predict, model)
        objectives, errors = np.full(total, np.nan), np.full(total, np.nan)
        arrays: dict[str, Kept] = {f"kept.{name}": array for name, array in keep.items()}
        arrays |= {"objective": objectives, "error": errors}
        self.done, self.total = self._resume(model, arrays), total
        self._hold_interrupts()
        with progress(f"fitting {model.name}", total, self.done) as advance:
            for number in range(self.done, total):
                if self.interrupted:
                    break
                sweep = Sweep(number, getattr(model, "random_state", 0))
                yield sweep
                self.done = done = number + 1
                if sweep.objective is not None:
                    _check(sweep, model)
                    objectives[number] = sweep.objective
                if judge is not None:
                    errors[number] = judge()
                if self.checkpoint is not None:
                    self._write(self.checkpoint, model, done, arrays)
                advance(1, _account(number, total, objectives[number], errors[number]))
                if self.watch is not None and self.watch(
                    done,
                    total,
                    lambda n=done: self.model_so_far(model, keep, objectives[:n]),  # type: ignore[misc]
                ):
                    break
        if np.isfinite(objectives[: self.done]).any():
            model.objective_ = objectives[: self.done]  # type: ignore[attr-defined]
        if judge is not None:
            model.held_out_rmse_ = errors[: self.done]  # type: ignore[attr-defined]

    def model_so_far(self, model: Recommender, keep: Mapping[str, Kept], objectives: Array) -> Recommender:
        """A fitted model of its own: what `model` would be, were it interrupted now."""
        other = copy(model)
        for learned in vars(other).keys() - other.parameters().keys():
            delattr(other, learned)
        other._training = _Standstill(self.train, keep, objectives)
        try:
            other._fit(self.train, self.catalog)
        finally:
            del other._training
        other.train_, other.catalog_ = self.train, self.catalog
        return other

    # ---- held-out ratings --------------------------------------------------------------------------

    def _judge(self, predict: Predict | None, model: Recommender) -> Callable[[], float] | None:
        """A function that gives the RMSE on the held-out ratings as of now."""
        held_out, train = self.validation, self.train
        if held_out is None:
            return None
        if predict is None:
            raise CapabilityError(
                f"{type(model).__name__} predicts no ratings while it learns; call fit without validation"
            )
        try:
            users = train.users.indices(held_out.users.ids)[held_out.user_index]
            items = train.items.indices(held_out.items.ids)[held_out.indices]
        except UnknownIdError as unknown:
            raise UnknownIdError(
                f"validation has what train lacks ({unknown}); use select(..., keep_vocabularies=True), or leave it out"
            ) from None
        low, high = train.scale

        def rmse() -> float:
            error = np.clip(predict(users, items), low, high).astype(np.float64) - held_out.values
            return float(np.sqrt((error**2).mean())) if len(error) else math.nan

        return rmse

    # ---- checkpoints -------------------------------------------------------------------------------

    def _about(self, model: Recommender, done: int) -> dict[str, Any]:
        """What a checkpoint belongs to, and how far it is."""
        parameters = {name: getattr(model, name) for name in model.parameters()}
        return {"model": model.name, "parameters": parameters, "data": self.train.fingerprint, "sweeps": done}

    def _write(self, path: str | os.PathLike[str], model: Recommender, done: int, arrays: Mapping[str, Kept]) -> None:
        parts = {name: np.asarray(array) for name, array in arrays.items()}
        write_folder(path, KIND, self._about(model, done), parts)

    def _resume(self, model: Recommender, arrays: Mapping[str, Kept]) -> int:
        """Put the arrays back to where the checkpoint has them, where there is one; the sweeps done by then."""
        path = self.checkpoint
        if path is None:
            return 0
        begun = os.path.lexists(os.path.join(path, MANIFEST))
        if not begun and (os.path.isdir(path) or not os.path.lexists(path)):
            self._write(path, model, 0, arrays)  # before any work: can it be written there?
            return 0
        stored = read_folder(path, KIND)
        about, wanted = dict(stored.meta), self._about(model, 0)
        done = int(about.pop("sweeps"))
        del wanted["sweeps"]
        settings, given = about.pop("parameters"), wanted.pop("parameters")
        pairs = [(name, settings.get(name), given.get(name)) for name in {**settings, **given}]
        differences = [f"{name} {was!r}, and now {now!r}" for name, was, now in pairs if was != now]
        if about["model"] != wanted["model"]:
            differences = [f"the model {about['model']}, and now {wanted['model']}"]
        elif about != wanted:
            differences = ["other data"]
        if differences:
            raise ArtifactError(
                f"the checkpoint at {os.fspath(path)} is of {'; '.join(differences)}; "
                "fit as it was begun, or choose another folder"
            )
        for name, array in arrays.items():
            try:
                array[...] = np.asarray(stored.parts[name])
            except (KeyError, ValueError):
                raise ArtifactError(
                    f"the checkpoint at {os.fspath(path)} is of another version of Coterie, which kept other arrays; "
                    "choose another folder"
                ) from None
        return done

    # ---- Ctrl-C ------------------------------------------------------------------------------------

    def _hold_interrupts(self) -> None:
        """From now on Ctrl-C lets the running sweep end; a second one ends it all."""
        if threading.current_thread() is not threading.main_thread():
            return  # signals go to the main thread alone

        def remember(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            self.release_interrupts()

        self._earlier = signal.signal(signal.SIGINT, remember)

    def release_interrupts(self) -> None:
        """Ctrl-C is again what it was."""
        if self._earlier is not None:
            signal.signal(signal.SIGINT, self._earlier)
            self._earlier = None


class _Standstill(Training):
    """No sweeps, but what those of another training have come to."""

    def __init__(self, train: Interactions, reached: Mapping[str, Kept], objectives: Array) -> None:
        super().__init__(train)
        self._reached, self._objectives = reached, objectives

    def sweeps(
        self, model: Recommender, total: int, keep: Mapping[str, Kept], predict: Predict | None
    ) -> Iterator[Sweep]:
        for name, array in keep.items():
            array[...] = np.asarray(self._reached[name])
        if np.isfinite(self._objectives).any():
            model.objective_ = self._objectives.copy()  # type: ignore[attr-defined]
        return iter(())


def _check(sweep: Sweep, model: Recommender) -> None:
    if not math.isfinite(sweep.objective or 0.0):
        known = [name for name in ("learning_rate", "regularization") if name in model.parameters()]
        remedies = {"learning_rate": "a smaller learning_rate", "regularization": "a larger regularization"}
        raise DivergenceError(
            f"{type(model).__name__} diverged: after sweep {sweep.number + 1} its objective is {sweep.objective}; "
            f"try {' or '.join(remedies[name] for name in known) or 'other hyper-parameters'} "
            f"({', '.join(f'{name} is {getattr(model, name)!r}' for name in known)})"
        )


def _account(number: int, total: int, objective: float, error: float) -> str:
    parts = [f"sweep {number + 1}/{total}"]
    parts += [f"objective {objective:.6g}"] if math.isfinite(objective) else []
    parts += [f"held-out RMSE {error:.4f}"] if math.isfinite(error) else []
    return ", ".join(parts)
