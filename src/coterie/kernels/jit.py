"""How every kernel is compiled: without the GIL, cached on disk wherever there is a place to write, until the source
of any kernel changes."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_HERE = Path(__file__).parent
F = TypeVar("F", bound=Callable[..., Any])

# Sums may be reordered and contracted (the vector units need that); NaN and infinity keep their meaning.
_FAST = {"reassoc", "contract", "nsz", "arcp"}


def kernel(function: F) -> F:
    """Compile a serial loop over rows: `nogil`, cached. With NUMBA_DISABLE_JIT=1 it stays plain Python."""
    return _compile(function, fastmath=_FAST)


def exact_kernel(function: F) -> F:
    """Compile like `kernel`, but with every operation as written: the same bits on every machine."""
    return _compile(function)


def _compile(function: F, **more: Any) -> F:
    options: dict[str, Any] = {"nogil": True, "boundscheck": False, **more}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package nor the user's cache folder can be written
        config: Any = numba.config
        config.CACHE_DIR = private_folder()
        compiled = numba.njit(cache=True, **options)(function)
    # numba looks at the function's own file, but kernels also consist of what they call from others
    file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if file is not None:
        file._source_stamp = sources()
    return cast(F, compiled)


@cache
def sources() -> str:
    """A digest of the source of all kernels; code compiled from other source is not taken from the cache."""
    digest = blake2b(digest_size=16)
    for path in sorted(_HERE.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def private_folder() -> str:
    """A temporary folder for compiled code, into which nobody else can write: what lies there is run."""
    owner = os.getuid() if hasattr(os, "getuid") else 0
    folder = os.path.join(tempfile.gettempdir(), f"coterie-numba-{owner}")
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    found = os.lstat(folder)
    others_write = hasattr(os, "getuid") and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not others_write:
        return folder
    return tempfile.mkdtemp(prefix="coterie-numba-")  # somebody was there before us


def inlined(function: F) -> F:
    """Compile a helper that only kernels call."""
    return cast(F, numba.njit(nogil=True, fastmath=_FAST, inline="always")(function))
