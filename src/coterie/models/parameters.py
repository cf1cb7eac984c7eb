"""Hyper-parameters as data: a model's constructor signature is the one schema of its options.

A field such as ``n_neighbors: Annotated[int, Range(1, help="...")] = 50`` is where command-line options,
search spaces, HTTP validation and this module's checks all come from; so do the signature and the section on
parameters that `help` shows.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
import re
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

from coterie.errors import ParameterError

T = TypeVar("T")

_LARGEST = 1e18  # its square is still a number of 32 bits


@dataclass(frozen=True)
class Range:
    """Closed range and help of a parameter; `search` is where a tuner looks, `log` how.

    `low` and `high` may be None for no bound. Parameters of type Literal need only `help`. Without `search` a tuner
    leaves numbers at their defaults and tries all choices and flags; with ``search=False`` it leaves these alone too.
    `bears_on` says what alone a parameter makes a difference to, where it does not to everything.
    """

    low: float | None = None
    high: float | None = None
    help: str = ""
    search: tuple[float, float] | Literal[False] | None = None
    log: bool = False
    bears_on: Literal["ratings", "lists"] | None = None


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter of a model; its `default` is `dataclasses.MISSING` where it has to be given.

    `others` are further types that a value may have; what is typed on a command line is of `type`.
    """

    name: str
    type: type
    default: Any
    choices: tuple[Any, ...] | None
    optional: bool
    range: Range
    others: tuple[Any, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is dataclasses.MISSING

    @property
    def annotation(self) -> Any:
        """The type without its range, as a signature shows it."""
        plain: Any = Union[(self.type, *self.others)] if self.choices is None else Literal[self.choices]
        return plain | None if self.optional else plain

    def described(self) -> str:
        """An entry of a docstring: name, type or choices, range, default; the help."""
        types = " or ".join(kind.__name__ for kind in (self.type, *self.others))
        kind = types if self.choices is None else f"{{{', '.join(map(repr, self.choices))}}}"
        low, high = self.range.low, self.range.high
        limits = [] if low is None and high is None else [_bounds(low, high)]
        default = [] if self.required else [f"default {self.default!r}"]
        about = ", ".join([f"{kind} or None" if self.optional else kind, *limits, *default])
        first, rest = self.range.help[:1], self.range.help[1:]
        sentence = f"{first.upper() if first.isascii() else first}{rest}."  # a Greek letter is a symbol: λ is not Λ
        return f"{self.name} : {about}\n    {sentence}"

    def check(self, value: Any, owner: str) -> None:
        """Raise `ParameterError` where `value` is not allowed."""

        def refuse(remedy: str) -> None:
            raise ParameterError(f"{owner}: {self.name} must be {remedy}, not {value!r}")

        if value is None:
            if not self.optional:
                refuse(f"a value of type {self.type.__name__}")
            return
        if self.choices is not None:
            if value not in self.choices:
                refuse(f"one of {', '.join(map(repr, self.choices))}")
            return
        if self.type in (int, float):
            if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
                refuse("a number")
            if self.type is int and not isinstance(value, numbers.Integral):
                refuse("a whole number")
            low, high = self.range.low, self.range.high
            if (low is not None and value < low) or (high is not None and value > high):
                refuse(_bounds(low, high))
            if self.type is float and abs(value) > _LARGEST:
                refuse(f"at most {_LARGEST:g} in size, which single precision can square")
        elif not isinstance(value, (self.type, *self.others)):
            refuse(f"of type {' or '.join(kind.__name__ for kind in (self.type, *self.others))}")

    def parse(self, text: str, owner: str) -> Any:
        """The value that `text` (from a command line) stands for, checked."""
        if self.optional and text.lower() in ("none", ""):
            return None
        value: Any = text
        if self.choices is not None:
            value = next((c for c in self.choices if str(c) == text), text)
        elif self.type is bool:
            value = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
        elif self.type in (int, float):
            try:
                value = self.type(text)
            except ValueError:
                number = "a whole number" if self.type is int else "a number"
                raise ParameterError(f"{owner}: {self.name} must be {number}, not {text!r}") from None
        self.check(value, owner)
        return value


def _bounds(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"between {low} and {high}"


def parameters_of(cls: type) -> dict[str, Parameter]:
    """The hyper-parameters of a model class, by name, in the order of its signature."""
    hints = get_type_hints(cls, include_extras=True)
    return {f.name: _parameter(f.name, hints[f.name], f.default) for f in dataclasses.fields(cls) if f.init}


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field, dataclasses.Field))
def hyper_parameters(cls: type[T]) -> type[T]:
    """Make a model class a dataclass of its hyper-parameters, with a signature and a docstring that tell of them."""
    made = dataclass(eq=False)(cls)
    known = parameters_of(made)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    spelled = [
        own.replace(name=p.name, default=own.empty if p.required else p.default, annotation=p.annotation)
        for p in known.values()
    ]
    # On the constructor, not on the class, so that a subclass with a constructor of its own keeps that one's.
    made.__init__.__signature__ = inspect.Signature([own, *spelled], return_annotation=None)  # type: ignore[attr-defined]
    if known and made.__doc__:
        section = "\n".join(["Parameters", "----------", *(p.described() for p in known.values())])
        made.__doc__ = _with_section(inspect.cleandoc(made.__doc__), section)
    return made


def _with_section(text: str, section: str) -> str:
    """A docstring with a section before those that follow the parameters in NumPy's order."""
    later = re.search(r"^(?:Attributes|Raises|References)\n-", text, re.MULTILINE)
    place = later.start() if later else len(text)
    return f"{text[:place].rstrip()}\n\n{section}\n\n{text[place:]}".rstrip() + "\n"


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    range_ = Range()
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        range_ = next((e for e in extras if isinstance(e, Range)), range_)
    optional, others = False, ()
    if get_origin(hint) in (Union, UnionType):
        inner = [a for a in get_args(hint) if a is not NoneType]
        optional = len(inner) < len(get_args(hint))
        hint, others = inner[0], tuple(get_origin(other) or other for other in inner[1:])
    choices = get_args(hint) if get_origin(hint) is Literal else None
    kind = type(choices[0]) if choices else (get_origin(hint) or hint)
    return Parameter(name, kind, default, choices, optional, range_, others)
