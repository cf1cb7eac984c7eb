"""Lays out a dataset for all contenders: as MovieLens' ratings.csv, as arrays, in Coterie's store, as an artefact."""

from __future__ import annotations

import json
import time
from itertools import islice
from typing import Any

import numpy as np

import coterie as ct
from benchmarks.work import Data

_FEW_LINES = 100_000


def prepare(request: dict[str, Any]) -> dict[str, Any]:
    """Make what is not there yet of the dataset `name`; the facts about it."""
    data, name = Data.of(request), request["name"]
    x = ct.load(name, seed=data.seed).interactions
    if not (data.folder / "facts.json").exists() or data.facts["fingerprint"] != x.fingerprint:
        data.folder.mkdir(parents=True, exist_ok=True)
        _write(data, name, x)
    return data.facts


def _write(data: Data, name: str, x: ct.Interactions) -> None:
    for part in ("indptr", "indices", "values"):
        np.save(data.folder / f"{part}.npy", getattr(x, part))
    frame = x.to_frame().rename({"user": "userId", "item": "movieId"})
    frame.write_csv(data.csv)
    with data.csv.open() as lines:
        data.few_csv.write_text("".join(islice(lines, _FEW_LINES + 1)))
    facts = {
        "name": name,
        "seed": data.seed,
        "users": x.n_users,
        "items": x.n_items,
        "ratings": x.nnz,
        "fingerprint": x.fingerprint,
        "csv_bytes": data.csv.stat().st_size,
    }
    (data.folder / "facts.json").write_text(json.dumps(facts))


def store(request: dict[str, Any]) -> dict[str, Any]:
    """See to it that the store has what the CSV says, and remembers that the file has not changed since."""
    csv = Data.of(request).csv
    time.sleep(max(0.0, csv.stat().st_mtime + 3 - time.time()))  # a file of this very second is digested every time
    return {"ratings": ct.load(csv).interactions.nnz}


def artefact(request: dict[str, Any]) -> dict[str, Any]:
    """Fit `ItemKNN` on everything and keep it on disk; made anew by every run, so that it is this version's."""
    data = Data.of(request)
    ct.ItemKNN().fit(ct.load(data.name, seed=data.seed).interactions).save(data.artefact)
    return {"bytes": sum(file.stat().st_size for file in data.artefact.rglob("*") if file.is_file())}
