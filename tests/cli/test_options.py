"""Options from signatures: shared groups, and every model's own."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import coterie as ct
from coterie.cli import compare, fitting, models
from coterie.cli.compare import with_options_attached
from coterie.cli.options import HyperParameters, ModelOptions, flag, model_named_in, settings, spelled_out
from coterie.errors import ParameterError
from coterie.models.registry import MODELS, model_class
from tests.cli.conftest import Run


@pytest.mark.parametrize("model", MODELS)
def test_every_hyper_parameter_is_an_option_with_its_default(model: str, run: Run, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = run("fit", model, "--help").out
    for parameter in model_class(model).parameters().values():
        lines = re.split(flag(parameter.name) + "[ ,]", text)
        assert len(lines) == 2, f"{parameter.name} should stand in the help once"
        default = str(parameter.default).lower()
        if isinstance(parameter.default, bool):  # a flag
            default = flag(parameter.name if parameter.default else f"no_{parameter.name}").removeprefix("--")
        assert f"default: {default}" in lines[1].lower()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("command", [fitting.fit, models.recommend, models.predict, models.explain])
def test_no_hyper_parameter_hides_an_option_of_a_command(command, model: str) -> None:
    plain = set(inspect.signature(spelled_out(command)).parameters)
    own = model_class(model).parameters()
    assert not plain & set(own)
    assert set(inspect.signature(spelled_out(command, model)).parameters) == plain | set(own)


@pytest.mark.parametrize("model", MODELS)
def test_defaults_as_typed_mean_the_defaults(model: str) -> None:
    signature = inspect.signature(spelled_out(fitting.fit, model)).parameters
    own = model_class(model).parameters()
    typed = HyperParameters({name: signature[name].default for name in own})
    assert settings(model, typed) == {name: parameter.default for name, parameter in own.items()}


def test_a_hyper_parameter_is_checked_by_its_model(run: Run, movies: Path) -> None:
    answer = run("recommend", "1", "--data", movies, "--model", "random", "--random-state", "-1")
    assert answer.status == 1
    assert answer.err == "error: random: random_state must be between 0 and 4294967295, not -1\n"


def test_an_option_of_another_model_is_an_error_that_lists_those_there_are(run: Run) -> None:
    answer = run("fit", "random", "-o", "folder", "--n-neighbors", "3")
    assert answer.status == 2
    assert "options of random: --random-state" in answer.err


@pytest.mark.parametrize(
    ("arguments", "model"),
    [
        ("fit item-knn data", "item-knn"),
        ("fit --n-neighbors 4 item-knn data", "item-knn"),
        ("fit nonsense", None),
        ("recommend 1", ModelOptions.model),
        ("recommend 1 --model random", "random"),
        ("recommend 1 --model=random", "random"),
        ("recommend -m random 1", "random"),
        ("recommend 1 -m folder/of/model", None),
    ],
)
def test_the_model_is_found_before_parsing(arguments: str, model: str | None) -> None:
    assert model_named_in(arguments.split()) == model


@pytest.mark.parametrize("command", ["fit item-knn", "recommend", "similar", "data describe", "compare", "doctor", ""])
def test_flags_are_not_shown_with_an_argument(run: Run, command: str) -> None:
    lines = run(*command.split(), "--help").out.splitlines()
    assert [line for line in lines if "<bool>" in line and "--help" not in line] == []  # that one is typer's


def test_what_is_true_or_false_is_a_flag(run: Run, movies: Path) -> None:
    asked = ["recommend", "1", "--model", "item-knn", "--data", movies, "--json"]
    for option, value in (("--absolute", True), ("--no-absolute", False)):
        assert run(*asked, option).document["hyper_parameters"]["absolute"] is value
    default = model_class("item-knn").parameters()["absolute"].default
    assert run(*asked).document["hyper_parameters"]["absolute"] is default


def test_in_compare_flags_belong_to_the_model_before_them() -> None:
    given = "compare data -m item-knn --absolute -k 5 -m item-knn --n-neighbors 3 --no-absolute -m random"
    attached = "compare data -m item-knn:absolute=true -k 5 -m item-knn:n_neighbors=3,absolute=false -m random"
    assert with_options_attached(given.split()) == attached.split()


def test_in_compare_options_belong_to_the_model_before_them() -> None:
    given = "compare data -m random --random-state 3 --split random --model=random --random-state=4 -m popularity -k 5"
    attached = "compare data -m random:random_state=3 --split random --model random:random_state=4 -m popularity -k 5"
    assert with_options_attached(given.split()) == attached.split()


def test_a_contestant_with_an_unknown_option_names_it() -> None:
    with pytest.raises(ParameterError, match="random has no option --depth; it has --random-state"):
        compare.contestant("random:depth=3", ct.load("movielens-sample"))
