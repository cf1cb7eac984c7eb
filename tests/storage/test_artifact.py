"""A saved model comes back bit for bit, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import coterie as ct
from coterie import storage
from coterie.artifact import KIND, read_model, save_model
from coterie.data.interactions import Interactions, Rows
from coterie.data.pack import pack_interactions, unpack_interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import ArtifactError, NotFittedError
from coterie.models.baselines import Popularity, Random
from coterie.models.registry import load_model
from coterie.storage import Parts, read_folder, write_folder
from tests.storage.helpers import assert_same_interactions, make_interactions, make_model


@pytest.fixture
def model() -> Popularity:
    return make_model()


@pytest.fixture
def path(tmp_path: Path, model: Popularity) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


def files_of(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file())


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest and make its checksum right again."""
    manifest = json.loads((path / storage.MANIFEST).read_text())
    change(manifest)
    manifest["checksum"] = storage.manifest.checksum_of(manifest)
    (path / storage.MANIFEST).write_text(json.dumps(manifest))


def assert_same(a: Any, b: Any) -> None:
    """Equal in type, value and bits."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    elif sp.issparse(a):
        for name in ("data", "indices", "indptr"):
            assert_same(getattr(a, name), getattr(b, name))
        assert a.shape == b.shape
    elif isinstance(a, Interactions):
        assert_same_interactions(a, b)
    elif isinstance(a, Vocabulary):
        assert (a, a.what, a.ids.tolist()) == (b, b.what, b.ids.tolist())
    elif isinstance(a, ct.Catalog):
        assert_frame_equal(a.items, b.items)
        assert_frame_equal(a.tags, b.tags)  # type: ignore[arg-type]
        assert_same((a.genome_tags, a.genome), (b.genome_tags, b.genome))
    elif isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        assert_same(list(a.values()), list(b.values()))
    else:
        assert repr(a) == repr(b)


# ---- there and back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("verify", [False, True])
def test_a_loaded_model_is_the_saved_one(tmp_path: Path, text: bool, verify: bool) -> None:
    model = make_model(text=text)
    model.save(tmp_path / "m")
    loaded = load_model(tmp_path / "m", verify)
    assert type(loaded) is Popularity
    assert_same(vars(model), vars(loaded))
    users = model.train_.users.ids.tolist()
    assert_frame_equal(model.recommend(users, k=7), loaded.recommend(users, k=7))
    profile = dict.fromkeys(model.train_.items.ids.tolist()[:3], 4.0)
    assert_frame_equal(model.recommend_for(profile), loaded.recommend_for(profile))
    assert "title" in loaded.recommend(users[0]).columns


def test_hyper_parameters_come_back_as_they_were(tmp_path: Path) -> None:
    for seed in (7, np.int64(7)):
        model = Random(random_state=seed).fit(make_interactions())
        model.save(tmp_path / "m")
        loaded = load_model(tmp_path / "m")
        assert isinstance(loaded, Random)
        assert_same(loaded.random_state, seed)
        scores = model.score(model.train_.to_scipy())
        assert scores.tobytes() == loaded.score(loaded.train_.to_scipy()).tobytes()


def test_the_manifest_tells_what_the_model_is(path: Path, model: Popularity) -> None:
    manifest = json.loads((path / storage.MANIFEST).read_text())
    assert (manifest["kind"], manifest["format"], manifest["coterie"]) == (KIND, storage.FORMAT, ct.__version__)
    meta = manifest["meta"]
    assert (meta["model"], meta["class"], meta["parameters"]) == ("popularity", "Popularity", {"weighted": False})
    assert meta["data_fingerprint"] == model.train_.fingerprint
    assert {"users", "items"} <= set(meta["state"]["train_"])
    for entry in manifest["files"].values():
        file = path / manifest["generation"] / entry["file"]
        assert (entry["bytes"], entry["sha256"]) == (file.stat().st_size, storage.file_digest(file))


def test_what_is_shared_is_stored_once(tmp_path: Path) -> None:
    model = Popularity().fit(make_interactions())
    model.rows_ = Rows(model.train_.indptr, model.train_.indices, model.train_.values)  # type: ignore[attr-defined]
    model.matrix_ = model.train_.to_scipy()  # type: ignore[attr-defined]
    model.save(tmp_path / "m")
    names = {p.name for p in files_of(tmp_path / "m")}
    assert not any(name.startswith("rows_") for name in names)
    assert "matrix_.data.npy" not in names
    assert_same(vars(model), vars(load_model(tmp_path / "m")))


def test_arrays_are_mapped_and_sparse_matrices_share_them(path: Path) -> None:
    loaded: Any = load_model(path)
    for array in (loaded.train_.values, loaded.factors_, loaded.similarities_.data, loaded.similarities_.indices):
        assert not array.flags.writeable
        base = array
        while base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert base is not None, "copied"


def test_an_unsorted_matrix_comes_back_unsorted_and_can_be_sorted(tmp_path: Path) -> None:
    model: Any = Popularity().fit(make_interactions())
    model.odd_ = sp.csr_matrix((np.ones(3), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3))
    model.save(tmp_path / "m")
    odd = load_model(tmp_path / "m").odd_  # type: ignore[attr-defined]
    assert odd.indices.tolist() == [2, 0, 1]
    odd.sort_indices()
    assert odd.indices.tolist() == [0, 2, 1]


def test_a_model_can_be_saved_over_the_one_it_was_loaded_from(path: Path, model: Popularity) -> None:
    for _ in range(3):
        load_model(path).save(path)
    assert_same(vars(model), vars(load_model(path)))


def test_no_interactions_at_all(tmp_path: Path) -> None:
    nobody = Vocabulary([], "user")
    empty = np.empty(0, np.int32)
    x = Interactions.from_arrays(nobody, Vocabulary(["only"], "item"), empty, empty)
    Popularity().fit(x).save(tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert_same_interactions(loaded.train_, x)
    assert loaded.recommend_for({}).rows() == [(1, "only", 0.0)]


ids = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6, unique=True),
    st.lists(st.text(max_size=4), min_size=1, max_size=6, unique=True),
)


@given(ids, ids, st.booleans(), st.data())
def test_interactions_come_back(
    tmp_path_factory: pytest.TempPathFactory, users: list[Any], items: list[Any], times: bool, data: st.DataObject
) -> None:
    cells = st.tuples(st.integers(0, len(users) - 1), st.integers(0, len(items) - 1))
    pairs = data.draw(st.lists(cells, unique=True, max_size=12))
    values = data.draw(st.lists(st.floats(width=32), min_size=len(pairs), max_size=len(pairs)))
    rows, columns = (np.array([p[side] for p in pairs], np.int32) for side in (0, 1))
    stamps = np.arange(len(pairs), dtype=np.int64) * -(2**40) if times else None
    made = Vocabulary(users, "user"), Vocabulary(items, "item")
    order = np.lexsort((columns, rows))
    indptr = np.searchsorted(rows[order], np.arange(len(users) + 1)).astype(np.int64)
    x = Interactions(*made, indptr, columns[order], np.array(values, np.float32)[order], stamps)
    place = tmp_path_factory.mktemp("x") / "x"
    parts = Parts()
    described = pack_interactions(x, "x", parts)
    write_folder(place, KIND, described, parts)
    stored = read_folder(place, KIND)
    y = unpack_interactions(stored.meta, stored.parts, check=True)
    assert repr((x.scale, x.mean)) == repr((y.scale, y.mean))
    assert [y.users.ids.tolist(), y.items.ids.tolist()] == [users, items]
    for name in ("indptr", "indices", "values", "timestamps"):
        left, right = getattr(x, name), getattr(y, name)
        assert (left is None and right is None) or left.tobytes() == right.tobytes()
    assert x.fingerprint == y.fingerprint
    assert y.users.indices(users).tolist() == list(range(len(users)))


# ---- what cannot be stored -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        np.array(["text"]),
        np.ma.masked_array([1, 2], [True, False]),
        [1, object()],
        sp.coo_matrix((2, 2)),
        pl.DataFrame({"x": [1]}),
    ],
)
def test_an_attribute_that_cannot_be_stored_is_named(tmp_path: Path, value: Any) -> None:
    model: Any = Popularity().fit(make_interactions())
    model.strange_ = value
    with pytest.raises(TypeError, match=r"attribute strange_(\.1)? is an? .*cannot be stored"):
        model.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_an_unfitted_model_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        Popularity().save(tmp_path / "m")


def test_private_and_hyper_attributes_are_not_state(tmp_path: Path) -> None:
    model: Any = Popularity().fit(make_interactions())
    model._cache = object()
    save_model(model, tmp_path / "m")
    assert set(read_model(tmp_path / "m").state) == {"item_scores_", "train_", "catalog_"}


# ---- what is refused -------------------------------------------------------------------------------------


def test_damage_to_any_file_is_refused(path: Path) -> None:
    for file in files_of(path):
        whole = file.read_bytes()
        middle = len(whole) // 2
        flipped = bytes([*whole[:middle], whole[middle] ^ 1, *whole[middle + 1 :]])
        for damage in (flipped, b"", whole[:middle], whole[:-2], whole + b"x"):
            file.write_bytes(damage)
            with pytest.raises(ArtifactError, match=file.name.replace(".", r"\.")):
                load_model(path)
        file.unlink()
        with pytest.raises(ArtifactError, match=f"{file.name} is missing"):
            load_model(path)
        file.write_bytes(whole)
    load_model(path)


def test_a_model_of_a_newer_version_is_refused(path: Path) -> None:
    edit(path, lambda m: m.update(coterie="9.9"))
    load_model(path)  # a newer version alone is no harm
    edit(path, lambda m: m["meta"].update(model="oracle", **{"class": "Oracle"}))
    with pytest.raises(ArtifactError, match=r"Coterie 9\.9 and is a 'oracle' .*upgrade coterie"):
        load_model(path)


def test_hyper_parameters_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    Random().fit(make_interactions()).save(path)
    edit(path, lambda m: m["meta"]["parameters"].update(n_wishes=3))
    with pytest.raises(ArtifactError, match="hyper-parameter 'n_wishes' that Random lacks"):
        load_model(path)
    edit(path, lambda m: m["meta"].update(parameters={"random_state": -1}))
    with pytest.raises(ArtifactError, match="random_state must be between"):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta.pop("state"),
        lambda meta: meta["state"].update(item_scores_={"type": "spell"}),
        lambda meta: meta["state"].update(item_scores_={"type": "array", "part": "nowhere"}),
        lambda meta: meta["state"].update(item_scores_={}),
        lambda meta: meta["state"]["train_"].update(indptr="train_.indices"),
        lambda meta: meta["state"]["train_"].update(indices="train_.timestamps"),
        lambda meta: meta["state"]["train_"].update(timestamps="train_.indptr"),
        lambda meta: meta["state"]["similarities_"].update(shape=[20, 3]),
    ],
)
def test_a_manifest_that_contradicts_the_arrays_is_refused(path: Path, change: Callable[[Any], Any]) -> None:
    edit(path, lambda manifest: change(manifest["meta"]))
    with pytest.raises(ArtifactError, match="model"):
        load_model(path)


def test_a_dataset_is_no_model(tmp_path: Path) -> None:
    write_folder(tmp_path / "d", "coterie-dataset", {}, {})
    with pytest.raises(ArtifactError, match="is a coterie-dataset, not a coterie-model"):
        load_model(tmp_path / "d")
    with pytest.raises(ArtifactError, match="holds a coterie-dataset"):
        Popularity().fit(make_interactions()).save(tmp_path / "d")
