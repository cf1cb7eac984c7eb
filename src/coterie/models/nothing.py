"""Why a list is empty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from coterie.data.vocabulary import Id
from coterie.data.wording import counted

if TYPE_CHECKING:
    from coterie.models.base import Candidates, Recommender


def why_nothing(model: Recommender, candidates: Candidates, seen: Iterable[Id], remedy: str) -> str:
    """Why somebody got no recommendations, in a sentence: all was rated already, or the model has no evidence.

    Parameters
    ----------
    model : Recommender
        What recommended nothing.
    candidates : item ids, or one, or Constraints, or None
        What might be recommended.
    seen : item ids
        What was left out because it was rated.
    remedy : str
        How to ask for that, too.
    """
    pool = set(model.satisfying(candidates))
    left = pool - set(seen)
    if not left:
        which = "all" if candidates is None else f"all that was asked for ({counted(len(pool), 'item')})"
        return f"Nothing is left to recommend: {which} was rated already ({remedy} asks for that, too)."
    if not model.lists_by_score:
        return f"Nothing it can recommend: the rules leave nothing, or nothing that {model.name} has evidence for."
    items = "the one item" if len(left) == 1 else f"any of the {counted(len(left), 'item')}"
    return f"Nothing it can recommend: {model.name} has no evidence for {items} left."
