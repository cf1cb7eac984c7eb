"""From a request to a document: each answer a few lines over the library, and none knows of HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
import polars as pl

import coterie
from coterie.content.constraints import Constraints
from coterie.content.critiques import Critique
from coterie.data.titles import search_titles
from coterie.data.vocabulary import Id, Vocabulary
from coterie.errors import CapabilityError, NothingFitsError, ParameterError, UnknownIdError
from coterie.models.base import Recommender
from coterie.models.nothing import why_nothing
from coterie.scenarios.elicitation import Asking, Elicitation, Strategy
from coterie.server import requests

Document = dict[str, Any]
_FOUND = 20  # titles


class Answers:
    """What a fitted model answers."""

    def __init__(self, model: Recommender) -> None:
        self.model = model
        self._train = model._fitted()
        self._asking: dict[Strategy, Asking] = {}
        self._making = Lock()

    # ---- what there is -----------------------------------------------------------------------------

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

    def items(self, title: requests.Title) -> Document:
        """The rated items that a title may mean, the likeliest first."""
        catalog = self.model.catalog_
        if catalog is None:
            raise CapabilityError("the model was fitted without a catalog, so it knows no titles; give ids")
        found: list[tuple[Id, str, int]] = []
        for group in search_titles(catalog, title):
            rows = self._train.items.indices([t.item for t in group], missing="skip")
            rated = [
                (t.item, t.title, int(self._train.item_counts[r])) for t, r in zip(group, rows, strict=True) if r >= 0
            ]
            found += sorted(rated, key=lambda line: -line[2])
        if not found:
            raise UnknownIdError(f"no item that somebody here rated has a title like {title!r}")
        return {"items": [{"item": i, "title": t, "ratings": n} for i, t, n in found[:_FOUND]]}

    def names(self) -> Document:
        """The genres and the tags of the genome that constraints and critiques can name."""
        catalog = self.model.catalog_
        genome = () if catalog is None else catalog.genome_tags or ()
        return {"genres": [] if catalog is None else catalog.genres, "genome": list(genome)}

    # ---- what a model answers ----------------------------------------------------------------------

    def recommend(self, asked: requests.Recommend) -> Document:
        """The best items for somebody."""
        who, wanted = self._person(asked), self._wanted(asked.constraints)
        rest: Any = {"k": asked.k, "exclude_seen": asked.exclude_seen, "candidates": wanted}
        if isinstance(who, dict):
            found = self.model.recommend_for(who, **rest)
        else:
            found = self.model.recommend([who], **rest).drop("user")
        document: Document = {"recommendations": found, **_said(wanted)}
        if not len(found):
            seen = self._rated(who) if asked.exclude_seen else ()
            document["note"] = why_nothing(self.model, wanted, seen, '"exclude_seen": false')
            if not who:
                document["note"] += " POST /ask has questions for somebody of whom nothing is known."
        return document

    def predict(self, asked: requests.Predict) -> Document:
        """The ratings that somebody would give."""
        who, items = self._person(asked), self._items(asked.items)
        times: Any = None if asked.at is None else [self._when(asked.at)] * len(items)
        if isinstance(who, dict):
            ratings = self.model.predict_for(who, items, times)
        else:
            ratings = self.model.predict([who] * len(items), items, times)
        return {"predictions": self._titled(pl.DataFrame({"item": items, "rating": ratings}))}

    def explain(self, asked: requests.Explain) -> Document:
        """Why an item has its rating or its score for somebody."""
        who, item = self._person(asked), self._item(asked.item)
        found = self.model.explain(who, item, asked.of, self._when(asked.at))
        said = {name: getattr(found, name) for name in ("of", "score", "base", "cut", "summary", "contributions")}
        return {**self._named(item), **said}

    def similar(self, asked: requests.Similar) -> Document:
        """The items nearest to some."""
        return {"similar": self.model.similar_items(list(dict.fromkeys(self._items(asked.items))), asked.k)}

    # ---- conversations -----------------------------------------------------------------------------

    def critique(self, asked: requests.Critique) -> Document:
        """Items like one but less of this and more of that, and what may be said next."""
        if self.model.catalog_ is None:
            raise CapabilityError("the model was fitted without a catalog, so it knows no tag genome")
        whom = self._person(asked) if asked.user is not None or asked.profile else None
        now = Critique(self._item(asked.item), model=self.model, user=whom, satisfaction=asked.satisfaction)
        meant: list[str] = []  # by each step, in the words of an error
        for step in asked.steps:
            if step.pick is not None:
                now = now.pick(self._item(step.pick))
                meant.append("")
            else:
                now = now.less(step.less) if step.less is not None else now.more(step.more or "")
                meant.append("{1} {0}".format(*now.critiques[-1]))
        wanted = self._wanted(asked.constraints)
        try:
            found = now.recommend(asked.k, wanted)
        except NothingFitsError as error:
            raise NothingFitsError(
                str(error), tuple(_without(r, asked.steps, meant) for r in error.relaxations)
            ) from error
        said = [f"{direction} {tag}" for tag, direction in now.critiques]
        answer = {"recommendations": found, "offered": now.offered(), **_said(wanted)}
        if not len(found):
            answer["note"] = "What fits was rated already, or the model has no evidence for it."
        return {**self._named(now.start), "critiques": said, **answer}

    def ask(self, asked: requests.Ask) -> Document:
        """What to ask a stranger next, and what to recommend from the answers so far."""
        low, high = self._train.scale
        strategy: Strategy = asked.strategy or ("uncertainty" if low < high else "popularity")
        for place, answer in enumerate(asked.answers):
            if answer.rating is not None:
                self._on_scale(f"answers.{place}.rating", answer.rating, ", or null where they do not know it")
        talk = Elicitation.resumed(self._asks(strategy), [(self._item(a.item), a.rating) for a in asked.answers])
        wanted = self._wanted(asked.constraints)
        left = len(asked.answers) < np.count_nonzero(self._train.item_counts)
        found = talk.recommend(asked.k, wanted)
        note = {} if len(found) else {"note": why_nothing(self.model, wanted, talk.answers, "POST /recommend")}
        return {
            "question": self._named(talk.ask()) if left else None,
            "history": talk.history,
            "uncertainty": talk.uncertainty if strategy == "uncertainty" else None,
            "by_popularity": talk.by_popularity,
            "recommendations": found,
            **note,
            **_said(wanted),
        }

    def _asks(self, strategy: Strategy) -> Asking:
        """What is the same for all strangers, made when the first one comes."""
        with self._making:
            if strategy not in self._asking:
                self._asking[strategy] = Asking(self.model, strategy)
            return self._asking[strategy]

    # ---- ids, people, times ------------------------------------------------------------------------

    def _person(self, asked: requests.Anybody) -> Id | dict[Id, float]:
        if asked.user is not None:
            return _parsed([asked.user], self._train.users)[0]
        given = asked.profile or {}
        profile = dict(zip(self._items(given), given.values(), strict=True))
        if len(profile) < len(given):
            raise ParameterError("profile has an item twice, written in two ways")
        for item, rating in profile.items():
            self._on_scale(f"profile.{item}", rating)
        return profile

    def _on_scale(self, where: str, rating: float, otherwise: str = "") -> None:
        low, high = self._train.scale
        if not low <= rating <= high:
            scale = f"from {low:g} to {high:g}" if low < high else f"{low:g}, as all that was learnt from"
            raise ParameterError(f"{where} must be {scale}{otherwise}, not {rating:g}")

    def _rated(self, who: Id | dict[Id, float]) -> Iterable[Id]:
        """What somebody has rated."""
        if isinstance(who, dict):
            return who
        row = self._train.users.index(who)
        rated: list[Id] = self._train.items.ids[self._train.to_scipy()[row].indices].tolist()
        return rated

    def _wanted(self, constraints: Constraints | None) -> Constraints | None:
        """The same with ids as the data have them."""
        if constraints is None or constraints.among is None:
            return constraints
        return replace(constraints, among=self._items(constraints.among))  # type: ignore[arg-type]

    def _items(self, items: Iterable[Id]) -> list[Id]:
        return _parsed(items, self._train.items)

    def _item(self, item: Id) -> Id:
        return self._items([item])[0]

    def _when(self, at: Any) -> Any:
        """When a rating is given."""
        if at is not None and not self.model.predicts_at_times:
            raise ParameterError(f"at: what {self.model.name} predicts does not depend on when; leave it out")
        return at

    def _named(self, item: Id) -> Document:
        """An item with its title."""
        return self._titled(pl.DataFrame({"item": [item]})).to_dicts()[0]

    def _titled(self, table: pl.DataFrame) -> pl.DataFrame:
        return self.model._with_titles(table, "item")


def _parsed(ids: Iterable[Id], known: Vocabulary) -> list[Id]:
    """Ids as the data have them; `UnknownIdError` where they do not."""
    parsed = [known.parse(str(id)) for id in ids]
    known.indices(parsed)
    return parsed


def _said(constraints: Constraints | None) -> Document:
    return {} if constraints is None else {"constraints": constraints.to_dict()}


def _without(relaxation: Any, steps: list[requests.Step], meant: list[str]) -> Document:
    """A relaxation with the steps that are left where one of them is left out."""
    left = [step for step, words in zip(steps, meant, strict=True) if words not in relaxation.leave_out]
    said = [step.model_dump(exclude_none=True) for step in left]
    return {**relaxation.to_dict(), **({"steps": said} if len(left) < len(steps) else {})}
