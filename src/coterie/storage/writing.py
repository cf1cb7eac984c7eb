"""Writing a stored folder: parts first, then the manifest that names them, by one rename."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from coterie.errors import ArtifactError
from coterie.storage.files import (
    TEMPORARY,
    file_digest,
    is_stale,
    remove_stale,
    replace_text,
    sync_folder,
    temporary_beside,
    times_of,
)
from coterie.storage.manifest import GENERATION, MANIFEST, Array, Part, generation_of, manifest_text

_CHUNK = 8 << 20


class Parts(dict[str, Part]):
    """Arrays and tables by name, collected for `write_folder`. An array added twice is stored once."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[tuple[Any, ...], str] = {}

    def add(self, name: str, part: Part) -> str:
        """The name under which `part` is stored: `name`, or an earlier one of the very same memory."""
        if isinstance(part, np.ndarray):
            where = (part.__array_interface__["data"][0], part.shape, part.strides, part.dtype.str)
            if part.size and where in self._names:
                return self._names[where]
            self._names[where] = name
        self[name] = part
        return name


def write_folder(path: str | os.PathLike[str], kind: str, meta: Any, parts: Mapping[str, Part]) -> None:
    """Store `meta` (JSON) and `parts` as the folder `path`, replacing what this wrote there before.

    Parameters
    ----------
    path : path
        A new or empty folder, or one of the same kind. Parents are made where missing.
    kind : str
        What the folder is, such as ``"coterie-model"``.

    Raises
    ------
    ArtifactError
        `path` holds something else, which is left alone.
    OSError
        The disk is full or cannot be written; what was there before is left alone.
    """
    target = Path(path).resolve()
    _refuse_foreign(target, kind)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(target.parent, target.name)
    generation = f"g-{os.getpid()}-{secrets.token_hex(4)}"
    work = target if target.is_dir() else temporary_beside(target)
    try:
        (work / generation).mkdir(parents=True)
        text = manifest_text(kind, generation, meta, _write_parts(work / generation, parts))
        if work == target:
            _publish(target, text)
        else:
            replace_text(work / MANIFEST, text)
            _move_into_place(work, target, kind, generation, text)
    except BaseException:
        if generation_of(target) != generation:  # not published
            shutil.rmtree(target / generation, ignore_errors=True)
        raise
    finally:
        if work != target:
            shutil.rmtree(work, ignore_errors=True)


def _move_into_place(work: Path, target: Path, kind: str, generation: str, text: str) -> None:
    try:
        work.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        # Another process made it meanwhile: become its next generation.
        _refuse_foreign(target, kind)
        (work / generation).rename(target / generation)
        _publish(target, text)
    sync_folder(target.parent)


def _publish(target: Path, text: str) -> None:
    """Let the manifest name the new generation, then remove the one it named before, and abandoned ones."""
    sync_folder(target)
    before = generation_of(target)
    replace_text(target / MANIFEST, text)
    now = json.loads(text)["generation"]
    for folder in target.iterdir():
        match = GENERATION.fullmatch(folder.name)
        if match and folder.name != now and (folder.name == before or is_stale(folder, int(match[1]))):
            shutil.rmtree(folder, ignore_errors=True)


def _refuse_foreign(target: Path, kind: str) -> None:
    """Raise where writing to `target` would lay hands on something that `write_folder` did not write."""
    if not target.exists():
        return
    if not target.is_dir():
        raise ArtifactError(f"{target} is a file, not a folder; choose another path or remove it")
    try:
        found = json.loads((target / MANIFEST).read_text("utf-8"))["kind"]
    except (OSError, ValueError, KeyError, TypeError):
        found = None
    if found == kind:
        return
    if found is not None:
        raise ArtifactError(f"{target} holds a {found}, not a {kind}; choose another path or remove it")
    others = sorted(p.name for p in target.iterdir() if not _is_ours(p.name))
    if others:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise ArtifactError(f"{target} has files that Coterie did not write ({shown}); choose another path")
    if (target / MANIFEST).exists() and not any(GENERATION.fullmatch(p.name) for p in target.iterdir()):
        raise ArtifactError(f"{target / MANIFEST} was not written by Coterie; choose another path")


def _is_ours(name: str) -> bool:
    return bool(name == MANIFEST or GENERATION.fullmatch(name) or TEMPORARY.fullmatch(name))


def _write_parts(folder: Path, parts: Mapping[str, Part]) -> dict[str, dict[str, Any]]:
    """Write every part to its file, in parallel, and describe the files."""
    files: dict[str, str] = {}
    taken: set[str] = set()
    for name, part in parts.items():
        stem = re.sub(r"[^A-Za-z0-9_.-]", "-", name).lstrip(".-") or "part"
        suffix = ".npy" if isinstance(part, np.ndarray) else ".arrow"
        while (stem + suffix).lower() in taken:  # where the file system knows no case
            stem += "-2"
        taken.add((stem + suffix).lower())
        files[name] = stem + suffix
    with ThreadPoolExecutor() as pool:
        jobs = {name: pool.submit(_write_part, folder / files[name], part) for name, part in parts.items()}
        entries = {name: job.result() for name, job in jobs.items()}
    sync_folder(folder)
    return entries


def _write_part(file: Path, part: Part) -> dict[str, Any]:
    with file.open("xb") as out:
        digest = ""
        if isinstance(part, np.ndarray):
            digest = _write_array(out, part)
        else:
            part.rechunk().write_ipc(out, compression="uncompressed")
        out.flush()
        os.fsync(out.fileno())
        status = os.fstat(out.fileno())
    return {
        "file": file.name,
        "bytes": status.st_size,
        "sha256": digest or file_digest(file),
        "times": times_of(status),
    }


def _write_array(out: BinaryIO, array: Array) -> str:
    """Write an array in NumPy's format; the SHA-256 of what was written."""
    if array.dtype.kind not in "biufc":
        raise TypeError(f"arrays of numbers or booleans can be stored, not {array.dtype}")
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    digest = hashlib.sha256()

    class Tee:
        def write(self, data: Any) -> None:
            digest.update(data)
            out.write(data)

    header = {"descr": array.dtype.str, "fortran_order": fortran, "shape": array.shape}
    np.lib.format.write_array_header_1_0(Tee(), header)
    flat = (array.T if fortran else np.ascontiguousarray(array)).reshape(-1).view(np.uint8)
    for start in range(0, len(flat), _CHUNK):
        Tee().write(flat[start : start + _CHUNK].data)
    return digest.hexdigest()
