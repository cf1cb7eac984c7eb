"""Files and folders that appear whole or not at all, what dead writers left of them, and their digests."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

TEMPORARY = re.compile(r"\.(.+)\.tmp-(\d+)-[0-9a-f]{8}")
_STALE_SECONDS = 3600


def temporary_beside(path: Path) -> Path:
    """A new name beside `path` that says what it is for and which process made it."""
    return path.parent / f".{path.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}"


def replace_text(file: Path, text: str) -> None:
    """Write a small text file so that a reader finds the old or the new text, never part of it."""
    with replacing(file) as out:
        out.write(text.encode())


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """A file to write to that becomes `file` when all is written, and nothing where that fails."""
    temporary = temporary_beside(file)
    try:
        with temporary.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable; where folders cannot be opened (Windows) there is nothing to do."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_folder(path: Path) -> None:
    """Remove a stored folder: gone at once for every reader, then deleted."""
    aside = temporary_beside(path)
    path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


# ---- what writers left behind --------------------------------------------------------------------------


def remove_stale(folder: Path, name: str | None = None) -> None:
    """Remove temporaries (of `name`, or of any name) whose process is gone and that rested for an hour."""
    try:
        entries = list(folder.iterdir())
    except OSError:  # a folder that may be passed through but not listed
        return
    for entry in entries:
        match = TEMPORARY.fullmatch(entry.name)
        if match and name in (None, match[1]) and is_stale(entry, int(match[2])):
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)


def is_stale(entry: Path, pid: int) -> bool:
    """Whether nothing happened in `entry` for an hour and the process that made it is not alive here."""
    try:
        newest = max(p.stat().st_mtime for p in (entry, *entry.rglob("*")))
    except OSError:  # someone else is removing it
        return False
    return time.time() - newest > _STALE_SECONDS and not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # there, signal 0 is not a question
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


# ---- has a file changed? -------------------------------------------------------------------------------


def times_of(status: os.stat_result) -> list[int]:
    """When a file last changed, by all clocks there are."""
    return [status.st_mtime_ns, status.st_ctime_ns]


def file_digest(file: Path, start: int = 0, length: int | None = None) -> str:
    """SHA-256 of a file, or of `length` bytes of it from `start`."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    left = length
    with file.open("rb", buffering=0) as source:
        source.seek(start)
        while left is None or left > 0:
            n = source.readinto(buffer if left is None else buffer[:left])
            if not n:
                break
            digest.update(buffer[:n])
            left = None if left is None else left - n
    return digest.hexdigest()
