"""Titles as vectors: against slow twins of both readings, and where there is little or nothing in a title."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.content.sentences import load_sentence_model
from coterie.content.titles import Coverage, TitleVectors, _first_components, title_words
from coterie.content.words import WordVectors
from coterie.data.catalog import Catalog
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, MissingExtraError, NotFittedError, ParameterError

TITLES = [
    "Toy Story (1995)", "Fear, The (1995)", "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)", "1984 (1956)",
    "Pharaoh's Army (1995)", "Toy Story 2 (1999)", None, "日本 (2007- )", "Toys of the Story, The (Toys, The) (V)",
]  # fmt: skip
WORDS = ("toy", "story", "the", "army", "fear", "pharaoh", "amelie", "of", "s", "am")
VECTORS = WordVectors(WORDS, np.random.default_rng(3).normal(size=(len(WORDS), 6)).astype(np.float32), "ours")


def catalog(titles: list[str | None] = TITLES) -> Catalog:
    return Catalog.from_titles(
        pl.DataFrame({"item": np.arange(10, 10 + len(titles)), "title": pl.Series(titles, dtype=pl.String)})
    )


def module_s_vectors(titles: list[str | None], vectors: WordVectors) -> np.ndarray:
    """As the module's notebook does it, a title at a time."""
    X = np.zeros((len(titles), vectors.dimension), np.float32)
    for i, title in enumerate(titles):
        words = re.findall(r"[a-z]+", (title or "").lower())
        if words:
            zero = np.zeros(vectors.dimension, np.float32)
            X[i] = np.mean([vectors.matrix[vectors.places[w]] if w in vectors else zero for w in words], axis=0)
    return X


def weighted(tokens: list[list[str]], vectors: WordVectors, a: float) -> np.ndarray:
    """Arora, Liang and Ma's algorithm 1, a title at a time."""
    words = [word for title in tokens for word in title]
    X = np.zeros((len(tokens), vectors.dimension))
    for i, title in enumerate(tokens):
        known = [w for w in title if w in vectors]
        for w in known:
            X[i] += a / (a + words.count(w) / len(words)) * vectors.matrix[vectors.places[w]] / len(known)
    u = np.linalg.svd(X, full_matrices=False)[2][0]
    return X - np.outer(X @ u, u)


def test_as_the_module_does_it() -> None:
    titles = TitleVectors(VECTORS, reading="module")
    features = titles.fit_transform(catalog())
    np.testing.assert_allclose(features.matrix, module_s_vectors(TITLES, VECTORS), atol=1e-6)
    assert features.known.tolist() == [True, True, True, False, True, True, False, False, True]
    assert (features.source, len(features.names)) == ("titles", 6)


@settings(max_examples=40)
@given(st.lists(st.none() | st.text("toysheTÉ' ,()1s日", max_size=30), min_size=1, max_size=12))
def test_both_readings_of_any_titles(titles: list[str | None]) -> None:
    if not re.search("[a-z]", " ".join(filter(None, titles)).lower()):
        return
    vectors = WordVectors(
        ("t", "o", "toy", "s", "he", "the", "e"), np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    )
    module = TitleVectors(vectors, "module").fit(catalog(titles)).encode(titles)
    np.testing.assert_allclose(module, module_s_vectors(titles, vectors), atol=1e-5)
    better = TitleVectors(vectors)
    if not any(better.words(title) for title in titles):
        return
    found = better.fit(catalog(titles)).encode(titles)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("smoothing", [1e-3, 0.1, 100.0])
def test_the_better_reading(smoothing: float) -> None:
    titles = TitleVectors(VECTORS, smoothing=smoothing).fit(catalog())
    tokens = [titles.words(title) for title in TITLES]
    assert tokens[2] == ["amelie", "fabuleux", "destin", "d", "amelie", "poulain", "le"]
    assert tokens[4] == ["pharaoh", "army"]
    np.testing.assert_allclose(titles.encode(TITLES), weighted(tokens, VECTORS, smoothing), atol=1e-5)
    assert titles.coverage_ == Coverage(9, 3, 15, 8, ("toys", "d", "destin", "fabuleux", "le", "poulain", "v"))
    assert str(titles.coverage_) == "8 of 15 words have vectors; 3 of 9 titles have none"


def test_nothing_in_common_is_left() -> None:
    titles = TitleVectors(VECTORS, n_components=2).fit(catalog())
    np.testing.assert_allclose(titles.common_ @ titles.common_.T, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(titles.encode(TITLES) @ titles.common_.T, 0, atol=1e-6)
    with pytest.raises(ParameterError, match="n_components must be below 6"):
        TitleVectors(VECTORS, n_components=6).fit(catalog())


def test_rows_are_those_of_the_items_asked_for() -> None:
    titles = TitleVectors(VECTORS).fit(catalog())
    whole = titles.transform(catalog()).matrix
    some = titles.transform(catalog(), Vocabulary([12, 99, 10], "item"))
    expected = np.vstack([whole[2], np.zeros(6), whole[0]])
    np.testing.assert_allclose(some.matrix, expected, atol=1e-7)  # BLAS may round otherwise where there are more rows
    assert some.known.tolist() == [True, False, True]


def test_new_titles_have_new_words_read(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in zip(WORDS, VECTORS.matrix, strict=True)))
    titles = TitleVectors(file, "module").fit(catalog(["Toy Story (1995)"]))
    np.testing.assert_allclose(
        titles.encode(["The Army of Toys"]), VECTORS.matrix[[2, 3, 7]].sum(0)[None] / 4, rtol=1e-5
    )
    np.testing.assert_allclose(titles.encode(["Toy"]), VECTORS.matrix[:1], rtol=1e-5)
    assert titles.encode(["Qwertz", "", None]).tolist() == [[0.0] * 6] * 3
    assert titles.encode([]).shape == (0, 6)


def test_wrong_lines_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("toy 1 0\nstory 0 1\nfear 1\n")
    with pytest.raises(DataError, match="line 3"):
        TitleVectors(file).fit(catalog())
    assert len(TitleVectors(file, on_error="skip").fit(catalog()).skipped_) == 1


@pytest.mark.parametrize(
    ("titles", "why"), [([None, None], "no titles"), ([], "no titles"), (["1984", "日本"], "no title has a word")]
)
def test_catalogs_without_words(titles: list[str | None], why: str) -> None:
    with pytest.raises(DataError, match=why):
        TitleVectors(VECTORS).fit(catalog(titles))


def test_a_lone_text_is_one_title() -> None:
    for reading in ("weighted", "module"):
        titles = TitleVectors(VECTORS, reading).fit(catalog())
        np.testing.assert_array_equal(titles.encode("Toy Army"), titles.encode(["Toy Army"]))
        assert titles.encode("Toy Army").any()


def test_wrong_parameters_are_named() -> None:
    for wrong in ({"reading": "best"}, {"smoothing": 0}, {"smoothing": float("nan")}, {"n_components": -1}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            TitleVectors(VECTORS, **wrong)
    with pytest.raises(NotFittedError, match="fit"):
        TitleVectors(VECTORS).encode(["Toy"])


def test_words_that_name_clusters() -> None:
    features = title_words(catalog(), Vocabulary([18, 13, 99, 10], "item"))
    assert features.names == ("of", "story", "the", "toy", "toys", "v")
    assert (features.matrix.toarray() > 0).tolist() == [
        [True, True, True, False, True, True], [False] * 6, [False] * 6, [False, True, False, True, False, False],
    ]  # fmt: skip
    assert features.matrix[0, 0] > features.matrix[0, 1]  # story is in two titles


# ---- models of sentences ----------------------------------------------------------------------------------


def fake_wordllama(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A package that counts letters; the texts it is given."""
    seen: list[str] = []

    class WordLlama:
        @staticmethod
        def load(cache_dir: Path, disable_download: bool) -> WordLlama:
            assert disable_download
            assert cache_dir == tmp_path
            return WordLlama()

        def embed(self, texts: list[str]) -> np.ndarray:
            seen.extend(texts)
            return np.array([[text.count(c) for c in "aeiot"] for text in texts], np.float32)

    package = ModuleType("wordllama")
    package.__file__ = str(tmp_path / "__init__.py")
    package.WordLlama = WordLlama  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wordllama", package)
    return seen


def test_a_model_of_sentences_stands_behind_the_same_class(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = fake_wordllama(monkeypatch, tmp_path)
    as_published = TitleVectors("wordllama", "module").fit(catalog()).encode(["Fear, The (1995)", None])
    assert as_published.tolist() == [[1, 2, 0, 0, 0], [0] * 5]
    assert "Fear, The (1995)" in seen
    seen.clear()
    titles = TitleVectors("wordllama")
    features = titles.fit_transform(catalog())
    assert {"The Fear", "Toy Story 2", ""} < set(seen)
    np.testing.assert_allclose(features.matrix @ titles.common_.T, 0, atol=1e-5)
    assert titles.coverage_.empty_titles == int((~features.known).sum())


def test_the_sentence_model_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wordllama", reason="wordllama is not installed (extra sentences)")
    import socket

    def no_network(*args: object) -> None:
        raise OSError("the model asked the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    handlers = list(logging.getLogger().handlers)
    found = load_sentence_model("wordllama")(["dark knight", "the dark knights", "a romantic comedy", ""])
    assert logging.getLogger().handlers == handlers
    assert (found.shape, found.dtype) == ((4, 256), np.float32)
    assert not found[3].any()
    unit = found[:3] / np.linalg.norm(found[:3], axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2]


def test_a_missing_sentence_model_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(MissingExtraError, match=r"pip install .\.\[sentences\]. in the folder of Coterie"):
        TitleVectors("wordllama").fit(catalog())
    with pytest.raises(ParameterError, match="wordllama"):
        load_sentence_model("bert")


# ---- the module's data --------------------------------------------------------------------------------


def test_real_titles(shared: Path) -> None:
    frame = pl.read_csv(shared / "ml-20m-1000users" / "movies.csv").rename({"movieId": "item"})
    titles = Catalog.from_titles(frame)
    vectors = shared / "glove" / "glove.6B.100d.titles.txt.gz"
    assert TitleVectors(VECTORS, "module").words("Father of the Bride Part II (1995)") == [
        "father", "of", "the", "bride", "part", "ii",
    ]  # fmt: skip
    found = TitleVectors(vectors, "module").fit(titles)
    assert found.coverage_.known_words > 16_000
    X = found.transform(titles).matrix
    assert X.shape == (27_278, 100)
    known = found._words
    assert known is not None
    rows = [0, 1, 5, 4000, 27_000]
    np.testing.assert_allclose(X[rows], module_s_vectors(titles.items["title"][rows].to_list(), known), atol=1e-6)


def test_what_is_in_common_is_found_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    seen: list[int] = []
    eigh = np.linalg.eigh

    def watched(matrix: np.ndarray) -> object:
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return eigh(matrix)

    monkeypatch.setattr(np.linalg, "eigh", watched)
    with threadpool_limits(2, user_api="blas"):
        _first_components(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32), 1)
    assert set(seen) == {1}
