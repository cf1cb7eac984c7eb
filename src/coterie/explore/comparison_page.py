"""A leaderboard as a page of its own, or as a section of another: words, pictures, the table, and what to know."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from coterie.evaluation import units
from coterie.evaluation.estimates import Estimate
from coterie.evaluation.leaderboard import Leaderboard, Row
from coterie.explore.comparison_figures import (
    accuracy_against_popularity,
    accuracy_against_time,
    group_bars,
    leaderboard_bars,
)
from coterie.explore.html import Html, join, page, picture, table, tag, write_page

_SEVERITY_CLASSES = {"error": "bad", "warning": "note", "note": None}


def write_comparison(path: str | PathLike[str], board: Leaderboard) -> Path:
    """Write one self-contained HTML page about a comparison.

    Parameters
    ----------
    path : path
        The file; it is written whole or not at all.
    board : Leaderboard
    """
    n, users = len(board.rows), f"{board.n_users:,} users"
    lead = f"{n} models, fitted on the same ratings and asked the same questions about {users}: {board.description}."
    if n == 1:
        lead = f"One model, asked about {users}: {board.description}."
    title = "Which method is best?"
    return write_page(
        path,
        page(
            f"{title} A comparison by Coterie",
            join(tag("h1", title), tag("p", lead, class_="lead")),
            tag("div", *(tag("p", sentence) for sentence in board.words()), class_="says"),
            _pictures(board, all_of_them=True),
            tag("h2", "The figures"),
            _table(board),
            tag("h2", "What to know before believing them"),
            _findings(board),
            _reading(board),
        ),
    )


def comparison_section(question: str, board: Leaderboard) -> Html:
    """The same as a section under the question that the comparison answers."""
    return join(
        tag("h2", question),
        tag("div", *(tag("p", sentence) for sentence in board.words()), class_="says"),
        _pictures(board, all_of_them=False),
        _table(board),
        _findings(board),
        _reading(board),
    )


def _pictures(board: Leaderboard, all_of_them: bool) -> Html | None:
    """What there is to draw."""
    if board.leader is None:
        return None
    figures = [picture(leaderboard_bars(board)), picture(accuracy_against_time(board))]
    if all_of_them and any(row.popularity is not None and row.estimates[board.primary.name] for row in board.rows):
        figures.append(picture(accuracy_against_popularity(board)))
    panels = [picture(group_bars(board, by), "panel") for by, of in board.groups.items() if of and all_of_them]
    heading = tag("h2", "Is it the same for everybody?") if panels else None
    return join(tag("div", *figures, class_="pictures"), heading, *panels, *(_other_groups(board) if panels else ()))


def _other_groups(board: Leaderboard) -> list[Html]:
    """The further metrics by group of users, a table for each way of grouping."""
    made = []
    for by, groups in board.groups.items():
        others = [(m.name, of) for m in board.measures[1:] if (of := board.groups_by_metric.get(m.name, {}).get(by))]
        rows = [
            (row.model, name.replace("@", " @"), *(_value(of.get(group, {}).get(row.model)) for group in groups))
            for row in board.rows
            for name, of in others
            if any(row.model in of_models for of_models in of.values())
        ]
        if rows:
            caption = f"The other metrics by {by}, each group of users by itself"
            made.append(table(caption, ["model", "metric", *groups], rows, range(2, 2 + len(groups))))
    return made


def _value(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.4f}"


# ---- the table ---------------------------------------------------------------------------------------------


def _table(board: Leaderboard) -> Html:
    first, *others = (m.name.replace("@", " @") for m in board.measures)
    heads = ["model", first, "against the leader", *others, "seconds", "memory"]
    rows = []
    for row in board.rows:
        values = [_estimate(row.estimates.get(m.name)) for m in board.measures]
        rows.append((_model(row), values[0], _against(row, board), *values[1:], _seconds(row), _memory(row)))
    n_test = sum(split.test.nnz for split in board.splits)
    caption = f"Tested on {n_test:,} ratings: {board.description}; 95 % intervals over users"
    return table(caption, heads, rows, range(1, len(heads)))


def _seconds(row: Row) -> object:
    """Fitting, and below it answering."""
    if row.fit_seconds is None:
        return "-"
    parts = [("fit", row.fit_seconds), ("recommend", row.recommend_seconds), ("predict", row.predict_seconds)]
    said = [f"{name} {units.seconds(value)}" for name, value in parts if value is not None]
    return join(*(tag("span", text, class_="small whole") for text in said))


def _memory(row: Row) -> object:
    """The peak, and below it the model."""
    if row.model_bytes is None:
        return "-"
    said = (f"peak {units.size(row.peak_bytes)}", f"model {units.size(row.model_bytes)}")
    return join(*(tag("span", text, class_="small whole") for text in said))


def _model(row: Row) -> Html:
    """The name, the options, and what went wrong."""
    options = [tag("span", option, class_="small whole") for option in row.options]
    error = None if row.error is None else tag("span", f"failed: {row.error}", class_="small bad")
    return join(tag("span", row.model.partition("(")[0], class_="whole"), *options, error)


def _estimate(estimate: Estimate | None) -> object:
    if estimate is None:
        return "-"
    if estimate.low is None:
        return f"{estimate.value:.4f}"
    interval = tag("span", f"{estimate.low:.3f}–{estimate.high:.3f}", class_="small")
    return join(f"{estimate.value:.4f}", interval)


def _against(row: Row, board: Leaderboard) -> object:
    """The paired difference to the leader by the first metric, its interval, and its corrected p-value."""
    estimate = row.estimates.get(board.primary.name)
    if estimate is None or estimate.difference is None:
        return "leads" if board.verdict(row) == "leads" else "-"
    if estimate.p_value is None:
        return f"{estimate.difference:+.4f}"
    interval = tag("span", f"{estimate.difference_low:+.3f} to {estimate.difference_high:+.3f}", class_="small")
    worth = units.p_value(estimate.p_value) + (" (noise)" if estimate.within_noise else "")
    return join(f"{estimate.difference:+.4f}", interval, tag("span", worth, class_="small"))


# ---- what to know ------------------------------------------------------------------------------------------


def _findings(board: Leaderboard) -> Html:
    lines = []
    for finding in board.findings:
        mark = _SEVERITY_CLASSES[finding.severity]
        said = None if mark is None else tag("span", f"{finding.severity.capitalize()}: ", class_=mark)
        lines.append(tag("li", said, finding.message))
    return tag("ul", *lines, class_="quiet")


def _reading(board: Leaderboard) -> Html:
    """How the numbers came about."""
    name = board.primary.name
    variants = "; ".join(f"{m.name}: {m.metric.variant}" for m in board.measures)
    notes = [
        f"The order is by {name}. Against the leader stands the difference over the same users for both, with its 95 % "
        "interval; it can be sure even where the intervals of the two overlap.",
        "p is the chance of a difference as large as this, or larger, where there is none (two-sided, paired over "
        "users), corrected for the number of models after Holm. Above 0.05 the difference is within noise.",
        f"Variants: {variants}.",
    ]
    if len(board.splits) > 1:
        notes.append(
            f"Each user's values are pooled over {len(board.splits)} splits. Times are means, and sizes the largest."
        )
    return tag("ul", *(tag("li", note) for note in notes), class_="quiet")
