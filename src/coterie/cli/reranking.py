"""From options to lists that are chosen anew: `coterie.Reranked` around the model that a command line names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from coterie.cli.options import ListOptions, flag
from coterie.errors import AmbiguousTitleError, ParameterError, UnknownIdError

if TYPE_CHECKING:
    from coterie.data.catalog import Catalog
    from coterie.data.interactions import Interactions
    from coterie.data.vocabulary import Id
    from coterie.models.base import Recommender

#: The options by their flags.
LIST_FLAGS = {flag(f.name): f.name for f in fields(ListOptions)}
_MANY = ("must", "never", "at_most")


def with_lists(fitted: Recommender, options: ListOptions) -> Recommender:
    """A fitted model with lists as the options say; itself where they say nothing."""
    from coterie.models.reranking import Reranked

    settings = list_settings(options, fitted.train_, fitted.catalog_)
    return Reranked(fitted, **settings).wrap() if settings else fitted


def reranked(model: Recommender, options: ListOptions, x: Interactions, catalog: Catalog | None) -> Recommender:
    """A model to be fitted to `x` with lists as the options say; itself where they say nothing."""
    from coterie.models.reranking import Reranked

    settings = list_settings(options, x, catalog)
    return Reranked(model, **settings) if settings else model


def reranked_from_text(
    model: Recommender, given: Iterable[tuple[str, str]], x: Interactions, catalog: Catalog | None
) -> Recommender:
    """A model to be fitted to `x` with lists as pairs such as ``("diversity", "0.3")`` say; itself without any.

    ``must``, ``never`` and ``at_most`` may come several times.
    """
    options = ListOptions()
    for name, text in given:
        if name in _MANY:
            setattr(options, name, [*(getattr(options, name) or []), text])
        elif name in LIST_FLAGS.values():
            setattr(options, name, text)
        else:
            raise ParameterError(f"{flag(name)} says nothing about lists; there are {', '.join(LIST_FLAGS)}")
    return reranked(model, options, x, catalog)


def list_settings(options: ListOptions, x: Interactions, catalog: Catalog | None) -> dict[str, Any]:
    """The hyper-parameters of `Reranked`, checked, that the options give."""
    from coterie.models.reranking import Reranked

    known = Reranked.parameters()
    settings: dict[str, Any] = {}
    for name, text in vars(options).items():
        if not text:
            continue
        if name == "at_most":
            settings[name] = dict(_limit(limit) for limit in text)
        elif name in _MANY:
            settings[name] = tuple(_item_or_genre(word, x, catalog) for word in text)
        else:
            parameter = "similarity" if name == "diversity_by" else name
            settings[parameter] = known[parameter].parse(text, "reranked")
    return settings


def _limit(text: str) -> tuple[str, int]:
    genre, _, number = text.rpartition("=")
    if not genre.strip() or not number.strip().isdecimal():
        raise ParameterError(f"--at-most takes a genre and a number, such as Horror=2, not {text!r}")
    return genre.strip(), int(number)


def _item_or_genre(text: str, x: Interactions, catalog: Catalog | None) -> Id:
    """A genre by its name, else the item that an id or a title names."""
    from coterie.cli.sources import find_item

    genres = [] if catalog is None else catalog.genres
    found = next((genre for genre in genres if genre.casefold() == text.strip().casefold()), None)
    if found is not None:
        return found
    try:
        return find_item(text, x, catalog)
    except AmbiguousTitleError:
        raise
    except UnknownIdError as error:
        known = f"genres are {', '.join(genres)}" if genres else "no genres are known; --catalog FILE brings them"
        raise UnknownIdError(f"{text!r} is no genre ({known}), and no item: {error}") from None
