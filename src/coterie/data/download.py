"""MovieLens editions from GroupLens: fetched once, resumed where cut off, checked, kept in the cache."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import urllib.error
import urllib.request
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from coterie import __version__
from coterie.data.progress import progress
from coterie.data.store import cache_folder
from coterie.errors import DataError, DataWarning, DownloadError
from coterie.storage import replace_text, replacing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

BASE_URL = "https://files.grouplens.org/datasets/movielens/"
TERMS = """\
MovieLens data are provided by GroupLens, University of Minnesota, for research and teaching: do not redistribute
them without permission, do not use them commercially without permission, and do not state or imply endorsement.
The README in each archive has the full terms. In publications, please cite: F. M. Harper and J. A. Konstan (2015),
The MovieLens Datasets: History and Context, ACM TiiS 5(4), doi.org/10.1145/2827872."""

_CHUNK = 1 << 18
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 30.0
_WITHOUT_NETWORK = "movielens-sample and synthetic:100k need no network"


@dataclass(frozen=True)
class Edition:
    """A MovieLens edition. `md5` is what GroupLens publishes beside the archive; None where the archive changes."""

    file: str
    text: str
    md5: str | None = None

    @property
    def url(self) -> str:
        """Where the archive lies."""
        return base_url() + self.file


# The published checksums of the editions that never change. The two "latest" ones are updated now and then;
# their checksum is read from the .md5 file beside them when they are downloaded.
EDITIONS = {
    "movielens-100k": Edition(
        "ml-100k.zip", "100,000 ratings, 943 users, 1,682 movies, 1998", "0e33842e24a9c977be4e0107933c0723"
    ),
    "movielens-1m": Edition(
        "ml-1m.zip", "1,000,209 ratings, 6,040 users, 3,706 movies, 2003", "c4d9eecfca2ab87c1945afe126590906"
    ),
    "movielens-10m": Edition(
        "ml-10m.zip", "10,000,054 ratings, 69,878 users, 10,677 movies, 2009", "ce571fd55effeba0271552578f2648bd"
    ),
    "movielens-20m": Edition(
        "ml-20m.zip", "20,000,263 ratings, 138,493 users, 26,744 movies, 2015", "cd245b17a1ae2cc31bb14903e1204af3"
    ),
    "movielens-25m": Edition(
        "ml-25m.zip", "25,000,095 ratings, 162,541 users, 59,047 movies, 2019", "6b51fb2759a8657d3bfcbfc42b592ada"
    ),
    "movielens-32m": Edition(
        "ml-32m.zip", "32,000,204 ratings, 200,948 users, 84,432 movies, 2024", "d472be332d4daa821edc399621853b57"
    ),
    "movielens-latest-small": Edition("ml-latest-small.zip", "about 100,000 ratings, 610 users, updated now and then"),
    "movielens-latest": Edition("ml-latest.zip", "about 34 million ratings, 331 thousand users, updated now and then"),
}


def base_url() -> str:
    """Where archives come from: COTERIE_MOVIELENS_URL (a mirror), or GroupLens."""
    return os.environ.get("COTERIE_MOVIELENS_URL", BASE_URL).rstrip("/") + "/"


def fetch(edition: Edition) -> Path:
    """The archive of an edition: from the cache, or downloaded into it.

    A download that was cut off goes on where it stopped, in this call or a later one, provided that the
    file is still the same on the server. The archive gets its name only when its checksum agrees.

    Raises
    ------
    DownloadError
        The server cannot be reached or refuses, or what came does not have the published checksum. The
        message says how to do without.
    """
    target = _place(edition)
    if target.exists():
        return target
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f"{edition.file}.lock"):
            if not target.exists():  # another process may have fetched it meanwhile
                _show_terms(folder)
                _fetch_to(target, edition)
    except DownloadError:
        raise
    except (OSError, HTTPException) as error:
        raise _unreachable(edition, error) from error
    return target


def is_here(edition: Edition) -> bool:
    """Whether the archive is in the cache already."""
    return _place(edition).exists()


def _place(edition: Edition) -> Path:
    return cache_folder() / "downloads" / edition.file


def _fetch_to(target: Path, edition: Edition) -> None:
    """Fetch into a part file beside `target`, going on after interruptions; check it; give it its name."""
    expected = edition.md5 or _published_md5(edition)
    part = target.with_name(target.name + ".part")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _receive(edition, part)
            break
        except (OSError, HTTPException) as error:
            if attempt == _ATTEMPTS or isinstance(error, urllib.error.HTTPError) or not _is_interruption(error):
                raise
    _check(part, expected, edition)
    os.replace(part, target)
    _notes(part).unlink(missing_ok=True)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock, so that two processes do not write to one part file; on Windows the checksum has to do."""
    with lock.open("a") as handle:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def adopt(edition: Edition, path: str | os.PathLike[str], keep: bool) -> Path:
    """An archive that someone fetched themselves, after a look at whether it is that edition's.

    With `keep` it is copied to where `fetch` looks, so that from then on the edition's name is enough.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"there is no file {file}; give the path of {edition.file}, which lies at {edition.url}")
    if edition.md5 is not None and (found := _md5(file)) != edition.md5:
        raise DataError(
            f"{file} is not GroupLens' {edition.file} (MD5 {found}, published {edition.md5}); "
            "fetch it again, or load the path itself to take the file as it is"
        )
    if not zipfile.is_zipfile(file):
        raise DataError(f"{file} is not a whole zip file; fetch {edition.url} again")
    target = _place(edition)
    if not keep or (target.exists() and os.path.samefile(file, target)):
        return file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as out, file.open("rb") as content:
            shutil.copyfileobj(content, out, _CHUNK)
    except OSError as error:
        warnings.warn(f"{file} could not be kept in {target.parent} for next time: {error}", DataWarning, stacklevel=3)
        return file
    return target


class _InterruptedError(OSError):
    """The connection ended before the file did."""


def _is_interruption(error: BaseException) -> bool:
    """Whether trying again may help: something came through before it broke, or it only took too long."""
    return isinstance(error, (_InterruptedError, ConnectionResetError, TimeoutError, HTTPException))


def _receive(edition: Edition, part: Path) -> None:
    """Append to `part` until the archive is complete; begin anew where the server has another file by now."""
    notes = _read_notes(part)
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": f"coterie/{__version__}"}
    if have and notes.get("url") == edition.url and notes.get("total") == have:
        return
    if have and notes.get("url") == edition.url and notes.get("mark"):
        headers |= {"Range": f"bytes={have}-", "If-Range": notes["mark"]}
    else:
        have = 0
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(edition.url, headers=headers), timeout=_TIMEOUT_SECONDS
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416:  # the part is not a beginning of what lies there now
            raise
        part.unlink()
        raise _InterruptedError("the file on the server became shorter") from error
    with response:
        if response.status != 206:
            have = 0
        total = _total(response, have)
        mark = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        usable = mark if not mark.startswith("W/") else ""
        replace_text(_notes(part), json.dumps({"url": edition.url, "mark": usable, "total": total}))
        with part.open("ab" if have else "wb") as out, progress(edition.file, total, have, unit="bytes") as advance:
            try:
                while chunk := response.read(_CHUNK):
                    out.write(chunk)
                    advance(len(chunk))
            finally:
                out.flush()
                os.fsync(out.fileno())
    size = part.stat().st_size
    if total is not None and size < total:
        raise _InterruptedError(f"the connection ended after {size:,} of {total:,} bytes")


def _total(response: Any, have: int) -> int | None:
    """Size of the whole archive, where the server says it."""
    length = response.headers.get("Content-Length")
    return have + int(length) if length and length.isdigit() else None


def _notes(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_notes(part: Path) -> dict[str, Any]:
    """What is known about the file that `part` is a beginning of; nothing where there are no readable notes."""
    try:
        notes = json.loads(_notes(part).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _check(part: Path, expected: str, edition: Edition) -> None:
    found = _md5(part)
    if found != expected:
        part.unlink()
        _notes(part).unlink(missing_ok=True)
        raise DownloadError(
            f"{edition.url} arrived with MD5 {found}, but GroupLens publishes {expected}; it was removed. "
            f"Try again; if it stays so, fetch the file yourself and give its path with --from-zip"
        )


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _published_md5(edition: Edition) -> str:
    """The checksum in the .md5 file beside an archive, as the BSD or the GNU tool writes it."""
    request = urllib.request.Request(edition.url + ".md5", headers={"User-Agent": f"coterie/{__version__}"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
        text = response.read(4096).decode("utf-8", "replace")
    found = re.search(r"\b[0-9a-fA-F]{32}\b", text)
    if found is None:
        raise DownloadError(f"{edition.url}.md5 holds no checksum but {text[:60]!r}; {_by_hand(edition)}")
    return found[0].lower()


def _show_terms(folder: Path) -> None:
    """Print GroupLens' terms, once a cache."""
    shown = folder / "terms-shown"
    if not shown.exists():
        sys.stderr.write(TERMS + "\n")
        shown.touch()


def _by_hand(edition: Edition) -> str:
    return (
        f"either fetch {edition.url} on any machine and give its path with --from-zip (in Python: "
        f"coterie.load(path)), or take another dataset: {_WITHOUT_NETWORK}"
    )


def _unreachable(edition: Edition, error: OSError | HTTPException) -> DownloadError:
    """One error for all that can go wrong on the way, with both ways out."""
    reason = getattr(error, "reason", None) or error
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        reason = f"the server answered {error.code} {error.reason}"
    return DownloadError(f"could not download {edition.url} ({reason}); {_by_hand(edition)}")
