"""Reading a stored folder: arrays memory-mapped, everything checked that was asked for."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from coterie.errors import ArtifactError
from coterie.storage.files import file_digest, times_of
from coterie.storage.manifest import REMEDY, Array, Part, read_manifest

Verify = Literal["all", "changed", "sizes"]

# Headers are literals that NumPy has Python parse, and CPython 3.11 counts how deep it is in a literal for all threads
# together: two at once can end in a SystemError.
_PARSING = threading.Lock()


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


def _read_parts(folder: Path, manifest: Mapping[str, Any], verify: Verify) -> dict[str, Part]:
    content = folder / str(manifest["generation"])

    def read(entry: Mapping[str, Any]) -> Part:
        file = content / str(entry["file"])
        try:
            return _read_part(file, entry, verify)
        except ArtifactError:
            raise
        except FileNotFoundError:
            raise ArtifactError(f"{file} is missing; {REMEDY}") from None
        except (OSError, ValueError, TypeError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise ArtifactError(f"{file} cannot be read ({error}); {REMEDY}") from error

    entries: Mapping[str, Mapping[str, Any]] = manifest["files"]
    if verify != "all":
        return {name: read(entry) for name, entry in entries.items()}
    with ThreadPoolExecutor() as pool:
        return dict(zip(entries, pool.map(read, entries.values()), strict=True))


def _read_part(file: Path, entry: Mapping[str, Any], verify: Verify) -> Part:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ArtifactError(f"{file} is not a regular file; {REMEDY}")
    if status.st_size != entry["bytes"]:
        what = "truncated" if status.st_size < entry["bytes"] else "longer than it was"
        raise ArtifactError(f"{file} is {what}: {status.st_size:,} bytes instead of {entry['bytes']:,}; {REMEDY}")
    look = verify == "all" or (verify == "changed" and times_of(status) != entry["times"])
    if look and file_digest(file) != entry["sha256"]:
        raise ArtifactError(f"{file} is damaged (its checksum does not agree); {REMEDY}")
    if file.suffix == ".arrow":
        return pl.read_ipc(file)
    return _map_array(file)


def _map_array(file: Path) -> Array:
    """A .npy file as a read-only array: memory-mapped, or truly empty where there is nothing to map."""
    with file.open("rb") as source, _PARSING:
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
