"""Model names and classes; `load_model`, which needs to know them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from coterie.errors import ArtifactError, ParameterError

if TYPE_CHECKING:
    from coterie.artifact import StoredModel
    from coterie.models.base import Recommender

# name -> (module under coterie.models, class)
MODELS: dict[str, tuple[str, str]] = {
    "random": ("baselines", "Random"),
    "popularity": ("baselines", "Popularity"),
    "bias": ("baselines", "BiasBaseline"),
    "time-bias": ("time_bias", "TimeBiasBaseline"),
    "user-knn": ("user_knn", "UserKNN"),
    "item-knn": ("item_knn", "ItemKNN"),
    "ease": ("ease", "EASE"),
    "slim": ("slim", "SLIM"),
    "p3alpha": ("walks", "P3alpha"),
    "rp3beta": ("walks", "RP3beta"),
    "svd": ("svd", "SVD"),
    "pure-svd": ("svd", "PureSVD"),
    "nmf": ("nmf", "NMF"),
    "als": ("als", "ALS"),
    "implicit-als": ("implicit_als", "ImplicitALS"),
    "biased-mf": ("biased_mf", "BiasedMF"),
    "svd++": ("svdpp", "SVDPlusPlus"),
    "bpr": ("bpr", "BPR"),
    "bayesian-mf": ("bayesian_mf", "BayesianMF"),
    "bayesian-svd++": ("bayesian_svdpp", "BayesianSVDPlusPlus"),
    "slope-one": ("slope_one", "SlopeOne"),
    "co-clustering": ("co_clustering", "CoClustering"),
    "tag-knn": ("content_knn", "TagKNN"),
    "genre-knn": ("content_knn", "GenreKNN"),
    "content-factors": ("content_factors", "ContentFactors"),
    "hybrid": ("hybrid", "Hybrid"),
}

# The same for models that are made around another one, and so cannot be made from their name alone.
WRAPPERS: dict[str, tuple[str, str]] = {"reranked": ("reranking", "Reranked")}


def model_class(name: str) -> type[Recommender]:
    """The class of a registered model; an unknown name is an error that lists the known ones."""
    if name not in MODELS:
        raise ParameterError(f"unknown model {name!r}; there are {', '.join(MODELS)}")
    return _class(name)


def _class(name: str) -> type[Recommender]:
    module, cls = (MODELS | WRAPPERS)[name]
    found: type[Recommender] = getattr(import_module(f"coterie.models.{module}"), cls)
    return found


def load_model(path: str | PathLike[str], verify: bool = True) -> Recommender:
    """The fitted model that `Recommender.save` wrote to the folder `path`.

    Parameters
    ----------
    verify : bool
        Compare the checksum of every file. Without it only sizes and structure are looked at.

    Returns
    -------
    Recommender
        Equal to the saved one; its arrays are memory-mapped from the folder and read-only.

    Raises
    ------
    ArtifactError
        The folder is absent, foreign, damaged or truncated, or was written by a newer version.
    """
    from coterie.artifact import read_model

    stored = read_model(path, verify)
    return _made(stored, f"the model at {fspath(path)} was written by Coterie {stored.manifest['coterie']} and")


def _made(stored: StoredModel, where: str, around: Mapping[str, Any] = {}) -> Recommender:
    """The model that was stored; one inside another is made first, and shares what was stored with that one."""
    from coterie.artifact import SHARED, StoredModel

    if stored.name not in MODELS | WRAPPERS:
        raise ArtifactError(
            f"{where} is a {stored.name!r} ({stored.cls}), which this version does not have; "
            f"upgrade coterie. There are {', '.join(MODELS | WRAPPERS)}"
        )

    state = {name: around[name] if value is SHARED else value for name, value in stored.state.items()}

    def value_of(value: Any) -> Any:
        if type(value) in (tuple, list):
            return type(value)(map(value_of, value))
        return _made(value, where, state) if isinstance(value, StoredModel) else value

    cls = _class(stored.name)
    known, parameters = cls.parameters(), {name: value_of(value) for name, value in stored.parameters.items()}
    for name, value in parameters.items():
        if name not in known:
            raise ArtifactError(f"{where} has a hyper-parameter {name!r} that {cls.__name__} lacks; upgrade coterie")
        try:
            known[name].check(value, cls.__name__)
        except ParameterError as error:
            raise ArtifactError(f"{where} does not fit this version: {error}; upgrade coterie") from error
    model = cls(**parameters)
    for name, value in state.items():
        setattr(model, name, value_of(value))
    return model
