"""Files of word vectors as GloVe and word2vec write them: text or binary, plain or gzip, with a header or without.

A file is read once from front to back, and only vectors of needed words are kept. Bytes are compared, not text: a
word of the file that is no UTF-8 cannot be a needed one, and passes by like any other.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from coterie.content.words import OnError, WordVectors
from coterie.errors import DataError
from coterie.kernels.memory import require_memory

Array = np.ndarray[Any, np.dtype[Any]]

_LONGEST = 1 << 20  # bytes of a line of text, so that a file without lines does not fill the memory
_LONGEST_WORD = 1 << 12
_LOOKED_INTO = 1 << 16  # bytes from which the form is taken
_LOOKED_AT = 16  # lines from which the dimension is taken
_BLOCK = 1 << 20


def read_vectors(
    path: str | os.PathLike[str], words: Collection[str] | None = None, on_error: OnError = "raise", called: str = ""
) -> WordVectors:
    """Vectors of the `words` (None: of all) that a file has; `called` is its name in what is said of it.

    A first line of two whole numbers is word2vec's header. The dimension is the header's, else that of most of the
    first lines. A word with blanks in it is taken as one word, as in GloVe's vectors of 840 billion words.
    """
    called = called or os.fspath(path)
    kept = _Kept(called, words, on_error)
    try:
        with _opened(Path(path)) as file:
            first, _, rest = file.read(_LOOKED_INTO).partition(b"\n")
        header = _header(first)
        with _opened(Path(path)) as file:
            if header is not None:
                file.readline()
            if header is not None and _is_binary(rest, header[1]):
                _read_binary(file, header, kept)
            else:
                _read_text(file, header, kept)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{called}: the gzip file is damaged or cut off ({error}); fetch it again") from error
    return kept.vectors()


class _Kept:
    """The vectors read so far, and what was wrong."""

    def __init__(self, called: str, words: Collection[str] | None, on_error: OnError) -> None:
        self.called, self.on_error = called, on_error
        self.wanted = None if words is None else {word.encode("utf-8", "surrogatepass") for word in words}
        self.rows: dict[bytes, Array] = {}
        self.wrong: list[str] = []
        self.n_wrong = 0
        self.asked = 0

    def wants(self, word: bytes) -> bool:
        return self.wanted is None or word in self.wanted

    def refuse(self, where: str, why: str) -> None:
        """Raise, or count."""
        text = f"{self.called}: {where} {why}"
        if self.on_error == "raise":
            raise DataError(f'{text}; mend it, or leave such lines out with on_error="skip"')
        self.n_wrong += 1
        if len(self.wrong) < 10:
            self.wrong.append(text)

    def add(self, word: bytes, vector: Array, where: str) -> None:
        if word in self.rows:
            self.refuse(where, f"has the word {word.decode('utf-8', 'replace')!r} once more")
        elif not np.isfinite(vector).all():
            self.refuse(where, f"has numbers that are not finite (of {word.decode('utf-8', 'replace')!r})")
        else:
            self._ask(vector.nbytes)
            self.rows[word] = vector

    def _ask(self, n_bytes: int) -> None:
        """Ask for memory, twice as much each time: rows are put together into a matrix in the end."""
        needed = 2 * (len(self.rows) + 1) * (n_bytes + 100)
        if needed > self.asked:
            self.asked = 2 * needed if self.asked else 1 << 20
            require_memory(
                self.asked, f"vectors of {len(self.rows):,} words and more", "name the words that are needed"
            )

    def vectors(self) -> WordVectors:
        words: list[str] = []
        rows: list[Array] = []
        for word, row in self.rows.items():
            try:
                words.append(word.decode())
                rows.append(row)
            except UnicodeDecodeError:
                self.refuse(f"the word {word!r}", "is no UTF-8")
        if not words:
            lacking = f"none of {len(self.wanted):,} words" if self.wanted else "no vector"
            trouble = f"; {self.n_wrong:,} lines were wrong, first: {self.wrong[0]}" if self.wrong else ""
            raise DataError(
                f"{self.called} has {lacking}; is it a file of word vectors in the right language?{trouble}"
            )
        more = self.n_wrong - len(self.wrong)
        skipped = [*self.wrong, f"{self.called}: {more:,} more lines were left out"] if more else self.wrong
        return WordVectors(tuple(words), np.vstack(rows), self.called, tuple(skipped))


def _opened(path: Path) -> io.BufferedReader:
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PK\x03\x04":
        raise DataError(f"{path} is a zip archive; unpack it, and name the file in it that has the vectors")
    zipped = start[:2] == b"\x1f\x8b"
    raw: Any = gzip.GzipFile(path) if zipped else io.FileIO(path)
    file = io.BufferedReader(raw, _BLOCK)
    if file.peek(3).startswith(codecs.BOM_UTF8):  # which some editors put in front, and is no part of the first word
        file.read(3)
    return file


def _header(line: bytes) -> tuple[int, int] | None:
    """Words and dimension that the first line promises, where it is a header."""
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields) or int(fields[1]) == 0:
        return None
    return int(fields[0]), int(fields[1])


def _is_binary(start: bytes, dimension: int) -> bool:
    """Whether what follows the header is binary: where the first vector should be is something that is no text."""
    vector = start.lstrip(b"\n").partition(b" ")[2][: 4 * dimension]
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(vector)  # which lets the last letter be cut
    except UnicodeDecodeError:
        return True
    return any(c < " " and c not in "\t\r\n" for c in text)


# ---- text -------------------------------------------------------------------------------------------------


def _read_text(file: io.BufferedReader, header: tuple[int, int] | None, kept: _Kept) -> None:
    lines = _lines(file, 2 if header else 1)
    looked_at = [line for _, line in zip(range(_LOOKED_AT), lines, strict=False)]
    if not looked_at:
        raise DataError(f"{kept.called} has no vectors; is it a file of word vectors?")
    dimension = header[1] if header else _usual_dimension([line for _, line in looked_at], kept.called)
    n = 0
    for number, line in chain(looked_at, lines):
        n += 1
        word, _, rest = line.partition(b" ")
        if line.count(b" ") != dimension or b"\t" in line:
            found = _taken_apart(line, dimension)
            if isinstance(found, str):
                kept.refuse(f"line {number:,}", found)
                continue
            word, numbers = found
        elif not kept.wants(word):
            continue
        else:
            numbers = rest.split()
        if kept.wants(word):
            vector = _numbers(numbers) if len(numbers) == dimension else None
            if vector is None:
                kept.refuse(f"line {number:,}", f"has something that is no number ({_shown(line)})")
            else:
                kept.add(word, vector, f"line {number:,}")
    if header is not None and n != header[0]:
        kept.refuse("the header", f"promises {header[0]:,} words, and there are {n:,} lines")


def _lines(file: io.BufferedReader, number: int) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without their end; empty ones are passed over."""
    while line := file.readline(_LONGEST):
        if line.strip():
            yield number, line.strip(b" \r\n\t")
        number += 1


def _usual_dimension(lines: list[bytes], called: str) -> int:
    """Numbers in most of the first lines."""
    dimension = Counter(len(line.split()) - 1 for line in lines).most_common(1)[0][0]
    if dimension < 1 or all(_numbers(line.split()[-dimension:]) is None for line in lines):
        raise DataError(f"{called} is no file of word vectors: it begins with {_shown(lines[0])}")
    return dimension


def _taken_apart(line: bytes, dimension: int) -> tuple[bytes, list[bytes]] | str:
    """Word and numbers of a line that is not a word, a blank, numbers with a blank between; or what is wrong."""
    fields = line.split()
    if len(fields) <= dimension:
        return f"has {_counted(len(fields) - 1)} where {dimension:,} should be ({_shown(line)})"
    own = len(fields) - dimension
    if own > 1 and _numbers(fields[own - 1 : own]) is not None:
        return f"has {_counted(len(fields) - 1)} where {dimension:,} should be ({_shown(line)})"
    return b" ".join(fields[:own]), fields[own:]


def _numbers(fields: list[bytes]) -> Array | None:
    try:
        return np.array(list(map(float, fields)), np.float32)
    except ValueError:
        return None


def _counted(n: int) -> str:
    return f"{n:,} number" + ("" if n == 1 else "s")


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return repr(text if len(text) < 40 else text[:36] + " ...")


# ---- binary -----------------------------------------------------------------------------------------------


def _read_binary(file: io.BufferedReader, header: tuple[int, int], kept: _Kept) -> None:
    """word2vec's binary form: each word, a blank, its numbers as float32 of the least byte first, maybe a new line."""
    n_words, dimension = header
    size = 4 * dimension
    buffer, at = b"", 0
    for n in range(n_words):
        if len(buffer) - at < size + _LONGEST_WORD:
            buffer, at = buffer[at:] + file.read(_BLOCK + size), 0
        end = buffer.find(b" ", at, at + _LONGEST_WORD)
        if end < 0 or len(buffer) < end + 1 + size:
            raise DataError(
                f"{kept.called} is cut off or no binary file of word vectors: "
                f"its header promises {n_words:,} words, and {n:,} can be read"
            )
        word = buffer[at:end].lstrip(b"\n")
        at = end + 1 + size
        if kept.wants(word):
            vector = np.frombuffer(buffer, "<f4", dimension, end + 1).astype(np.float32)
            kept.add(word, vector, f"word {n + 1:,}")
