"""Small data and models that the tests of files on disk share."""

from __future__ import annotations

import numpy as np
import polars as pl
import scipy.sparse as sp

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset, LoadReport
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.models.baselines import Popularity


def make_interactions(seed: int = 0, text: bool = False, times: bool = True) -> Interactions:
    random = np.random.default_rng(seed)
    users = Vocabulary([f"Ürsula {u} 🎬" for u in range(30)] if text else np.arange(30) * 7 - 11, "user")
    items = Vocabulary([f"映画-{i}" for i in range(20)] if text else np.arange(20)[::-1] + 1, "item")
    user, item = np.nonzero(random.random((30, 20)) < 0.3)
    values = random.integers(1, 11, len(user)) / 2
    stamps = random.integers(8e8, 1.5e9, len(user)) if times else None
    return Interactions.from_arrays(users, items, user, item, values, stamps)


def make_catalog(x: Interactions) -> Catalog:
    ids = x.items.ids.tolist()
    frame = pl.DataFrame({"item": ids, "title": [f"Épisode {i} (19{60 + n})" for n, i in enumerate(ids)]})
    frame = frame.with_columns(genres=pl.Series(["Drama|War" if n % 2 else "" for n in range(len(ids))]))
    tags = pl.DataFrame({"user": [1, 2], "item": ids[:2], "tag": ["ça va", "🎬"]})
    genome = np.random.default_rng(1).random((len(ids), 3), np.float32)
    return Catalog.from_titles(frame, tags=tags, genome_tags=("a", "b", "c"), genome=genome)


def make_model(seed: int = 0, text: bool = False) -> Popularity:
    """A baseline that has learnt one attribute of every kind that an artefact can hold."""
    x = make_interactions(seed, text)
    model = Popularity().fit(x, make_catalog(x))
    random = np.random.default_rng(seed)
    square = sp.random(20, 20, density=0.2, format="csr", dtype=np.float32, random_state=seed)
    learned = {
        "similarities_": square,
        "columns_": square.tocsc(),
        "rows_": x.by_item,
        "factors_": np.asfortranarray(random.random((30, 4), np.float32)),
        "flags_": random.random(20) < 0.5,
        "empty_": np.empty((0, 3), np.float32),
        "view_": random.random((6, 6))[::2, 1::2],
        "half_": np.float16(0.1),
        "numbers_": (1, 2.5, "zwölf", None, True),
        "table_": {3: ["x", float("inf")], "y": (), None: np.array([1 + 2j])},
        "names_": Vocabulary(["b", "a", "ñ"], "tag"),
        "nan_": float("nan"),
    }
    for name, value in learned.items():
        setattr(model, name, value)
    return model


def make_dataset(seed: int = 0, text: bool = False) -> Dataset:
    x = make_interactions(seed, text)
    report = LoadReport("here", {"ratings": x.nnz, "tags": None}, 1, ("line 3: ?",), 2, ("note",))
    return Dataset(x, make_catalog(x), "little", report)


def assert_same_interactions(a: Interactions, b: Interactions) -> None:
    assert a.users == b.users
    assert a.items == b.items
    assert (a.users.what, a.items.what) == (b.users.what, b.items.what)
    for name in ("indptr", "indices", "values", "timestamps"):
        left, right = getattr(a, name), getattr(b, name)
        if left is None:
            assert right is None
        else:
            assert left.dtype == right.dtype
            assert left.tobytes() == right.tobytes()
    assert a.fingerprint == b.fingerprint
    assert (a.scale, a.mean) == (b.scale, b.mean)
