"""Answers on disk, so that a comparison that was interrupted goes on from what is done."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from coterie import __version__
from coterie.data.catalog import Catalog
from coterie.data.pack import pack_catalog
from coterie.errors import ArtifactError
from coterie.evaluation.evaluate import Answers, Questions
from coterie.evaluation.metrics import Predictions
from coterie.evaluation.tuning import Tuned
from coterie.models.base import Recommender
from coterie.storage import FORMAT, Parts, Stored, read_folder, remove_folder, write_folder

KIND = "coterie-answers"

# What follows from the questions is worked out again, and not stored.
_OF_RANKING = {"hits", "n_relevant", "n_items", "users", "context"}
_OF_PREDICTIONS = {"user", "actual", "n_users", "users", "context"}


class KeptAnswers:
    """Answers to the same questions in a folder, an entry a model, found again by all that determines them.

    These are the fingerprints of training, test and given ratings, what is known about the items, all that is asked,
    the model's class and hyper-parameters, how it is tuned, and the version of Coterie. What is not seen is a change
    in the code of a model that is not Coterie's own.

    Parameters
    ----------
    folder : path
        Made where missing. Only entries are written to, each whole or not at all.
    questions : Questions
    tuning : JSON value
        How models are tuned before they are asked; None: they are not.
    """

    def __init__(self, folder: str | PathLike[str], questions: Questions, tuning: Any = None) -> None:
        self.folder, self.questions = Path(folder), questions
        self._asked = [_of_questions(questions), tuning, FORMAT, __version__]

    def find(self, model: Recommender) -> tuple[Answers, Tuned | None] | None:
        """What was kept of `model` as it was given, before any tuning; None where there is nothing that can be used."""
        entry = self._entry(model)
        if not entry.exists():
            return None
        try:
            stored = read_folder(entry, KIND)
            tuned = stored.meta["tuned"]
            return _unpack(stored, self.questions), None if tuned is None else Tuned(**tuned)
        except (ArtifactError, KeyError, TypeError, ValueError):  # damaged: asked anew and written anew
            with suppress(OSError):
                remove_folder(entry)
            return None

    def keep(self, model: Recommender, answers: Answers, tuned: Tuned | None = None) -> None:
        """Write what `find` is to find."""
        parts = Parts()
        meta: dict[str, Any] = {"model": model.name, "tuned": tuned and dataclasses.asdict(tuned)}
        for part, skipped in (("ranking", _OF_RANKING), ("predictions", _OF_PREDICTIONS)):
            meta[part] = _pack(getattr(answers, part), part, skipped, parts)
        names = (f.name for f in dataclasses.fields(answers))
        meta["numbers"] = {n: getattr(answers, n) for n in names if n not in ("ranking", "predictions")}
        write_folder(self._entry(model), KIND, meta, parts)

    def _entry(self, model: Recommender) -> Path:
        key = json.dumps([_of_model(model), *self._asked], sort_keys=True, default=repr)
        return self.folder / hashlib.sha256(key.encode()).hexdigest()[:32]


def _pack(value: Any, name: str, skipped: set[str], parts: Parts) -> dict[str, Any] | None:
    """The fields of a dataclass: arrays go to `parts`, which are named; None and numbers stand for themselves."""
    if value is None:
        return None
    described: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        if field.name not in skipped:
            part = getattr(value, field.name)
            described[field.name] = {"part": f"{name}.{field.name}"} if isinstance(part, np.ndarray) else part
            if isinstance(part, np.ndarray):
                parts[f"{name}.{field.name}"] = part
    return described


def _unpack(stored: Stored, questions: Questions) -> Answers:
    def fields(name: str) -> dict[str, Any] | None:
        described = stored.meta[name]
        if described is None:
            return None
        # Copies in memory: the folder may be removed while they are in use.
        return {n: np.array(stored.parts[v["part"]]) if isinstance(v, dict) else v for n, v in described.items()}

    ranking, predictions = fields("ranking"), fields("predictions")
    if ranking is not None:
        ranking = dataclasses.replace(questions.judge(questions.users, ranking["items"]), **ranking)  # type: ignore[assignment]
    if predictions is not None:
        test = questions.split.test
        tested = np.flatnonzero(test.user_counts)
        rows = np.searchsorted(tested, test.user_index)
        known = {"user": rows, "actual": test.values, "n_users": len(tested), "users": tested}
        if "context" in {f.name for f in dataclasses.fields(Predictions)}:
            known["context"] = questions.context
        predictions = Predictions(**known, **predictions)  # type: ignore[assignment,arg-type]
    return Answers(ranking=ranking, predictions=predictions, **stored.meta["numbers"])  # type: ignore[arg-type]


# ---- keys ------------------------------------------------------------------------------------------------


def _of_model(model: Recommender) -> dict[str, Any]:
    values = {name: getattr(model, name) for name in model.parameters()}
    inner = {name: _of_model(v) if isinstance(v, Recommender) else v for name, v in values.items()}
    return {"name": model.name, "class": f"{type(model).__module__}.{type(model).__qualname__}", "parameters": inner}


def _of_questions(questions: Questions) -> dict[str, Any]:
    asked: dict[str, Any] = {f.name: getattr(questions, f.name) for f in dataclasses.fields(questions)}
    split, catalog = asked.pop("split"), asked.pop("catalog")
    parts = (split.train, split.test, split.given)
    return {
        **asked,
        "half_life": [split.half_life, split.towards],
        "candidates": None if split.candidates is None else hashlib.sha256(split.candidates.tobytes()).hexdigest(),
        "fingerprints": [None if part is None else part.fingerprint for part in parts],
        "catalog": None if catalog is None else _of_catalog(catalog),
    }


def _of_catalog(catalog: Catalog) -> str:
    """SHA-256 over what is known about the items."""
    parts = Parts()
    digest = hashlib.sha256(json.dumps(pack_catalog(catalog, "catalog", parts)).encode())
    for part in parts.values():
        if isinstance(part, np.ndarray):
            digest.update(np.ascontiguousarray(part).data)
        else:
            part.rechunk().write_ipc(buffer := io.BytesIO())
            digest.update(buffer.getbuffer())
    return digest.hexdigest()
