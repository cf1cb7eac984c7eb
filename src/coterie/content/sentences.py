"""Models that turn a whole text into a vector, whose weights come inside an installable package."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from coterie.errors import DataError, MissingExtraError, ParameterError, how_to_install

Array = np.ndarray[Any, np.dtype[Any]]
#: Texts in, float32 (n_texts, dimension) out; a text without anything in it is a row of zeros.
Encoder = Callable[[list[str]], Array]

#: Models of sentences (extra ``sentences``): pieces of words with 256 numbers each, averaged over the text.
SENTENCE_MODELS = ("wordllama",)


def load_sentence_model(name: str) -> Encoder:
    """The encoder that a name stands for. Nothing is fetched: weights and tokenizer lie in the package.

    Raises
    ------
    MissingExtraError
        The package is not installed.
    DataError
        The installed package does not have the weights.
    """
    if name not in SENTENCE_MODELS:
        raise ParameterError(f"there is no model of sentences {name!r}; there are {', '.join(SENTENCE_MODELS)}")
    log = logging.getLogger()
    handlers, level = list(log.handlers), log.level
    try:
        import wordllama
    except ImportError as error:
        raise MissingExtraError(
            f"{name} needs its package, which carries the weights ({error}): {how_to_install('sentences')}"
        ) from error
    finally:  # its import sends everybody's log to the terminal
        log.handlers[:] = handlers
        log.setLevel(level)
    # It looks for its tokenizer in a folder that it does not have, and then on the network; in its own folder, taken
    # for a cache, it finds it.
    own = Path(wordllama.__file__).parent
    try:
        model = wordllama.WordLlama.load(cache_dir=own, disable_download=True)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the installed wordllama lacks its weights or its tokenizer ({error}): "
            f"{how_to_install('sentences', '--force-reinstall')}"
        ) from error

    def encode(texts: list[str]) -> Array:
        return np.asarray(model.embed(texts), np.float32)

    return encode
