"""Where compiled kernels are kept when the package's own place cannot be written."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numba
import pytest

from coterie.kernels import jit


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_package_that_cannot_be_written_compiles_into_a_private_folder(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def njit(**options: Any) -> Any:
        if not str(numba.config.CACHE_DIR).startswith(str(temporary)):  # type: ignore[attr-defined]
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba.config, "CACHE_DIR", "")  # type: ignore[attr-defined]
    monkeypatch.setattr(numba, "njit", njit)
    assert jit.kernel(lambda a, b: a + b)(1, 2) == 3  # type: ignore[no-untyped-call]
    (folder,) = temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert jit.private_folder() == str(folder)  # the same the next time


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no such modes here")
def test_a_folder_that_others_can_write_is_not_trusted(temporary: Path) -> None:
    planted = Path(jit.private_folder())
    planted.chmod(0o777)
    other = Path(jit.private_folder())
    assert other != planted
    assert stat.S_IMODE(other.stat().st_mode) == 0o700
    planted.rmdir()
    planted.symlink_to(temporary)
    assert jit.private_folder() not in (str(planted), str(temporary))


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"), reason="nothing is compiled")
def test_a_kernel_is_compiled_anew_when_what_it_calls_has_changed(tmp_path: Path) -> None:
    """Though its own file, at which numba looks, is as it was."""
    package = tmp_path / "coterie"
    shutil.copytree(Path(jit.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__"))
    code = """
import numpy as np
from coterie.kernels.tiles import SCORE_COLUMNS, SCORE_ROWS, score_block
scores = np.zeros((SCORE_ROWS, SCORE_COLUMNS), np.float32)
score_block(np.ones((3, SCORE_ROWS), np.float32), np.ones((3, SCORE_COLUMNS), np.float32), scores, 0)
print(scores[0, 0], sum(score_block.stats.cache_hits.values()))
"""

    def run() -> str:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    assert run() == "3.0 0\n"
    assert run() == "3.0 1\n"
    vectors = package / "kernels" / "vectors.py"
    vectors.write_text(vectors.read_text().replace("self._fma, [a, b, c]", "self._fma, [a, a, a]"))
    assert run() == "2.0 0\n"
