"""Sanity checks: what is odd about a dataset, as a table and as an exit status."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from coterie.data.counting import distinct
from coterie.data.dataset import Dataset, LoadReport
from coterie.data.delimited import CANONICAL
from coterie.data.interactions import Array, Interactions
from coterie.data.vocabulary import Vocabulary
from coterie.errors import ParameterError

Status = Literal["ok", "warn", "error"]

#: Usual scales as (lowest, highest, step), the narrowest first.
USUAL_SCALES = ((1.0, 1.0, 1.0), (0.0, 1.0, 1.0), (1.0, 5.0, 1.0), (0.5, 5.0, 0.5), (0.0, 5.0, 0.5), (1.0, 10.0, 1.0),
                (0.5, 10.0, 0.5), (0.0, 10.0, 0.5), (0.0, 100.0, 1.0))  # fmt: skip
# A scale is believed when this part of the ratings lies on it.
_MOST = 0.99
_EXAMPLES = 3
# Times that are this large (as seconds, the year 5138 and later) are likely of a finer unit.
_FINER_UNITS = (("nanoseconds", 1e17, 1_000_000_000), ("microseconds", 1e14, 1_000_000), ("milliseconds", 1e11, 1_000))


@dataclass(frozen=True)
class Check:
    """One thing looked at: how many times it was found odd, and examples or remarks."""

    name: str
    status: Status
    count: int
    detail: str


@dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    "error" is what makes results wrong if nothing is done: values that are not numbers, one user or item
    under two ids, ratings off a scale that the caller stated, no ratings at all. "warn" is what a person
    should know: rows merged or skipped, times that cannot be, items without a title, users with few
    ratings. What is usual, such as movies that nobody rated, is counted and "ok".
    """

    dataset: str
    checks: tuple[Check, ...]

    @property
    def exit_status(self) -> int:
        """0 where no check is an error, else 1."""
        return int(any(check.status == "error" for check in self.checks))

    def to_frame(self) -> pl.DataFrame:
        """A row a check: `check, status, count, detail`."""
        rows = [(c.name, c.status, c.count, c.detail) for c in self.checks]
        columns = {"check": pl.String, "status": pl.String, "count": pl.Int64, "detail": pl.String}
        return pl.DataFrame(rows, schema=columns, orient="row")

    def __getitem__(self, name: str) -> Check:
        """The check of a name."""
        for found in self.checks:
            if found.name == name:
                return found
        raise KeyError(f"{name!r}; there are {', '.join(c.name for c in self.checks)}")


def check(
    dataset: Dataset,
    *,
    min_user_ratings: int = 5,
    now: float | None = None,
    scale: tuple[float, float] | tuple[float, float, float] | None = None,
) -> CheckReport:
    """Look for what is odd about a dataset.

    Parameters
    ----------
    dataset : Dataset
        What was merged or skipped when it was loaded is taken from its report.
    min_user_ratings : int, at least 1
        Users with fewer ratings are counted.
    now : float or None
        Unix seconds after which a time is in the future; None: the clock.
    scale : (lowest, highest[, step]) or None
        The scale of the ratings; None: the usual scale on which nearly all of them lie.
    """
    if min_user_ratings < 1:
        raise ParameterError(f"min_user_ratings must be at least 1, not {min_user_ratings}")
    if scale is not None and not (
        len(scale) in (2, 3) and scale[0] <= scale[1] and all(0 < step < np.inf for step in scale[2:])
    ):
        raise ParameterError(f"scale must be (lowest, highest) or (lowest, highest, step above 0), not {scale}")
    x, report = dataset.interactions, dataset.report
    return CheckReport(
        dataset.name,
        (
            _rows(x, report),
            _duplicates(report),
            _finite(x, report),
            _scale(x, report, scale),
            *_catalog(dataset, x),
            _few_ratings(x, min_user_ratings),
            *_times(x, report, time.time() if now is None else now),
            _alike(x, report),
            _mixed(x),
        ),
    )


# ---- the checks ------------------------------------------------------------------------------------------


def _rows(x: Interactions, report: LoadReport) -> Check:
    if not x.nnz:
        return Check("rows", "error", 0, "there are no ratings")
    if report.skipped:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in report.skipped_reasons.items())
        return Check("rows", "warn", report.skipped, f"skipped: {reasons}; the first: {report.skipped_lines[0]}")
    return Check("rows", "ok", 0, f"none of {x.nnz:,} ratings was skipped")


def _duplicates(report: LoadReport) -> Check:
    name = "duplicate (user, item) pairs"
    if not report.merged:
        return Check(name, "ok", 0, "every pair stands once")
    return Check(name, "warn", report.merged, f"rows that repeat a pair; kept the {report.duplicates}")


def _finite(x: Interactions, report: LoadReport) -> Check:
    name = "ratings that are not finite"
    bad = ~np.isfinite(x.values)
    if bad.any():
        return Check(name, "error", int(bad.sum()), f"such as {_pairs(x, bad)}")
    left_out = sum(n for reason, n in report.skipped_reasons.items() if "finite" in reason)
    return Check(name, "warn" if left_out else "ok", left_out, "left out when loading" if left_out else "none")


def _scale(x: Interactions, report: LoadReport, given: tuple[float, ...] | None) -> Check:
    name = "ratings off the scale"
    values, counts = distinct(x.values)
    scale = given or usual_scale(values, counts)
    if scale is None:
        low, high = x.scale
        return Check(name, "ok", 0, f"no usual scale fits; ratings lie between {low:g} and {high:g}")
    off = ~_on_scale(values, scale)
    count = int(counts[off].sum())
    stated = f"{scale[0]:g} to {scale[1]:g}" + (f" in steps of {scale[2]:g}" if len(scale) == 3 else "")
    detail = f"the scale {'given' if given else 'seen'} is {stated}"
    if count:
        shown = ", ".join(f"{v:g}" for v in values[off][:_EXAMPLES])
        merged = f" ({report.duplicates}s of merged rows among them)" if report.duplicates in ("mean", "sum") else ""
        detail += f"; found {shown}{merged}, such as {_pairs(x, np.isin(x.values, values[off]))}"
    return Check(name, ("error" if given else "warn") if count else "ok", count, detail)


def usual_scale(values: Array, counts: Array) -> tuple[float, float, float] | None:
    """The narrowest usual scale on which at least 99 % of the ratings lie; None: there is none.

    `values` are the distinct ratings and `counts` how often each occurs.
    """
    enough = _MOST * counts.sum()
    for low, high, step in USUAL_SCALES:
        if counts[_on_scale(values, (low, high, step))].sum() >= enough:
            return low, high, step
    return None


def _on_scale(values: Array, scale: tuple[float, ...]) -> Array:
    inside = (values >= scale[0]) & (values <= scale[1])
    if len(scale) < 3:
        return inside
    steps = (values - scale[0]) / scale[2]
    return inside & (np.abs(steps - np.round(steps)) < 1e-4)


def _catalog(dataset: Dataset, x: Interactions) -> Iterable[Check]:
    names = "rated but not in the catalog", "in the catalog but not rated"
    if dataset.catalog is None:
        return [Check(name, "ok", 0, "there is no catalog") for name in names]
    rated = x.item_counts > 0
    unknown = rated & (dataset.catalog.vocabulary.indices(x.items.ids, missing="skip") < 0)
    place = x.items.indices(dataset.catalog.vocabulary.ids, missing="skip")
    unrated = ~(rated[place] & (place >= 0)) if x.n_items else np.ones(len(place), bool)
    n, alone = int(unknown.sum()), int(unrated.sum())
    detail = f"items, with {int(x.item_counts[unknown].sum()):,} ratings: {_ids(x.items, unknown)}" if n else "none"
    return (
        Check(names[0], "warn" if n else "ok", n, detail),
        Check(names[1], "ok", alone, f"{'' if alone else 'none '}of {len(place):,} items"),
    )


def _few_ratings(x: Interactions, least: int) -> Check:
    few = x.user_counts < least
    n = int(few.sum())
    detail = f"of {x.n_users:,} users, such as {_ids(x.users, few)}" if n else f"none of {x.n_users:,}"
    return Check(f"users with fewer than {least} ratings", "warn" if n else "ok", n, detail)


def _times(x: Interactions, report: LoadReport, now: float) -> Iterable[Check]:
    names = "times in the future", "times missing"
    if x.timestamps is None:
        return [Check(name, "ok", 0, "there are no times") for name in names]
    late, gone = x.timestamps > now, x.timestamps <= 0
    missing = max(report.missing_times, int(gone.sum()))
    times = np.asarray(x.timestamps)
    size = float(np.median(times[late])) if late.any() else 0.0
    unit, parts = next(((unit, parts) for unit, least, parts in _FINER_UNITS if size >= least), ("", 0))
    hint = f"; they look like {unit}: divide them by {parts:,}" if unit else ""
    return (
        _counted(names[0], int(late.sum()), f"such as {_pairs(x, late)}{hint}"),
        _counted(names[1], missing, "empty, zero or negative; such ratings count as the oldest"),
    )


def _alike(x: Interactions, report: LoadReport) -> Check:
    groups = look_alikes(x.users) + look_alikes(x.items)
    n = len(groups) + report.mixed_ids
    examples = [" and ".join(repr(id) for id in group) for group in groups[:_EXAMPLES]]
    if report.mixed_ids:
        examples.append(f"{report.mixed_ids:,} that came both as integer and as text and became one")
    return Check("ids that differ only in type", "error" if n else "ok", n, "; ".join(examples) or "none")


def _mixed(x: Interactions) -> Check:
    """Text ids that stand out among integers or have spaces around them: one such id makes all of them text."""
    count, details = 0, []
    for vocabulary in (x.users, x.items):
        if vocabulary.kind == "int":
            continue
        ids = pl.Series(vocabulary.ids.tolist(), dtype=pl.String)
        whole, padded = ids.str.contains(CANONICAL), ids.str.contains(r"^\s|\s$")
        few = 2 * int(whole.sum()) > len(ids)
        odd = (~whole if few else padded).to_numpy()
        if odd.any():
            count += int(odd.sum())
            among = f"among {int(whole.sum()):,} that are integers" if few else "with spaces around them"
            details.append(f"{vocabulary.what} ids {among}: {_ids(vocabulary, odd)}")
    return _counted("ids of mixed kinds", count, "; ".join(details))


def look_alikes(vocabulary: Vocabulary) -> list[list[str]]:
    """Text ids that are the same but for spaces, zeros in front, or a fraction of zero: "1", "01", " 1", "1.0"."""
    if vocabulary.kind == "int":
        return []
    ids = pl.Series("id", vocabulary.ids.tolist(), dtype=pl.String)
    bare = ids.str.strip_chars().str.replace(r"^\+?0*(\d+?)(?:\.0+)?$", "$1")
    groups = pl.DataFrame({"id": ids, "bare": bare}).group_by("bare", maintain_order=True).agg("id")
    return groups.filter(pl.col("id").list.len() > 1)["id"].to_list()


# ---- words -----------------------------------------------------------------------------------------------


def _counted(name: str, count: int, detail: str) -> Check:
    return Check(name, "warn" if count else "ok", count, detail if count else "none")


def _pairs(x: Interactions, where: Array) -> str:
    """The first (user, item) pairs where a mask over the ratings is true."""
    at = np.flatnonzero(where)[:_EXAMPLES]
    users = np.searchsorted(x.indptr, at, side="right") - 1
    pairs = zip(x.users.ids[users].tolist(), x.items.ids[x.indices[at]].tolist(), strict=True)
    return ", ".join(f"user {user!r} item {item!r}" for user, item in pairs)


def _ids(vocabulary: Vocabulary, where: Array) -> str:
    shown: list[Any] = vocabulary.ids[np.flatnonzero(where)[:_EXAMPLES]].tolist()
    more = ", ..." if int(where.sum()) > len(shown) else ""
    return ", ".join(map(repr, shown)) + more
