"""What a field of `Constraints` may be: its values in Python, in JSON and on the command line, each said once."""

from __future__ import annotations

import math
import numbers
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coterie.errors import ParameterError


@dataclass(frozen=True)
class Condition(ABC):
    """A field of `Constraints`.

    Attributes
    ----------
    help : str
        What it asks of an item.
    option : str
        The command line's option without its dashes; empty where a command has an option of its own for it.
    metavar : str
        What the option takes.
    """

    help: str
    option: str = ""
    metavar: str = ""
    #: Whether the option may be repeated.
    many = True

    @property
    def about(self) -> str:
        """The help without how a command line says it."""
        return self.help.partition(";")[0].rstrip(".") + "."

    @abstractmethod
    def checked(self, name: str, value: Any) -> Any:
        """`value` as it is kept; `ParameterError`, which names the field, where it cannot be meant."""

    @abstractmethod
    def parsed(self, texts: Sequence[str]) -> Any:
        """The value that the texts after the option stand for, not yet checked."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The field in JSON Schema."""

    def plain(self, value: Any) -> Any:
        """A checked value as JSON has it."""
        return list(value)


@dataclass(frozen=True)
class Names(Condition):
    """Texts, each of them once."""

    def checked(self, name: str, value: Any) -> tuple[str, ...]:
        """As a tuple; one text is a tuple of one."""
        return tuple(dict.fromkeys(text.strip() for text in _each(name, value, str, "a text")))

    def parsed(self, texts: Sequence[str]) -> list[str]:
        """As they are."""
        return list(texts)

    def schema(self) -> dict[str, Any]:
        """A list of texts."""
        return {"type": "array", "items": {"type": "string", "minLength": 1}, "description": self.about}


@dataclass(frozen=True)
class Ids(Condition):
    """Ids of items, or None for all."""

    def checked(self, name: str, value: Any) -> tuple[int | str, ...] | None:
        """As a tuple; one id is a tuple of one."""
        return None if value is None else tuple(dict.fromkeys(_each(name, value, (int, str), "an id")))

    def parsed(self, texts: Sequence[str]) -> list[str]:
        """As they are; whose ids they are is for the command to say."""
        return list(texts)

    def schema(self) -> dict[str, Any]:
        """A list of whole numbers and texts, or null."""
        kinds = {"type": ["integer", "string"]}
        return {"type": ["array", "null"], "items": kinds, "description": self.about}

    def plain(self, value: Any) -> Any:
        """As a list; null for all."""
        return None if value is None else list(value)


@dataclass(frozen=True)
class Years(Condition):
    """A first and a last year, both included, either of them None for no end."""

    many = False

    def checked(self, name: str, value: Any) -> tuple[int | None, int | None] | None:
        """As a pair; one year is a range of one."""
        if value is None:
            return None
        pair = (value, value) if _is_whole(value) else value
        wrong = isinstance(pair, (str, Mapping)) or not isinstance(pair, Iterable)
        ends = () if wrong else tuple(pair)
        if len(ends) != 2 or not all(end is None or _is_whole(end) for end in ends):
            raise ParameterError(
                f"{name} must be a year, or a first and a last one such as [1990, 1999], "
                f"or null (None) for no end; not {value!r}"
            )
        first, last = (None if end is None else int(end) for end in ends)
        if first is None and last is None:
            return None
        if first is not None and last is not None and first > last:
            raise ParameterError(f"{name} must be the first and the last, not {value!r}")
        return first, last

    def parsed(self, texts: Sequence[str]) -> tuple[int | None, int | None]:
        """``1995``, ``1990-1999``, ``1990-`` or ``-1999``."""
        text = texts[-1].strip()
        match = re.fullmatch(r"(\d{1,4})?(?:(-)(\d{1,4})?)?", text)
        if match is None or not (match[1] or match[3]):
            raise ParameterError(
                f"--{self.option} must be a year or a range, such as 1995, 1990-1999, 1990- or -1999, not {text!r}"
            )
        first = int(match[1]) if match[1] else None
        last = int(match[3]) if match[3] else None if match[2] else first
        return first, last

    def schema(self) -> dict[str, Any]:
        """A list of two, or null."""
        two = {"type": ["integer", "null"]}
        return {
            "type": ["array", "null"], "items": two, "minItems": 2, "maxItems": 2, "description": self.about,
        }  # fmt: skip

    def plain(self, value: Any) -> Any:
        """As a list; null for any."""
        return None if value is None else list(value)


@dataclass(frozen=True)
class Count(Condition):
    """A whole number from 0."""

    many = False

    def checked(self, name: str, value: Any) -> int:
        """As an int."""
        if not _is_whole(value) or value < 0:
            raise ParameterError(f"{name} must be a whole number from 0, not {value!r}")
        return int(value)

    def parsed(self, texts: Sequence[str]) -> int | str:
        """As a number, if it is one."""
        return int(texts[-1]) if texts[-1].strip().isdecimal() else texts[-1]

    def schema(self) -> dict[str, Any]:
        """A whole number."""
        return {"type": "integer", "minimum": 0, "description": self.about}

    def plain(self, value: Any) -> Any:
        """As it is."""
        return value


@dataclass(frozen=True)
class Levels(Condition):
    """A number for each of several tags.

    Attributes
    ----------
    sign : str
        What stands between a tag and its number on the command line: ``>=`` or ``<=``.
    people : bool
        Whether the numbers count people, and so are whole numbers from 1; else they are between 0 and 1.
    """

    sign: str = ">="
    people: bool = False

    def checked(self, name: str, value: Any) -> dict[str, float]:
        """As a dict."""
        if not isinstance(value, Mapping):
            raise ParameterError(f"{name} maps tags to numbers, such as {{{self._example}}}, not {value!r}")
        levels = {}
        for tag, level in value.items():
            if not _is_text(tag):
                raise ParameterError(f"{name} maps tags to numbers; {tag!r} is no tag")
            if self.people:
                if not _is_whole(level) or level < 1:
                    raise ParameterError(f"{name} of {tag!r} must be a number of people from 1, not {level!r}")
            elif not _is_number(level) or not 0 <= level <= 1:
                raise ParameterError(f"{name} of {tag!r} must be a relevance between 0 and 1, not {level!r}")
            levels[tag.strip()] = int(level) if self.people else float(level)
        return levels

    def parsed(self, texts: Sequence[str]) -> dict[str, float | str]:
        """``atmospheric>=0.7`` and the like."""
        levels: dict[str, float | str] = {}
        for text in texts:
            tag, sign, number = text.rpartition(self.sign)
            try:
                level = float(number) if sign and tag.strip() else None
            except ValueError:
                level = None
            if level is None:
                other = "<=" if self.sign == ">=" else ">="
                turned = f"; what is {other} is for another option, see --help" if other in text else ""
                raise ParameterError(
                    f'--{self.option} takes a tag and a number, such as "{self._typed}", not {text!r}{turned}'
                )
            if tag.strip() in levels:
                raise ParameterError(f"--{self.option} names {tag.strip()!r} twice, the second time as {text!r}")
            levels[tag.strip()] = int(level) if self.people and level.is_integer() else level
        return levels

    def schema(self) -> dict[str, Any]:
        """An object of numbers."""
        kind: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
        kind = {"type": "integer", "minimum": 1} if self.people else kind
        return {"type": "object", "additionalProperties": kind, "description": self.about}

    def plain(self, value: Any) -> Any:
        """As an object."""
        return dict(value)

    @property
    def _example(self) -> str:
        return "'atmospheric': 3" if self.people else "'atmospheric': 0.7"

    @property
    def _typed(self) -> str:
        return f"atmospheric{self.sign}{3 if self.people else 0.7}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, numbers.Real) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _each(name: str, value: Any, kinds: Any, what: str) -> list[Any]:
    """One value or many, each of them one of `kinds`."""
    if isinstance(value, Mapping) or value is None:
        raise ParameterError(f"{name} must be a list, not {value!r}")
    many = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    values = [int(one) if _is_whole(one) else one for one in many]
    for one in values:
        if not isinstance(one, kinds) or isinstance(one, bool) or not str(one).strip():
            raise ParameterError(f"each of {name} must be {what}, not {one!r}")
    return values
