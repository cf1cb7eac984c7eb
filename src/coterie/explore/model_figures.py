"""Pictures of fitted models: the spectrum of a decomposition, convergence, parts, and calibrated or not."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from coterie.data.dataset import Dataset, as_dataset
from coterie.data.interactions import Interactions
from coterie.errors import CapabilityError, DataError, ParameterError
from coterie.explore.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    SERIES,
    SMALL,
    TEXT,
    headline,
    label_axes,
    new_axes,
    new_figure,
    plain,
)
from coterie.models.base import Recommender
from coterie.models.nmf import NMF
from coterie.models.svd import SVD

Array = np.ndarray[Any, np.dtype[Any]]

_NUMBERS = FuncFormatter(lambda value, _: f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.5g}")
_NO_WORSE = 1.001  # errors this little above the smallest are as good
_MOST_MODELS = len(SERIES)
_MOST_PARTS = 12
_LINE = 38  # characters of a title
_GROUPS = 10  # of predicted ratings
_SURE = 1.96  # standard errors on either side of a mean that a 95 % interval has
_FEWEST = 10  # ratings in a group
_SMALLEST = 30  # ratings in a group from which on the normal distribution serves


def singular_values(model: SVD) -> Figure:
    """The singular values of a fitted `SVD` or `PureSVD`, and the share of the squares that the first of them hold."""
    if not isinstance(model, SVD):
        raise CapabilityError(f"{type(model).__name__} has no singular values; take SVD or PureSVD")
    if not model.is_fitted:
        raise DataError("this SVD has not been fitted yet; call fit(train) first")
    values, shares = model.singular_values_, np.cumsum(model.explained_share_)
    if not values.any():
        raise DataError("all singular values are 0: once mean and biases are taken off, nothing of the ratings is left")
    ranks = np.arange(1, len(values) + 1)
    figure = new_figure(height=3.6, width=7.4)
    left, right = new_axes(figure, 1, 2, 1), new_axes(figure, 1, 2, 2)
    left.bar(ranks, values, color=BLUE, width=0.72)
    label_axes(left, "factor", "singular value")
    right.plot(ranks, 100 * shares, color=BLUE, linewidth=2.2, marker="o", markersize=3.5)
    right.set_ylim(0, max(5.0, 1.12 * 100 * float(shares[-1])))
    label_axes(right, "factors", "share of the squares held (%)")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlim(0.3, len(values) + 0.7)
    left.yaxis.set_major_formatter(_NUMBERS)
    what = "the ratings, the unrated as zeros" if model.centering == "none" else "what mean and biases leave of ratings"
    many = "The first factor holds" if len(values) == 1 else f"The first {len(values)} factors hold"
    headline(figure, f"{many} {shares[-1]:.0%} of what there is", f"of the squares of {what}")
    return figure


def convergence(models: Recommender | Mapping[str, Recommender] | Sequence[Recommender]) -> Figure:
    """How the objective, and the error on held-out ratings where `fit` had them, fell from sweep to sweep.

    Parameters
    ----------
    models : one fitted model, several, or a mapping of names to them; five at most
        With several, objectives are shares of their first value: they may be of different kinds.

    Raises
    ------
    CapabilityError
        None of the models learns in sweeps.
    """
    named = named_models(models)
    if not 1 <= len(named) <= _MOST_MODELS:
        raise ParameterError(f"models must be one to {_MOST_MODELS}, so that lines can be told apart; {len(named)}")
    traces = {
        "objective_": "objective" if len(named) == 1 else "objective (first sweep = 1)",
        "held_out_rmse_": "RMSE on held-out ratings",
    }
    shown = {what: {n: np.asarray(getattr(m, what)) for n, m in named.items() if hasattr(m, what)} for what in traces}
    shown = {what: lines for what, lines in shown.items() if lines}
    if not shown:
        raise CapabilityError(f"{', '.join(named)}: no trace of sweeps; take a model such as ALS, NMF or BiasedMF")
    figure = new_figure(height=3.6, width=7.4 if len(shown) > 1 else 5.6)
    for place, (what, lines) in enumerate(shown.items(), 1):
        axes = new_axes(figure, 1, len(shown), place)
        for (colour, dash), name in zip(SERIES, named, strict=False):
            if name in lines:
                values = lines[name] / (lines[name][0] if what == "objective_" and len(named) > 1 else 1)
                look: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": 2.0, "label": plain(name)}
                axes.plot(np.arange(1, len(values) + 1), values, marker="o", markersize=3, **look)
        if what == "held_out_rmse_" and len(named) == 1:
            _mark_best(axes, next(iter(lines.values())))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.yaxis.set_major_formatter(_NUMBERS)
        label_axes(axes, "sweeps over the ratings", traces[what])
    if len(named) > 1:
        handles, labels = _all_handles(figure)
        figure.legend(
            handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False, fontsize=SMALL
        )
    headline(figure, *_how_it_went(named, shown))
    return figure


def named_models(models: Recommender | Mapping[str, Recommender] | Iterable[Recommender]) -> dict[str, Recommender]:
    """What to call each model: its name, with its options where others have the same, and a number where that too."""
    if isinstance(models, Recommender):
        return {models.name: models}
    if isinstance(models, Mapping):
        return dict(models)
    given = list(models)
    names = [model.name for model in given]
    made: dict[str, Recommender] = {}
    for model in given:
        name = model.name if names.count(model.name) == 1 else model.label
        alike = sum(other.partition(" #")[0] == name for other in made)
        made[f"{name} #{alike + 1}" if alike else name] = model
    return made


def _all_handles(figure: Figure) -> tuple[list[Any], list[str]]:
    found = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    return list(found.values()), list(found)


def _mark_best(axes: Axes, errors: Array) -> None:
    best = int(np.nanargmin(errors))
    axes.plot(best + 1, errors[best], "o", color=ORANGE, markersize=8, label="best")
    axes.margins(y=0.16)  # below the smallest there is no line to write on
    axes.annotate(
        f"{errors[best]:.4f}", (best + 1, errors[best]), xytext=(0, -8), textcoords="offset points", va="top",
        ha="center" if 0 < best < len(errors) - 1 else "right" if best else "left", color=ORANGE, fontsize=SMALL,
    )  # fmt: skip


def _how_it_went(named: dict[str, Recommender], shown: dict[str, dict[str, Array]]) -> tuple[str, str]:
    if len(named) > 1:
        return f"How {len(named)} models learn", "objectives are shares of their first value"
    (name,) = named
    errors = shown.get("held_out_rmse_", {}).get(name)
    if errors is None:
        values = shown["objective_"][name]
        return f"How {name} learns", f"the objective after each of {len(values)} sweeps"
    n, smallest = len(errors), float(np.nanmin(errors))
    settled = int(np.argmax(errors <= _NO_WORSE * smallest)) + 1
    note = "by the error on held-out ratings"
    if n == 1:
        return f"How {name} learns", "there was one sweep only"
    if errors[-1] > _NO_WORSE * smallest:
        return f"{name} is best after {int(np.nanargmin(errors)) + 1} of {n} sweeps", f"{note}; later it overfits"
    if settled >= n - 1:
        return f"{name} was still getting better after {n} sweeps", note
    return f"{name} has settled after {settled} of {n} sweeps", f"{note}, to a thousandth of it"


def nmf_parts(model: NMF, k: int = 6, n_parts: int = 6) -> Figure:
    """The items that lead each part of a fitted `NMF`, with their weights: what tastes are made of.

    Parameters
    ----------
    k : int, 1 to 10
        Items a part.
    n_parts : int, 1 to 12
        Parts, those with the largest share of all predictions first.
    """
    if not isinstance(model, NMF):
        raise CapabilityError(f"{type(model).__name__} has no parts that are never negative; take NMF")
    if not 1 <= n_parts <= _MOST_PARTS or not 1 <= k <= 10:
        raise ParameterError(f"parts may be 1 to {_MOST_PARTS} and their items 1 to 10, not {n_parts!r} and {k!r}")
    parts = model.parts(k)
    label = "title" if "title" in parts.columns else "item"
    n = min(n_parts, model.n_factors)
    rows = -(-n // 2)
    figure = new_figure(height=1.0 + rows * (0.65 + 0.25 * k), width=8.6)
    for part in range(n):
        axes = new_axes(figure, rows, min(n, 2), part + 1, grid="x")
        leading = parts.filter(parts["factor"] == part).sort("weight", descending=True, maintain_order=True)
        weights = leading["weight"].to_numpy()
        heights = np.arange(len(weights))
        names = [
            textwrap.shorten(str(item) if text is None else str(text), _LINE, placeholder=" …")
            for item, text in zip(leading["item"], leading[label], strict=True)
        ]
        axes.barh(heights, weights, color=BLUE, height=0.7)
        axes.set_yticks(heights, [plain(name) for name in names], fontsize=SMALL - 1)
        axes.set_ylim(k - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_title(f"part {part + 1}", loc="left", fontsize=TEXT, fontweight="bold", color=INK)
        label_axes(axes, "weight" if part >= n - 2 else "", "")
    first = "its first one" if n == 1 else f"the {n} largest"
    headline(
        figure,
        "What tastes are made of",
        f"non-negative factors: {first} of {model.n_factors} parts, with the items that lead them by weight and renown",
    )
    return figure


def calibration(
    model: Recommender, held_out: Interactions | Dataset, n_groups: int = _GROUPS, name: str | None = None
) -> Figure:
    """Ratings that were given against those that a model predicted: on the diagonal, what it says is what happens.

    Parameters
    ----------
    model : Recommender
        Fitted without these ratings.
    held_out : Interactions or Dataset
        Ratings of users that the model knows (items that it does not know are predicted from what else is known).
    n_groups : int, 1 to 50
        Groups of predictions with as many ratings each, ten at least (fewer groups where there are fewer); in each the
        mean prediction stands against the mean rating, from 30 ratings on with its 95 % interval.
    name : str or None
        What to call the model; None: its name.

    Raises
    ------
    CapabilityError
        The model predicts no ratings.
    """
    if not 1 <= n_groups <= 50:
        raise ParameterError(f"n_groups must be a whole number from 1 to 50, not {n_groups!r}")
    name, held_out = name or model.name, as_dataset(held_out).interactions
    if not held_out.nnz:
        raise DataError("there are no held-out ratings to hold predictions against")
    users, items = held_out.users.ids[held_out.user_index], held_out.items.ids[held_out.indices]
    predicted = model.predict(users, items).astype(np.float64)
    given = np.asarray(held_out.values, np.float64)
    order = np.argsort(predicted, kind="stable")
    groups = np.array_split(order, max(1, min(n_groups, len(order) // _FEWEST)))
    at = np.array([predicted[g].mean() for g in groups])
    means = np.array([given[g].mean() for g in groups])
    wide = [_SURE * given[g].std(ddof=1) / math.sqrt(len(g)) if len(g) >= _SMALLEST else 0.0 for g in groups]
    figure = new_figure(height=4.6)
    axes = new_axes(figure, grid="both")
    low, high = min(at.min(), means.min()), max(at.max(), means.max())
    room = 0.08 * ((high - low) or 1.0)
    ends = [low - room, high + room]
    axes.plot(ends, ends, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2, label="as predicted")
    axes.errorbar(at, means, yerr=wide, fmt="o", color=BLUE, markersize=6, linewidth=1.8, label=plain(name))
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    label_axes(axes, "predicted rating (mean of a group)", "rating given (mean)")
    off = float(np.average(np.abs(at - means), weights=[len(g) for g in groups]))
    rmse = math.sqrt(float(((predicted - given) ** 2).mean()))
    sure = "; lines are 95 % intervals" if any(wide) else ""
    among = f"{_counted(held_out.nnz, 'held-out rating')} in {_counted(len(groups), 'group')} by prediction"
    headline(
        figure,
        f"{name} is off by {off:.2f} on average",
        f"{among}; RMSE {rmse:.3f}{sure}",
    )
    return figure


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
