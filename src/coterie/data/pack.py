"""Vocabulary, Interactions, Catalog and Dataset as arrays, tables and JSON, and back. Store and artefact use it.

Each `pack_*` adds arrays and tables to `parts` under names that begin with `name` and gives a JSON
description that names them; each `unpack_*` makes the object from the description and what was stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any, cast

import numpy as np
import polars as pl

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset, LoadReport
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import ArtifactError
from coterie.storage import Array, Part, Parts

Json = dict[str, Any]


def pack_vocabulary(vocabulary: Vocabulary, name: str, parts: Parts) -> Json:
    """Integer ids as they are; text as UTF-8 bytes and int64 offsets (n+1,)."""
    described: Json = {"what": vocabulary.what, "kind": vocabulary.kind}
    if vocabulary.kind == "int":
        return {**described, "ids": parts.add(f"{name}.ids", vocabulary.ids)}
    words = [word.encode() for word in vocabulary.ids.tolist()]
    offsets = np.zeros(len(words) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, words), np.int64, len(words)), out=offsets[1:])
    return {
        **described,
        "text": parts.add(f"{name}.text", np.frombuffer(b"".join(words), np.uint8)),
        "offsets": parts.add(f"{name}.offsets", offsets),
    }


def unpack_vocabulary(described: Mapping[str, Any], parts: Mapping[str, Part]) -> Vocabulary:
    """Without a search for repeated ids: they were unique when they were stored."""
    if described["kind"] == "int":
        return Vocabulary.trusted(cast(Any, parts[described["ids"]]), described["what"])
    text = np.asarray(parts[described["text"]]).tobytes()
    offsets = np.asarray(parts[described["offsets"]]).tolist()
    if not offsets or offsets[-1] != len(text):
        raise ArtifactError(f"the {described['what']} ids do not fit their offsets")
    ids = np.empty(len(offsets) - 1, object)
    ids[:] = [text[start:stop].decode() for start, stop in pairwise(offsets)]
    return Vocabulary.trusted(ids, described["what"])


def pack_interactions(x: Interactions, name: str, parts: Parts) -> Json:
    """The arrays as they are, with what is known about them: scale, mean and (where computed) fingerprint."""
    described: Json = {
        "users": pack_vocabulary(x.users, f"{name}.users", parts),
        "items": pack_vocabulary(x.items, f"{name}.items", parts),
        "indptr": parts.add(f"{name}.indptr", x.indptr),
        "indices": parts.add(f"{name}.indices", x.indices),
        "values": parts.add(f"{name}.values", x.values),
        "timestamps": None if x.timestamps is None else parts.add(f"{name}.timestamps", x.timestamps),
        "fingerprint": vars(x).get("fingerprint"),
    }
    if math.isfinite(x.mean):
        described |= {"mean": x.mean, "scale": list(x.scale)}
    return described


def unpack_interactions(described: Mapping[str, Any], parts: Mapping[str, Part], check: bool = False) -> Interactions:
    """The mapped arrays; `check` reads all of them once to see that every row number is in its range."""
    users = unpack_vocabulary(described["users"], parts)
    items = unpack_vocabulary(described["items"], parts)
    arrays: dict[str, Any] = {key: parts[described[key]] for key in ("indptr", "indices", "values")}
    times: Any = None if described["timestamps"] is None else parts[described["timestamps"]]
    check_rows(arrays["indptr"], arrays["indices"], arrays["values"], (len(users), len(items)), check)
    if times is not None and times.shape != arrays["values"].shape:
        raise ArtifactError(f"{len(times):,} timestamps for {len(arrays['values']):,} ratings")
    x = Interactions.trusted(users, items, arrays["indptr"], arrays["indices"], arrays["values"], times)
    known = {key: described[key] for key in ("mean", "scale", "fingerprint") if described.get(key) is not None}
    if "scale" in known:
        known["scale"] = tuple(known["scale"])
    vars(x).update(known)  # where cached_property looks first
    return x


def check_rows(indptr: Array, indices: Array, values: Array, shape: tuple[int, int], thorough: bool) -> None:
    """Raise `ArtifactError` where arrays cannot be compressed rows of a matrix of `shape`."""
    fits = indptr.shape == (shape[0] + 1,) and indices.shape == values.shape == (int(indptr[-1]),) and indptr[0] == 0
    if fits and thorough:
        fits = bool((indptr[1:] >= indptr[:-1]).all())
        fits &= not len(indices) or (int(indices.min()) >= 0 and int(indices.max()) < shape[1])
    if not fits:
        raise ArtifactError(f"the stored arrays are not the rows of a matrix of {shape[0]:,} x {shape[1]:,}")


def pack_catalog(catalog: Catalog, name: str, parts: Parts) -> Json:
    """Items and tags as tables, the genome as an array."""
    return {
        "items": parts.add(f"{name}.items", catalog.items),
        "tags": None if catalog.tags is None else parts.add(f"{name}.tags", catalog.tags),
        "genome_tags": list(catalog.genome_tags),
        "genome": None if catalog.genome is None else parts.add(f"{name}.genome", catalog.genome),
    }


def unpack_catalog(described: Mapping[str, Any], parts: Mapping[str, Part]) -> Catalog:
    """The catalog, its genome memory-mapped."""

    def part(key: str) -> Any:
        return None if described[key] is None else parts[described[key]]

    items: pl.DataFrame = part("items")
    return Catalog(items, part("tags"), tuple(described["genome_tags"]), part("genome"))


def pack_dataset(dataset: Dataset, parts: Parts) -> Json:
    """Ratings, catalog, name and the report of how they were loaded."""
    return {
        "name": dataset.name,
        "report": asdict(dataset.report),
        "ratings": None if dataset.ratings is None else pack_interactions(dataset.ratings, "ratings", parts),
        "catalog": None if dataset.catalog is None else pack_catalog(dataset.catalog, "catalog", parts),
    }


def unpack_dataset(described: Mapping[str, Any], parts: Mapping[str, Part]) -> Dataset:
    """The dataset as it was packed, arrays memory-mapped."""
    report: Json = {
        key: tuple(value) if isinstance(value, list) else value for key, value in described["report"].items()
    }
    ratings, catalog = described["ratings"], described["catalog"]
    return Dataset(
        None if ratings is None else unpack_interactions(ratings, parts),
        None if catalog is None else unpack_catalog(catalog, parts),
        described["name"],
        LoadReport(**report),
    )
