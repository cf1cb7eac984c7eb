"""Model names and classes, nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from coterie.errors import ParameterError

if TYPE_CHECKING:
    from coterie.models.base import Recommender

# name -> (module under coterie.models, class)
MODELS: dict[str, tuple[str, str]] = {
    "random": ("baselines", "Random"),
    "popularity": ("baselines", "Popularity"),
    "bias": ("baselines", "BiasBaseline"),
    "user-knn": ("user_knn", "UserKNN"),
    "item-knn": ("item_knn", "ItemKNN"),
}


def model_class(name: str) -> type[Recommender]:
    """The class of a registered model; an unknown name is an error that lists the known ones."""
    if name not in MODELS:
        raise ParameterError(f"unknown model {name!r}; there are {', '.join(MODELS)}")
    module, cls = MODELS[name]
    found: type[Recommender] = getattr(import_module(f"coterie.models.{module}"), cls)
    return found
