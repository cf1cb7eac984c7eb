"""The directive `picture`: an SVG of ours put into the page itself, so that it follows the page's light or dark scheme.

A picture that is only linked sees the scheme of the system, not the one that the reader chose on the page.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from coterie.explore.style import COLOURS

# The page's own switch between light and dark wins over the system's.
_SWITCH = "".join(
    f'body[data-theme="{theme}"] .picture svg{{{";".join(f"--{name}:{c[at]}" for name, c in COLOURS.items())}}}'
    for at, theme in enumerate(("light", "dark"))
)


def inline(svg: str, alt: str) -> str:
    """The `<svg>` element with what it shows in words, and colours that follow the page."""
    head, body = svg[svg.index("<svg") :].split(">", 1)
    named = f'{head} role="img" aria-label="{escape(alt)}">'
    return f'<div class="picture"><style>{_SWITCH}</style>{named}{body}</div>'


class Picture(SphinxDirective):
    """An SVG file beside the page, and what it shows, in words."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"alt": directives.unchanged_required}  # type: ignore[misc]

    def run(self) -> list[nodes.Node]:
        """The picture, or an error that names the file."""
        path = Path(self.env.doc2path(self.env.docname)).parent / self.arguments[0]
        self.env.note_dependency(str(path))
        if not path.is_file():
            raise self.error(f"no picture {self.arguments[0]}")
        if "alt" not in self.options:
            raise self.error(f"{self.arguments[0]} needs :alt:, what it shows in words")
        return [nodes.raw("", inline(path.read_text("utf-8"), self.options["alt"]), format="html")]


def setup(app: Any) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
