"""Lays out a dataset for all contenders: as MovieLens' ratings.csv, as arrays, in Coterie's store, as an artefact."""

from __future__ import annotations

import json
import shutil
import time
from itertools import islice
from typing import Any

import numpy as np
from scipy.sparse.linalg import svds

import coterie as ct
from benchmarks.work import SWEEPS, Data

_FEW_LINES = 100_000
_HELD_OUT = 0.1


def prepare(request: dict[str, Any]) -> dict[str, Any]:
    """Make what is not there yet of the dataset `name`; the facts about it."""
    data, name = Data.of(request), request["name"]
    x = ct.load(name, seed=data.seed).interactions
    whole = all((data.folder / name).exists() for name in ("facts.json", "held-out.npy"))
    if not whole or data.facts["fingerprint"] != x.fingerprint:
        shutil.rmtree(data.folder, ignore_errors=True)  # nothing of what an earlier version made of other bytes
        data.folder.mkdir(parents=True)
        _write(data, name, x)
    return data.facts


def _write(data: Data, name: str, x: ct.Interactions) -> None:
    for part in ("indptr", "indices", "values"):
        np.save(data.folder / f"{part}.npy", getattr(x, part))
    np.save(data.folder / "held-out.npy", np.random.default_rng(data.seed).random(x.nnz) < _HELD_OUT)
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
    return _keep(Data.of(request), ct.ItemKNN())


def factor_models(request: dict[str, Any]) -> dict[str, Any]:
    """The same of models with 64 factors; those of `ImplicitALS` also as plain arrays, for the peers."""
    data = Data.of(request)
    _keep(data, ct.ALS(n_factors=64, n_iterations=SWEEPS))
    _keep(data, ct.SVD(n_factors=64))
    model = ct.ImplicitALS(n_factors=64, n_iterations=SWEEPS)
    kept = _keep(data, model)
    np.save(data.folder / "user-factors.npy", model.user_factors_)
    np.save(data.folder / "item-factors.npy", model.item_factors_)
    return kept


def _keep(data: Data, model: ct.Recommender) -> dict[str, Any]:
    """Fit on everything and save."""
    folder = data.artefact(model.name)
    model.fit(ct.load(data.name, seed=data.seed).interactions).save(folder)
    return {"bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())}


def singular_values(request: dict[str, Any]) -> dict[str, Any]:
    """The largest singular values of the ratings in double precision, to judge all others by."""
    data = Data.of(request)
    file = data.folder / "singular-values.npy"
    if not file.exists():
        np.save(file, np.sort(svds(data.matrix(np.float64), k=64, return_singular_vectors=False, rng=0))[::-1])
    return {"largest": float(np.load(file)[0])}
