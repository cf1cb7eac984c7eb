"""The on-disk cache of datasets: the second load of the same content with the same options is memory-mapped.

The cache is the folder COTERIE_CACHE, or the usual place for caches of the system. An entry is keyed by
what the source files contain, not by where they are; so that a second load need not read them again, a
small table remembers the digest of every file together with its size, times and inode, as git's index does.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coterie import __version__
from coterie.data.dataset import Dataset
from coterie.data.pack import pack_dataset, unpack_dataset
from coterie.errors import ArtifactError, DataWarning
from coterie.storage import (
    FORMAT,
    REMEDY,
    Parts,
    file_digest,
    read_folder,
    read_manifest,
    remove_folder,
    remove_stale,
    replace_text,
    write_folder,
)

KIND = "coterie-dataset"

# A file that changed less than this before it was digested may change again within one tick of its clock.
_RACY_NS = 2_000_000_000
# Files are digested in pieces of this size, so that one large file keeps every processor busy.
_PIECE = 64 << 20

_KEY = re.compile(r"[0-9a-f]{32}")

Stat = dict[str, int]


def cache_folder() -> Path:
    """Where Coterie keeps datasets: COTERIE_CACHE, or the system's usual place for caches."""
    setting = os.environ.get("COTERIE_CACHE")
    if setting:
        return Path(setting).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "coterie"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "coterie"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coterie"


def cached(source_files: Sequence[Path], options: dict[str, Any], build: Callable[[], Dataset]) -> Dataset:
    """The dataset that `build` makes, from the cache where it was made before.

    Parameters
    ----------
    source_files : paths
        The files that `build` reads, in a fixed order; empty for a dataset that `options` describe fully.
    options : dict
        Everything else that the result depends on, as JSON values.
    build : callable
        Reads the files. Called at most once.

    Returns
    -------
    Dataset
        Memory-mapped and read-only. Where the cache cannot be written, a `DataWarning` says so and the
        dataset is what `build` gave.
    """
    files = [Path(file).resolve() for file in source_files]
    before = [_stat(file) for file in files]
    if None in before:  # not there or not readable: reading it gives the error that explains it
        return build()
    key = _key(files, options)
    entry = cache_folder() / "datasets" / key
    if entry.exists():
        try:
            return _open(entry)
        except OSError as error:
            what = str(error).removesuffix(f"; {REMEDY}")  # a remedy that nobody needs here
            _warn(f"a cached dataset was damaged and is made anew, so nothing need be done: {what}")
            with suppress(OSError):
                remove_folder(entry)
    dataset = build()
    if before != [_stat(file) for file in files]:
        _warn(f"a file of {dataset.name} changed while it was read, so the dataset is not kept; load it again")
        return dataset
    try:
        parts = Parts()
        sources = [str(file) for file in files]
        meta = {"options": options, "sources": sources, "dataset": pack_dataset(dataset, parts)}
        write_folder(entry, KIND, meta, parts)
        remove_stale(entry.parent)
        remove_stale(cache_folder())
        return _open(entry)
    except OSError as error:
        _warn(
            f"{dataset.name} was loaded, but could not be kept for next time: {error}. "
            f"The cache is {cache_folder()}; set COTERIE_CACHE to a folder with space that you may write"
        )
        return dataset


def _open(entry: Path) -> Dataset:
    """A stored dataset. Sizes are checked, and checksums of files that someone touched since they were written."""
    stored = read_folder(entry, KIND, verify="changed")
    try:
        return unpack_dataset(stored.meta["dataset"], stored.parts)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{entry} does not describe a dataset ({error!r})") from error


def _warn(message: str) -> None:
    warnings.warn(message, DataWarning, stacklevel=3)


# ---- keys ------------------------------------------------------------------------------------------------


def _key(files: list[Path], options: dict[str, Any]) -> str:
    """Names and contents of the files, options, and the version that reads them."""
    contents = [[file.name, digest] for file, digest in zip(files, _digests(files), strict=True)]
    text = json.dumps([contents, options, FORMAT, __version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _stat(file: Path) -> Stat | None:
    """What tells whether a file is still the same; None where it cannot be read."""
    try:
        status = file.stat()
    except OSError:
        return None
    if not os.access(file, os.R_OK):
        return None
    return {
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "inode": status.st_ino,
    }


def _digests(files: list[Path]) -> list[str]:
    """Content digests of files, remembered for those that have not changed."""
    table_file = cache_folder() / "digests.json"
    known = _read_table(table_file)
    fresh: dict[str, dict[str, Any]] = {}
    digests = []
    with ThreadPoolExecutor() as pool:
        for file in files:
            status = _stat(file)
            row = known.get(str(file))
            if isinstance(row, dict) and status is not None and row == status | {"digest": row.get("digest")}:
                digests.append(str(row["digest"]))
                continue
            now = time.time_ns()
            digests.append(_content_digest(file, pool))
            if status is not None and status == _stat(file) and status["mtime_ns"] < now - _RACY_NS:
                fresh[str(file)] = status | {"digest": digests[-1]}
    if fresh:
        kept = {file: row for file, row in _read_table(table_file).items() if os.path.exists(file)}
        with suppress(OSError):  # only speed is lost; writing the dataset itself says what is wrong with the cache
            table_file.parent.mkdir(parents=True, exist_ok=True)
            replace_text(table_file, json.dumps(kept | fresh, indent=1))
    return digests


def _read_table(file: Path) -> dict[str, Any]:
    """Rows of the table by path; none where it is absent or damaged, which costs reading the files once more."""
    try:
        table = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _content_digest(file: Path, pool: ThreadPoolExecutor) -> str:
    """SHA-256 over the SHA-256 of every piece of a file."""
    starts = range(0, max(file.stat().st_size, 1), _PIECE)
    pieces = pool.map(lambda start: file_digest(file, start, _PIECE), starts)
    return hashlib.sha256("".join(pieces).encode()).hexdigest()


# ---- looking after the cache -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One dataset in the cache. `problem` says why it cannot be used, where it cannot."""

    key: str
    path: Path
    name: str
    options: dict[str, Any]
    sources: list[str]
    created: str
    bytes: int
    problem: str = ""


def entries() -> list[Entry]:
    """What is in the cache, oldest first."""
    folder = cache_folder() / "datasets"
    if not folder.is_dir():
        return []
    found = [_entry(path) for path in folder.iterdir() if path.is_dir() and _KEY.fullmatch(path.name)]
    return sorted(found, key=lambda entry: (entry.created, entry.key))


def _entry(path: Path) -> Entry:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    try:
        manifest = read_manifest(path, KIND)
        meta = manifest["meta"]
        name, created = meta["dataset"]["name"], manifest["created"]
        return Entry(path.name, path, name, meta["options"], meta["sources"], created, size)
    except ArtifactError as error:
        return Entry(path.name, path, "", {}, [], "", size, str(error))


def clear(keys: Sequence[str] | None = None) -> int:
    """Remove entries (all, or those with the given keys) from the cache; the bytes that were freed."""
    freed = 0
    for entry in entries():
        if keys is None or entry.key in keys:
            remove_folder(entry.path)
            freed += entry.bytes
    return freed
