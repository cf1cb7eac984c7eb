"""Constraints: what they let through, how they are said, and what to relax where they let nothing through."""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coterie as ct
from coterie.content.constraints import conditions, json_schema
from coterie.content.facts import ItemFacts
from coterie.content.parts import parts_of, relaxations, satisfying
from coterie.data.catalog import Catalog
from coterie.data.vocabulary import Vocabulary
from coterie.errors import DataError, NothingFitsError, ParameterError, UnknownIdError
from tests.content.films import FILMS, RATINGS, TAGS, catalog, ratings

IDS = [*(film[0] for film in FILMS), 99]
GENRES = ["Comedy", "Drama", "Horror", "Film-Noir", "Sci-Fi"]
FREE = {"dark": [(10, 2), (20, 1)], "funny": [(20, 1)], "space opera": [(70, 1)]}
FREE_PEOPLE = {tag: dict(pairs) for tag, pairs in FREE.items()}


def facts() -> ItemFacts:
    counts = [sum(item == id for _, item, _ in RATINGS) for id in IDS]
    return ItemFacts(Vocabulary(IDS, "item"), catalog(), np.array(counts))


# ---- a slow twin ---------------------------------------------------------------------------------------


def conditions_of(c: ct.Constraints) -> list[Any]:
    """The parts of constraints as functions of an item, in the order in which they are given up."""
    films = {id: (title, genres.split("|") if genres else [], tags) for id, title, genres, tags in FILMS}
    films[99] = (None, [], [math.nan] * len(TAGS))

    def year(id: int) -> float:
        title = films[id][0]
        return float(title[-5:-1]) if title is not None and title.endswith(")") else math.nan

    def relevance(id: int, tag: str) -> float:
        return float(np.float32(films[id][2][TAGS.index(tag)]))

    found: list[Any] = [lambda id, g=g: g in films[id][1] for g in c.genres]
    if c.any_genres:
        found.append(lambda id: any(g in films[id][1] for g in c.any_genres))
    found += [lambda id, g=g: bool(films[id][1]) and g not in films[id][1] for g in c.not_genres]
    if c.years is not None:
        first, last = c.years  # type: ignore[misc]
        found.append(lambda id: (first or 0) <= year(id) <= (last or 9999))
    if c.min_ratings:
        found.append(lambda id: sum(item == id for _, item, _ in RATINGS) >= c.min_ratings)
    found += [lambda id, t=t, v=v: relevance(id, t) >= np.float32(v) for t, v in (c.tags or {}).items()]
    found += [lambda id, t=t, v=v: relevance(id, t) <= np.float32(v) for t, v in (c.not_tags or {}).items()]
    found += [lambda id, t=t, v=v: FREE_PEOPLE[t].get(id, 0) >= v for t, v in (c.tagged or {}).items()]
    if c.among is not None:
        found.append(lambda id: id in c.among)
    return found


levels = st.dictionaries(st.sampled_from(TAGS), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]), max_size=2)
ends = st.one_of(st.none(), st.integers(1985, 2015))
some_constraints = st.builds(
    ct.Constraints,
    genres=st.lists(st.sampled_from(GENRES), max_size=2),
    any_genres=st.lists(st.sampled_from(GENRES), max_size=2),
    not_genres=st.lists(st.sampled_from(GENRES), max_size=2),
    years=st.one_of(st.none(), st.tuples(ends, ends).filter(lambda y: None in y or y[0] <= y[1])),
    min_ratings=st.integers(0, 4),
    tags=levels,
    not_tags=levels,
    tagged=st.dictionaries(st.sampled_from(sorted(FREE)), st.integers(1, 3), max_size=1),
    among=st.one_of(st.none(), st.lists(st.sampled_from(IDS), max_size=4)),
)


@settings(max_examples=150, deadline=None)
@given(some_constraints)
def test_items_and_relaxations_are_those_of_the_slow_twin(c: ct.Constraints) -> None:
    known, slow = facts(), conditions_of(c)
    wanted = [id for id in IDS if all(holds(id) for holds in slow)]
    if wanted:
        assert known.items.ids[satisfying(c, known)].tolist() == wanted
        return
    with pytest.raises(NothingFitsError) as error:
        satisfying(c, known)
    parts = list(parts_of(c, known))
    assert len(parts) == len(slow)
    smallest: dict[tuple[int, ...], int] = {}
    for size in range(1, len(slow) + 1):
        for gone in combinations(range(len(slow)), size):
            left = [holds for j, holds in enumerate(slow) if j not in gone]
            n = sum(all(holds(id) for holds in left) for id in IDS)
            if n:
                smallest[gone] = n
        if smallest:
            break
    found = error.value.relaxations
    assert {r.leave_out: r.n_items for r in found} == {
        tuple(parts[j].words for j in gone): n for gone, n in smallest.items()
    }
    assert [r.n_items for r in found] == sorted((r.n_items for r in found), reverse=True)
    for r in found:  # what it promises comes true
        assert np.count_nonzero(satisfying(r.constraints, known)) == r.n_items
        assert set(r.items) <= set(known.items.ids[satisfying(r.constraints, known)].tolist())
        if r.instead_constraints is not None:
            assert 1 <= np.count_nonzero(satisfying(r.instead_constraints, known)) <= r.n_items


@settings(max_examples=100, deadline=None)
@given(some_constraints)
def test_json_says_the_same(c: ct.Constraints) -> None:
    document = json.loads(json.dumps(c.to_dict()))
    again = ct.Constraints.from_dict(document)
    assert again == c
    assert hash(again) == hash(c)
    assert bool(c) == bool(document)
    assert set(document) <= set(json_schema()["properties"])


# ---- how they are said ---------------------------------------------------------------------------------


def test_python_and_the_command_line_say_the_same() -> None:
    said = ct.Constraints.from_options(
        {
            "genres": ["Comedy"], "any_genres": ["Drama", "War"], "not_genres": ["Horror"], "years": "1990-",
            "min_ratings": "50", "tags": ["atmospheric>=0.7"], "not_tags": ["a>=b<=0.25"], "tagged": ["x>=2"],
        }
    )  # fmt: skip
    assert said == ct.Constraints(
        genres="Comedy", any_genres=("Drama", "War"), not_genres=["Horror"], years=(1990, None), min_ratings=50,
        tags={"atmospheric": 0.7}, not_tags={"a>=b": 0.25}, tagged={"x": 2},
    )  # fmt: skip
    assert ct.Constraints.from_options({"years": "-1999"}).years == (None, 1999)
    assert ct.Constraints.from_options({"years": "1995"}) == ct.Constraints(years=1995)
    assert not ct.Constraints.from_options({"years": None, "genres": None})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("genres", [1]), ("genres", None), ("genres", [""]), ("genres", {"a": 1}), ("years", "1990"), ("years", [1]),
        ("years", [1999, 1990]), ("years", [True, 2]), ("years", [1.5, 2]), ("min_ratings", -1), ("min_ratings", 1.5),
        ("min_ratings", True), ("min_ratings", "3"), ("tags", {"a": 1.1}), ("tags", {"a": "x"}), ("tags", {"": 0.5}),
        ("tags", ["a"]), ("tags", {"a": math.nan}), ("not_tags", {"a": -0.1}), ("tagged", {"a": 0}),
        ("tagged", {"a": 1.5}), ("among", [1.5]), ("among", [True]),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_an_error_that_names_the_field(field: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=field):
        ct.Constraints.from_dict({field: value})


@pytest.mark.parametrize(
    ("field", "text"),
    [("years", "x"), ("years", "-"), ("years", "1999-1990"), ("min_ratings", "-1"), ("tags", "a=0.5"),
     ("tags", "a>=x"), ("tags", ">=0.5"), ("tags", "a>=1.5"), ("not_tags", "a>=0.5"), ("tagged", "a>=1.5")],
)  # fmt: skip
def test_what_a_command_line_cannot_mean_is_an_error_that_names_the_option(field: str, text: str) -> None:
    with pytest.raises(ParameterError, match=f"--{conditions()[field].option}"):
        ct.Constraints.from_options({field: [text] if conditions()[field].many else text})


def test_an_unknown_field_is_named_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"'genre'; did you mean 'genres'"):
        ct.Constraints.from_dict({"genre": ["Comedy"]})
    with pytest.raises(ParameterError, match="object"):
        ct.Constraints.from_dict(["genres"])


def test_every_field_has_an_option_or_one_elsewhere() -> None:
    known = conditions()
    assert [name for name, condition in known.items() if not condition.option] == ["among"]
    assert len({condition.option for condition in known.values()}) == len(known)
    assert set(json_schema()["properties"]) == set(known)


# ---- names ---------------------------------------------------------------------------------------------


def test_case_and_unicode_are_forgiven_and_the_nearest_names_told() -> None:
    known = facts()
    assert satisfying(ct.Constraints(genres=" film-NOIR "), known).sum() == 1
    assert satisfying(ct.Constraints(tags={"BE\u0300LLE E\u0301POQUE": 0.5}), known).sum() == 2
    assert satisfying(ct.Constraints(tagged={"Ｆunny": 1}), known).sum() == 1
    for said, nearest in (
        ({"genres": "Commedy"}, "'Comedy'"),
        ({"tags": {"scifi": 0.5}}, "'Sci-Fi'"),
        ({"tagged": {"space opra": 1}}, "'space opera'"),
        ({"not_genres": "War"}, "there are Comedy, Drama, Film-Noir, Horror, Sci-Fi"),
    ):
        with pytest.raises(UnknownIdError, match=nearest):
            satisfying(ct.Constraints(**said), known)
    with pytest.raises(UnknownIdError, match="12345"):
        satisfying(ct.Constraints(among=12345), known)


def test_two_tags_that_differ_in_case_are_not_mixed_up() -> None:
    items = pl.DataFrame({"item": [1, 2]})
    made = Catalog.from_titles(items, genome_tags=("Dark", "DARK"), genome=np.array([[1, 0], [0, 1]], np.float32))
    known = ItemFacts(made.vocabulary, made)
    assert satisfying(ct.Constraints(tags={"DARK": 1}), known).tolist() == [False, True]
    with pytest.raises(UnknownIdError, match="'Dark' or 'DARK'"):
        satisfying(ct.Constraints(tags={"dark": 1}), known)


def test_what_is_not_there_is_said() -> None:
    bare = ItemFacts(Vocabulary([1, 2], "item"), None)
    for said in ({"genres": "A"}, {"years": 1}, {"tags": {"a": 1}}, {"tagged": {"a": 1}}):
        with pytest.raises(DataError, match="catalog"):
            satisfying(ct.Constraints(**said), bare)
    with pytest.raises(DataError, match="min_ratings"):
        satisfying(ct.Constraints(min_ratings=1), bare)
    known = ItemFacts(Vocabulary(IDS, "item"), catalog(tags=None, genome_tags=(), genome=None))
    with pytest.raises(DataError, match="tagged"):
        satisfying(ct.Constraints(tags={"dark": 0.5}), known)
    with pytest.raises(DataError, match="no tags"):
        satisfying(ct.Constraints(tagged={"dark": 1}), known)
    empty = Catalog.from_titles(pl.DataFrame({"item": pl.Series([], dtype=pl.Int64)}))
    with pytest.raises(DataError, match="no genres"):
        satisfying(ct.Constraints(genres="A"), ItemFacts(Vocabulary([1], "item"), empty))
    with pytest.raises(NothingFitsError, match="years 1-2"):
        satisfying(ct.Constraints(years=(1, 2)), ItemFacts(Vocabulary([1], "item"), empty))
    with pytest.raises(NothingFitsError, match="no items"):
        satisfying(ct.Constraints(years=(1, 2)), ItemFacts(Vocabulary([], "item"), empty))


def test_the_error_says_what_to_relax_and_what_that_would_give() -> None:
    with pytest.raises(NothingFitsError) as error:
        satisfying(ct.Constraints(genres="Comedy", min_ratings=9), facts())
    first = error.value.relaxations[0]
    assert (first.n_items, first.items, first.titles) == (3, (10, 20, 60), ("Alpha (1990)", "Beta (1995)", "60"))
    assert first.constraints == ct.Constraints(genres="Comedy")
    assert first.instead_constraints == ct.Constraints(genres="Comedy", min_ratings=3)
    assert json.loads(json.dumps(first.to_dict())) == {
        "leave_out": ["at least 9 ratings"], "n_items": 3, "items": [10, 20, 60],
        "titles": ["Alpha (1990)", "Beta (1995)", "60"], "instead": "at least 3 ratings",
        "constraints": {"genres": ["Comedy"]}, "instead_constraints": {"genres": ["Comedy"], "min_ratings": 3},
    }  # fmt: skip
    for words in ("genre Comedy", "at least 9 ratings", "3 items", "Alpha (1990)", "at least 3 ratings"):
        assert words in str(error.value)
    with pytest.raises(NothingFitsError, match="relax 2 together"):
        satisfying(ct.Constraints(genres=["Comedy", "Horror", "Sci-Fi"]), facts())


def test_relaxations_speak_of_nothing_else_than_they_may() -> None:
    known, c = facts(), ct.Constraints(genres="Comedy", min_ratings=9)
    within = np.array([id in (20, 60) for id in IDS])
    (only,) = relaxations(list(parts_of(c, known)), known, c, within=within)
    assert only.items == (20, 60)


# ---- with models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        ct.Popularity(), ct.ItemKNN(n_neighbors=3), ct.SVD(n_factors=2), ct.ALS(n_factors=2, n_iterations=2),
        ct.Reranked(ct.Popularity(), diversity=0.3), ct.BiasBaseline(),
    ],
    ids=lambda model: model.name,
)  # fmt: skip
def test_every_model_follows_them_as_it_follows_candidates(model: ct.Recommender) -> None:
    fitted = model.fit(ratings(), catalog())
    wanted = ct.Constraints(any_genres=["Comedy", "Sci-Fi"], tags={"funny": 0.5})
    assert fitted.satisfying(wanted) == [20, 70]
    for seen in (True, False):
        by_ids = fitted.recommend([1, 2, 3], 5, exclude_seen=seen, candidates=[20, 70])
        assert fitted.recommend([1, 2, 3], 5, exclude_seen=seen, candidates=wanted).equals(by_ids)
        assert fitted.recommend_for({10: 4.0}, 5, candidates=wanted).equals(
            fitted.recommend_for({10: 4.0}, 5, candidates=[20, 70])
        )
    assert fitted.recommend(1, 9, candidates=ct.Constraints()).equals(fitted.recommend(1, 9))


def test_whoever_has_seen_all_that_fits_gets_no_rows() -> None:
    model = ct.Popularity().fit(ratings(), catalog())
    assert model.recommend(1, candidates=ct.Constraints(among=[10, 20], genres="Comedy")).is_empty()
    with pytest.raises(NothingFitsError):
        model.recommend(1, candidates=ct.Constraints(years=1800))


def test_an_update_is_followed() -> None:
    model = ct.Popularity().fit(ratings(), catalog())
    assert model.satisfying(ct.Constraints(min_ratings=2)) == [10]
    more = pl.DataFrame({"user": [7, 8], "item": [30, 30], "rating": [1.0, 2.0]})
    model.update(ct.Interactions.from_frame(more, user="user", item="item", rating="rating"))
    assert model.satisfying(ct.Constraints(min_ratings=2)) == [10, 30]
