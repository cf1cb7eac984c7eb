"""The pieces of code on a page: found, run one after the other in one folder, what they print held against the page.

On a page, fenced blocks of Python run as they stand, all of a page in one namespace. A block of text right after one is
what it prints. In a block ``console`` a line after ``$ `` is a command and the lines below it are what it prints (a
command with ``<<'END'`` goes on to the line END); in ``sh`` and ``bash`` every line is a command. What must not run has
``<!-- not run: the reason -->`` in the line above it, and where numbers are a machine's own (seconds, bytes),
``<!-- numbers vary: the reason -->``. Three dots stand for anything, and decimals may differ a little: machines round
differently.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN = ("python", "console", "sh", "bash")
_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_EXEMPT = re.compile(r"<!-- not run: ((?:(?!-->).)+) -->\s*\Z", re.DOTALL)
_VARIES = re.compile(r"<!-- numbers vary: ((?:(?!-->).)+) -->\s*\Z", re.DOTALL)
_UNIT = re.compile(r"B|kB|MB|GB|ms|s")
_NUMBER = re.compile(r"^([-+−]?)([\d,]*\.?\d+(?:e[-+]?\d+)?)$")
_TOLERANCE = 0.03
_SECONDS = 300


@dataclass(frozen=True)
class Block:
    """A piece of code, where it stands, what it is said to print, and why it must not run, if so."""

    path: Path
    line: int
    language: str
    body: str
    printed: str | None
    exempt: str | None
    varies: bool = False

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page with code that readers may copy."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path: Path) -> list[Block]:
    """The runnable blocks of a page, in order."""
    text = path.read_text("utf-8")
    fences = list(_FENCE.finditer(text))
    found = []
    for at, fence in enumerate(fences):
        language = fence["info"].strip()
        if language not in RUN:
            continue
        after = fences[at + 1] if at + 1 < len(fences) else None
        follows = (
            after is not None and after["info"].strip() == "text" and not text[fence.end() : after.start()].strip()
        )
        reason = _EXEMPT.search(text[: fence.start()])
        found.append(
            Block(
                path,
                text.count("\n", 0, fence.start()) + 1,
                language,
                fence["body"],
                after["body"] if language == "python" and follows and after is not None else None,
                " ".join(reason[1].split()) if reason else None,
                _VARIES.search(text[: fence.start()]) is not None,
            )
        )
    return found


def run(block: Block, names: dict[str, object]) -> None:
    """Run a block in the current folder; an error or other words than the page's raise."""
    if block.language == "python":
        said = io.StringIO()
        code = compile("\n" * block.line + block.body, str(block.path), "exec", dont_inherit=True)
        with contextlib.redirect_stdout(said):
            exec(code, names)
        if block.printed is not None:
            compare(block.printed, said.getvalue(), block.place, block.varies)
        return
    for command, printed in commands(block):
        said_by = shell(command, block.place)
        if printed.strip():
            compare(printed, said_by, f"{block.place}: {command}", block.varies)


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a block, each with what it is said to print."""
    if block.language != "console":
        yield block.body, ""
        return
    before, *parts = re.split(r"^\$ ", block.body, flags=re.MULTILINE)
    assert not before.strip() and parts, f"{block.place}: a console block begins with `$ `"
    for part in parts:
        command = re.match(r".*<<'END'\n(?:.*\n)*?END\n|(?:.*\\\n)*.*\n", part)
        assert command is not None, block.place
        yield command[0], part[command.end() :]


def shell(command: str, place: str) -> str:
    """What a command prints; one that fails raises with its words."""
    variables = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-euc", command],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, f"{place}: {command}left with {done.returncode}:\n{done.stdout}"
    return done.stdout


# ---- what is printed -----------------------------------------------------------------------------------------


def compare(expected: str, got: str, place: str, varies: bool = False) -> None:
    """Raise where `got` is not what the page shows; with `varies` any number will do for a number."""
    if not alike(_rough(expected) if varies else expected, _rough(got) if varies else got):
        raise AssertionError(f"{place} shows\n{expected}\nbut it prints\n{got}")


def alike(expected: str, got: str) -> bool:
    """Whether two texts are the same up to white space, frames, rounding and what dots stand for."""
    parts: list[list[str]] = [[]]
    for word in _words(expected):
        if word in ("...", "…"):
            parts.append([])
        else:
            parts[-1].append(word)
    words = _words(got)
    if len(parts) == 1:
        return _same(parts[0], words)
    first, *middle, last = parts
    if len(words) < len(first) + len(last) or not _same(first, words[: len(first)]):
        return False
    if last and not _same(last, words[-len(last) :]):
        return False
    at, end = len(first), len(words) - len(last)
    for part in middle:
        while at + len(part) <= end and not _same(part, words[at : at + len(part)]):
            at += 1
        at += len(part)
        if at > end:
            return False
    return True


def _rough(text: str) -> str:
    return " ".join("0" if re.search(r"\d", word) else "s" if _UNIT.fullmatch(word) else word for word in _words(text))


def _words(text: str) -> list[str]:
    return re.sub(r"[─━│┃┌┐└┘├┤┬┴┼╞╡╪═╭╮╰╯┆]+", " ", text).split()


def _same(expected: list[str], got: list[str]) -> bool:
    return len(expected) == len(got) and all(map(_same_word, expected, got))


def _same_word(expected: str, got: str) -> bool:
    if expected == got:
        return True
    # Words such as "(0.134", "1.2," and "0.12–0.15" have numbers in them.
    there, here = (re.split(r"([()\[\]{},;:%–]+(?=\d|\D|$)|(?<=\d)–)", word) for word in (expected, got))
    return len(there) == len(here) and all(a == b or _near(a, b) for a, b in zip(there, here, strict=True))


def _near(expected: str, got: str) -> bool:
    there, here = _NUMBER.match(expected), _NUMBER.match(got)
    if there is None or here is None or "." not in expected:  # counts are exact
        return False
    a, b = (float(m[2].replace(",", "")) * (-1 if m[1] in ("-", "−") else 1) for m in (there, here))
    unit = 10.0 ** -len(expected.partition(".")[2].partition("e")[0])
    return abs(a - b) <= max(_TOLERANCE * abs(a), unit)
