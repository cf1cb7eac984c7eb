"""Draw the house anew: `.venv/bin/python docs/rooms.py`, after a room, a door or the first line of a room has changed.

The order of the rooms comes from the import contract in `pyproject.toml`, what each is for from its docstring, and the
doors from the imports in the source, so that the drawing says what is so. A test compares `rooms.svg` with them.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path

from coterie.explore.style import COLOURS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "coterie"
DRAWING = ROOT / "docs" / "rooms.svg"


def scheme(selector: str) -> str:
    """CSS that gives the element its colours, those of all our pictures, light or dark."""
    light, dark = (";".join(f"--{name}:{colour[at]}" for name, colour in COLOURS.items()) for at in (0, 1))
    return f"{selector}{{{light}}}@media(prefers-color-scheme:dark){{{selector}{{{dark}}}}}"


_NAME, _PURPOSE, _CELL, _TOP, _HIGH, _LINE = 112, 430, 30, 96, 42, 16  # pixels
_LETTERS = 62  # of a purpose, that fit in a line
_STYLE = (
    f"{scheme('svg.rooms')}svg.rooms text{{font:13px system-ui,sans-serif;fill:var(--ink)}}"
    "svg.rooms text.quiet{fill:var(--muted)}svg.rooms text.name{font-weight:600}"
    "svg.rooms .wall{fill:var(--grid);fill-opacity:0.4}"
)


def rooms() -> list[str]:
    """The rooms that there are, the top one first, in the order of the contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    names = [name.strip(" ()") for layer in layers for name in layer.replace("|", ":").split(":")]
    return [name for name in names if _files(name)]


def doors() -> Counter[tuple[str, str]]:
    """Which room imports which, and in how many files."""
    known, found = set(rooms()), Counter[tuple[str, str]]()
    for room in known:
        for file in _files(room):
            reached = {name.split(".")[1] for name in _imported(file) if name.startswith("coterie.")} & known
            found.update((room, other) for other in reached - {room})
    return found


def purpose(room: str) -> str:
    """The first sentence of a room's docstring."""
    file = PACKAGE / room / "__init__.py"
    text = ast.get_docstring(ast.parse((file if file.is_file() else PACKAGE / f"{room}.py").read_text("utf-8"))) or ""
    first = " ".join(text.split("\n\n")[0].split()).replace("``", "").replace("`", "")
    return first.partition(". ")[0].rstrip(".")


def _files(room: str) -> list[Path]:
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [p for p in [PACKAGE / f"{room}.py"] if p.is_file()]


def _imported(file: Path) -> Iterator[str]:
    """Modules that a file imports, inside functions as well."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def drawing() -> str:
    """The house: a row a room; a dot where it has a door into the room of the column, which always lies below."""
    names, found = rooms(), doors()
    n, left = len(names), _NAME + _PURPOSE
    parts = []
    for at, name in enumerate(names):
        y, x = _TOP + at * _HIGH, left + at * _CELL
        parts += [
            f'<rect class="wall" x="0" y="{y + 2}" width="{x + _CELL}" height="{_HIGH - 4}" rx="4"/>',
            f'<path d="M{x + _CELL / 2:g} {_TOP - 8}V{y + _HIGH / 2:g}" stroke="var(--grid)"/>',
            f'<text transform="translate({x + _CELL / 2 - 2:g} {_TOP - 14}) rotate(-45)">{name}</text>',
        ]
    for at, name in enumerate(names):
        y = _TOP + at * _HIGH
        parts += [
            f'<text class="name" x="10" y="{y + _HIGH / 2 + 5:g}">{name}</text>',
        ]
        lines = textwrap.wrap(purpose(name), _LETTERS)
        for line, text in enumerate(lines):
            middle = y + _HIGH / 2 + 5 + (line - (len(lines) - 1) / 2) * _LINE
            parts.append(f'<text class="quiet" x="{_NAME}" y="{middle:g}">{escape(text)}</text>')
        for other, column in enumerate(names):
            if files := found[name, column]:
                x = left + (other + 0.5) * _CELL
                told = f"{name} imports {column} in {files} file{'s' if files > 1 else ''}"
                parts.append(
                    f'<circle cx="{x:g}" cy="{y + _HIGH / 2:g}" r="{3 + min(files, 40) ** 0.5:.1f}" '
                    f'fill="var(--blue)"><title>{told}</title></circle>'
                )
    width, height = left + n * _CELL + 50, _TOP + n * _HIGH + 6
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rooms" viewBox="0 0 {width} {height}">'
        f"<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    DRAWING.write_text(drawing(), "utf-8")
