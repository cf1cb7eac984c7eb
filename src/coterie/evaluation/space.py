"""Where a search looks: the ranges that stand in a model's own signature."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from coterie.errors import ParameterError
from coterie.evaluation.arguments import unfitted
from coterie.models.base import Recommender
from coterie.models.parameters import Parameter

if TYPE_CHECKING:
    import optuna

# What of a number is tried: more digits say nothing about a model, and fewer are easier to type.
_DIGITS = 4
# From one number of sweeps that is looked at to the next.
_RUNG = 1.25
_SWEEPS = "n_iterations"


@dataclass(frozen=True)
class Space:
    """What is searched of a model, and what stays.

    A number is searched where its range in the signature says from where to where (`Range.search`), a choice or a flag
    unless it says not to; `random_state` never is. What bears on ratings alone is not searched for the sake of lists,
    nor the other way round (`Range.bears_on`): chance would choose it. Whatever is fixed is not searched.

    Attributes
    ----------
    model : Recommender
        Unfitted, with what is fixed; whatever is searched stands at its default.
    fixed : mapping of str to value
        What the caller has settled.
    about : {"ratings", "lists"}
        What the model is judged by.
    """

    model: Recommender
    fixed: Mapping[str, Any]
    about: Literal["ratings", "lists"] = "lists"

    @classmethod
    def of(
        cls, model: str | Recommender, fixed: Mapping[str, Any] = {}, about: Literal["ratings", "lists"] = "lists"
    ) -> Space:
        """The space of a registered model or of an instance, whose settings that are not as by default are fixed."""
        plain = unfitted(model)
        known = plain.parameters()
        settled = {name: getattr(plain, name) for name, p in known.items() if getattr(plain, name) != p.default}
        settled |= fixed
        for name, value in settled.items():
            if name not in known:
                raise ParameterError(f"fixed has {name!r}, which {plain.name} lacks; it has {', '.join(known)}")
            known[name].check(value, plain.name)
        return cls(dataclasses.replace(plain, **settled), settled, about)  # type: ignore[type-var]

    @cached_property
    def searched(self) -> dict[str, Parameter]:
        """What is drawn for each trial; not the sweeps that are counted while a trial learns."""
        free = [p for name, p in self.model.parameters().items() if name not in self.fixed and p != self.sweeps]
        return {p.name: p for p in free if _is_searched(p) and p.range.bears_on in (None, self.about)}

    @cached_property
    def sweeps(self) -> Parameter | None:
        """The number of sweeps, where it is found by watching a trial: a fit that ends early is one with fewer."""
        known = self.model.parameters()
        found = self.model.learns_in_sweeps and _SWEEPS in known and _SWEEPS not in self.fixed
        return known[_SWEEPS] if found and known[_SWEEPS].range.search else None

    @cached_property
    def rungs(self) -> tuple[int, ...]:
        """Numbers of sweeps after which a trial is looked at, each a quarter more, and the default; () without."""
        if self.sweeps is None or not self.sweeps.range.search:
            return ()
        low, high = map(int, self.sweeps.range.search)
        steps = math.ceil(math.log(high / low, _RUNG))
        between = {min(high, round(low * _RUNG**step)) for step in range(steps)}
        return tuple(sorted({*between, high, int(self.sweeps.default)}))

    @property
    def size(self) -> float:
        """How many settings there are to draw; infinite where there are real numbers."""
        return math.prod(_count(p) for p in self.searched.values())

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of what is drawn."""
        return {name: parameter.default for name, parameter in self.searched.items()}

    def draw(self, trial: optuna.Trial) -> dict[str, Any]:
        """Settings for a trial, numbers to four digits."""
        return {name: _draw(trial, parameter) for name, parameter in self.searched.items()}

    def make(self, settings: Mapping[str, Any]) -> Recommender:
        """The unfitted model with these settings."""
        return dataclasses.replace(self.model, **settings)  # type: ignore[type-var]

    def described(self) -> dict[str, Any]:
        """What is searched and what is fixed, as JSON knows it: two searches with equal ones look in the same place."""
        ranges = {name: list(p.choices or _bounds(p)) for name, p in self.searched.items()}
        return {"ranges": ranges, "rungs": list(self.rungs), "fixed": dict(self.fixed)}


def _is_searched(parameter: Parameter) -> bool:
    wanted = parameter.range.search
    if parameter.name == "random_state" or wanted is False:
        return False
    return wanted is not None or parameter.choices is not None or parameter.type is bool


def _bounds(parameter: Parameter) -> tuple[float, float]:
    """From where to where, with the default in it."""
    if not parameter.range.search:
        return 0, 1  # a flag
    inside = [] if parameter.default is None else [parameter.default]
    return min(*parameter.range.search, *inside), max(*parameter.range.search, *inside)


def _count(parameter: Parameter) -> float:
    if parameter.choices is not None:
        return len(parameter.choices)
    low, high = _bounds(parameter)
    return math.inf if parameter.type is float else high - low + 1


def _draw(trial: optuna.Trial, parameter: Parameter) -> Any:
    name, log = parameter.name, parameter.range.log
    if parameter.choices is not None:
        return trial.suggest_categorical(name, parameter.choices)
    if parameter.type is bool:
        return trial.suggest_categorical(name, (False, True))
    low, high = _bounds(parameter)
    if parameter.type is int:
        return trial.suggest_int(name, int(low), int(high), log=log)
    return float(f"{trial.suggest_float(name, low, high, log=log):.{_DIGITS}g}")
