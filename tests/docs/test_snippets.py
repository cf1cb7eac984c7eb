"""Everything on the front page and in the documentation that can be copied is run here, as a reader would."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from coterie.errors import DataWarning
from tests.docs.blocks import Block, alike, blocks, pages, run

PAGES = {blocks_[0].place.rpartition(":")[0]: path for path in pages() if (blocks_ := blocks(path))}
EXEMPT = [block for path in pages() for block in blocks(path) if block.exempt]


@pytest.mark.parametrize("page", [p for p in PAGES if any(b.exempt is None for b in blocks(PAGES[p]))])
def test_what_the_page_says_happens(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("default", DataWarning)  # a reader sees it, and goes on
        for block in blocks(PAGES[page]):
            if block.exempt is None:
                run(block, names)


@pytest.mark.parametrize("block", EXEMPT, ids=lambda block: block.place)
def test_what_is_not_run_says_why(block: Block) -> None:
    assert block.exempt
    pytest.skip(block.exempt)


# ---- the judge itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ("a b\n c", "a  b c\n"),
        ("score 1.234", "score 1.235"),
        ("│ 5 ┆ 0.51 │", "| 5 0.51 |".replace("|", "│")),
        ("start ... end", "start and so on end"),
        ("took ... s", "took 1.3 s"),
        ("(0.129 to 0.159).", "(0.130 to 0.159)."),
        ("0.067–0.234", "0.068–0.233"),
        ("a ... b ... c", "a x b y b z c"),
    ],
)
def test_alike(expected: str, got: str) -> None:
    assert alike(expected, got)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ("a b", "a c"),
        ("a b", "a b c"),
        ("score 1.234", "score 1.334"),
        ("671 users", "672 users"),
        ("score 0.5", "score -0.5"),
        ("start ... end", "start and so on"),
        ("a ... b ... c", "a x c"),
        ("0.067–0.234", "0.067–0.334"),
        ("als leads", "svd leads"),
    ],
)
def test_not_alike(expected: str, got: str) -> None:
    assert not alike(expected, got)
