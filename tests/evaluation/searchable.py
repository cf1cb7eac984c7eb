"""Models that a search is tried on, whose values are known beforehand, and ratings for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import polars as pl
import scipy.sparse as sp

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions
from coterie.models.base import Recommender
from coterie.models.parameters import Range

Array = np.ndarray[Any, np.dtype[Any]]


def world(n_users: int = 40, n_items: int = 30, seed: int = 0, times: bool = True) -> Interactions:
    """Ratings in which popular items are popular with everyone."""
    generator = np.random.default_rng(seed)
    chance = 0.9 / np.sqrt(np.arange(1, n_items + 1))
    user, item = np.nonzero(generator.random((n_users, n_items)) < chance)
    columns = {"user": user, "item": item, "rating": generator.integers(1, 6, len(user)).astype(float)}
    frame = pl.DataFrame(columns | ({"time": generator.integers(0, 1000, len(user))} if times else {}))
    return Interactions.from_frame(frame, "user", "item", "rating", "time" if times else None)


def pairs(x: Interactions) -> set[tuple[int, int]]:
    """What was rated, as ids."""
    return set(zip(x.users.ids[x.user_index].tolist(), x.items.ids[x.indices].tolist(), strict=True))


@dataclass(eq=False)
class Spy(Recommender):
    """Recommends what is popular, and remembers all that it was given."""

    name: ClassVar[str] = "spy"
    fitted: ClassVar[list[Interactions]] = []
    asked: ClassVar[list[tuple[sp.csr_matrix, Array | None]]] = []
    fails: ClassVar[dict[int, BaseException]] = {}  # by the number of the fit
    sleeps: ClassVar[float] = 0.0  # seconds a fit takes
    weight: Annotated[float, Range(0, 1, help="of popularity", search=(0, 1))] = 0.5

    @classmethod
    @contextmanager
    def fresh(cls, fails: dict[int, BaseException] | None = None, sleeps: float = 0.0) -> Iterator[None]:
        """With an empty memory."""
        cls.fitted, cls.asked, cls.fails, cls.sleeps = [], [], fails or {}, sleeps
        yield

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self.fitted.append(train)
        end = time.monotonic() + self.sleeps
        while time.monotonic() < end:
            time.sleep(0.01)
        if len(self.fitted) - 1 in self.fails:
            raise self.fails[len(self.fitted) - 1]
        noise = np.random.default_rng(0).random(train.n_items)
        self.scores_ = (self.weight * train.item_counts + (1 - self.weight) * 20 * noise).astype(np.float32)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        self.asked.append((profiles, users))
        return np.tile(self.scores_, (profiles.shape[0], 1))


@dataclass(eq=False)
class Sweeper(Recommender):
    """Predicts as well as its number of sweeps is near to `peak`, and worse by `flaw`."""

    name: ClassVar[str] = "sweeper"
    predicts_ratings = True
    learns_in_sweeps = True
    swept: ClassVar[list[int]] = []
    peak: Annotated[float, Range(1, 100, help="the best number of sweeps")] = 9.0
    flaw: Annotated[float, Range(0, 5, help="what nothing helps against", search=(0, 3))] = 1.0
    n_iterations: Annotated[int, Range(1, 1000, help="sweeps", search=(2, 60))] = 4

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        done = np.zeros(1)
        for sweep in self._sweeps(self.total, keep={"done": done}):
            done += 1
            self.swept.append(sweep.number)
            sweep.objective = 0.0
        error = 0.4 * (abs(np.log(done[0] / self.peak)) + self.flaw)
        self.answer_ = train.mean + error

    @property
    def total(self) -> int:
        return self.n_iterations

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return np.full(profiles.shape, self.answer_, np.float32)


@dataclass(eq=False)
class Scheduled(Sweeper):
    """The same, but what a sweep does depends on how many there are to be."""

    name: ClassVar[str] = "scheduled"
    n_iterations: int = 4  # type: ignore[assignment]
    n_epochs: Annotated[int, Range(1, 1000, help="epochs", search=(8, 8))] = 8

    @property
    def total(self) -> int:
        return self.n_epochs
