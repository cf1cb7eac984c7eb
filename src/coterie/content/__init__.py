"""What items are about, as numbers and in words: features from genres, tags, the tag genome and titles; clusters."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coterie.content.clusters import ClusterItems as ClusterItems
    from coterie.content.clusters import Clusters as Clusters
    from coterie.content.features import ItemFeatures as ItemFeatures
    from coterie.content.features import item_features as item_features
    from coterie.content.judging import assess as assess
    from coterie.content.judging import genre_labels as genre_labels
    from coterie.content.titles import TitleVectors as TitleVectors
    from coterie.content.titles import title_words as title_words
    from coterie.content.words import WordVectors as WordVectors
    from coterie.content.words import load_word_vectors as load_word_vectors

# Name -> module that defines it. Commands take their options from constraints, which need none of what these load.
_PUBLIC = {
    "ClusterItems": "clusters",
    "Clusters": "clusters",
    "ItemFeatures": "features",
    "TitleVectors": "titles",
    "WordVectors": "words",
    "assess": "judging",
    "genre_labels": "judging",
    "item_features": "features",
    "load_word_vectors": "words",
    "title_words": "titles",
}

__all__ = sorted(_PUBLIC)  # pyright: ignore


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'coterie.content' has no attribute {name!r}")
    return getattr(import_module(f"coterie.content.{_PUBLIC[name]}"), name)
