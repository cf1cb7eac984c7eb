"""Hyper-parameters as data, and names of models."""

from __future__ import annotations

import dataclasses
import inspect
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from coterie.errors import ParameterError
from coterie.models.parameters import Range, hyper_parameters, parameters_of
from coterie.models.registry import MODELS, model_class


@dataclass
class Example:
    size: Annotated[int, Range(1, 9, help="how many")] = 3
    rate: Annotated[float, Range(0, help="how fast", search=(0.1, 1), log=True)] = 0.5
    depth: Annotated[int | None, Range(None, 4, help="how deep")] = None
    kind: Annotated[Literal["plain", "fancy"], Range(help="which")] = "plain"
    loud: Annotated[bool, Range(help="whether to shout")] = False


KNOWN = parameters_of(Example)


def test_a_signature_is_read_once() -> None:
    assert list(KNOWN) == ["size", "rate", "depth", "kind", "loud"]
    assert [p.type for p in KNOWN.values()] == [int, float, int, str, bool]
    assert [p.default for p in KNOWN.values()] == [3, 0.5, None, "plain", False]
    assert [p.optional for p in KNOWN.values()] == [False, False, True, False, False]
    assert KNOWN["kind"].choices == ("plain", "fancy")
    assert KNOWN["rate"].range == Range(0, None, "how fast", (0.1, 1), True)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("size", "9", 9), ("rate", "1e-3", 0.001), ("rate", "2", 2.0), ("depth", "none", None), ("depth", "-3", -3),
        ("kind", "fancy", "fancy"), ("loud", "yes", True), ("loud", "False", False),
    ],
)  # fmt: skip
def test_text_becomes_a_value(name: str, text: str, value: Any) -> None:
    parsed = KNOWN[name].parse(text, "Example")
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("size", "ten", "size must be a whole number, not 'ten'"),
        ("size", "10", "size must be between 1 and 9, not 10"),
        ("size", "1.5", "size must be a whole number, not '1.5'"),
        ("rate", "-1", "rate must be at least 0, not -1.0"),
        ("rate", "inf", "rate must be a number, not inf"),
        ("depth", "5", "depth must be at most 4, not 5"),
        ("kind", "odd", "kind must be one of 'plain', 'fancy', not 'odd'"),
        ("loud", "maybe", "loud must be"),
        ("size", "none", "size must be a whole number, not 'none'"),
    ],
)
def test_bad_text_is_refused_by_name(name: str, text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=f"^Example: {message}"):
        KNOWN[name].parse(text, "Example")


@pytest.mark.parametrize(
    ("name", "value"), [("size", None), ("size", 2.0), ("size", True), ("loud", 1), ("rate", "1"), ("kind", [])]
)
def test_bad_values_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"^Example: {name} must be .*, not {re.escape(repr(value))}$"):
        KNOWN[name].check(value, "Example")


def test_every_registered_name_is_its_class() -> None:
    for name in MODELS:
        assert model_class(name).name == name
    with pytest.raises(ParameterError, match=r"unknown model 'knn'; there are random, popularity.*item-knn"):
        model_class("knn")


@hyper_parameters
class Plain:
    r"""Does little.

    Attributes
    ----------
    nothing_ : None
    """

    size: Annotated[int, Range(1, 9, help="how many")] = 3
    pull: Annotated[float | None, Range(0, help="λ, pulls to 0")] = None


@hyper_parameters
class Fancy(Plain):
    """Does a little more."""

    kind: Annotated[Literal["plain", "fancy"], Range(help="which")] = "plain"
    size: int = dataclasses.field(default=4, init=False)


def test_the_docstring_tells_of_the_parameters_before_what_is_learned() -> None:
    assert Plain.__doc__ == (
        "Does little.\n\nParameters\n----------\nsize : int, between 1 and 9, default 3\n    How many.\n"
        "pull : float or None, at least 0, default None\n    λ, pulls to 0.\n\n"
        "Attributes\n----------\nnothing_ : None\n"
    )
    assert (Fancy.__doc__ or "").endswith("kind : {'plain', 'fancy'}, default 'plain'\n    Which.\n")


def test_the_signature_is_plain_also_of_subclasses() -> None:
    class Own(Plain):
        def __init__(self, other: str) -> None:
            super().__init__(size=len(other))

    assert str(inspect.signature(Plain)) == "(size: int = 3, pull: float | None = None) -> None"
    assert str(inspect.signature(Fancy)) == (
        "(pull: float | None = None, kind: Literal['plain', 'fancy'] = 'plain') -> None"
    )
    assert list(inspect.signature(Own).parameters) == ["other"]
    assert dataclasses.replace(Plain(5), pull=1.0).size == 5  # type: ignore[type-var]
    assert [f.name for f in dataclasses.fields(Fancy)] == ["size", "pull", "kind"]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_shows_its_parameters(name: str) -> None:
    made = model_class(name)
    text = inspect.getdoc(made) or ""
    assert text.count("\nParameters\n") == bool(made.parameters())
    section = text.partition("\nParameters\n----------\n")[2].partition("\n\n")[0]
    for parameter in made.parameters().values():
        assert f"{parameter.described()}\n" in f"{section}\n"
        if parameter.range.low is not None:
            assert re.search(rf"^{parameter.name} : .*{re.escape(str(parameter.range.low))}", section, re.MULTILINE)
    assert "Annotated" not in str(inspect.signature(made))
    assert list(inspect.signature(made).parameters) == list(made.parameters())
