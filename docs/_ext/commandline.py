"""The directive `commands`: what `--help` says of every command, printed by the commands themselves."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

_WIDTH = "86"  # columns, that a page has room for


def command_names() -> Iterator[tuple[str, ...]]:
    """Every command, by its words."""
    import typer

    from coterie.cli.app import build

    whole: Any = typer.main.get_command(build([]))
    for name, command in whole.commands.items():
        inner = getattr(command, "commands", None)
        yield from [(name,)] if inner is None else [(name, word) for word in inner]


def help_of(words: tuple[str, ...]) -> str:
    """What `coterie WORDS --help` prints, without colours."""
    from coterie.cli import main

    before = {name: os.environ.get(name) for name in ("COLUMNS", "NO_COLOR", "TERM")}
    os.environ.update(COLUMNS=_WIDTH, NO_COLOR="1", TERM="dumb")
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            main([*words, "--help"])
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
    return "\n".join(line.rstrip() for line in printed.getvalue().strip("\n").splitlines())


class Commands(SphinxDirective):
    """A section for every command."""

    def run(self) -> list[nodes.Node]:
        """Heading and help, in the order of `coterie --help`."""
        text = "\n\n".join(f"## {' '.join(words)}\n\n```text\n{help_of(words)}\n```" for words in command_names())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Any) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
