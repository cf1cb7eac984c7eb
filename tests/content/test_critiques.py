"""Critiques: scores against a slow twin, what is offered, and a conversation that never changes what was said."""

from __future__ import annotations

import gc
import math
import weakref
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coterie as ct
from coterie.content.tag_space import TagSpace, tag_space
from coterie.data.catalog import Catalog
from coterie.errors import (
    AmbiguousTitleError,
    DataError,
    DataWarning,
    MemoryBudgetError,
    NothingFitsError,
    ParameterError,
    UnknownIdError,
)
from tests.content.films import catalog, ratings

N_ITEMS, N_TAGS = 160, 12


def random_catalog(n: int = N_ITEMS, people: bool = True, text: bool = False) -> Catalog:
    ids: list[Any] = [f"film {i}" if text else 7 * i + 3 for i in range(n)]
    random = np.random.default_rng(8)
    frame = pl.DataFrame({"item": ids, "title": [f"Title {i} ({1990 + i % 20})" for i in range(n)]})
    tags = None
    if people:
        said = [(u, ids[0], f"TAG {t}") for t in range(N_TAGS) for u in range(2 * t)]
        tags = pl.DataFrame(said, schema=["user", "item", "tag"], orient="row")
    names = tuple(f"tag {t}" for t in range(N_TAGS))
    return Catalog.from_titles(frame, tags=tags, genome_tags=names, genome=random.random((n, N_TAGS), np.float32) ** 2)


# ---- a slow twin ---------------------------------------------------------------------------------------


def slow_weights(relevance: Any, popularity: list[int]) -> list[float]:
    having = [sum(row[t] > 0.5 for row in relevance) for t in range(len(popularity))]
    return [math.log(math.e + p) / math.log(math.e + n) for p, n in zip(popularity, having, strict=True)]


def slow_similarity(a: Any, b: Any, weights: list[float]) -> float:
    dot = sum(w * x * y for w, x, y in zip(weights, a, b, strict=True))
    lengths = [math.sqrt(sum(w * x * x for w, x in zip(weights, row, strict=True))) for row in (a, b)]
    return dot / (lengths[0] * lengths[1]) if all(lengths) else 0.0


def slow_scores(relevance: Any, weights: list[float], start: int, said: dict[int, str], linear: bool) -> list[float]:
    """-inf where an item does not move as asked, and for the start."""
    scores = []
    for j, row in enumerate(relevance):
        score = slow_similarity(relevance[start], row, weights)
        for tag, direction in said.items():
            gain = (row[tag] - relevance[start][tag]) * (1 if direction == "more" else -1)
            score = -math.inf if gain <= 0 else score * (gain if linear else 1 - math.exp(-5 * gain))
        scores.append(-math.inf if j == start else score)
    return scores


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, N_ITEMS - 1),
    said=st.dictionaries(st.integers(0, N_TAGS - 1), st.sampled_from(["less", "more"]), max_size=3),
    satisfaction=st.sampled_from(["diminishing", "linear"]),
    people=st.booleans(),
)
def test_lists_are_those_of_the_slow_twin(start: int, said: dict[int, str], satisfaction: Any, people: bool) -> None:
    made = random_catalog(people=people)
    relevance = made.genome.astype(np.float64).tolist()  # type: ignore[union-attr]
    weights = slow_weights(relevance, [2 * t if people else 0 for t in range(N_TAGS)])
    wanted = slow_scores(relevance, weights, start, said, satisfaction == "linear")
    critique = ct.Critique(7 * start + 3, made, satisfaction=satisfaction)
    for tag, direction in said.items():
        critique = getattr(critique, direction)(f"Tag  {tag}")
    n = sum(score > -math.inf for score in wanted)
    if not n:
        with pytest.raises(NothingFitsError):
            critique.recommend()
        return
    found = critique.recommend(N_ITEMS)
    rows = [(item - 3) // 7 for item in found["item"]]
    assert sorted(rows) == [j for j, score in enumerate(wanted) if score > -math.inf]
    np.testing.assert_allclose(found["score"], [wanted[j] for j in rows], rtol=1e-4, atol=1e-6)
    assert found["score"].is_sorted(descending=True)
    assert found["rank"].to_list() == list(range(1, n + 1))
    assert found.columns[:5] == ["rank", "item", "title", "score", "similarity"]
    for tag, direction in said.items():
        change = [relevance[j][tag] - relevance[start][tag] for j in rows]
        np.testing.assert_allclose(found[f"{direction} tag {tag}"], change, atol=1e-6)
    assert critique.recommend(4).equals(found.head(4))


def test_the_space_is_that_of_the_slow_twin() -> None:
    made = random_catalog()
    space = tag_space(made)
    relevance = made.genome.astype(np.float64).tolist()  # type: ignore[union-attr]
    weights = slow_weights(relevance, [2 * t for t in range(N_TAGS)])
    np.testing.assert_allclose(space.weights, weights, rtol=1e-6)
    assert space.popularity.tolist() == [2 * t for t in range(N_TAGS)]
    slow = [slow_similarity(relevance[5], row, weights) for row in relevance]
    np.testing.assert_allclose(space.similarities(5), slow, rtol=1e-5)
    assert space.relevance is made.genome  # all is known: nothing is copied


# ---- what is offered ---------------------------------------------------------------------------------


def slow_offers(space: TagSpace, row: int, n: int, said: list[int]) -> list[int]:
    sims = space.similarities(row)
    order = sorted((j for j in range(len(sims)) if j != row), key=lambda j: (-sims[j], j))[:100]
    near = space.relevance[order].astype(np.float64)
    change = near - space.relevance[row]
    worth = []
    for t in range(near.shape[1]):
        counts = [(change[:, t] <= -0.25).sum(), (abs(change[:, t]) < 0.25).sum(), (change[:, t] >= 0.25).sum()]
        shares = [c / len(near) for c in counts if c]
        entropy = -sum(s * math.log(s) for s in shares) / math.log(3)
        worth.append(entropy * math.log(math.e + space.popularity[t]) / math.log(math.e + max(space.popularity)))
    correlations = np.abs(np.corrcoef(near, rowvar=False))
    chosen: list[int] = []
    for _ in range(n):
        left = [t for t in range(len(worth)) if t not in chosen and t not in said]
        chosen.append(max(left, key=lambda t: worth[t] * (1 - max([correlations[t, u] for u in chosen + said] + [0]))))
    return chosen


@pytest.mark.parametrize("row", [0, 17, 101])
def test_offers_are_those_of_the_slow_twin(row: int) -> None:
    made = random_catalog()
    critique = ct.Critique(7 * row + 3, made)
    space = tag_space(made)
    assert critique.offered(6)["tag"].to_list() == [f"tag {t}" for t in slow_offers(space, row, 6, [])]
    taken = int(np.argmin(space.relevance[row]))
    offered = critique.more(f"tag {taken}").offered(6)
    assert offered["tag"].to_list() == [f"tag {t}" for t in slow_offers(space, row, 6, [taken])]
    assert offered["rank"].to_list() == [1, 2, 3, 4, 5, 6]
    for tag, relevance, less, more in offered.select("tag", "relevance", "less", "more").iter_rows():
        assert relevance == pytest.approx(space.relevance[row, space.places[tag]])
        assert 0 < less + more <= 100
    assert len(critique.offered(50)) <= N_TAGS


def test_tags_that_lead_nowhere_are_not_offered() -> None:
    items = pl.DataFrame({"item": [1, 2, 3, 4]})
    genome = np.array([[0.5, 0.9, 0], [0.5, 0.1, 1], [0.5, 0.8, 0.5], [0.5, 0.9, 0.7]], np.float32)
    made = Catalog.from_titles(items, genome_tags=("same", "moves", "all have more"), genome=genome)
    assert set(ct.Critique(1, made).offered()["tag"]) == {"moves"}


# ---- a conversation ------------------------------------------------------------------------------------


def test_a_conversation_goes_on_and_back_and_never_changes() -> None:
    first = ct.Critique("beta", catalog())
    second = first.more("DARK").less("sci-fi")
    assert (first.critiques, second.critiques) == ((), (("dark", "more"), ("Sci-Fi", "less")))
    assert repr(second) == "Critique('Beta (1995)').more('dark').less('Sci-Fi')"
    third = second.less("dark")  # the other way round now
    assert third.critiques == (("Sci-Fi", "less"), ("dark", "less"))
    fourth = third.pick(70).more("dark")
    assert (fourth.start, fourth.critiques) == (70, (("dark", "more"),))
    assert [tuple(step) for step in fourth.history] == [
        (20, "Beta (1995)", ("less Sci-Fi", "less dark")),
        (70, "Éta [II] (2010)", ("more dark",)),
    ]
    assert fourth.undo().undo() is third
    assert third.undo() is second
    with pytest.raises(ParameterError, match="nothing to undo"):
        first.undo()
    assert 20 not in fourth.recommend(9)["item"]  # it was a start already
    assert 70 not in fourth.recommend(9)["item"]
    assert 20 in ct.Critique(70, catalog()).more("dark").recommend(9)["item"]


def test_starts_are_ids_or_titles_that_the_genome_has() -> None:
    assert ct.Critique("20", catalog()).start == 20
    assert ct.Critique(np.int64(20), catalog()).recommend(1)["item"].dtype == pl.Int64  # type: ignore[arg-type]
    with pytest.raises(UnknownIdError, match=r"psilon.*\[50\] has no tag genome; 6 of the 7"):
        ct.Critique(50, catalog())
    with pytest.raises(UnknownIdError, match="no title is like"):
        ct.Critique("Zzz", catalog())
    with pytest.raises(UnknownIdError, match="12345"):
        ct.Critique(12345, catalog())
    with pytest.raises(UnknownIdError, match="'funny'"):
        ct.Critique(10, catalog()).less("funy")
    text = ct.Critique("film 3", random_catalog(text=True))
    assert text.less("tag 2").recommend(3)["item"].dtype == pl.String


def test_gaps_of_the_genome_are_the_tags_means() -> None:
    space = tag_space(catalog())
    assert space.items.ids.tolist() == [10, 20, 30, 40, 60, 70]
    assert space.relevance[4, 1] == pytest.approx(np.mean([0.1, 0.8, 0.3, 0.5, 0.9]))
    assert np.isfinite(space.relevance).all()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="tag genome"):
        ct.Critique(10, catalog(genome=None, genome_tags=()))
    with pytest.raises(DataError, match="none of its items"):
        ct.Critique(10, catalog(genome=np.full((7, 4), np.nan, np.float32)))
    with pytest.raises(ParameterError, match="catalog"):
        ct.Critique(10)
    with pytest.raises(ParameterError, match="ratings"):
        ct.Critique(10, catalog(), user=1)
    with pytest.raises(ParameterError, match="satisfaction"):
        ct.Critique(10, catalog(), satisfaction="great")  # type: ignore[arg-type]
    for k in (0, True, 1.5):
        with pytest.raises(ParameterError, match="k must be"):
            ct.Critique(10, catalog()).recommend(k)  # type: ignore[arg-type]
        with pytest.raises(ParameterError, match="n must be"):
            ct.Critique(10, catalog()).offered(k)  # type: ignore[arg-type]
    monkeypatch.setenv("COTERIE_MEMORY", "1e-8")
    with pytest.raises(MemoryBudgetError, match="genome"):
        ct.Critique(10, catalog())


def test_what_cannot_be_had_says_what_to_take_back() -> None:
    with pytest.raises(NothingFitsError) as error:
        ct.Critique(10, catalog()).more("dark").less("funny").recommend()
    assert "more dark" in str(error.value)
    (both,) = error.value.relaxations
    assert (both.leave_out, both.n_items, both.constraints) == (("more dark", "less funny"), 5, ct.Constraints())
    assert 10 not in both.items
    with pytest.raises(NothingFitsError) as error:
        ct.Critique(20, catalog()).more("dark").recommend(3, ct.Constraints(genres="Horror", years=(2005, None)))
    (only,) = error.value.relaxations
    assert (only.leave_out, only.items) == (("from 2005 on",), (30,))
    assert only.constraints == ct.Constraints(genres="Horror")


def test_one_item_alone_has_nothing_like_it() -> None:
    made = Catalog.from_titles(pl.DataFrame({"item": [1]}), genome_tags=("a",), genome=np.ones((1, 1), np.float32))
    critique = ct.Critique(1, made)
    assert critique.recommend().is_empty()
    assert critique.less("a").recommend().is_empty()
    assert critique.offered().is_empty()


def test_items_of_no_relevance_at_all_are_like_nothing() -> None:
    genome = np.array([[0, 0], [0.5, 0.5]], np.float32)
    made = Catalog.from_titles(pl.DataFrame({"item": [1, 2]}), genome_tags=("a", "b"), genome=genome)
    assert ct.Critique(1, made).more("a").recommend()["similarity"].to_list() == [0.0]


def test_a_space_lives_as_long_as_its_catalog() -> None:
    made = random_catalog(20)
    space = tag_space(made)
    assert tag_space(made) is space
    kept = weakref.ref(space)
    del made, space
    gc.collect()
    assert kept() is None


# ---- for somebody --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [ct.Popularity(), ct.ItemKNN(), ct.BiasBaseline()], ids=lambda model: model.name)
def test_a_model_prefers_and_what_was_seen_is_left_out(model: ct.Recommender) -> None:
    x = ratings()
    fitted = model.fit(x, catalog())
    plain = ct.Critique(30, catalog()).more("funny")
    known = ct.Critique(30, model=fitted, user=1).more("funny")
    found = known.recommend(9)
    assert set(found["item"]).isdisjoint({10, 20, 30})
    scores = fitted.score(x.to_scipy()[[x.users.index(1)]], np.array([x.users.index(1)]))[0]
    told = {i: float(scores[x.items.index(i)]) for i in (10, 20, 30, 40, 70) if np.isfinite(scores[x.items.index(i)])}
    alone = dict(plain.recommend(9).select("item", "score").iter_rows())
    for item, score, preference in found.select("item", "score", "preference").iter_rows():
        share = sum(other <= told[item] for other in told.values()) / len(told)
        assert preference == pytest.approx(share)
        assert score == pytest.approx(alone[item] * share, rel=1e-5)
    assert set(found["item"]) == {item for item in alone if item in told and item not in (10, 20, 30)}
    stranger = ct.Critique(30, model=fitted, user={10: 4.0, 20: 5.0}).more("funny").recommend(9)
    assert set(stranger["item"]).isdisjoint({10, 20})


def test_ratings_alone_leave_out_what_was_seen_and_are_counted() -> None:
    critique = ct.Critique(30, catalog(), user=1, ratings=ratings()).more("funny")
    assert set(critique.recommend()["item"]) == {40, 60, 70}
    assert set(critique.recommend(9, ct.Constraints(min_ratings=1))["item"]) == {40, 70}
    assert ct.Critique(30, catalog(), user=1, ratings=ratings()).more("funny").recommend(9, [10, 20]).is_empty()
    assert critique.recommend(9, 40)["item"].to_list() == [40]


# ---- which item is meant -------------------------------------------------------------------------------


def test_of_several_titles_the_one_with_a_genome_is_taken_and_said() -> None:
    items = pl.DataFrame({"item": [1, 2, 3], "title": ["Heat (1972)", "Heat (1995)", "Speed (1994)"]})
    genome = np.array([[np.nan, np.nan], [0.2, 0.9], [0.4, 0.8]], np.float32)
    films = Catalog.from_titles(items, genome_tags=("calm", "fast"), genome=genome)
    with pytest.warns(DataWarning, match=r"'Heat' could be any of 2 titles; Heat \(1995\) is taken, which alone"):
        assert ct.Critique("Heat", films).start == 2
    with pytest.warns(DataWarning, match="is taken"):
        assert ct.Critique(3, films).pick("Heat").start == 2
    both = Catalog.from_titles(items, genome_tags=("calm", "fast"), genome=np.nan_to_num(genome, nan=0.5))
    with pytest.raises(AmbiguousTitleError, match="Heat"):
        ct.Critique("Heat", both)
    neither = Catalog.from_titles(items, genome_tags=("calm", "fast"), genome=genome[[0, 0, 1]])
    with pytest.raises(AmbiguousTitleError, match="Heat"):
        ct.Critique("Heat", neither)


def test_an_unknown_tag_is_answered_with_those_that_share_a_word() -> None:
    items = pl.DataFrame({"item": [1, 2], "title": ["Heat (1995)", "Speed (1994)"]})
    tags = ("calm", "special effects", "visual")
    films = Catalog.from_titles(items, genome_tags=tags, genome=np.array([[0.1, 0.2, 0.3]] * 2, np.float32))
    with pytest.raises(UnknownIdError, match=r"unknown tag of the genome 'visual effects'.*'special effects'"):
        ct.Critique(1, films).more("visual effects")


@pytest.mark.parametrize("tag", [3, None, ["dark"]])
def test_what_is_no_text_is_no_tag(tag: Any) -> None:
    for said in (ct.Critique(10, catalog()).less, ct.Critique(10, catalog()).more):
        with pytest.raises(ParameterError, match="tag must be a text"):
            said(tag)
