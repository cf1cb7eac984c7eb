"""From a request to a document: each answer a few lines over the library, and none knows of HTTP."""

from __future__ import annotations

from threading import Lock
from typing import Any

import polars as pl

import coterie
from coterie.content.constraints import Constraints
from coterie.content.critiques import Critique
from coterie.data.vocabulary import Id, Vocabulary
from coterie.errors import AmbiguousTitleError, CapabilityError, ParameterError, UnknownIdError
from coterie.models.base import Recommender
from coterie.scenarios.elicitation import Asking, Elicitation, Strategy
from coterie.server import requests

Document = dict[str, Any]


class Answers:
    """What a fitted model answers."""

    def __init__(self, model: Recommender) -> None:
        self.model = model
        self._train = model._fitted()
        self._asking: dict[Strategy, Asking] = {}
        self._making = Lock()

    def about(self) -> Document:
        """What answers, and from what."""
        catalog = self.model.catalog_
        return {
            "coterie": coterie.__version__,
            **self.model.about,
            "scale": self._train.scale,
            "predicts_ratings": self.model.predicts_ratings,
            "titles": catalog is not None,
            "genome": catalog is not None and catalog.genome is not None,
        }

    def items(self, title: str) -> Document:
        """The rated items that a title may mean, the most rated first."""
        catalog = self.model.catalog_
        if catalog is None:
            raise CapabilityError("the model was fitted without a catalog, so it knows no titles; give ids")
        try:
            meant: tuple[Id, ...] = (catalog.find(title),)
        except AmbiguousTitleError as error:
            meant = error.candidates
        rated = [item for item in meant if item in self._train.items]
        if not rated:
            raise UnknownIdError(f"{title!r} is in the catalog, but nobody here rated it")
        counts = self._train.item_counts[self._train.items.indices(rated)]
        found = pl.DataFrame([pl.Series("item", rated), catalog.titles(rated), pl.Series("ratings", counts)])
        return {"items": found.sort("ratings", descending=True, maintain_order=True)}

    def recommend(self, asked: requests.Recommend) -> Document:
        """The best items for somebody."""
        who = self._person(asked)
        rest: Any = {"k": asked.k, "exclude_seen": asked.exclude_seen, "candidates": asked.constraints}
        if isinstance(who, dict):
            found = self.model.recommend_for(who, **rest)
        else:
            found = self.model.recommend([who], **rest).drop("user")
        return {"recommendations": found, **_said(asked.constraints)}

    def predict(self, asked: requests.Predict) -> Document:
        """The ratings that somebody would give."""
        who, items = self._person(asked), self._items(asked.items)
        if asked.at is not None and not self.model.predicts_at_times:
            raise ParameterError(f"what {self.model.name} predicts does not depend on when; leave out at")
        times: Any = None if asked.at is None else [asked.at] * len(items)
        if isinstance(who, dict):
            ratings = self.model.predict_for(who, items, times)
        else:
            ratings = self.model.predict([who] * len(items), items, times)
        return {"predictions": self._titled(pl.DataFrame({"item": items, "rating": ratings}))}

    def explain(self, asked: requests.Explain) -> Document:
        """Why an item has its rating or its score for somebody."""
        found = self.model.explain(self._person(asked), self._item(asked.item), asked.of)
        said = {name: getattr(found, name) for name in ("of", "score", "base", "cut", "summary", "contributions")}
        return {**self._titled(pl.DataFrame({"item": [found.item]})).to_dicts()[0], **said}

    def similar(self, asked: requests.Similar) -> Document:
        """The items nearest to some."""
        return {"similar": self.model.similar_items(self._items(asked.items), asked.k)}

    def critique(self, asked: requests.Critique) -> Document:
        """Items like one but less of this and more of that, and what may be said next."""
        if self.model.catalog_ is None:
            raise CapabilityError("the model was fitted without a catalog, so it knows no tag genome")
        whom = None if asked.user is None and asked.profile is None else self._person(asked)
        now = Critique(self._item(asked.item), model=self.model, user=whom, satisfaction=asked.satisfaction)
        for step in asked.steps:
            if step.pick is not None:
                now = now.pick(self._item(step.pick))
            else:
                now = now.less(step.less) if step.less is not None else now.more(step.more or "")
        said = [f"{direction} {tag}" for tag, direction in now.critiques]
        found = now.recommend(asked.k, asked.constraints)
        return {
            "item": now.start, "title": now.title, "critiques": said, "recommendations": found,
            "offered": now.offered(), **_said(asked.constraints),
        }  # fmt: skip

    def ask(self, asked: requests.Ask) -> Document:
        """What to ask a stranger next, and what to recommend from the answers so far."""
        answers = [(self._item(answer.item), answer.rating) for answer in asked.answers]
        talk = Elicitation.resumed(self._asks(asked.strategy), answers)
        left = len(answers) < int((self._train.item_counts > 0).sum())
        question = self._titled(pl.DataFrame({"item": [talk.ask()]})).to_dicts()[0] if left else None
        return {
            "question": question,
            "profile": talk.answers,
            "by_popularity": talk.by_popularity,
            "recommendations": talk.recommend(asked.k, asked.constraints),
            **_said(asked.constraints),
        }

    # ---- ids and people ----------------------------------------------------------------------------

    def _asks(self, strategy: Strategy) -> Asking:
        """What is the same for all strangers, made when the first one comes."""
        with self._making:
            if strategy not in self._asking:
                self._asking[strategy] = Asking(self.model, strategy)
            return self._asking[strategy]

    def _person(self, asked: requests.Anybody) -> Id | dict[Id, float]:
        if asked.user is not None:
            return _parsed(asked.user, self._train.users)
        profile = {self._item(item): rating for item, rating in (asked.profile or {}).items()}
        if len(profile) < len(asked.profile or {}):
            raise ParameterError("the profile has an item twice, written in two ways")
        low, high = self._train.scale
        for item, rating in profile.items():
            if not low <= rating <= high:
                raise ParameterError(f"ratings here go from {low:g} to {high:g}; item {item!r} has {rating!r}")
        return profile

    def _items(self, items: list[Id]) -> list[Id]:
        return [self._item(item) for item in items]

    def _item(self, item: Id) -> Id:
        return _parsed(item, self._train.items)

    def _titled(self, table: pl.DataFrame) -> pl.DataFrame:
        return self.model._with_titles(table, "item")


def _parsed(id: Id, known: Vocabulary) -> Id:
    """An id as the data have it; `UnknownIdError` where they do not."""
    parsed = known.parse(str(id))
    known.index(parsed)
    return parsed


def _said(constraints: Constraints | None) -> Document:
    return {} if constraints is None else {"constraints": constraints.to_dict()}
