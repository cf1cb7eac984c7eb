"""Where compiled kernels are kept when the package's own place cannot be written."""

from __future__ import annotations

import os
import stat
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
