"""Hyper-parameters in a file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import coterie as ct
from coterie.errors import DataError, ParameterError
from coterie.models.config import load_config, save_config
from coterie.models.registry import MODELS, model_class
from tests.evaluation.searchable import Spy


@pytest.mark.parametrize("name", MODELS)
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    model = model_class(name)()
    for parameter in model.parameters().values():  # not the defaults
        value: Any = parameter.default
        if parameter.choices is not None:
            value = parameter.choices[-1]
        elif parameter.type is bool:
            value = not parameter.default
        elif parameter.type is str:
            value = None if parameter.default is None else f"{parameter.default}+svd"
        elif parameter.default is not None:
            value = parameter.type(parameter.default * 1.5)
        setattr(model, parameter.name, value)
    save_config(tmp_path / "model.toml", model, {"metric": 'a "quoted" name', "value": 1e-7, "trials": 3})
    read = ct.load_config(tmp_path / "model.toml")
    assert type(read) is type(model) and not hasattr(read, "train_")
    for parameter in model.parameters():
        given, found = getattr(model, parameter), getattr(read, parameter)
        assert (found, type(found)) == (given, type(given))
    content = tomllib.loads((tmp_path / "model.toml").read_text("utf-8"))
    assert content["search"] == {"metric": 'a "quoted" name', "value": 1e-7, "trials": 3}


def test_what_a_file_leaves_out_is_as_by_default(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('model = "slim"\n[parameters]\nl1_regularization = 2\nn_neighbors = "none"\n')
    model: Any = load_config(tmp_path / "own.toml")
    assert (model.l1_regularization, type(model.l1_regularization)) == (2.0, float)
    assert model.n_neighbors is None and model.l2_regularization == 100.0


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (None, DataError, "there is no file"),
        ("model = als", DataError, "is not a TOML file"),
        ("[parameters]\n", DataError, "names no model"),
        ('model = "eese"', ParameterError, "unknown model 'eese'; there are random"),
        ('model = "ease"\n[parameters]\nalpha = 1', ParameterError, "ease has no 'alpha'; it has regularization"),
        ('model = "als"\n[parameters]\nn_factors = 0', ParameterError, "n_factors must be between 1 and 4096, not 0"),
        ('model = "als"\n[parameters]\nn_factors = "none"', ParameterError, "n_factors must be a number, not 'none'"),
    ],
)
def test_what_is_no_configuration_is_refused(
    text: str | None, error: type[Exception], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(error, match=said):
        load_config(file)


def test_only_registered_models_are_written(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="Spy is not a registered model"):
        save_config(tmp_path / "x.toml", Spy())
    assert not list(tmp_path.iterdir())
