"""A folder of arrays and tables with a manifest, written whole or not at all, memory-mapped when read.

::

    folder/
      manifest.json            kind, format, meta, and of every file: size, SHA-256, times
      g-4242-9f3c01ab/         one generation of content: *.npy (arrays), *.arrow (tables)

Content never changes once the manifest names it. A new folder is made beside its place and renamed into
it; an existing one receives a new generation, and then one atomic rename replaces the manifest. So a
reader finds the old content or the new, whole, at whatever moment a writer dies. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn

import numpy as np
import polars as pl

from coterie.errors import ArtifactError

Array = np.ndarray[Any, np.dtype[Any]]
Part = Array | pl.DataFrame
Verify = Literal["all", "changed", "sizes"]

#: Version of the layout that is written. A larger number in a manifest is refused.
FORMAT = 1
MANIFEST = "manifest.json"

_GENERATION = re.compile(r"g-(\d+)-[0-9a-f]{8}")
_TEMPORARY = re.compile(r"\.(.+)\.tmp-(\d+)-[0-9a-f]{8}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.(npy|arrow)")
_STALE_SECONDS = 3600
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


@dataclass(frozen=True)
class Stored:
    """What a folder holds: `manifest` as written, `meta` of the one who wrote it, `parts` by name (read-only)."""

    path: Path
    manifest: Mapping[str, Any] = field(repr=False)
    parts: Mapping[str, Part] = field(repr=False)

    @property
    def meta(self) -> Any:
        """What the writer handed over as `meta`."""
        return self.manifest["meta"]

    @property
    def size(self) -> int:
        """Bytes of all content files."""
        return sum(int(entry["bytes"]) for entry in self.manifest["files"].values())


# ---- writing -----------------------------------------------------------------------------------------


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
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    generation = f"g-{mark}"
    work = target if target.is_dir() else target.parent / f".{target.name}.tmp-{mark}"
    try:
        (work / generation).mkdir(parents=True)
        text = _manifest_text(kind, generation, meta, _write_parts(work / generation, parts))
        if work == target:
            _publish(target, text)
        else:
            replace_text(work / MANIFEST, text)
            _move_into_place(work, target, kind, generation, text)
    except BaseException:
        if _generation_of(target) != generation:  # not published
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
    _sync_folder(target.parent)


def _generation_of(target: Path) -> str:
    """The generation that a manifest names; empty where there is no manifest to read."""
    try:
        return str(json.loads((target / MANIFEST).read_text("utf-8"))["generation"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _publish(target: Path, text: str) -> None:
    """Let the manifest name the new generation, then remove the one it named before, and abandoned ones."""
    _sync_folder(target)
    before = _generation_of(target)
    replace_text(target / MANIFEST, text)
    now = json.loads(text)["generation"]
    for folder in target.iterdir():
        match = _GENERATION.fullmatch(folder.name)
        if match and folder.name != now and (folder.name == before or _is_stale(folder, int(match[1]))):
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
    if (target / MANIFEST).exists() and not any(_GENERATION.fullmatch(p.name) for p in target.iterdir()):
        raise ArtifactError(f"{target / MANIFEST} was not written by Coterie; choose another path")


def _is_ours(name: str) -> bool:
    return bool(name == MANIFEST or _GENERATION.fullmatch(name) or _TEMPORARY.fullmatch(name))


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
    _sync_folder(folder)
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
    return {"file": file.name, "bytes": status.st_size, "sha256": digest or file_digest(file), "times": _times(status)}


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


def _manifest_text(kind: str, generation: str, meta: Any, files: dict[str, dict[str, Any]]) -> str:
    from coterie import __version__

    manifest = {
        "kind": kind,
        "format": FORMAT,
        "coterie": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "generation": generation,
        "meta": meta,
        "files": files,
    }
    return json.dumps({**manifest, "checksum": _checksum(manifest)}, indent=1, allow_nan=False) + "\n"


def _checksum(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's own content, so that a damaged or edited one is noticed."""
    content = json.dumps({key: value for key, value in manifest.items() if key != "checksum"})
    return hashlib.sha256(json.dumps(json.loads(content), sort_keys=True).encode()).hexdigest()


def replace_text(file: Path, text: str) -> None:
    """Write a small text file so that a reader finds the old or the new text, never part of it."""
    with replacing(file) as out:
        out.write(text.encode())


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """A file to write to that becomes `file` when all is written, and nothing where that fails."""
    temporary = file.parent / f".{file.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with temporary.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    """Make a folder's entries durable; where folders cannot be opened (Windows) there is nothing to do."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---- what writers left behind --------------------------------------------------------------------------


def remove_stale(folder: Path, name: str | None = None) -> None:
    """Remove temporaries (of `name`, or of any name) whose process is gone and that rested for an hour."""
    try:
        entries = list(folder.iterdir())
    except OSError:  # a folder that may be passed through but not listed
        return
    for entry in entries:
        match = _TEMPORARY.fullmatch(entry.name)
        if match and name in (None, match[1]) and _is_stale(entry, int(match[2])):
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)


def _is_stale(entry: Path, pid: int) -> bool:
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


def remove_folder(path: Path) -> None:
    """Remove a stored folder: gone at once for every reader, then deleted."""
    aside = path.parent / f".{path.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}"
    path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


# ---- reading -------------------------------------------------------------------------------------------


def read_folder(path: str | os.PathLike[str], kind: str, verify: Verify = "all") -> Stored:
    """What `write_folder` stored at `path`, arrays memory-mapped and read-only.

    Parameters
    ----------
    verify : {"all", "changed", "sizes"}
        Sizes are always checked; checksums of all files, or only of those that were touched since they
        were written, or of none.

    Raises
    ------
    ArtifactError
        The folder is absent, foreign, of another kind, damaged, truncated or of a newer format.
    """
    folder = Path(path).resolve()
    while True:
        manifest = read_manifest(folder, kind)
        try:
            return Stored(folder, manifest, _read_parts(folder, manifest, verify))
        except ArtifactError:  # perhaps a writer replaced the content just now
            if read_manifest(folder, kind)["generation"] == manifest["generation"]:
                raise


def read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """The manifest of a stored folder, checked; the content is not touched."""
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        _refuse_absent(folder, kind)
    except NotADirectoryError:
        raise ArtifactError(f"{folder} is a file; a {kind} is a folder with a {MANIFEST}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{file} cannot be read ({error}); {_REMEDY}") from error
    if not isinstance(manifest, dict) or not str(manifest.get("kind", "")).startswith("coterie-"):
        raise ArtifactError(f"{file} was not written by Coterie; give the folder of a {kind}")
    form = manifest.get("format")
    if isinstance(form, int) and form > FORMAT:
        raise ArtifactError(
            f"{folder} was written by Coterie {manifest.get('coterie')} in format {form}; "
            f"this version reads formats up to {FORMAT}: upgrade coterie"
        )
    if manifest.get("checksum") != _checksum(manifest):
        raise ArtifactError(f"{file} is damaged or was edited (its checksum does not agree); {_REMEDY}")
    if manifest["kind"] != kind:
        raise ArtifactError(f"{folder} is a {manifest['kind']}, not a {kind}; give another folder")
    files = [str(entry["file"]) for entry in manifest["files"].values()]
    if not _GENERATION.fullmatch(str(manifest["generation"])) or not all(map(_FILE.fullmatch, files)):
        raise ArtifactError(f"{file} names files outside its folder; do not trust where it came from")
    return manifest


_REMEDY = "restore the folder from a copy, or write it again"


def _refuse_absent(folder: Path, kind: str) -> NoReturn:
    if not folder.exists():
        raise ArtifactError(f"there is no {kind} at {folder}")
    if any(_GENERATION.fullmatch(p.name) for p in folder.iterdir()):
        raise ArtifactError(f"{folder / MANIFEST} is missing: writing was cut off or the file was lost; {_REMEDY}")
    raise ArtifactError(f"{folder} has no {MANIFEST}, so Coterie did not write it; give the folder of a {kind}")


def _read_parts(folder: Path, manifest: Mapping[str, Any], verify: Verify) -> dict[str, Part]:
    content = folder / str(manifest["generation"])

    def read(entry: Mapping[str, Any]) -> Part:
        file = content / str(entry["file"])
        try:
            return _read_part(file, entry, verify)
        except ArtifactError:
            raise
        except FileNotFoundError:
            raise ArtifactError(f"{file} is missing; {_REMEDY}") from None
        except (OSError, ValueError, TypeError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise ArtifactError(f"{file} cannot be read ({error}); {_REMEDY}") from error

    entries: Mapping[str, Mapping[str, Any]] = manifest["files"]
    if verify != "all":
        return {name: read(entry) for name, entry in entries.items()}
    with ThreadPoolExecutor() as pool:
        return dict(zip(entries, pool.map(read, entries.values()), strict=True))


def _read_part(file: Path, entry: Mapping[str, Any], verify: Verify) -> Part:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ArtifactError(f"{file} is not a regular file; {_REMEDY}")
    if status.st_size != entry["bytes"]:
        what = "truncated" if status.st_size < entry["bytes"] else "longer than it was"
        raise ArtifactError(f"{file} is {what}: {status.st_size:,} bytes instead of {entry['bytes']:,}; {_REMEDY}")
    look = verify == "all" or (verify == "changed" and _times(status) != entry["times"])
    if look and file_digest(file) != entry["sha256"]:
        raise ArtifactError(f"{file} is damaged (its checksum does not agree); {_REMEDY}")
    if file.suffix == ".arrow":
        return pl.read_ipc(file)
    return _map_array(file)


def _map_array(file: Path) -> Array:
    """A .npy file as a read-only array: memory-mapped, or truly empty where there is nothing to map."""
    with file.open("rb") as source:
        if np.lib.format.read_magic(source) != (1, 0):
            raise ValueError("not the NumPy format that Coterie writes")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(source)
        offset = source.tell()
    if dtype.kind not in "biufc":
        raise ArtifactError(f"{file} holds {dtype} values; Coterie stores numbers only and never unpickles")
    if 0 in shape:
        array: Array = np.empty(shape, dtype, "F" if fortran else "C")
        array.setflags(write=False)
        return array
    mapped = np.memmap(file, dtype, "r", offset, shape, "F" if fortran else "C")
    return np.asarray(mapped)  # a plain array: no subclass in later results


def _times(status: os.stat_result) -> list[int]:
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
