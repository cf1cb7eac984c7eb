"""Is this installation in order? Versions, threads, caches, extras, and a small sum whose answer is known."""

from __future__ import annotations

import math
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coterie.cli.output import Output, cell, table

if TYPE_CHECKING:
    from rich.table import Table

_CORE = ("numpy", "scipy", "numba", "polars", "scikit-learn", "typer", "rich", "matplotlib")
# What decides how fast kernels are: the widest vectors first.
_VECTORS = ("avx512f", "avx2", "avx", "fma", "sve", "neon", "asimd", "sse4.2")


def doctor(out: Output) -> int:
    """What Coterie runs on, and whether it works here."""
    document = {
        "versions": _versions(),
        "processor": _processor(),
        "blas": _blas(),
        "kernels": _kernels(),
        "store": _store(),
        "extras": _extras(),
        "self_check": _self_check(),
    }
    out.show(document, *(_picture(name, facts) for name, facts in document.items()))
    return 0 if document["self_check"]["passed"] else 1


def _picture(name: str, facts: dict[str, Any]) -> Table:
    made = table({name: "left", "": "left"})
    for fact, value in facts.items():
        text = ("yes" if value else "no") if isinstance(value, bool) else value
        made.add_row(fact if fact.isupper() else fact.replace("_", " "), cell(text, decimals=1))
    return made


def _versions() -> dict[str, str]:
    import coterie

    found = {"coterie": coterie.__version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in _CORE}


def _processor() -> dict[str, Any]:
    import llvmlite.binding as llvm

    from coterie.kernels.parallel import thread_count

    features = llvm.get_host_cpu_features()
    return {
        "system": platform.platform(),
        "processor": llvm.get_host_cpu_name(),
        "cores": os.cpu_count(),
        "threads": thread_count(),
        "COTERIE_THREADS": os.environ.get("COTERIE_THREADS"),
        "vectors": [name for name in _VECTORS if features.get(name)],
    }


def _blas() -> dict[str, str]:
    import scipy.linalg  # noqa: F401  (its own BLAS is loaded with it)
    from threadpoolctl import threadpool_info

    pools = sorted((p for p in threadpool_info() if p["user_api"] == "blas"), key=lambda p: str(p["filepath"]))
    return {
        Path(pool["filepath"]).parent.name.removesuffix(".libs"): f"{pool['internal_api']} {pool['version']}, "
        f"{pool['num_threads']} threads"
        for pool in pools
    }


def _kernels() -> dict[str, Any]:
    """Where compiled kernels are kept, and how many there are already."""
    from coterie.kernels.topk_loops import select_rows

    if not hasattr(select_rows, "stats"):  # NUMBA_DISABLE_JIT=1
        return {"compiled": False, "cache": None, "cached": 0}
    folder = Path(select_rows.stats.cache_path)
    return {
        "compiled": True,
        "cache": str(folder),
        "cached": sum(1 for _ in folder.glob("*.nbc")),
        "writable": os.access(folder if folder.exists() else folder.parent, os.W_OK),
    }


def _store() -> dict[str, Any]:
    from coterie.data import store

    kept = store.entries()
    return {
        "folder": str(store.cache_folder()),
        "datasets": len(kept),
        "damaged": sum(bool(entry.problem) for entry in kept),
        "megabytes": round(sum(entry.bytes for entry in kept) / 1e6, 1),
    }


def _extras() -> dict[str, str]:
    """The optional packages of each extra: their versions, or that they are missing."""
    found: dict[str, list[str]] = {}
    for line in metadata.requires("coterie") or []:
        if match := re.fullmatch(r"([\w.-]+).*extra == ['\"]([\w-]+)['\"].*", line):
            found.setdefault(match[2], []).append(_installed(match[1]))
    return {extra: ", ".join(packages) for extra, packages in found.items()}


def _installed(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} missing"


def _self_check() -> dict[str, Any]:
    """Fit, recommend and predict where the answers are known."""
    import polars as pl

    import coterie as ct

    frame = pl.DataFrame({"user": [1, 1, 2, 2, 3], "item": [10, 20, 10, 30, 20], "rating": [5.0, 3.0, 4.0, 2.0, 1.0]})
    train = ct.Interactions.from_frame(frame, user="user", item="item", rating="rating")
    checks = {}
    listed = ct.Popularity().fit(train).recommend(3, k=5)
    checks["recommend what is not seen"] = listed["item"].to_list() == [10, 30]
    # Users 1 and 2 share item 10: 5 * 4 / (sqrt(5^2 + 3^2) * sqrt(4^2 + 2^2)).
    cosine = ct.similarity.pair(train, 1, 2, "cosine")
    checks["cosine of two users"] = math.isclose(cosine, 20 / math.sqrt(34 * 20), rel_tol=1e-5)
    return {**checks, "passed": all(checks.values())}
