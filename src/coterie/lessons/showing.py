"""A lesson as text, as HTML and as plain data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from coterie.data.wording import counted
from coterie.measures import Reading
from coterie.similarity import Parts

if TYPE_CHECKING:
    from coterie.lessons.lesson import Lesson, MeasureLesson, Step, WhatIf

#: Of what is shared, the rows and the terms of each sum that are shown where nobody says how many.
SHOWN = 10
_INDENT = " " * 12

# What a measure makes of the kernel's numbers p, q and r (see `kernels.corated.split_rows`), and their names.
_WORKED: dict[tuple[str, Reading | None], tuple[str, tuple[str, ...]]] = {
    ("jaccard", None): ("{p} / ({q} + {r} - {p})", ("|I_a ∩ I_b|", "|I_a|", "|I_b|")),
    ("cosine", None): ("{p} / ({q} · {r})", ("Σ_C a·b", "‖a‖", "‖b‖")),
    ("pearson", None): ("{p} / √({q} · {r})", ("Σ_C (a-ā)(b-b̄)", "Σ_C (a-ā)²", "Σ_C (b-b̄)²")),
    ("manhattan", "table"): ("{p}", ("Σ_C |a - b|",)),
    ("manhattan", "notebook"): ("{p} / {q}", ("Σ_C |a - b|", "|C|")),
    ("euclidean", "table"): ("√({p})", ("Σ_C (a - b)²",)),
    ("euclidean", "notebook"): ("√({p}) / {q}", ("Σ_C (a - b)²", "|C|")),
    ("chebyshev", "table"): ("{p}", ("max_C |a - b|",)),
    ("chebyshev", "notebook"): ("{p} / {q}", ("max_C |a - b|", "r_max - r_min, or 1 if that is 0")),
}


def worked(name: str, reading: Reading, parts: Parts) -> tuple[dict[str, float], str]:
    """The numbers in a measure's formula by name, and the formula with them in it."""
    pattern, names = _WORKED.get((name, None)) or _WORKED[name, reading]
    numbers = dict(zip(names, parts.whole, strict=False))
    if name == "pearson":
        numbers |= {"ā": parts.means[0], "b̄": parts.means[1]}
    return numbers, pattern.format(**{at: number(value) for at, value in zip("pqr", parts.whole, strict=True)})


def number(value: float, digits: int = 6) -> str:
    """A number with six significant digits; whole ones whole."""
    return f"{value:.{digits}g}" if math.isfinite(value) else "∞"


def summands(name: str, step: Step, k: int = SHOWN) -> str:
    """The first `k` terms of a step and what all come to: ``12 + 9 + ... = 45``."""
    if not step.terms:
        return ""
    written = [number(term, 4) for term in step.terms[:k]]
    first = [f"({term})" if term.startswith("-") and name != "chebyshev" else term for term in written]
    if len(step.terms) > k:
        first.append("...")
    total = number(step.total)
    if len(step.terms) == 1:
        return total
    return f"max({', '.join(first)}) = {total}" if name == "chebyshev" else f"{' + '.join(first)} = {total}"


def steps(measure: MeasureLesson) -> list[tuple[str, Step]]:
    """A measure's readings with their names; one, called "both", where they are the same."""
    if measure.table == measure.notebook:
        return [("both", measure.table)]
    return [("table", measure.table), ("notebook", measure.notebook)]


def measure_lines(measure: MeasureLesson, k: int = SHOWN) -> Iterator[str]:
    """A measure in formulas, numbers and words, without its heading; of its sums the first `k` terms."""
    before: tuple[float, ...] = ()
    for reading, step in steps(measure):
        yield f"  {reading:<9} {step.formula}"
        if "ā" in step.parts and step.terms:
            yield f"{_INDENT}ā = {number(step.parts['ā'])}, b̄ = {number(step.parts['b̄'])}"
        if step.terms and step.terms != before and measure.name != "jaccard":
            yield f"{_INDENT}{next(iter(step.parts))} = {summands(measure.name, step, k)}"
        before = step.terms
        worked = "" if step.worked == number(step.value) else f"{step.worked} = "
        yield f"{_INDENT}= {worked}{shown(step.value)}"
        yield f"{_INDENT}→ {step.words}"


def shown(value: float) -> str:
    """A measure's value: four decimals, or ∞."""
    return f"{value:.4f}" if math.isfinite(value) else "∞"


def facts(lesson: Lesson) -> list[str]:
    """What is known of each of the two, and of both."""
    verb, noun = ("rated", "item") if lesson.axis == "users" else ("was rated by", "user")
    each = [
        f"{name} {verb} {counted(n, noun)}, mean {mean:.3f}, norm {norm:.3f}"
        for name, n, mean, norm in zip(lesson.names, lesson.rated, lesson.mean, lesson.norm, strict=True)
    ]
    n = len(lesson.co_rated)
    both = f"{'Both rated' if lesson.axis == 'users' else 'Both were rated by'} {counted(n, noun)}, the set C:"
    return [*each, both if n else "They share nothing: the set C is empty."]


def advice(lesson: Lesson) -> str:
    """What the guideline recommends for these data."""
    kind = lesson.data if lesson.data == "ratings" else lesson.data + " data"
    return f"These are {kind}: the guideline recommends {' or '.join(lesson.recommended)}."


def change(what_if: WhatIf, lesson: Lesson) -> str:
    """The question that the last table answers."""
    about = what_if.title or f"{'item' if lesson.axis == 'users' else 'user'} {what_if.id}"
    new, old, other = (number(v) for v in (what_if.after, what_if.before, what_if.other))
    a, b = lesson.names
    if lesson.axis == "users":
        return f"What if {a} had given {about} {new} instead of {old} ({b} gave {other})?"
    return f"What if {about} had given {a} {new} instead of {old} (and {b} {other}, as now)?"


def change_rows(what_if: WhatIf) -> list[tuple[str, ...]]:
    """For each measure: the value before and after in both readings, and whether they come closer."""
    return [
        (name, *(cell for before, after, so in of.values() for cell in (*_told_apart(before, after), so)))
        for name, of in what_if.values.items()
    ]


def _told_apart(before: float, after: float) -> tuple[str, str]:
    """Both values with as many decimals as show the change between them: four, or more."""
    texts = shown(before), shown(after)
    decimals = itertools.count(5)
    while texts[0] == texts[1] and not same(before, after):
        n = next(decimals)
        texts = f"{before:.{n}f}", f"{after:.{n}f}"
    return texts


def same(before: float, after: float) -> bool:
    """Whether two values differ by no more than rounding."""
    return math.isclose(before, after, rel_tol=1e-9, abs_tol=1e-12)


CHANGE_COLUMNS = ("measure", "table", "then", "so", "notebook", "then", "so")


# ---- as text ---------------------------------------------------------------------------------------------


def to_text(lesson: Lesson, k: int = SHOWN) -> str:
    """All of it in plain text, with the first `k` of what they share and of each sum's terms."""
    a, b = lesson.names
    lines = [f"{a} and {b}", *facts(lesson)]
    if len(lesson.co_rated):
        lines += _aligned(lesson.co_rated.columns, lesson.co_rated.head(k).rows())
    lines += _rest(lesson, k)
    for measure in lesson.measures:
        lines += ["", f"{measure.name} ({measure.closer} is closer): {measure.guideline}", *measure_lines(measure, k)]
    lines += ["", lesson.summary, advice(lesson)]
    if lesson.what_if is not None:
        lines += ["", change(lesson.what_if, lesson), *_aligned(CHANGE_COLUMNS, change_rows(lesson.what_if))]
    return "\n".join(lines)


def _rest(lesson: Lesson, k: int) -> list[str]:
    """How many rows are not shown, and how to see them and all terms."""
    n = len(lesson.co_rated)
    return [f"... and {n - k:,} more (to_text({n}) shows all, and all terms of the sums)"] if n > k else []


def _aligned(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    texts = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[at]) for line in texts) for at in range(len(columns))]
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in texts]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return number(value) if isinstance(value, float) else str(value)


# ---- as HTML ---------------------------------------------------------------------------------------------


def to_html(lesson: Lesson, k: int = SHOWN) -> str:
    """All of it as HTML, for a notebook."""
    a, b = lesson.names
    parts = [f"<h4>{escape(a)} and {escape(b)}</h4>", *(f"<div>{escape(line)}</div>" for line in facts(lesson))]
    if len(lesson.co_rated):
        parts.append(_html_table(lesson.co_rated.columns, lesson.co_rated.head(k).rows()))
    parts += [f"<div>{line}</div>" for line in _rest(lesson, k)]
    for measure in lesson.measures:
        text = escape("\n".join(measure_lines(measure, k)))
        parts.append(
            f"<div><b>{measure.name}</b> ({measure.closer} is closer): {escape(measure.guideline)}</div>"
            f'<pre style="overflow-x:auto;margin:.2em 0 .8em;font-family:monospace">{text}</pre>'
        )
    parts += [f"<p><b>{escape(lesson.summary)}</b><br>{escape(advice(lesson))}</p>"]
    if lesson.what_if is not None:
        parts.append(f"<div>{escape(change(lesson.what_if, lesson))}</div>")
        parts.append(_html_table(CHANGE_COLUMNS, change_rows(lesson.what_if)))
    return f'<div class="coterie-lesson">{"".join(parts)}</div>'


def _html_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    sides = ["right" if isinstance(value, (int, float)) else "left" for value in rows[0]]
    head = "".join(_element("th", c, side) for c, side in zip(columns, sides, strict=True))
    lines = [(_element("td", _cell(v), side) for v, side in zip(row, sides, strict=True)) for row in rows]
    body = "".join(f"<tr>{''.join(line)}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _element(name: str, text: str, side: str) -> str:
    return f'<{name} style="text-align:{side}">{escape(text)}</{name}>'


# ---- as plain data ---------------------------------------------------------------------------------------


def to_dict(lesson: Lesson) -> dict[str, Any]:
    """Lists, dicts, texts and numbers."""
    what_if = lesson.what_if
    return {
        "axis": lesson.axis,
        "ids": list(lesson.ids),
        "names": list(lesson.names),
        "rated": list(lesson.rated),
        "mean": list(lesson.mean),
        "norm": list(lesson.norm),
        "co_rated": lesson.co_rated.to_dicts(),
        "measures": [_measure_dict(m) for m in lesson.measures],
        "data": lesson.data,
        "recommended": list(lesson.recommended),
        "summary": lesson.summary,
        "what_if": None
        if what_if is None
        else {
            "id": what_if.id,
            "title": what_if.title,
            "before": what_if.before,
            "after": what_if.after,
            "other": what_if.other,
            "measures": [
                {"name": name, **{r: dict(zip(("before", "after", "so"), v, strict=True)) for r, v in of.items()}}
                for name, of in what_if.values.items()
            ],
        },
    }


def _measure_dict(measure: MeasureLesson) -> dict[str, Any]:
    return {
        "name": measure.name,
        "closer": measure.closer,
        "suits": list(measure.suits),
        "guideline": measure.guideline,
        **{
            reading: {
                "formula": step.formula,
                "worked": step.worked,
                "value": step.value,
                "terms": list(step.terms),
                "total": step.total,
                "parts": step.parts,
                "words": step.words,
            }
            for reading, step in (("table", measure.table), ("notebook", measure.notebook))
        },
    }
