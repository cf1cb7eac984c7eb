"""What the pages of models take from the registry and from `leaderboard.json`, so that no number is written by hand.

Directives: `leaderboard` (the whole table), `leaderboard-line NAME` (one model's line, beside who leads), `models` (the
registered models in a table, each with a link to its page).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from coterie.models.registry import MODELS, model_class

NOT_THERE = "was not there when the leaderboard was made; run docs/leaderboard.py"
_HEAD = ("", "model", "NDCG@10, 95 % interval", "recall@10", "coverage@10", "RMSE", "size")
_TIMES = ("fit", "lists")
_BUSY = 1.0  # the load, before a comparison starts, from which on its times say nothing


def page_of(name: str) -> str:
    """The file name, without its ending, of a model's page; a plus sign would be odd in an address."""
    return name.replace("+", "p")


def seconds(value: float | None) -> str:
    """A time that reads well."""
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 0.1 else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def size(value: float | None) -> str:
    """A number of bytes that reads well."""
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def cells(rank: int, row: dict[str, Any], times: bool, bold: bool = False) -> list[str]:
    """A line of the table."""
    link = f"[`{row['model']}`](/models/{page_of(row['model'])}.md)"
    if row["error"] is not None:
        return [str(rank), link, f"failed: {row['error']}", *[""] * (len(_HEAD) - 3)]
    found = row["metrics"]
    first = found["ndcg@10"]

    def number(name: str, digits: int = 3) -> str:
        return f"{found[name]['value']:.{digits}f}" if found[name] is not None else "–"

    line = [
        number("ndcg@10", 4) + ("" if first is None else f" ({first['low']:.3f}–{first['high']:.3f})"),
        *(number("recall@10"), number("coverage@10"), number("rmse", 4)),
        size(row["model_bytes"]),
        *((seconds(row["fit_seconds"]), seconds(row["recommend_seconds"])) if times else ()),
    ]
    return [str(rank), link, *(f"**{cell}**" if bold else cell for cell in line)]


def markdown(rows: list[list[str]], times: bool) -> str:
    """A table in Markdown."""
    names = _HEAD + (_TIMES if times else ())
    head = ["| " + " | ".join(names) + " |", "|--:|---|" + "--:|" * (len(names) - 2)]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])


def quiet(board: dict[str, Any]) -> bool:
    """Whether the machine had nothing else to do, so that times mean something."""
    return bool(board["load"] < _BUSY)


def origin(board: dict[str, Any]) -> str:
    """Where the figures come from, in words."""
    split = board["split"]
    versions = ", ".join(f"{name} {number}" for name, number in board["versions"].items())
    about_times = (
        "Times are those of this one run."
        if quiet(board)
        else f"Times are left out: other work kept the machine busy (a load of {board['load']:.0f})."
    )
    return (
        f"`{board['command']}`, run on {board['made']}: {split['description']}, {split['train_ratings']:,} ratings to "
        f"learn from, {split['test_ratings']:,} to be judged by; lists judged for {board['judged_users']:,} people, "
        f"among all items, relevant from {board['relevant_from']:g}. Every model with its defaults "
        f"({board['machine']}; {versions}). {about_times}"
    )


class _Board(SphinxDirective):
    """Reads the leaderboard, which stands beside the pages."""

    def board(self) -> dict[str, Any]:
        path = Path(self.env.srcdir) / "leaderboard.json"
        self.env.note_dependency(str(path))
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found

    def shown(self, text: str) -> list[nodes.Node]:
        return self.parse_text_to_nodes(text)


class Whole(_Board):
    """All models, the best by the first metric first."""

    def run(self) -> list[nodes.Node]:
        """The table, and where it comes from."""
        board = self.board()
        times = quiet(board)
        rows = [cells(rank, row, times) for rank, row in enumerate(board["rows"], 1)]
        missing = [name for name in MODELS if name not in {row["model"] for row in board["rows"]}]
        later = "" if not missing else f"\n\nNot in it, because newer: {', '.join(f'`{name}`' for name in missing)}."
        return self.shown(f"{markdown(rows, times)}\n\n{origin(board)}{later}")


class Line(_Board):
    """One model's line, with the leader's for comparison."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The line, what it says in words, and where it comes from."""
        board, name = self.board(), self.arguments[0]
        ranked = list(enumerate(board["rows"], 1))
        own = next(((rank, row) for rank, row in ranked if row["model"] == name), None)
        if own is None:
            if name not in MODELS:
                raise self.error(f"there is no model {name!r}")
            return self.shown(f"`{name}` {NOT_THERE}.")
        rank, row = own
        if row["error"] is not None:
            return self.shown(f"On the sample `{name}` fails: {row['error']} [All models](/models/leaderboard.md).")
        times = quiet(board)
        beside = [] if rank == 1 else [cells(*ranked[0], times)]
        verdict = f"`{name}` is number {rank} of {len(ranked)} and {row['verdict']} by NDCG@10."
        if row["verdict"] == "leads":
            verdict = f"`{name}` leads {len(ranked)} models by NDCG@10."
        table = markdown([*beside, cells(rank, row, times, bold=bool(beside))], times)
        return self.shown(f"{verdict}\n\n{table}\n\n{origin(board)} [All models](/models/leaderboard.md).")


class Models(SphinxDirective):
    """The registered models, each with a link to its page."""

    def run(self) -> list[nodes.Node]:
        """A table: name, class, the first sentence of its docstring, whether it predicts ratings."""
        lines = ["| name | class | what it is | ratings |", "|---|---|---|:-:|"]
        for name in MODELS:
            cls = model_class(name)
            first = " ".join((cls.__doc__ or "").split("\n\n")[0].split()).replace("`P3alpha`", "P3alpha")
            what = first.replace(":math:", "").replace("|", r"\|") if ":math:" not in first else _without_formula(first)
            ratings = "yes" if cls.predicts_ratings else ""
            lines.append(f"| [`{name}`](/models/{page_of(name)}.md) | `{cls.__name__}` | {what} | {ratings} |")
        return self.parse_text_to_nodes("\n".join(lines))


def _without_formula(sentence: str) -> str:
    """A sentence up to the colon or comma that brings its formula."""
    return sentence.partition(":math:")[0].rstrip(" :,") + "."


def setup(app: Any) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_directive("leaderboard", Whole)
    app.add_directive("leaderboard-line", Line)
    app.add_directive("models", Models)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
