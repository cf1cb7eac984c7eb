"""The lesson shows what the production code computes, and nothing else."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import coterie as ct
from coterie import similarity
from coterie.data.interactions import Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import ParameterError, UnknownIdError
from coterie.lessons import Lesson, lesson, showing, words
from coterie.similarity import MEASURES
from tests.reference.matrices import HALF_STARS, rated

READINGS = ("table", "notebook")


def interactions(dense: Any) -> Interactions:
    """Ratings (users x items, NaN for unrated): users 10, 13, ..., items 100, 107, ..."""
    dense = np.asarray(dense, np.float64)
    user, item = np.nonzero(~np.isnan(dense))
    vocabularies = (
        Vocabulary(np.arange(dense.shape[0]) * 3 + 10, "user"),
        Vocabulary(np.arange(dense.shape[1]) * 7 + 100, "item"),
    )
    return Interactions.from_arrays(*vocabularies, user, item, dense[user, item])


def combined(name: str, reading: str, parts: dict[str, float]) -> float:
    """The shown parts put together as the shown formula says."""
    p, q, r = [*parts.values(), 1.0, 1.0][:3]
    match name, reading:
        case "jaccard", _:
            return p / (q + r - p)
        case "cosine", _:
            return p / (q * r) if q * r else 0.0
        case "pearson", _:
            return p / math.sqrt(q * r) if q * r else 0.0
        case "euclidean", _:
            return math.sqrt(p) / q
        case _:
            return p / q if q else p


def every_step(found: Lesson) -> Iterator[tuple[str, Any, Any]]:
    for measure in found.measures:
        for reading in READINGS:
            yield measure.name, reading, measure.step(reading)  # type: ignore[arg-type]


@given(rated(st.just(HALF_STARS), max_columns=9), st.sampled_from(["users", "items"]))
def test_what_is_shown_gives_the_production_value(dense: np.ndarray, axis: Any) -> None:
    x = interactions(dense)
    ids = x.vocabulary(axis).ids.tolist()
    assume(len(ids) > 1)
    found = lesson(x, ids[0], ids[-1], axis)
    for name, reading, step in every_step(found):
        assert step.value == similarity.pair(x, ids[0], ids[-1], name, reading, axis)
        if not len(found.co_rated):
            assert (step.terms, step.worked) == ((), "nothing shared")
            assert step.value == MEASURES[name].nothing_shared(reading)
            continue
        assert combined(name, reading, step.parts) == pytest.approx(step.value, rel=1e-12, abs=1e-12)
        total = max(step.terms) if name == "chebyshev" else sum(step.terms)
        assert total == pytest.approx(step.total, rel=1e-9, abs=1e-9)
        assert step.total == next(iter(step.parts.values()))


@given(rated(st.just(HALF_STARS), max_columns=9), st.sampled_from(["users", "items"]), st.data())
def test_what_if_is_the_production_value_of_changed_data(dense: np.ndarray, axis: Any, data: st.DataObject) -> None:
    x = interactions(dense)
    other: Any = "items" if axis == "users" else "users"
    a, b = x.vocabulary(axis).ids[[0, -1]].tolist()
    assume(a != b)
    shared = lesson(x, a, b, axis).co_rated[other[:-1]].to_list()
    assume(shared)
    id = data.draw(st.sampled_from(shared))
    rating = data.draw(st.sampled_from(sorted({*x.scale, float(np.median(x.values))})))
    what_if = lesson(x, a, b, axis, change=(id, rating)).what_if
    assert what_if is not None
    user, item = (a, id) if axis == "users" else (id, a)
    at = x.indptr[x.users.index(user)] + np.searchsorted(
        x.indices[x.indptr[x.users.index(user)] : x.indptr[x.users.index(user) + 1]], x.items.index(item)
    )
    values = x.values.copy()
    assert (what_if.id, what_if.before, what_if.after) == (id, float(values[at]), rating)
    values[at] = rating
    changed = replace(x, values=values)
    assume(changed.scale == x.scale)
    for name, of in what_if.values.items():
        for reading, (before, after, so) in of.items():
            assert before == similarity.pair(x, a, b, name, reading, axis)
            assert after == similarity.pair(changed, a, b, name, reading, axis)
            closer = (after > before) == MEASURES[name].larger_is_closer
            assert so == (
                "the same" if math.isclose(after, before, abs_tol=1e-12) else "closer" if closer else "farther"
            )


@given(rated(st.just(HALF_STARS), max_columns=6))
def test_what_is_written_is_what_is_meant(dense: np.ndarray) -> None:
    x = interactions(dense)
    assume(x.n_users > 1)
    found = lesson(x, *x.users.ids[[0, -1]].tolist())
    for name, _, step in every_step(found):
        if step.terms and not (name == "pearson" and 0 in list(step.parts.values())[1:3]):
            assert re.fullmatch(r"[0-9e.√()·/+\- ]+", step.worked)
            worked = eval(step.worked.replace("√", "sqrt").replace("·", "*"), {"sqrt": math.sqrt})
            assert worked == pytest.approx(step.value, rel=1e-4, abs=1e-5)
    for text in (str(found), found._repr_html_()):
        assert found.summary in text.replace("&#x27;", "'")
    json.dumps(found.to_dict())


def test_no_arithmetic_is_done_here() -> None:
    root = Path(similarity.__file__).parent / "lessons"
    for file in ("lesson.py", "showing.py"):
        for node in ast.walk(ast.parse((root / file).read_text("utf-8"))):
            if isinstance(node, ast.BinOp):
                text = isinstance(node.op, ast.Mult) and isinstance(node.left, ast.Constant)
                assert text or not isinstance(node.op, (ast.Mult, ast.Div, ast.Pow, ast.MatMult)), ast.unparse(node)
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).rpartition(".")[2]
                assert called not in ("sum", "mean", "dot", "sqrt", "square", "power", "fsum"), ast.unparse(node)


# ---- by hand -----------------------------------------------------------------------------------------------


def catalogued() -> ct.Dataset:
    frame = pl.DataFrame({"item": [100, 107, 114], "title": ["Heat (1995)", "<b>Big</b> [1]", "Ünïcode (2000)"]})
    x = interactions([[4, 2, np.nan, 5], [5, 2, 3, 1], [0.5, np.nan, 5, 1]])
    return ct.Dataset(x, ct.Catalog.from_titles(frame.with_columns(genres=pl.lit("Drama"))), "made")


def test_by_hand() -> None:
    found = lesson(catalogued(), 10, 13)
    assert found.co_rated.columns == ["item", "title", "a", "b", "apart"]
    assert found.co_rated["apart"].to_list() == [1, 0, 4]
    assert found["cosine"].table.terms == (20, 4, 5)
    assert found["l2"].table.terms == (1, 0, 16)
    assert found["pearson"].notebook.parts == pytest.approx(
        {"Σ_C (a-ā)(b-b̄)": -1 / 3, "Σ_C (a-ā)²": 42 / 9, "Σ_C (b-b̄)²": 78 / 9, "ā": 11 / 3, "b̄": 8 / 3}
    )
    assert found["chebyshev"].notebook.worked == "4 / 4.5"
    assert (found.rated, found.data, found.recommended) == ((3, 4), "ratings", ("cosine", "pearson"))
    text = str(found)
    assert "Σ_C a·b = 20 + 4 + 5 = 29" in text
    assert "max(1, 0, 4) = 4" in text
    # the largest disagreement, on the item without a title, is asked about
    assert found.what_if is not None
    assert (found.what_if.id, found.what_if.after) == (121, 1)
    assert "What if user 10 had given item 121 1 instead of 5 (user 13 gave 1)?" in text
    assert found.what_if.values["jaccard"]["table"][2] == "the same"
    assert found.what_if.values["manhattan"]["table"] == (5, 1, "closer")


def test_a_small_change_is_shown_with_the_digits_that_it_needs() -> None:
    chance = np.random.default_rng(0)
    dense = chance.integers(1, 11, (2, 3000)) / 2
    dense[:, 0] = 3.0, 3.0
    found = lesson(interactions(dense), 10, 13, change=(100, 3.5)).what_if
    assert found is not None
    cosines = found.values["cosine"]["table"]
    assert f"{cosines[0]:.4f}" == f"{cosines[1]:.4f}" and cosines[2] != "the same"
    for name, *cells in showing.change_rows(found):
        for (before, after, so), shown in zip(found.values[name].values(), (cells[:3], cells[3:]), strict=True):
            assert shown[2] == so
            assert (shown[0] == shown[1]) == (so == "the same"), (name, shown)
            assert [float(text) for text in shown[:2]] == pytest.approx([before, after], abs=5.1e-5)
            if so != "the same":
                assert (float(shown[1]) > float(shown[0])) == (after > before)


def test_all_rows_and_terms_can_be_seen() -> None:
    chance = np.random.default_rng(1)
    found = lesson(interactions(chance.integers(1, 11, (2, 23)) / 2), 10, 13)
    few, whole = str(found), found.to_text(23)
    assert "... and 13 more (to_text(23) shows all, and all terms of the sums)" in few
    assert "(to_text(23) shows all, and all terms of the sums)" in found._repr_html_()
    assert "..." not in whole and whole.count(" + ") > few.count(" + ")
    for text, n in ((few, 10), (whole, 23)):
        line = next(line for line in text.splitlines() if "Σ_C a·b = " in line)
        written = [float(term) for term in re.findall(r"[\d.]+(?= \+| =)", line.partition("b = ")[2]) if term != "..."]
        assert written == pytest.approx(found["cosine"].table.terms[:n])


def test_items_have_titles_and_markup_is_text() -> None:
    found = lesson(catalogued(), 100, 107, "items")
    assert found.names == ("Heat (1995)", "<b>Big</b> [1]")
    html = found._repr_html_()
    assert "<b>Big" not in html
    assert "&lt;b&gt;Big&lt;/b&gt; [1]" in html
    assert found.co_rated.columns == ["user", "a", "b", "apart"]
    assert "What if user 13 had given Heat (1995) 2 instead of 5 (and <b>Big</b> [1] 2, as now)?" in str(found)


def test_where_there_is_nothing_to_change() -> None:
    unary = interactions([[1, 1, np.nan], [np.nan, 1, 1], [np.nan, np.nan, 1]])
    found = lesson(unary, 10, 13)
    assert (found.data, found.recommended, found.what_if) == ("unary", ("jaccard",), None)
    assert "Σ_C a·b = 1\n" in str(found)
    assert "but over only one rating" in str(found)
    assert "one value cannot say" in found.summary
    apart = lesson(unary, 10, 16)
    assert (len(apart.co_rated), apart.what_if) == (0, None)
    assert "share nothing" in apart.summary
    assert apart["manhattan"].table.value == math.inf
    assert "∞" in str(apart)
    assert "∞" in apart._repr_html_()
    same = lesson(interactions([[4, 1], [4, 1]]), 10, 13)
    assert same.what_if is not None
    assert (same.what_if.before, same.what_if.after) == (4, 1)
    assert same.what_if.values["cosine"]["table"][2] == "farther"


def test_words_keep_to_their_thresholds() -> None:
    def of(name: str, value: float, n: int = 20) -> str:
        return words.of_value(name, "notebook", value, n, 4.0)

    assert [of("jaccard", v).split("share ")[1] for v in (0.04, 0.05, 0.15, 0.4)] == [
        f"{w} of what either has" for w in ("almost nothing", "little", "a good part", "most")
    ]
    assert [of("manhattan", v) for v in (0.6, 0.61, 1.2, 1.21)] == [
        f"on average {w}" for w in ("close to each other", "some way apart", "some way apart", "far apart")
    ]
    assert of("pearson", 0.5, 9).endswith("somewhat, but over only 9 ratings")
    assert "opposite" in of("cosine", -0.1)
    # jaccard, mean gap, pearson, n
    said = [
        words.together(*numbers, 4.0, "ratings", "users")
        for numbers in [(0.1, 0.4, 0.9, 20), (0.5, 0.4, 0.9, 20), (0.1, 2, 0.0, 20), (0.5, 2, 0.9, 20), (0.5, 1, 0, 1)]
    ]
    assert said == [
        "They agree on what they both rated, but rated little in common.",
        "They agree on what they both rated, and rated much in common.",
        "They disagree on what they both rated, and rated little in common.",
        "They disagree on what they both rated, but rated much in common. "
        "Yet their ups and downs go together: one is the harsher judge.",
        "They half agree on what they both rated, but rated much in common. 1 shared rating is few to judge by.",
    ]


def test_errors_name_the_offender() -> None:
    data = catalogued()
    with pytest.raises(ParameterError, match="both are user 10; give two different users"):
        lesson(data, 10, 10)
    with pytest.raises(UnknownIdError, match="unknown user 11"):
        lesson(data, 10, 11)
    with pytest.raises(ParameterError, match="change names item 114, which is not shared by both; they share 100, 107"):
        lesson(data, 10, 13, change=(114, 3.0))
    with pytest.raises(ParameterError, match=r"change gives a rating of 7; the ratings here go from 0\.5 to 5"):
        lesson(data, 10, 13, change=(100, 7.0))
    with pytest.raises(ParameterError, match="change gives a rating of nan"):
        lesson(data, 10, 13, change=(100, math.nan))
    for wrong in (5, (100,), (100, "good"), (100, None)):
        with pytest.raises(ParameterError, match=r"change is a pair \(shared item, rating\), not"):
            lesson(data, 10, 13, change=wrong)  # type: ignore[arg-type]


def test_the_module_s_pair(shared: Path) -> None:
    data = ct.load(str(shared / "ml-20m-1000users")).filter(first_users=1000, min_item_ratings=21)
    found = lesson(data, 1, 2)
    printed = {"jaccard": 0.053, "cosine": 0.133, "pearson": -0.069, "manhattan": 1.167, "euclidean": 0.412}
    printed["chebyshev"] = 0.444
    assert {m.name: round(m.notebook.value, 3) for m in found.measures} == printed
    assert len(found.co_rated) == 9
    assert showing.summands("manhattan", found["manhattan"].notebook, 6) == "1 + 1 + 1.5 + 1.5 + 0.5 + 1 + ... = 10.5"
