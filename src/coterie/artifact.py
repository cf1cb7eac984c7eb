"""A fitted model on disk: arrays and a manifest, never pickle.

The manifest's `meta` has the registry name and class of the model, its hyper-parameters, the fingerprint
of the data and the learned state. A plain JSON value stands for itself; everything else is an object
whose ``"type"`` says what to make of the rest.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from coterie.data.catalog import Catalog
from coterie.data.interactions import Interactions, Rows
from coterie.data.pack import (
    Json,
    check_rows,
    pack_catalog,
    pack_interactions,
    pack_vocabulary,
    unpack_catalog,
    unpack_interactions,
    unpack_vocabulary,
)
from coterie.data.vocabulary import Vocabulary
from coterie.errors import ArtifactError
from coterie.storage import Part, Parts, read_folder, write_folder

if TYPE_CHECKING:
    import scipy.sparse as sp

KIND = "coterie-model"

#: Stands for a learned attribute that a model inside another one shares with that one.
SHARED: Any = object()

_SPARSE = ("csr_matrix", "csc_matrix", "csr_array", "csc_array")


class Model(Protocol):
    """What is asked of a model: a registry name, a hyper-parameter schema, data it was fitted on."""

    name: ClassVar[str]
    train_: Interactions

    @classmethod
    def parameters(cls) -> Mapping[str, Any]:
        """The hyper-parameters by name."""


class StoredModel(NamedTuple):
    """A model as it was stored.

    `name` and `cls` are its registry name and class, `parameters` its hyper-parameters, `state` its
    learned attributes (arrays memory-mapped, read-only), `manifest` all that the folder says of itself. A model inside
    it is a StoredModel too, whose attributes may be `SHARED` with the one around it.
    """

    name: str
    cls: str
    parameters: dict[str, Any]
    state: dict[str, Any]
    manifest: Mapping[str, Any]


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to the folder `path`, whole or not at all; a model there before is replaced.

    Raises
    ------
    ArtifactError
        `path` holds something that is not a model.
    TypeError
        A learned attribute is of a kind that cannot be stored.
    """
    parts = Parts()
    fingerprint = model.train_.fingerprint  # before packing, which keeps it where it is known
    state = {name: value for name, value in vars(model).items() if name.endswith("_")}
    meta = {
        **_pack_settings(model, "", parts),
        "data_fingerprint": fingerprint,
        "state": {name: _pack(value, name, parts, state) for name, value in state.items()},
    }
    write_folder(path, KIND, meta, parts)


def read_model(path: str | os.PathLike[str], verify: bool = True) -> StoredModel:
    """Read what `save_model` wrote; `verify` compares the checksum of every file.

    Raises
    ------
    ArtifactError
        The folder is absent, foreign, damaged, truncated or of a newer format.
    """
    stored = read_folder(path, KIND, "all" if verify else "sizes")
    try:
        return _unpack_model(stored.meta, stored.parts, verify, stored.manifest)
    except ArtifactError as error:
        raise ArtifactError(f"{Path(path)}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ArtifactError(f"{Path(path)} does not describe a model ({error!r}); save the model again") from error


# ---- values to JSON --------------------------------------------------------------------------------------


def _pack_settings(model: Model, name: str, parts: Parts) -> Json:
    """What a model is, without what it has learned."""
    parameters = {p: _pack(getattr(model, p), f"{name}{p}", parts) for p in model.parameters()}
    return {"model": model.name, "class": type(model).__qualname__, "parameters": parameters}


def _pack_model(model: Model, name: str, parts: Parts, around: Mapping[str, Any] | None) -> Json:
    """A model inside another one: with what it has learned where that is what the other has learned (`around`). What
    it shares with the other is stored once."""
    described: Json = {"type": "model"} | _pack_settings(model, f"{name}.", parts)
    state = {key: value for key, value in vars(model).items() if key.endswith("_")} if around is not None else {}
    shared = {key for key, value in state.items() if around and value is not None and value is around.get(key)}
    described["state"] = {
        key: {"type": "shared"} if key in shared else _pack(value, f"{name}.{key}", parts, state)
        for key, value in state.items()
    }
    return described


def _pack(value: Any, name: str, parts: Parts, around: Mapping[str, Any] | None = None) -> Any:
    """The JSON description of a hyper-parameter or learned attribute; its arrays go to `parts`. `around` is the state
    that the attribute belongs to."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"type": "float", "value": repr(value)}
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return {"type": "scalar", "dtype": value.dtype.str, "value": value.tobytes().hex()}
    if type(value) in (np.ndarray, np.memmap) and value.dtype.kind in "biufc":
        return {"type": "array", "part": parts.add(name, np.asarray(value))}
    if type(value) in (tuple, list):
        items = [_pack(item, f"{name}.{place}", parts, around) for place, item in enumerate(value)]
        return {"type": type(value).__name__, "items": items}
    if type(value) is dict:
        pairs = [
            [_pack(key, name, parts), _pack(item, f"{name}.{place}", parts)]
            for place, (key, item) in enumerate(value.items())
        ]
        return {"type": "dict", "items": pairs}
    if isinstance(value, Rows):
        return {"type": "rows"} | {key: parts.add(f"{name}.{key}", a) for key, a in value._asdict().items()}
    if isinstance(value, Interactions):
        return {"type": "interactions"} | pack_interactions(value, name, parts)
    if isinstance(value, Catalog):
        return {"type": "catalog"} | pack_catalog(value, name, parts)
    if isinstance(value, Vocabulary):
        return {"type": "vocabulary"} | pack_vocabulary(value, name, parts)
    if hasattr(type(value), "parameters") and hasattr(value, "name"):
        return _pack_model(value, name, parts, around)
    if type(value).__name__ in _SPARSE and type(value).__module__.startswith("scipy.sparse"):
        return _pack_sparse(value, name, parts)
    what = f"array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
    raise TypeError(
        f"the model's attribute {name} is a {what}, which cannot be stored; keep numbers, text, arrays of numbers, "
        "SciPy CSR or CSC matrices, Interactions, Rows, Catalog, Vocabulary, models, or tuples, lists, dicts of these"
    )


def _pack_sparse(matrix: Any, name: str, parts: Parts) -> Json:
    return {
        "type": type(matrix).__name__,
        "shape": list(matrix.shape),
        "sorted": bool(matrix.has_sorted_indices),
        "canonical": bool(matrix.has_canonical_format),
        **{key: parts.add(f"{name}.{key}", getattr(matrix, key)) for key in ("data", "indices", "indptr")},
    }


# ---- and back --------------------------------------------------------------------------------------------


def _unpack_model(meta: Json, parts: Mapping[str, Part], check: bool, manifest: Mapping[str, Any]) -> StoredModel:
    parameters, state = (
        {name: _unpack(value, parts, check) for name, value in meta[part].items()} for part in ("parameters", "state")
    )
    return StoredModel(str(meta["model"]), str(meta["class"]), parameters, state, manifest)


def _unpack(value: Any, parts: Mapping[str, Part], check: bool) -> Any:
    """What `_pack` described; `check` looks at every row number once."""
    if not isinstance(value, dict):
        return value
    kind = value["type"]
    if kind in _SPARSE:
        return _unpack_sparse(value, parts, check)
    if kind in ("tuple", "list"):
        items = [_unpack(item, parts, check) for item in value["items"]]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict":
        return {_unpack(key, parts, check): _unpack(item, parts, check) for key, item in value["items"]}
    simple: dict[str, Callable[[], Any]] = {
        "float": lambda: float(value["value"]),
        "scalar": lambda: np.frombuffer(bytes.fromhex(value["value"]), value["dtype"])[0],
        "array": lambda: parts[value["part"]],
        "rows": lambda: Rows(*(parts[value[key]] for key in Rows._fields)),  # type: ignore[arg-type]
        "interactions": lambda: unpack_interactions(value, parts, check),
        "catalog": lambda: unpack_catalog(value, parts),
        "vocabulary": lambda: unpack_vocabulary(value, parts),
        "model": lambda: _unpack_model(value, parts, check, {}),
        "shared": lambda: SHARED,
    }
    if kind not in simple:
        raise ArtifactError(f"it holds a value of the unknown type {kind!r}; upgrade coterie")
    return simple[kind]()


def _unpack_sparse(value: Json, parts: Mapping[str, Part], check: bool) -> sp.csr_matrix | sp.csc_matrix:
    """A SciPy matrix over the mapped arrays, told what it would otherwise find out by reading all of them."""
    import scipy.sparse as sp

    kind, shape = value["type"], tuple(value["shape"])
    data, indices, indptr = (np.asarray(parts[value[key]]) for key in ("data", "indices", "indptr"))
    check_rows(indptr, indices, data, shape if kind.startswith("csr") else shape[::-1], check)
    if not value["sorted"]:  # SciPy sorts in place when it must
        data, indices = data.copy(), indices.copy()
    matrix = getattr(sp, kind)((data, indices, indptr), shape=shape, copy=False)
    matrix.has_sorted_indices = value["sorted"]
    matrix.has_canonical_format = value["canonical"]
    return matrix  # type: ignore[no-any-return]
