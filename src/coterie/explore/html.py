"""Just enough HTML: elements whose text is always escaped, and a page that needs nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from os import PathLike
from pathlib import Path

from matplotlib.figure import Figure

from coterie.explore.style import COLOURS, NO_LETTER, description, has_boxes, to_svg, words
from coterie.storage import replace_text

_REM_PER_INCH = 6.4
_BOXES = (
    f"A {NO_LETTER} in a picture stands for a letter that no font of this machine can draw; install one for its "
    "script, such as Noto Sans CJK, and draw the page again."
)


class Html(str):
    """Markup that is already safe; every other string is text and gets escaped."""


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. Text is escaped, None left out; ``class_`` becomes ``class``, ``aria_label`` ``aria-label``."""
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    given = "".join(f' {key}="{escape(str(value))}"' for key, value in named.items())
    if name in ("img", "meta", "br"):
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: object) -> Html:
    """Elements and text, one after the other."""
    return Html("".join(c if isinstance(c, Html) else escape(str(c)) for c in children if c is not None))


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    numbers: Iterable[int] = (),
    foot: int = 0,
    narrow: bool = False,
) -> Html:
    """A table with a caption; the first cell of a row heads it, `numbers` are right-aligned columns, the last
    `foot` rows are a sum. A `narrow` one is no wider than it must be."""
    right = set(numbers)

    def line(cells: Sequence[object]) -> Html:
        made = [
            tag(
                "th" if at == 0 else "td",
                cell,
                scope="row" if at == 0 else None,
                class_="number" if at in right else None,
            )
            for at, cell in enumerate(cells)
        ]
        return tag("tr", *made)

    lines = [line(cells) for cells in rows]
    body, last = lines[: len(lines) - foot], lines[len(lines) - foot :]
    heads = [tag("th", c, scope="col", class_="number" if at in right else None) for at, c in enumerate(columns)]
    inside = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *heads)),
        tag("tbody", *body),
        tag("tfoot", *last) if last else None,
        class_="narrow" if narrow else None,
    )
    return tag("div", inside, class_="wide", role="region", aria_label=caption, tabindex=0)


def picture(figure: Figure, class_: str | None = None) -> Html:
    """A figure as an image inside the page, below its headline and note as text, which breaks as the screen needs it.

    A wide one (of the class "panel") scrolls by itself, and says so where it must.
    """
    data = base64.b64encode(to_svg(figure, headline=False).encode()).decode()
    widest = f"max-width:{_REM_PER_INCH * figure.get_size_inches()[0]:.0f}rem"  # so that letters are alike in all
    says, note = words(figure)
    caption = tag(
        "figcaption", tag("strong", says), tag("span", note) if note else None, aria_hidden="true"
    )  # as `alt`
    image = tag("img", src=f"data:image/svg+xml;base64,{data}", alt=description(figure), style=widest)
    scrolls = {"role": "region", "aria_label": says, "tabindex": 0} if class_ else {}
    boxes = "" if has_boxes(figure) else None
    return tag("figure", caption, tag("div", image, **scrolls), class_=class_, data_boxes=boxes)


def bar(share: float, both_sides: bool) -> Html:
    """A bar of the given share of its column; with `both_sides` it starts in the middle and negative ones go left."""
    room = 50 if both_sides else 100
    place = f"{'right' if share < 0 else 'left'}:{room if both_sides else 0}%"
    inside = tag(
        "span", style=f"width:{min(abs(share), 1) * room:.1f}%;{place}", class_="minus" if share < 0 else "plus"
    )
    return tag("span", inside, class_="bar", aria_hidden="true")


def page(title: str, *sections: object) -> str:
    """A whole page: readable on a phone and on a projector, light and dark, without any network."""
    light, dark = (";".join(f"--{n}:{c[at]}" for n, c in COLOURS.items()) for at in (0, 1))
    schemes = f":root{{color-scheme:light dark;{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Html(schemes + _CSS)),
    )
    body = join(*sections)
    if ' data-boxes="' in body:  # text cannot have it, for quotes are escaped there
        body = join(body, tag("p", _BOXES, class_="quiet"))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>{body}</main></body></html>\n'


def write_page(path: str | PathLike[str], text: str) -> Path:
    """A page as a file, whole or not at all; its folder is made where missing."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_text(file, text)
    return file


_CSS = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.55 system-ui,sans-serif}
main{max-width:68rem;margin:0 auto;padding:1.5rem clamp(1rem,4vw,2.5rem) 4rem}
h1{font-size:clamp(1.7rem,5vw,2.5rem);line-height:1.15;margin:1rem 0 .4rem;letter-spacing:-.01em}
h2{font-size:clamp(1.3rem,3.5vw,1.65rem);line-height:1.2;margin:3.2rem 0 .5rem;padding-top:1.1rem;
 border-top:1px solid var(--grid)}
h3{font-size:1.08rem;margin:1.8rem 0 .3rem}
p,ul{max-width:44rem}
.lead{font-size:1.12rem}
.lead,.quiet,caption,figcaption{color:var(--muted)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(max(9rem,21%),1fr));gap:.7rem;margin:1.4rem 0;
 padding:0}
.tiles div{border:1px solid var(--grid);border-radius:.6rem;padding:.6rem .85rem}
.tiles dt{color:var(--muted);font-size:.85rem}
.tiles dd{margin:0;font-size:1.25rem;font-weight:600;font-variant-numeric:tabular-nums;white-space:nowrap}
.pictures{columns:25rem auto;column-gap:2.2rem;margin:1.2rem 0}
figure{margin:0 0 1.8rem;break-inside:avoid}
figcaption{margin:0 0 .4rem;font-size:.85rem;line-height:1.4}
figcaption strong{display:block;color:var(--ink);font-size:1.08rem;line-height:1.3}
figure.panel{margin:1.2rem 0}
figure.panel div{overflow-x:auto}
figure.panel img{min-width:42rem}
@media(max-width:48em){figure.panel figcaption::after{content:"Wider than the screen: it scrolls sideways \\2192";
 display:block;color:var(--blue);font-weight:600}}
img{display:block;width:100%;height:auto}
.wide{overflow-x:auto;margin:1rem 0 1.4rem}
table{border-collapse:collapse;width:100%;font-size:.95rem;font-variant-numeric:tabular-nums}
table.narrow{width:auto;min-width:min(100%,26rem)}
caption{text-align:left;padding:0 0 .5rem;font-size:.95rem}
th,td{padding:.42rem .6rem;border-bottom:1px solid var(--grid);text-align:left;vertical-align:top}
th:first-child{padding-left:0}
thead th{font-size:.85rem;color:var(--muted);font-weight:600;vertical-align:bottom;border-bottom-color:var(--quiet)}
tbody th,tfoot th{font-weight:500}
tfoot th,tfoot td{font-weight:700;border-bottom:0}
.number{text-align:right;white-space:nowrap}
thead .number{white-space:normal}
.small{display:block;color:var(--muted);font-size:.8rem}
.whole{white-space:nowrap}
.bar{display:block;position:relative;height:.4rem;min-width:5rem;margin:.2rem 0 .1rem}
.bar span{position:absolute;top:0;bottom:0;border-radius:2px}
.plus{background:var(--blue)}.minus{background:var(--orange)}
.says{border-left:4px solid var(--blue);padding:.2rem 0 .2rem 1rem;margin:1.2rem 0}
.says p{margin:.25rem 0}
.ok{color:var(--green)}.note{color:var(--amber)}.bad{color:var(--orange)}.ok,.note,.bad{font-weight:600}
code,pre{font:.9em/1.5 ui-monospace,monospace}
pre{overflow-x:auto;border:1px solid var(--grid);border-radius:.6rem;padding:.9rem 1.1rem}
summary{cursor:pointer;color:var(--muted)}
:focus-visible{outline:3px solid var(--amber);outline-offset:2px}
@media print{h2{break-after:avoid}figure,.wide{break-inside:avoid}}
"""
