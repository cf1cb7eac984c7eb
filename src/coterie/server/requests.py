"""Bodies of requests: their fields, ranges and help, which the description of the service is made from."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_validator,
)

from coterie.content.constraints import Constraints, json_schema
from coterie.content.critiques import Satisfaction
from coterie.errors import ParameterError
from coterie.scenarios.elicitation import Strategy

Id = Annotated[StrictInt | StrictStr, Field(description="As in the data; a number may be written as text.")]
Rating = Annotated[StrictFloat, Field(allow_inf_nan=False)]
Title = Annotated[str, Field(min_length=1, max_length=200, description="A title, or a part of one.")]
Length = Annotated[StrictInt, Field(ge=1, le=1000, description="How many.")]


def _constraints(document: Any) -> Constraints | None:
    try:
        return None if document is None else Constraints.from_dict(document)
    except ParameterError as error:
        raise ValueError(str(error).removeprefix("constraints ")) from error


#: What may be recommended, as `coterie.Constraints.from_dict` takes it; a request has the `Constraints`.
Wanted = Annotated[
    Any,
    AfterValidator(_constraints),
    WithJsonSchema(json_schema() | {"description": "What may be recommended; all that is said must hold."}),
]


class Body(BaseModel):
    """A body, in which what is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        for name in given if isinstance(given, dict) else ():
            if name not in cls.model_fields:
                near = difflib.get_close_matches(str(name), cls.model_fields, 1)
                meant = f"; did you mean {near[0]!r}?" if near else "."
                raise ValueError(f"there is no field {name[:80]!r}{meant} There are {', '.join(cls.model_fields)}")
        return given


class Anybody(Body):
    """Somebody or nobody: a known user, a stranger who says what they like, or neither."""

    user: Id | None = Field(None, description="Somebody in the training data.")
    profile: dict[str, Rating] | None = Field(None, description="A stranger's ratings by item id.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.user is not None and self.profile is not None:
            raise ValueError("give a user, or the profile of a stranger, and not both")
        return self


class Person(Anybody):
    """Somebody: a known user, or a stranger who says what they like."""

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.user is None and self.profile is None:
            raise ValueError("give a user, or the profile of a stranger")
        return self


def _time(given: Any) -> int | None:
    """Unix seconds of what a body says."""
    if given is None or (type(given) is int and 0 <= given < 1 << 40):
        return given
    try:
        moment = datetime.fromisoformat(given if isinstance(given, str) and "-" in given[1:] else "")
    except ValueError:
        raise ValueError("must be Unix seconds or a time such as 2018-05-03T10:00:00Z") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


When = Annotated[
    Any,
    AfterValidator(_time),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}, {"type": "null"}],
            "description": "When they rate, in Unix seconds or as 2018-05-03T10:00:00Z (UTC), for a model that asks.",
        }
    ),
]


class Recommend(Person):
    """Whom to recommend what."""

    k: Length = 10
    exclude_seen: StrictBool = Field(True, description="Leave out what they have rated.")
    constraints: Wanted = None


class Predict(Person):
    """Whose ratings of which items."""

    items: list[Id] = Field(min_length=1, max_length=10_000)
    at: When = None


class Explain(Person):
    """Whose rating or score of which item."""

    item: Id
    of: Literal["rating", "score"] | None = Field(None, description="By default the rating, if the model predicts any.")
    at: When = None


class Similar(Body):
    """Which items to find the like of."""

    items: list[Id] = Field(min_length=1, max_length=100)
    k: Length = 10


class Step(Body):
    """A step of a conversation, one of these: less or more of a tag of the genome, or on from another item."""

    less: StrictStr | None = None
    more: StrictStr | None = None
    pick: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len([said for said in (self.less, self.more, self.pick) if said is not None]) != 1:
            raise ValueError('a step is one of {"less": TAG}, {"more": TAG} and {"pick": ITEM}')
        return self


class Critique(Anybody):
    """Like this item, but less of some tags and more of others; what somebody has rated is left out, and what they
    would like preferred."""

    item: Id
    steps: list[Step] = Field([], max_length=100, description="What was said so far, in order.")
    k: Length = 10
    satisfaction: Satisfaction = Field("diminishing", description="Whether a clear change does, or more is better.")
    constraints: Wanted = None


class Answer(Body):
    """What somebody said of an item."""

    item: Id
    rating: Rating | None = Field(description="null: they do not know it.")


class Ask(Body):
    """What a stranger has answered so far."""

    answers: list[Answer] = Field([], max_length=200, description="In the order in which they were given.")
    strategy: Strategy | None = Field(
        None, description="What is asked about; by default uncertainty, or popularity where all ratings are equal."
    )
    k: Length = 10
    constraints: Wanted = None
