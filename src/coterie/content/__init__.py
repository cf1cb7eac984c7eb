"""What items are about, as numbers and in words: features from genres, tags, the tag genome and titles; clusters."""

from coterie.content.clusters import ClusterItems, Clusters
from coterie.content.features import ItemFeatures, item_features
from coterie.content.judging import assess, genre_labels
from coterie.content.titles import TitleVectors, title_words
from coterie.content.words import WordVectors, load_word_vectors

__all__ = [
    "ClusterItems",
    "Clusters",
    "ItemFeatures",
    "TitleVectors",
    "WordVectors",
    "assess",
    "genre_labels",
    "item_features",
    "load_word_vectors",
    "title_words",
]
