"""Coterie: recommendations a person can check. ``import coterie as ct``; names load when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from coterie import similarity as similarity
    from coterie.content.constraints import Constraints as Constraints
    from coterie.content.critiques import Critique as Critique
    from coterie.data.catalog import Catalog as Catalog
    from coterie.data.dataset import Dataset as Dataset
    from coterie.data.interactions import Interactions as Interactions
    from coterie.data.readers import load as load
    from coterie.data.vocabulary import Vocabulary as Vocabulary
    from coterie.evaluation.comparison import compare as compare
    from coterie.evaluation.search import tune as tune
    from coterie.lessons.lesson import lesson as lesson
    from coterie.models.als import ALS as ALS
    from coterie.models.base import Recommender as Recommender
    from coterie.models.baselines import BiasBaseline as BiasBaseline
    from coterie.models.baselines import Popularity as Popularity
    from coterie.models.baselines import Random as Random
    from coterie.models.bayesian_mf import BayesianMF as BayesianMF
    from coterie.models.bayesian_svdpp import BayesianSVDPlusPlus as BayesianSVDPlusPlus
    from coterie.models.biased_mf import BiasedMF as BiasedMF
    from coterie.models.bpr import BPR as BPR
    from coterie.models.co_clustering import CoClustering as CoClustering
    from coterie.models.config import load_config as load_config
    from coterie.models.content_factors import ContentFactors as ContentFactors
    from coterie.models.content_knn import GenreKNN as GenreKNN
    from coterie.models.content_knn import TagKNN as TagKNN
    from coterie.models.ease import EASE as EASE
    from coterie.models.explanation import Explanation as Explanation
    from coterie.models.hybrid import Hybrid as Hybrid
    from coterie.models.implicit_als import ImplicitALS as ImplicitALS
    from coterie.models.item_knn import ItemKNN as ItemKNN
    from coterie.models.nmf import NMF as NMF
    from coterie.models.registry import load_model as load_model
    from coterie.models.reranking import Reranked as Reranked
    from coterie.models.slim import SLIM as SLIM
    from coterie.models.slope_one import SlopeOne as SlopeOne
    from coterie.models.svd import SVD as SVD
    from coterie.models.svd import PureSVD as PureSVD
    from coterie.models.svdpp import SVDPlusPlus as SVDPlusPlus
    from coterie.models.time_bias import TimeBiasBaseline as TimeBiasBaseline
    from coterie.models.user_knn import UserKNN as UserKNN
    from coterie.models.walks import P3alpha as P3alpha
    from coterie.models.walks import RP3beta as RP3beta
    from coterie.scenarios.cohorts import find_cohorts as find_cohorts
    from coterie.scenarios.elicitation import Elicitation as Elicitation
    from coterie.scenarios.groups import recommend_to_group as recommend_to_group

# Public name -> module that defines it. Nothing is imported before it is asked for, so that
# `import coterie` and `coterie --help` are quick.
_PUBLIC = {
    "load": "coterie.data.readers",
    "Dataset": "coterie.data.dataset",
    "Catalog": "coterie.data.catalog",
    "Interactions": "coterie.data.interactions",
    "Vocabulary": "coterie.data.vocabulary",
    "Constraints": "coterie.content.constraints",
    "Critique": "coterie.content.critiques",
    "Recommender": "coterie.models.base",
    "Explanation": "coterie.models.explanation",
    "Random": "coterie.models.baselines",
    "Popularity": "coterie.models.baselines",
    "BiasBaseline": "coterie.models.baselines",
    "TimeBiasBaseline": "coterie.models.time_bias",
    "BiasedMF": "coterie.models.biased_mf",
    "BayesianMF": "coterie.models.bayesian_mf",
    "BayesianSVDPlusPlus": "coterie.models.bayesian_svdpp",
    "SVDPlusPlus": "coterie.models.svdpp",
    "BPR": "coterie.models.bpr",
    "UserKNN": "coterie.models.user_knn",
    "ItemKNN": "coterie.models.item_knn",
    "TagKNN": "coterie.models.content_knn",
    "GenreKNN": "coterie.models.content_knn",
    "EASE": "coterie.models.ease",
    "SLIM": "coterie.models.slim",
    "P3alpha": "coterie.models.walks",
    "RP3beta": "coterie.models.walks",
    "SVD": "coterie.models.svd",
    "PureSVD": "coterie.models.svd",
    "NMF": "coterie.models.nmf",
    "ALS": "coterie.models.als",
    "ImplicitALS": "coterie.models.implicit_als",
    "SlopeOne": "coterie.models.slope_one",
    "CoClustering": "coterie.models.co_clustering",
    "ContentFactors": "coterie.models.content_factors",
    "Hybrid": "coterie.models.hybrid",
    "Reranked": "coterie.models.reranking",
    "load_model": "coterie.models.registry",
    "load_config": "coterie.models.config",
    "lesson": "coterie.lessons.lesson",
    "compare": "coterie.evaluation.comparison",
    "tune": "coterie.evaluation.search",
    "Elicitation": "coterie.scenarios.elicitation",
    "recommend_to_group": "coterie.scenarios.groups",
    "find_cohorts": "coterie.scenarios.cohorts",
}
_MODULES = ("similarity", "content", "evaluation", "scenarios", "explore", "server", "errors")

__all__ = sorted([*_PUBLIC, *_MODULES])  # pyright: ignore


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
    elif name in _MODULES:
        value = import_module(f"coterie.{name}")
    else:
        raise AttributeError(f"module 'coterie' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
