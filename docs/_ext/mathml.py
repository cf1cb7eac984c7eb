"""Formulas as MathML, made when the pages are built: no script, no font and no server is needed to read them."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)

# What LaTeX lets one write and docutils does not know.
_SAME = [
    (re.compile(r"\\([bB]igg?)(?![a-zA-Z])"), r"\\\1l"),  # a size without a side
    (re.compile(r"\\dots(?![a-zA-Z])"), r"\\ldots"),
    (re.compile(r"\\mathrel\{\+\}="), r"\\mathrel{+=}"),
    (re.compile(r"\\mathrel\{([^{}]*)\}"), r"\1"),
]


def to_mathml(latex: str, block: bool) -> str:
    """The formula as a `<math>` element; `MathError` where it has a command that cannot be shown."""
    for pattern, instead in _SAME:
        latex = pattern.sub(instead, latex)
    return str(tex2mathml(latex, as_block=block))


def _visit(translator: Any, node: nodes.Element, block: bool) -> None:
    try:
        html = to_mathml(node.astext(), block)
    except MathError as error:
        logger.warning("cannot show %r: %s", node.astext(), error, location=node, type="math")
        html = translator.encode(node.astext())
    if block:
        html = f'<div class="math">{html}</div>\n'
    translator.body.append(html)
    raise nodes.SkipNode


def visit_inline(translator: Any, node: nodes.Element) -> None:
    """A formula within a sentence."""
    _visit(translator, node, block=False)


def visit_block(translator: Any, node: nodes.Element) -> None:
    """A formula on lines of its own."""
    _visit(translator, node, block=True)


def setup(app: Any) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
