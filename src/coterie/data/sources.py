"""Sources of text: a file, gzipped or not, or a member of a zip, read as bytes without unpacking to disk."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from coterie.errors import DataError

#: Endings of files that are no text.
PARQUET = (".parquet", ".pq")
# Reading in pieces of this size keeps a faulty line's neighbourhood small.
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Source:
    """A file on disk, or with `member` one inside a zip."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.path.name if self.member is None else f"{self.path.name}/{self.member}"

    @property
    def file_name(self) -> str:
        """The last part of its name."""
        return self.path.name if self.member is None else self.member.rsplit("/", 1)[-1]

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The content as a stream of bytes, decompressed."""
        try:
            if self.member is not None:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                    yield stream
            elif self.path.suffix == ".gz":
                with gzip.open(self.path) as stream:
                    yield cast(IO[bytes], stream)
            else:
                with open(self.path, "rb") as stream:
                    yield stream
        except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError) as error:
            raise DataError(f"{self.name} is damaged or cut off: {error}; fetch the file again") from error
        except OSError as error:
            raise DataError(f"{self.name} cannot be read: {error.strerror or error}") from error

    def content(self) -> Path | bytes:
        """What polars reads fastest: the path of a plain file, which it maps, or the bytes."""
        if self.member is None and self.path.suffix != ".gz":
            return self.path
        with self.open() as stream:
            return stream.read()

    def read(self) -> bytes:
        """All of it."""
        with self.open() as stream:
            return stream.read()

    def text(self) -> str:
        """All of it as text: UTF-8, or Latin-1 as the oldest MovieLens files are."""
        raw = self.read()
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def blocks(self) -> Iterator[bytes]:
        """The content in pieces of whole lines."""
        with self.open() as stream:
            reader = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream))
            while block := reader.read(_BLOCK):
                yield block + reader.readline()

    def first_line(self) -> bytes:
        """The first line, without its end and without a byte-order mark.

        Raises
        ------
        DataError
            The text is UTF-16, or its lines do not end in a line feed.
        """
        with self.open() as stream:
            line = stream.readline(_BLOCK).removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
        if line.startswith((b"\xff\xfe", b"\xfe\xff")) or line.count(0) > len(line) // 3:
            raise DataError(f"{self.name} is UTF-16 text; save it as UTF-8")
        if b"\r" in line:
            raise DataError(
                f"{self.name} has lines that end as on old Macs, in a carriage return alone; "
                "save it with the line ends of Unix or Windows"
            )
        return line
