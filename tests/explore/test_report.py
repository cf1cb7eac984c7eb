"""The report holds everything it needs, escapes everything it is given, and adds up."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from coterie.data.catalog import Catalog
from coterie.data.dataset import Dataset
from coterie.data.interactions import Interactions
from coterie.errors import DataError
from coterie.evaluation import compare
from coterie.explore import reason, typical_user, write_report
from coterie.explore.html import Html, bar, join, table, tag
from coterie.models.base import Recommender
from coterie.models.explanation import Explanation

Array = np.ndarray[Any, np.dtype[Any]]
EVIL = '<script>alert("1 & 2")</script> $x^2$'


@dataclass(eq=False)
class CoRated(Recommender):
    """Scores an item by how many ratings it shares users with; explains itself by items."""

    name: ClassVar[str] = "co-rated"

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        self.shared_ = (train.to_scipy().T @ train.to_scipy()).toarray().astype(np.float32)

    def _score(self, profiles: sp.csr_matrix, users: Array | None) -> Array:
        return np.asarray(profiles @ self.shared_ + 0.5, np.float32)

    def _explain(self, profile: sp.csr_matrix, user: int | None, item: int) -> tuple[float, pl.DataFrame, str]:
        similarity = self.shared_[profile.indices, item]
        columns = {"item_index": profile.indices, "similarity": similarity, "rating": profile.data}
        parts = pl.DataFrame(columns | {"contribution": (similarity * profile.data).astype(float)})
        return 0.5, parts, f"Because of {EVIL}."


@dataclass(eq=False)
class Silent(CoRated):
    """Explains nothing."""

    name: ClassVar[str] = "silent"
    _explain = Recommender._explain


@dataclass(eq=False)
class Broken(CoRated):
    """Learns nothing."""

    name: ClassVar[str] = "broken"
    predicts_ratings = True

    def _fit(self, train: Interactions, catalog: Catalog | None) -> None:
        raise DataError("these ratings cannot be learnt from")


def dataset(n_users: int = 30, n_items: int = 25, titles: bool = True, times: bool = True) -> Dataset:
    generator = np.random.default_rng(0)
    user, item = np.nonzero(generator.random((n_users, n_items)) < 0.6)
    columns: dict[str, Any] = {"user": user, "item": item, "rating": generator.integers(1, 6, len(user)).astype(float)}
    if times:
        columns["time"] = generator.integers(10**9, 12 * 10**8, len(user))
    x = Interactions.from_frame(pl.DataFrame(columns), "user", "item", "rating", "time" if times else None)
    names = [f"{EVIL} {n} (1999)" for n in range(n_items)]
    frame = pl.DataFrame({"item": range(n_items), "title": names, "genres": ["Drama|<b>"] * n_items})
    return Dataset(x, Catalog.from_titles(frame) if titles else None, EVIL)


@dataclass
class Page(HTMLParser):
    """A page as a browser sees it, complaining where elements do not close."""

    open: list[str] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Page:
        page = cls()
        HTMLParser.__init__(page, convert_charrefs=True)
        page.feed(path.read_text(encoding="utf-8"))
        assert not page.open, f"never closed: {page.open}"
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    data = dataset()
    model = CoRated().fit(data.interactions, data.catalog)
    board = compare(data, ["random", "popularity", CoRated()], "random", ["ndcg@5", "coverage@5"], progress=False)
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    assert write_report(path, data, model, 3, {1: 5.0, 2: 4.0}, {"Which?": board}, k=4) == path
    assert [f.name for f in path.parent.iterdir()] == ["report.html"]
    return Page.read(path)


def test_the_page_needs_nothing_but_itself(page: Page) -> None:
    assert {name for name, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "a"})
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    style = "".join(page.text)
    assert "url(" not in style and "@import" not in style
    for image in page.all("img"):
        svg = base64.b64decode((image["src"] or "").split(",", 1)[1]).decode()
        assert not re.search(r"""(?:href|src)=["'](?!#)""", svg) and "url(http" not in svg


def test_titles_are_text_and_no_markup(page: Page) -> None:
    assert any(EVIL in text for text in page.text)
    assert not page.all("script") and not page.all("b")
    assert EVIL in "".join(page.text)


def test_the_page_can_be_heard(page: Page) -> None:
    images = page.all("img")
    assert len(images) == 7
    assert all(image["alt"] for image in images)
    assert page.all("html")[0]["lang"] == "en"
    heads = page.all("th")
    assert heads and all(head.get("scope") in ("row", "col") for head in heads)
    assert len(page.all("caption")) == len(page.all("table")) == 6
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch(r"h\d", name)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in pairwise(levels))


def test_the_worked_example_adds_up(tmp_path: Path) -> None:
    data = dataset(n_items=60)
    model = CoRated().fit(data.interactions, data.catalog)
    path = write_report(tmp_path / "r.html", data, model)
    source = path.read_text(encoding="utf-8")
    worked = source[source.index("as a sum</h3>") :]
    body, foot = re.search(r"<tbody>(.*?)</tbody><tfoot>(.*?)</tfoot>", worked, re.DOTALL).groups()  # type: ignore[union-attr]
    terms = [float(t.replace(",", "")) for t in re.findall(r"[+-][\d,]+\.\d{4}", body)]
    (total,) = re.findall(r"[\d,]+\.\d{4}", foot)
    user = typical_user(data.interactions)
    best = model.recommend(user, k=1)
    assert len(terms) == 12  # the base, ten items, and the rest of them in one line
    assert sum(terms) == pytest.approx(float(total.replace(",", "")), abs=1e-3)
    assert float(total.replace(",", "")) == pytest.approx(best["score"][0], rel=1e-5)


@pytest.mark.parametrize(("titles", "times", "users"), [(False, True, 30), (True, False, 30), (False, False, 1)])
def test_odd_data_still_make_a_report(tmp_path: Path, titles: bool, times: bool, users: int) -> None:
    data = dataset(users, titles=titles, times=times)
    page = Page.read(write_report(tmp_path / "r.html", data, Silent().fit(data.interactions, data.catalog)))
    assert len(page.all("img")) == 2 + titles + times + (users > 1)
    assert any(text.startswith("item ") for text in page.text) != titles


def test_a_leaderboard_of_failures_is_shown_without_pictures(tmp_path: Path) -> None:
    data = dataset()
    board = compare(data, [Broken()], "random", ["rmse"], progress=False)
    page = Page.read(write_report(tmp_path / "r.html", data, boards={"Which?": board}))
    assert "No model could be judged." in page.text


def test_a_failing_write_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("coterie.storage.files.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(path, dataset())
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_typical_user_has_the_median_number_of_ratings() -> None:
    frame = pl.DataFrame({"u": [1, 2, 2, 3, 3, 3, 4, 4], "i": [1, 1, 2, 1, 2, 3, 1, 2]})
    assert typical_user(Interactions.from_frame(frame, "u", "i")) == 4


def test_a_reason_names_what_speaks_most_for_the_item() -> None:
    columns = {"item": [1, 2, 3, 4], "title": ["A", None, "C", "D"], "rating": [5.0, 4.5, 4.0, 1.0]}
    items = pl.DataFrame(columns | {"contribution": [2.0, 3.0, 1.0, -1.0]})
    assert reason(Explanation(1, 9, 5.0, 0.0, items, "")) == "rated item 2 4.5; A 5; C 4"
    assert reason(Explanation(1, 9, 5.0, 0.0, items, ""), most=1) == "rated item 2 4.5; and 2 more like it"
    users = pl.DataFrame({"user": [7, 8], "rating": [5.0, 4.0], "contribution": [0.5, 0.4]})
    assert reason(Explanation(1, 9, 0.9, 0.0, users, "")) == "user 7 rated it 5; user 8 rated it 4"
    assert reason(Explanation(1, 9, 0.0, 0.0, users.clear(), "Everyone gets this.")) == "Everyone gets this."


# ---- html ----------------------------------------------------------------------------------------------


def test_text_is_escaped_and_markup_is_kept() -> None:
    assert tag("p", "a < b & c", tag("em", '"')) == "<p>a &lt; b &amp; c<em>&quot;</em></p>"
    assert (
        tag("td", class_="a b", aria_label='say "hi"', id=None)
        == '<td class="a b" aria-label="say &quot;hi&quot;"></td>'
    )
    assert join("<", Html("<br>"), None) == "&lt;<br>"


def test_a_table_heads_its_rows_and_columns() -> None:
    made = table("Cap", ["name", "n"], [("a", 1), ("sum", 1)], numbers=[1], foot=1)
    assert '<th scope="col" class="number">n</th>' in made
    assert '<th scope="row">a</th><td class="number">1</td></tr></tbody><tfoot>' in made


@pytest.mark.parametrize(
    ("share", "both", "style"),
    [(0.5, False, "width:50.0%;left:0%"), (0.5, True, "width:25.0%;left:50%"), (-1, True, "width:50.0%;right:50%")],
)
def test_bars_start_in_the_middle_where_some_are_negative(share: float, both: bool, style: str) -> None:
    assert style in bar(share, both)
