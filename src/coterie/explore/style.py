"""One look for all pictures: colours that the colour-blind can tell apart, light and dark, and a few habits.

Figures are made without pyplot and every size is set on the artist, so pictures can be drawn from any thread.
Only the export needs two of matplotlib's global settings; exports take turns and put them back.
"""

from __future__ import annotations

import io
import re
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator


class Colour(NamedTuple):
    """A colour as it is on white paper, and what an exported picture turns it into on a dark page."""

    light: str
    dark: str


# Okabe and Ito's palette (2008), brightened for dark pages. The light values must differ: export finds them by value.
COLOURS = {
    "paper": Colour("#ffffff", "#161a20"),
    "ink": Colour("#1d2430", "#e9edf2"),
    "muted": Colour("#5b6573", "#a7b1bd"),
    "grid": Colour("#dde2e8", "#323a45"),
    "quiet": Colour("#aab4bf", "#66717f"),
    "blue": Colour("#0072b2", "#56b4e9"),
    "sky": Colour("#7fc1e8", "#2f7fae"),
    "orange": Colour("#d55e00", "#ff9147"),
    "green": Colour("#009e73", "#3ccfa0"),
    "purple": Colour("#a3568c", "#dd9bc6"),
    "amber": Colour("#c98a00", "#f0bb45"),
}
PAPER, INK, MUTED, GRID, QUIET = (COLOURS[c].light for c in ("paper", "ink", "muted", "grid", "quiet"))
BLUE, SKY, ORANGE = (COLOURS[c].light for c in ("blue", "sky", "orange"))
#: For lines that must be told apart: colour and dash differ, so that print and poor projectors do too.
SERIES = tuple(
    (COLOURS[c].light, dash)
    for c, dash in zip(
        ("blue", "orange", "green", "purple", "amber"), ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), strict=True
    )
)

WIDTH = 5.6  # inches; narrow, so that text stays legible when a phone scales the picture down
_NOTEBOOK_DPI = 110
NO_LETTER = "\N{WHITE SQUARE}"
#: Whole numbers with commas.
THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")
HEADLINE, TEXT, SMALL = 13.5, 11.0, 10.0  # points


#: Where a letter is looked for that matplotlib's own font lacks: what Linux, macOS and Windows have for other scripts.
FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans GB", "Hiragino Sans",
    "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Noto Sans", "Noto Sans Devanagari",
    "Noto Sans Thai", "Arial Unicode MS", "Nirmala UI", "Leelawadee UI", "Segoe UI Symbol",
)  # fmt: skip


def families() -> tuple[str, ...]:
    """The fonts of all pictures: matplotlib's own, or what it was told, and of `FALLBACKS` those that are installed."""
    installed = set(fontManager.get_font_names())
    return (FontProperties().get_name(), *(name for name in FALLBACKS if name in installed))


class Picture(Figure):
    """A figure that notebooks show as it is, without a word to matplotlib first.

    Attributes
    ----------
    words : (str, str)
        What it says and a note, as `headline` set them.
    """

    words: tuple[str, str] = ("", "")

    def draw(self, renderer: Any) -> None:
        """As any figure, with what other fonts have where the first lacks a letter."""
        _set_fonts(self)  # here, for axes make the texts of their ticks when they are drawn
        super().draw(renderer)

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=_NOTEBOOK_DPI)
        return stream.getvalue()


def _set_fonts(figure: Figure) -> None:
    fonts = families()
    for text in figure.findobj(Text):
        text.set_fontfamily(fonts)


def new_figure(height: float = 3.5, width: float = WIDTH) -> Figure:
    """An empty figure on white paper."""
    return Picture(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.06), facecolor=PAPER)


def new_axes(figure: Figure, *place: Any, grid: str = "y") -> Axes:
    """Axes with quiet frames and a light grid along `grid` ("x", "y", "both" or "")."""
    axes: Axes = figure.add_subplot(*place)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(QUIET)
    axes.tick_params(which="both", labelsize=SMALL, labelcolor=INK, color=QUIET)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    return axes


def no_frame(axes: Axes) -> None:
    """No lines around the picture, and no ticks."""
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def no_scale(axes: Axes) -> None:
    """Neither frame nor numbers, for maps, on which only nearness means something."""
    no_frame(axes)
    axes.set_xticks([])
    axes.set_yticks([])


def ranked_bars(names: Sequence[str], counts: Sequence[int], unit: str) -> Figure:
    """A figure of counts by name, in the order given from below, with the number behind each bar."""
    figure = new_figure(height=1.5 + 0.235 * len(names))
    axes = new_axes(figure, grid="x")
    bars = axes.barh(range(len(names)), counts, color=BLUE, height=0.72)
    axes.bar_label(bars, [f"{n:,}" for n in counts], padding=4, fontsize=SMALL, color=MUTED)
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.margins(x=0.14)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(THOUSANDS)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    label_axes(axes, unit, "")
    return figure


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Axis labels in words, with units."""
    axes.set_xlabel(x, fontsize=TEXT, color=INK)
    axes.set_ylabel(y, fontsize=TEXT, color=INK)


def headline(figure: Figure, says: str, note: str = "") -> None:
    """What the picture says, in words, above it; `note` is smaller. Both together are its text for the blind."""
    width, height = figure.get_size_inches()
    used = 0.07  # inches from the top
    for text, size, letters_per_inch, weight, colour in (
        (says, HEADLINE, 8.6, "bold", INK),
        (note, SMALL, 13.5, "normal", MUTED),
    ):
        if not text:
            continue
        lines = textwrap.wrap(text, int(width * letters_per_inch))
        look: dict[str, Any] = {"fontsize": size, "fontweight": weight, "color": colour}
        figure.text(0.006, 1 - used / height, plain("\n".join(lines)), va="top", gid=f"{_HEADLINE}-{weight}", **look)
        used += len(lines) * size * 1.3 / 72 + 0.04
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0, 0, 1, 1 - used / height))
    note = f"{note[:1].upper()}{note[1:]}"
    figure.set_label(f"{says}. {note}".strip())
    if isinstance(figure, Picture):
        figure.words = says, note


def plain(text: str) -> str:
    """Text that matplotlib shows as it is, whatever dollar signs a title has; a box for what no font can write."""
    text = text.replace("$", r"\$")
    if text.isascii():
        return text
    fonts = families()
    return "".join(c if c.isspace() or _writable(c, fonts) else NO_LETTER for c in text)


@cache
def _writable(letter: str, fonts: tuple[str, ...]) -> bool:
    """Whether one of the fonts has it, for headlines as for all else."""
    files = [[findfont(FontProperties(family=name, weight=how)) for name in fonts] for how in ("normal", "bold")]
    return all(any(get_font(file).get_char_index(ord(letter)) for file in of_weight) for of_weight in files)


def has_boxes(figure: Figure) -> bool:
    """Whether letters are missing in a figure that has been drawn."""
    return any(NO_LETTER in text.get_text() for text in figure.findobj(Text))


def description(figure: Figure) -> str:
    """The picture in words: what `headline` said."""
    return str(figure.get_label())


def words(figure: Figure) -> tuple[str, str]:
    """The headline and the note of a figure of ours."""
    assert isinstance(figure, Picture)
    return figure.words


#: Artists whose group id begins so are drawn without softened edges: cells that touch would show seams.
CELLS = "cells"
_EXACT = f"[id^={CELLS}]{{shape-rendering:crispEdges}}"
_HEADLINE = "headline"
_exporting = threading.Lock()
_EXPORT: dict[Any, Any] = {
    **{"svg.hashsalt": "coterie", "svg.fonttype": "path"},
    **dict.fromkeys(("figure.autolayout", "figure.constrained_layout.use"), False),  # a figure without layout has none
}


def to_svg(figure: Figure, headline: bool = True) -> str:
    """The picture as SVG that follows the reader's light or dark scheme. The same figure gives the same bytes.

    Without its `headline` it is cut off below it, for pages that have the words as text.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasSVG(figure)
    stream = io.StringIO()
    above = [text for text in figure.texts if str(text.get_gid()).startswith(_HEADLINE)]
    with _exporting, rc_context(_EXPORT):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        for text in above:
            text.set_visible(headline)
        with _laid_out(figure):
            figure.savefig(stream, format="svg", metadata=nothing, transparent=True)
        for text in above:
            text.set_visible(True)
    svg = stream.getvalue() if headline else _below_headline(figure, stream.getvalue())
    names = {colour.light: name for name, colour in COLOURS.items()}
    found = re.compile("|".join(names))
    svg = found.sub(lambda match: f"var(--{names[match[0]]})", svg)
    light, dark = (";".join(f"--{n}:{c[at]}" for n, c in COLOURS.items()) for at in (0, 1))
    style = f"<style>svg{{{light}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}{_EXACT}</style>"
    start = svg.index("<svg")
    head = svg.index(">", start) + 1
    return svg[start:head] + style + svg[head:]


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """With all in its place and no layout to come, for which `savefig` would draw the whole picture a second time."""
    engine = figure.get_layout_engine()
    if engine is not None:
        _set_fonts(figure)
        engine.execute(figure)
    figure.set_layout_engine(None)
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


def _below_headline(figure: Figure, svg: str) -> str:
    """An exported picture without the room that `headline` took from the layout."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    width, height = (72 * inches for inches in figure.get_size_inches())
    below = height * engine.get()["rect"][3]
    view = f'height="{below:g}pt" viewBox="0 {height - below:g} {width:g} {below:g}"'
    return re.sub(r'height="[^"]*" viewBox="[^"]*"', view, svg, count=1)
