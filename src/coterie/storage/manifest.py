"""The manifest of a stored folder: what it says, and whether it may be believed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl

from coterie.errors import ArtifactError

Array = np.ndarray[Any, np.dtype[Any]]
Part = Array | pl.DataFrame

#: Version of the layout that is written. A larger number in a manifest is refused.
FORMAT = 1
MANIFEST = "manifest.json"
REMEDY = "restore the folder from a copy, or write it again"

GENERATION = re.compile(r"g-(\d+)-[0-9a-f]{8}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.(npy|arrow)")


def manifest_text(kind: str, generation: str, meta: Any, files: dict[str, dict[str, Any]]) -> str:
    """A manifest as it is written: the generation of content, its files, and a checksum of all that."""
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
    return json.dumps({**manifest, "checksum": checksum_of(manifest)}, indent=1, allow_nan=False) + "\n"


def checksum_of(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's own content, so that a damaged or edited one is noticed."""
    content = json.dumps({key: value for key, value in manifest.items() if key != "checksum"})
    return hashlib.sha256(json.dumps(json.loads(content), sort_keys=True).encode()).hexdigest()


def generation_of(target: Path) -> str:
    """The generation that a manifest names; empty where there is no manifest to read."""
    try:
        return str(json.loads((target / MANIFEST).read_text("utf-8"))["generation"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


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
        raise ArtifactError(f"{file} cannot be read ({error}); {REMEDY}") from error
    if not isinstance(manifest, dict) or not str(manifest.get("kind", "")).startswith("coterie-"):
        raise ArtifactError(f"{file} was not written by Coterie; give the folder of a {kind}")
    form = manifest.get("format")
    if isinstance(form, int) and form > FORMAT:
        raise ArtifactError(
            f"{folder} was written by Coterie {manifest.get('coterie')} in format {form}; "
            f"this version reads formats up to {FORMAT}: upgrade coterie"
        )
    if manifest.get("checksum") != checksum_of(manifest):
        raise ArtifactError(f"{file} is damaged or was edited (its checksum does not agree); {REMEDY}")
    if manifest["kind"] != kind:
        raise ArtifactError(f"{folder} is a {manifest['kind']}, not a {kind}; give another folder")
    files = [str(entry["file"]) for entry in manifest["files"].values()]
    if not GENERATION.fullmatch(str(manifest["generation"])) or not all(map(_FILE.fullmatch, files)):
        raise ArtifactError(f"{file} names files outside its folder; do not trust where it came from")
    return manifest


def _refuse_absent(folder: Path, kind: str) -> NoReturn:
    if not folder.exists():
        raise ArtifactError(f"there is no {kind} at {folder}")
    if any(GENERATION.fullmatch(p.name) for p in folder.iterdir()):
        raise ArtifactError(f"{folder / MANIFEST} is missing: writing was cut off or the file was lost; {REMEDY}")
    raise ArtifactError(f"{folder} has no {MANIFEST}, so Coterie did not write it; give the folder of a {kind}")
