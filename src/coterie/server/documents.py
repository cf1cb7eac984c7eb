"""What comes back: the answers' fields and their meaning, for the description of the service and for clients."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Id = int | str


class Document(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


class Item(Document):
    """An item; its title where the model knows titles."""

    item: Id
    title: str | None = None


class Listed(Item):
    """A place of a list, the best first; where lists are made anew (diverse, under rules) scores need not fall."""

    rank: int
    score: float


class Recommendations(Document):
    """A list for somebody; where it is empty `note` says why."""

    recommendations: list[Listed]
    constraints: dict[str, Any] | None = Field(None, description="As they were understood.")
    note: str | None = None


class Predicted(Item):
    """A rating that somebody would give, on the scale of the data."""

    rating: float


class Predictions(Document):
    """Ratings, in the order of the items asked about."""

    predictions: list[Predicted]


class Explanation(Item):
    """``score = base + sum of contributions + cut``."""

    of: str = Field(description="What is explained: the predicted rating, or the score that ranks.")
    score: float
    base: float = Field(description="What no single contribution carries.")
    cut: float = Field(description="What a rating loses or gains by being kept on the scale.")
    summary: str
    contributions: list[dict[str, Any]] = Field(description="Of items or users, the largest first.")


class Neighbor(Item):
    """An item (`neighbor`, with its `title`) that is like one asked about (`item`)."""

    rank: int
    neighbor: Id
    similarity: float


class Neighbors(Document):
    """The nearest of each item asked about."""

    similar: list[Neighbor]


class Offered(Document):
    """A tag worth critiquing: how relevant it is here, and how many near items have clearly less and more of it."""

    rank: int
    tag: str
    relevance: float
    less: int
    more: int
    score: float


class Critiqued(Item):
    """What a conversation has come to. A recommendation has `rank`, `item`, `title`, `score`, `similarity`, with
    somebody `preference`, and for each critique such as ``less violence`` the change of that tag."""

    critiques: list[str]
    recommendations: list[dict[str, Any]]
    offered: list[Offered]
    constraints: dict[str, Any] | None = None
    note: str | None = None


class Answered(Document):
    """An answer as it was understood."""

    question: int
    item: Id
    title: str | None = None
    rating: float | None
    uncertainty: float | None = None


class Asked(Document):
    """The next question (null: everything was asked about), and a list from the answers so far."""

    question: Item | None
    history: list[Answered]
    uncertainty: float | None = Field(None, description="How far off predictions are expected to be, where it is kept.")
    by_popularity: bool = Field(description="Whether the list is what most people rated, as the answers say nothing.")
    recommendations: list[Listed]
    constraints: dict[str, Any] | None = None
    note: str | None = None


class Items(Document):
    """Rated items that a title may mean, the likeliest first."""

    class Found(Item):
        """An item and the number of its ratings."""

        ratings: int

    items: list[Found]


class Names(Document):
    """What constraints and critiques can name."""

    genres: list[str]
    genome: list[str]


class Contents(Document):
    """What answers, from what, and what it can be asked."""

    coterie: str
    model: str
    hyper_parameters: dict[str, Any]
    fitted_to: dict[str, int]
    scale: tuple[float, float]
    predicts_ratings: bool
    titles: bool
    genome: bool
    requests: dict[str, str]


class Health(Document):
    """That requests are answered."""

    status: str


class Relaxation(Document):
    """What to leave out, what that would give to this person, and the request's parts without it."""

    leave_out: list[str]
    n_items: int
    items: list[Id] = Field(description="Some of them.")
    titles: list[str]
    constraints: dict[str, Any] | None = None
    steps: list[dict[str, Any]] | None = Field(None, description="Of a critique, where one of its steps is left out.")
    instead: str | None = Field(None, description="The nearest condition that would do in its place, in words.")
    instead_constraints: dict[str, Any] | None = None


class Problem(Document):
    """What is wrong and how to mend it."""

    kind: str
    message: str
    relaxations: list[Relaxation] | None = None


class Error(Document):
    """What comes where there is no answer."""

    error: Problem
