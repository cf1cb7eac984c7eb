"""TitleVectors: a title as the mean of its words' vectors, as the module does it and in a better reading."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from coterie.content.features import ItemFeatures
from coterie.content.sentences import SENTENCE_MODELS, Encoder, load_sentence_model
from coterie.content.words import DEFAULT_VECTORS, OnError, WordVectors, load_word_vectors
from coterie.data.catalog import Catalog
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, NotFittedError, ParameterError
from coterie.kernels.memory import require_memory
from coterie.kernels.parallel import one_blas_thread

Array = np.ndarray[Any, np.dtype[Any]]
TitleReading = Literal["weighted", "module"]

_WORD = re.compile(r"[a-z]+")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_ARTICLE_LAST = re.compile(r"^(.*), (the|a|an)$", re.IGNORECASE)
# A year, or years, in brackets at the end, as in data/catalog.py, which cannot be asked about a title alone.
_YEAR_LAST = re.compile(r"\s*\(\d{4}(?:\s*[-\u2013\u2014]\s*(?:\d{4})?)?\s*\)+\s*(?:\((?:V|TV|VG)\))?\s*$")


@dataclass(frozen=True)
class Coverage:
    """How much of the titles the vectors know.

    Attributes
    ----------
    titles, empty_titles : int
        All titles, and those of which nothing is known: their vector is zero.
    words, known_words : int
        Different words in the titles, and those that have a vector. Both 0 for a model of sentences.
    unknown_often : tuple of str
        The unknown words that are most frequent, ten at most.
    """

    titles: int
    empty_titles: int
    words: int = 0
    known_words: int = 0
    unknown_often: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = f"{self.known_words:,} of {self.words:,} words have vectors; " if self.words else ""
        return f"{words}{self.empty_titles:,} of {self.titles:,} titles have none"


@dataclass(eq=False)
class TitleVectors:
    r"""Vectors of titles, from vectors of their words.

    ``reading="module"``
        :math:`x_i = \frac{1}{|t_i|} \sum_{w \in t_i} v_w`, over the words ``[a-z]+`` of the lowercased title, where
        :math:`v_w = 0` for a word without a vector, and :math:`x_i = 0` for a title without words.
    ``reading="weighted"``
        :math:`y_i = \frac{1}{|k_i|} \sum_{w \in k_i} \frac{a}{a + p(w)} v_w` over the words that have a vector, with
        their accents and without possessive s; :math:`p(w)` is the word's share of all words in the catalog's titles,
        so that "the" hardly counts (smooth inverse frequency; Arora, Liang and Ma 2017, algorithm 1). Then
        :math:`x_i = y_i - U U^\top y_i`, where the columns of U are the first right singular vectors of Y: what all
        titles have in common.

    With a model of sentences as the source, the text itself is turned into a vector: as published (``"module"``), or
    without the year, its article in front, less what all titles have in common (``"weighted"``).

    Parameters
    ----------
    source : str, path or WordVectors, default "glove-6b-50d"
        What `load_word_vectors` takes, or ``"wordllama"``, a small model of sentences (extra ``sentences``).
    reading : {"weighted", "module"}
    smoothing : float, above 0, default 0.001
        The constant a of the weights; 0.001 to 0.0001 are usual, and a large one weighs all words alike.
    n_components : int, at least 0, default 1
        How many of the first singular vectors are taken away.
    on_error : {"raise", "skip"}
        What becomes of wrong lines in a file of vectors.

    Attributes
    ----------
    common_ : float32 (n_components, dimension)
        The rows of :math:`U^\top`.
    coverage_ : Coverage
        What of the catalog's titles is known.
    skipped_ : tuple of str
        Lines of the file that were left out.

    References
    ----------
    S. Arora, Y. Liang and T. Ma (2017), "A simple but tough-to-beat baseline for sentence embeddings", ICLR.
    """

    source: str | os.PathLike[str] | WordVectors = DEFAULT_VECTORS
    reading: TitleReading = "weighted"
    smoothing: float = 1e-3
    n_components: int = 1
    on_error: OnError = "raise"
    _words: WordVectors | None = field(default=None, init=False, repr=False)
    _asked: frozenset[str] = field(default=frozenset(), init=False, repr=False)
    _encoder: Encoder | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.reading not in ("weighted", "module"):
            raise ParameterError(f"reading must be 'weighted' or 'module', not {self.reading!r}")
        if not 0 < self.smoothing < np.inf:
            raise ParameterError(f"smoothing must be a number above 0, not {self.smoothing!r}")
        if self.n_components < 0:
            raise ParameterError(f"n_components must be at least 0, not {self.n_components!r}")

    def fit(self, catalog: Catalog) -> TitleVectors:
        """Read the vectors of all words in the catalog's titles; count the words, find what titles have in common.

        Raises
        ------
        DataError
            The catalog has no titles or no words in them, or the file of vectors is wrong.
        MissingExtraError
            The source needs a package that is not installed.
        """
        titles = catalog.items["title"].to_list()
        if not any(titles):
            raise DataError("the catalog has no titles; use features from genres, tags or the genome")
        self.common_ = np.zeros((0, 0), np.float32)
        if self.source in SENTENCE_MODELS:
            self._encoder = load_sentence_model(str(self.source))
            vectors = self._encode_texts(titles)
            self.coverage_ = Coverage(len(titles), int((~vectors.any(axis=1)).sum()))
            self.skipped_: tuple[str, ...] = ()
        else:
            tokens = [self.words(title) for title in titles]
            counts = Counter(word for words in tokens for word in words)
            if not counts:
                raise DataError("no title has a word of the letters a to z; a model of sentences may know others")
            total = sum(counts.values())
            self._shares = {word: n / total for word, n in counts.items()}
            vectors = self._mean_of_words(tokens)
            self.coverage_ = self._covered(counts, vectors)
            self.skipped_ = () if self._words is None else self._words.skipped
        if self.reading == "weighted":
            self.common_ = _first_components(vectors, self.n_components)
        return self

    def encode(self, titles: Sequence[str | None] | str) -> Array:
        """float32 (n_titles, dimension): the vectors of titles, or of one; the catalog need not have them."""
        titles = [titles] if isinstance(titles, str) else titles
        if not hasattr(self, "common_"):
            raise NotFittedError("these title vectors have not seen a catalog yet; call fit(catalog) first")
        if self._encoder is not None:
            vectors = self._encode_texts(titles)
        else:
            vectors = self._mean_of_words([self.words(title) for title in titles])
        if len(self.common_):
            vectors -= (vectors @ self.common_.T) @ self.common_
        return vectors

    def transform(self, catalog: Catalog, items: Vocabulary | None = None) -> ItemFeatures:
        """Features of the `items` (None: of the catalog's, in its order); of an unknown item they are zeros."""
        titles = catalog.items["title"].to_list() if items is None else catalog.titles(items.ids).to_list()
        vectors = self.encode(titles)
        return ItemFeatures(tuple(f"titles {n + 1}" for n in range(vectors.shape[1])), vectors, "titles")

    def fit_transform(self, catalog: Catalog, items: Vocabulary | None = None) -> ItemFeatures:
        """`fit`, then `transform`."""
        return self.fit(catalog).transform(catalog, items)

    def words(self, title: str | None) -> list[str]:
        """The words of a title, in its order, as this reading sees them."""
        return _words_of(title, self.reading)

    # ---- from texts to vectors ------------------------------------------------------------------------

    def _encode_texts(self, titles: Sequence[str | None]) -> Array:
        assert self._encoder is not None
        texts = [title or "" for title in titles]
        if self.reading == "weighted":
            texts = [_ARTICLE_LAST.sub(r"\2 \1", _YEAR_LAST.sub("", text)) for text in texts]
        return self._encoder(texts)

    def _mean_of_words(self, tokens: list[list[str]]) -> Array:
        """Means before anything in common is taken away; one product of a sparse matrix (titles x words)."""
        import scipy.sparse as sp

        vectors = self._vectors_of({word for words in tokens for word in words})
        lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
        columns = vectors.indices(word for words in tokens for word in words)
        rows = np.repeat(np.arange(len(tokens)), lengths)
        known = columns >= 0
        if self.reading == "weighted":
            lengths = np.bincount(rows[known], minlength=len(tokens))
        weights = self._weights(vectors)
        require_memory(
            len(tokens) * vectors.dimension * 8, f"vectors of {len(tokens):,} titles", "encode fewer at a time"
        )
        inverse = 1 / np.maximum(lengths, 1)
        values = (weights[columns[known]] * inverse[rows[known]]).astype(np.float32)
        shape = (len(tokens), len(vectors))
        mean = sp.csr_matrix((values, (rows[known], columns[known])), shape=shape) @ vectors.matrix
        return np.asarray(mean, np.float32)

    def _vectors_of(self, words: set[str]) -> WordVectors:
        """Vectors of words; the source is read again only when there are words that it was not asked for."""
        if self._words is None or not words <= self._asked:
            self._asked |= words
            self._words = load_word_vectors(self.source, self._asked, self.on_error)
        return self._words

    def _weights(self, vectors: WordVectors) -> Array:
        if self.reading == "module":
            return np.ones(len(vectors))
        shares = np.zeros(len(vectors))
        places = vectors.indices(self._shares)  # of the titles' words: vectors may have many more
        known = places >= 0
        shares[places[known]] = np.fromiter(self._shares.values(), np.float64, len(places))[known]
        return self.smoothing / (self.smoothing + shares)

    def _covered(self, counts: Counter[str], vectors: Array) -> Coverage:
        assert self._words is not None
        unknown = [(-n, word) for word, n in counts.items() if word not in self._words]
        often = tuple(word for _, word in sorted(unknown)[:10])
        empty = int((~vectors.any(axis=1)).sum())
        return Coverage(len(vectors), empty, len(counts), len(counts) - len(unknown), often)


def title_words(catalog: Catalog, items: Vocabulary, reading: TitleReading = "weighted") -> ItemFeatures:
    """The words of titles, which clusters can be named by.

    For each word of an item's title its weight :math:`a / (a + p(w))` (see `TitleVectors`, a = 0.001), whatever the
    reading; which words there are depends on it.
    """
    import scipy.sparse as sp

    tokens = [_words_of(title, reading) for title in catalog.titles(items.ids)]
    names = sorted({word for words in tokens for word in words})
    places = {word: at for at, word in enumerate(names)}
    pairs = sorted({(row, places[word]) for row, words in enumerate(tokens) for word in words})
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    shares = np.bincount(columns, minlength=len(names)) / max(len(pairs), 1)
    values = (1e-3 / (1e-3 + shares))[columns].astype(np.float32)
    matrix = sp.csr_matrix((values, (rows, columns)), shape=(len(items), len(names)))
    return ItemFeatures(tuple(names), matrix, "words")


def _words_of(title: str | None, reading: TitleReading) -> list[str]:
    text = (title or "").lower()
    if reading == "weighted" and not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    if reading == "weighted":
        text = _POSSESSIVE.sub("", text)
    return _WORD.findall(text)


def _first_components(vectors: Array, n: int) -> Array:
    """float32 (n, dimension): the first right singular vectors, from the eigenvectors of the small Gram matrix."""
    if n == 0:
        return np.zeros((0, vectors.shape[1]), np.float32)
    if n >= vectors.shape[1]:
        raise ParameterError(f"n_components must be below {vectors.shape[1]}, the dimension of the vectors, not {n}")
    doubled = vectors.astype(np.float64)
    with one_blas_thread:  # threads have little to do here, and on a busy machine wait a second for one another
        _, found = np.linalg.eigh(doubled.T @ doubled)
    return np.ascontiguousarray(found[:, ::-1][:, :n].T, np.float32)
