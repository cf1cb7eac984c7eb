"""Formulas as SVG, drawn when the pages are built: to read them takes no script, no font and no server.

ziamath draws them (STIX Two Math comes with it). A formula that it cannot draw is a warning, and so fails the build.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from typing import Any

import ziamath
from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

_SIZE = 24.0  # pixels in which formulas are drawn; the page scales them with its text
_EM = 22.0  # of them to the em of the page: a little larger than the text, since STIX is a small face

# What LaTeX lets one write and ziamath draws otherwise.
_SAME = [
    (re.compile(r"\\([bB]igg?)(?![a-zA-Z])"), r"\\\1l"),  # a size without a side
    (re.compile(r"\\mathrel\{\+\}="), r"\\;\\text{+=}\\;"),
    (re.compile(r"\\mathrel\{([^{}]*)\}"), r"\\;\1\\;"),
    (re.compile(r"\\frac\{\\sum"), r"\\;\\frac{\\sum"),  # limits of a sum may stand out of their fraction
]


@cache
def to_svg(latex: str, block: bool) -> str:
    """The formula as an `<svg>` element in the colour of the text around it, with its LaTeX for screen readers."""
    drawn = latex
    for pattern, instead in _SAME:
        drawn = pattern.sub(instead, drawn)
    ziamath.config.svg2 = False  # letters as paths: references would meet those of other formulas on the page
    formula = ziamath.Latex(drawn, size=_SIZE, color="currentColor", inline=not block)
    svg = str(formula.svg())
    width, height = (float(size) / _EM for size in re.findall(r' (?:width|height)="([\d.]+)"', svg)[:2])
    style = f"width:{width:.3f}em;height:{height:.3f}em"
    if not block:
        style += f";vertical-align:{formula.getyofst() / _EM:.3f}em"
    svg = re.sub(r' (?:width|height)="[\d.]+"', "", svg, count=2)
    spoken = escape(" ".join(latex.split()), quote=True)
    return svg.replace("<svg", f'<svg class="formula" role="img" aria-label="{spoken}" style="{style}"', 1)


def _visit(translator: Any, node: nodes.Element, block: bool) -> None:
    try:
        html = to_svg(node.astext(), block)
    except Exception as error:  # whatever the parser meets
        logger.warning("cannot draw %r: %s", node.astext(), error, location=node, type="math")
        html = str(translator.encode(node.astext()))
    translator.body.append(f'<div class="formula">{html}</div>\n' if block else html)
    raise nodes.SkipNode


def visit_inline(translator: Any, node: nodes.Element) -> None:
    """A formula within a sentence."""
    _visit(translator, node, block=False)


def visit_block(translator: Any, node: nodes.Element) -> None:
    """A formula on lines of its own."""
    _visit(translator, node, block=True)


def setup(app: Any) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_html_math_renderer("svg", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
