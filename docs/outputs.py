"""Bring what the pages show up to date: `.venv/bin/python docs/outputs.py [PAGE ...]`, after an output has changed.

Runs the pages as `tests/docs` does. Where a block prints something else than what is shown, the new words are written
into the page: look at the difference, and put three dots where a time or a path stands.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "docs"))

from blocks import Block, alike, blocks, commands, pages, shell  # noqa: E402


def main(given: list[str]) -> None:
    """Go through the pages that are named, or all."""
    wanted = [Path(name).resolve() for name in given] or pages()
    warnings.simplefilter("default")
    for path in wanted:
        before = path.read_text("utf-8")
        after = updated(path, before)
        if after != before:
            path.write_text(after, "utf-8")
            print(f"{path.relative_to(ROOT)}: changed", flush=True)


def updated(path: Path, text: str) -> str:
    """The page with what its blocks print now."""
    names: dict[str, object] = {"__name__": "__main__"}
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for block in blocks(path):
                if block.exempt is None:
                    for shown, now in _changes(block, names):
                        text = text.replace(shown, now, 1)
        finally:
            os.chdir(home)
    return text


def _changes(block: Block, names: dict[str, object]) -> list[tuple[str, str]]:
    """What a block shows, and what should be shown in its place."""
    if block.language == "python":
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(block.body, str(block.path), "exec", dont_inherit=True), names)
        if block.printed is None or alike(block.printed, said.getvalue()):
            return []
        fence = "```text\n"
        return [(f"{block.body}```\n\n{fence}{block.printed}", f"{block.body}```\n\n{fence}{_tidy(said.getvalue())}")]
    found = []
    for command, printed in commands(block):
        said_by = shell(command, block.place)
        if printed.strip() and not alike(printed, said_by):
            found.append((f"$ {command}{printed}", f"$ {command}{_tidy(said_by)}"))
    return found


def _tidy(text: str) -> str:
    """Lines without the spaces at their ends, and without empty ones."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines() if line.strip())


if __name__ == "__main__":
    main(sys.argv[1:])
