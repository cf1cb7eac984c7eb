"""How the documentation is built: `make docs`, which fails at the first warning. No page loads anything from afar."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes

import coterie

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Coterie"
author = "the authors of Coterie"
project_copyright = "the authors of Coterie. Code under the Apache License 2.0"
version = release = coterie.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "formulas",  # this and the rest are in _ext
    "pictures",
    "modelpages",
    "commandline",
]
exclude_patterns = ["_ext"]
show_warning_types = True

# ---- Markdown, and docstrings in NumPy's style ---------------------------------------------------------

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
default_role = "py:obj"  # single backticks in docstrings: a link where there is something of that name, else code
html_math_renderer = "svg"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
autodoc_typehints = "none"  # types and shapes stand in the docstrings, in words
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

# ---- looks -----------------------------------------------------------------------------------------------

html_theme = "furo"
html_title = f"Coterie {coterie.__version__}"
html_static_path = ["_static"]
html_css_files = ["coterie.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072b2", "color-brand-content": "#0072b2"},
    "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#56b4e9"},
}
pygments_style = "friendly"
pygments_dark_style = "github-dark-high-contrast"
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .go"


def _types_in_words(app: Any, doctree: nodes.document) -> None:
    """Leave shapes such as "float32 (n_users,)" alone: only classes are links in the type of an attribute."""
    for link in list(doctree.findall(addnodes.pending_xref)):
        words = link["reftarget"]
        if link["refdomain"] == "py" and link["reftype"] == "class" and not words.rpartition(".")[2][:1].isupper():
            link.replace_self(nodes.emphasis("", words))


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("doctree-read", _types_in_words)
