"""Names beside points, none of them on another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from coterie.explore.style import INK, MUTED, PAPER, TEXT, families, plain

Array = np.ndarray[Any, np.dtype[Any]]
Box = tuple[float, float, float, float]  # left, bottom, right, top, in points
#: A vertical line: where, from, to; None: from the bottom, or to the top.
Upright = tuple[float, float | None, float | None]

_SIDES = {1: "left", -1: "right", 0: "center"}  # how a name is aligned on a side of its point
_OVER = 9.0  # points; a name so little above or below its point is told to be its own
_FAR = 300.0  # points; as far up and down as a name may stand from its point


def name_points(
    figure: Figure,
    axes: Axes,
    points: Array,
    names: Sequence[str],
    lines: Iterable[Upright] = (),
    size: float = TEXT - 0.5,
    apart: float = 9.0,
    reach: float | None = None,
    halo: bool = False,
) -> list[int]:
    """A name beside each point, as near as may be: on no other name and no point, and where there is room on none of
    the `lines` either, nor as near to another point, nor beyond it. A name that stands neither beside nor right above
    or below its point, or as near to another, gets a thin line to it.

    Parameters
    ----------
    points : float (n, 2)
        In the data's coordinates; the first is named first.
    names : n texts, shown as they are
    lines : vertical lines (x, low, high)
        What names had better not cross.
    size, apart : float, in points
        Of the letters, and how far from the middle of its point a name stands.
    reach : float in points, or None
        None: every point gets a name. Else a point has none that would have to stand farther off, or across something.
    halo : bool
        Names stand on the paper's colour, so that they can be read on top of dots.

    Returns
    -------
    list of int
        Which points have a name.
    """
    figure.draw_without_rendering()  # settles the layout, so that places on paper are known
    to_points = 72 / figure.dpi
    dots = axes.transData.transform(points) * to_points
    frame: Box = tuple(edge * to_points for edge in axes.get_window_extent().extents)  # type: ignore[assignment]
    radius = apart - 4
    taken = [(px - radius, py - radius, px + radius, py + radius) for px, py in dots]
    crossed = [_upright(axes, line, to_points) for line in lines]
    nearby = [(px - apart, py - apart, px + apart, py + apart) for px, py in dots]
    named = []
    for number, (name, at, (px, py)) in enumerate(zip(names, points, dots, strict=True)):
        written = name.splitlines() or [""]
        width = max(_width(text, size) for text in written) + 2
        half = 0.62 * size * len(written) + 1
        candidates = [(place, _at(px, py, place, width, half, apart)) for place in _places(width, half, reach or _FAR)]
        inside = [(place, box) for place, box in candidates if _within(box, frame)]
        free = [(place, box) for place, box in inside if not any(_overlap(box, other) for other in taken)]
        avoided = [*crossed, *nearby[:number], *nearby[number + 1 :]]
        others = np.delete(dots, number, axis=0)
        clear = [
            (place, box)
            for place, box in free
            if not any(_overlap(box, other) for other in avoided)
            and _off_line(others, np.array((px, py)), np.array((px + place[0] * apart, py + place[1]))) > radius
        ]
        if reach is not None and not clear:
            continue
        (side, dy), box = (clear[:1] or free[:1] or candidates[:1])[0]
        taken.append(box)
        named.append(number)
        look: dict[str, Any] = {"fontsize": size, "color": INK, "va": "center", "ha": _SIDES[side]}
        away = _distances(box, dots)
        if abs(dy) > half + (0 if side else _OVER) or (away <= away[number]).sum() > 1:  # or another point is as near
            look["arrowprops"] = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 4}
            look["arrowprops"]["relpos"] = (0.5 - side / 2, 0.5 if side else 0.0 if dy > 0 else 1.0)
        if halo:
            look["bbox"] = {"boxstyle": "square,pad=0.05", "facecolor": PAPER, "alpha": 0.75, "linewidth": 0}
        text = axes.annotate(plain(name), at, xytext=(side * apart, dy), textcoords="offset points", **look)
        text.set_in_layout(False)  # or the picture would be laid out anew
    return named


def _distances(box: Box, dots: Array) -> Array:
    """From a box to each dot, in points."""
    (px, py), (left, bottom, right, top) = dots.T, box
    across = np.maximum(0, np.maximum(left - px, px - right))
    found: Array = np.hypot(across, np.maximum(0, np.maximum(bottom - py, py - top)))
    return found


def _width(text: str, size: float) -> float:
    """Of a line of text, in points."""
    across = TextPath((0, 0), plain(text), size=size, prop=FontProperties(family=families())).vertices[:, 0]
    return float(np.ptp(across)) if len(across) else 0.0


def _places(width: float, half: float, reach: float) -> list[tuple[int, float]]:
    """Where a name may stand: to the right (1), to the left (-1) or above or below (0), and by how much higher, the
    nearest first."""
    heights = np.arange(-reach, reach + 1, 4.0)
    beside = [(side, dy) for dy in heights for side in (1, -1)]
    over = [(0, dy) for dy in heights if abs(dy) > half + 5]
    return sorted(beside + over, key=lambda place: (abs(place[1]) + 2 * (place[0] < 0) - 4 * (place[0] == 0), place[1]))


def _at(px: float, py: float, place: tuple[int, float], width: float, half: float, apart: float) -> Box:
    """The box of a name at a place beside the point (px, py)."""
    side, dy = place
    left = {1: px + apart, -1: px - apart - width, 0: px - width / 2}[side]
    return left, py + dy - half, left + width, py + dy + half


def _off_line(dots: Array, start: Array, end: Array) -> float:
    """How far the nearest of points (n, 2) is from the line between two; infinite without any."""
    along = end - start
    share = np.clip((dots - start) @ along / max(along @ along, 1e-12), 0, 1)
    return float(np.hypot(*(dots - start - share[:, None] * along).T).min(initial=np.inf))


def _upright(axes: Axes, line: Upright, to_points: float) -> Box:
    x, low, high = line
    bottom, top = axes.get_ylim()
    ends = [(x, bottom if low is None else low), (x, top if high is None else high)]
    (px, lower), (_, upper) = axes.transData.transform(ends) * to_points
    return px - 1.5, lower, px + 1.5, upper


def _within(box: Box, frame: Box) -> bool:
    return frame[0] < box[0] and frame[1] < box[1] and box[2] < frame[2] and box[3] < frame[3]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
