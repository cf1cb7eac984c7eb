"""Titles as people type them -> items: case, accents, articles and years forgiven, ambiguity shown."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from coterie.data.catalog import Catalog
from coterie.data.vocabulary import Id
from coterie.errors import AmbiguousTitleError, UnknownIdError

_ARTICLES = "the|a|an|le|la|les|l'|il|lo|i|gli|el|los|las|der|die|das|ein|eine|un|une|o|os|as|den|det|de"
# "Fear, The" and "City of Lost Children, The (Cité des enfants perdus, La)": the article belongs in front.
_ARTICLE_LAST = re.compile(rf"^(.*), ({_ARTICLES})$", re.IGNORECASE)
_LEADING_ARTICLE = re.compile(rf"^(?:{_ARTICLES.replace(chr(39), '')}) (?=.)")
_OTHER_TITLE = re.compile(r"\(([^()]*)\)")
_YEAR_AT_END = re.compile(r"[\s(]+(\d{4})\)*\s*$")
_OTHER_PREFIX = re.compile(r"^(?:a\.k\.a\.|aka) ", re.IGNORECASE)

# A typing error leaves words at least this alike; what is less alike is not even proposed.
_TAKEN, _PROPOSED = 0.87, 0.5
_SHOWN = 10


@dataclass(frozen=True)
class Title:
    """An item's title in the forms in which it is looked for.

    `forms` holds the plain name and, where the title gives them in brackets, its other names.
    """

    item: Id
    title: str
    year: int | None
    forms: tuple[str, ...]

    def __str__(self) -> str:
        year = "" if self.year is None or str(self.year) in self.title else f" ({self.year})"
        return f"{self.title.strip()}{year} [{self.item}]"


def find_title(catalog: Catalog, text: str) -> Id:
    """The item whose title a person means by `text`.

    Tried in this order, and the first that fits exactly one item decides: the title as published; the
    same words, whatever their case, accents, punctuation and place of the article; without an article;
    titles that begin with these words; titles that contain them; a title with a typing error. A year in
    `text` must be the item's.

    Raises
    ------
    AmbiguousTitleError
        Several titles fit equally well: the message lists them with their ids.
    UnknownIdError
        None fits: the message lists the nearest.
    """
    titles = catalog.title_forms
    exact = [t for t in titles if t.title.strip() == text.strip()]
    if exact:
        return _only(exact, text)
    for name, year in _readings(text):
        if not name:
            continue
        dated = [t for t in titles if year is None or t.year == year]
        for fits in _stages(name):
            found = [t for t in dated if any(fits(form) for form in t.forms)]
            if found:
                return _only(found, text)
    name, year = _readings(text)[0]
    dated = [t for t in titles if year is None or t.year == year]
    alike = [(ratio, t) for ratio, t in _nearest(dated, name) if ratio >= _TAKEN]
    if alike:
        return _only([t for ratio, t in alike if ratio == alike[0][0]], text)
    raise UnknownIdError(f"no title is like {text!r}{_proposals(titles, dated, name)}")


def search_titles(catalog: Catalog, text: str) -> list[list[Title]]:
    """All titles that a person may mean by `text`, in the groups that `find_title` tries, the strictest first; where no
    title has these words, those most like them."""
    titles = catalog.title_forms
    groups = [[t for t in titles if t.title.strip() == text.strip()]]
    readings = [(name, year) for name, year in _readings(text) if name]
    for name, year in readings:
        dated = [t for t in titles if year is None or t.year == year]
        groups += [[t for t in dated if any(fits(form) for form in t.forms)] for fits in _stages(name)]
    if not any(groups):
        groups += [[t] for name, _ in readings[:1] for _, t in _nearest(titles, name)[:_SHOWN]]
    told: set[Id] = set()
    fresh = []
    for group in groups:
        fresh.append([t for t in group if t.item not in told])
        told.update(t.item for t in group)
    return [group for group in fresh if group]


def title_forms(ids: Iterable[Id], titles: Iterable[str | None], years: Iterable[int | None]) -> list[Title]:
    """The forms of every title that is there; `Catalog.title_forms` keeps them."""
    rows = zip(ids, titles, years, strict=True)
    return [Title(item, title, year, _forms(title)) for item, title, year in rows if title and title.strip()]


def plain(text: str) -> str:
    """Lower-case words without accents and punctuation, an article that stands last put in front."""
    text = _ARTICLE_LAST.sub(r"\2 \1", text.strip())
    letters = unicodedata.normalize("NFKD", text.casefold().replace("&", " and "))
    letters = "".join(c for c in letters if not unicodedata.combining(c)).replace("'", "").replace("\u2019", "")
    return " ".join(re.findall(r"\w+", letters))


# ---- forms ---------------------------------------------------------------------------------------------


def _forms(title: str) -> tuple[str, ...]:
    """The whole title, its name before any brackets, and each name in brackets."""
    name = _YEAR_AT_END.sub("", title)
    inside = [_OTHER_PREFIX.sub("", other) for other in _OTHER_TITLE.findall(name)]
    before = name.split(" (", 1)[0]
    forms = [plain(before), *map(plain, inside), plain(name)]
    return tuple(dict.fromkeys(form for form in forms if form))


def _readings(text: str) -> list[tuple[str, int | None]]:
    """What was typed, as a name with its year, and (for "Blade Runner 2049") as a name that ends in a number."""
    found = _YEAR_AT_END.search(text)
    if not found:
        return [(plain(text), None)]
    return [(plain(text[: found.start()]), int(found.group(1))), (plain(text), None)]


def _stages(name: str) -> list[Callable[[str], bool]]:
    """Ways in which a form may fit a name, strictest first."""
    bare = _LEADING_ARTICLE.sub("", name)
    return [
        lambda form: form == name,
        lambda form: _LEADING_ARTICLE.sub("", form) == bare,
        lambda form: f"{_LEADING_ARTICLE.sub('', form)} ".startswith(f"{bare} "),
        lambda form: f" {bare} " in f" {form} ",
        lambda form: f" {bare}" in f" {form}",
    ]


# ---- answers -------------------------------------------------------------------------------------------


def _only(found: list[Title], text: str) -> Id:
    """The one item that fits, or an error that lists all that do."""
    if len(found) == 1:
        return found[0].item
    found = sorted(found, key=lambda t: (len(t.title), t.title))
    more = f", and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    shown = "; ".join(map(str, found[:_SHOWN]))
    message = f"{text!r} could be any of {len(found):,} titles: {shown}{more}. Give the year or the id"
    raise AmbiguousTitleError(message, tuple(title.item for title in found))


def _nearest(titles: list[Title], name: str) -> list[tuple[float, Title]]:
    """Titles by likeness to a name, the likest first."""
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(name)
    ranked = []
    for title in titles:
        best = 0.0
        for form in title.forms:
            matcher.set_seq1(form)
            if matcher.real_quick_ratio() > _PROPOSED and matcher.quick_ratio() > max(_PROPOSED, best):
                best = max(best, matcher.ratio())
        if best > _PROPOSED:
            ranked.append((best, title))
    return sorted(ranked, key=lambda pair: -pair[0])


def _proposals(titles: list[Title], dated: list[Title], name: str) -> str:
    """The nearest titles, of the year that was asked for and of any."""
    near = [t for _, t in _nearest(dated, name)[:3]]
    if len(dated) < len(titles):
        near += [t for _, t in _nearest(titles, name)[:3] if t not in near]
    return f"; the nearest are {'; '.join(map(str, near[:5]))}" if near else "; give its id instead"
