"""Runs jobs: every contender in a fresh process, in turns, with equal threads and nothing holding BLAS back."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.jobs import DATASETS, Bound, Contender, Job, Target, format_seconds
from benchmarks.machine import Others

ROOT = Path(__file__).resolve().parents[1]
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
# What would make a process unlike a user's: another BLAS than the processor's, and Python compiling every module anew.
_ODD = ("OPENBLAS_CORETYPE", "PYTHONDONTWRITEBYTECODE")
_THREADS = ("COTERIE_THREADS", "POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Peers that add up in single precision are this far off at most.
_TOLERANCE = 2e-4


class WorkerError(Exception):
    """A contender could not do its job."""


@dataclass(frozen=True)
class Bench:
    """Settings of a run.

    Attributes
    ----------
    folder : Path
        Where data are laid out.
    datasets : dict
        The dataset of each size.
    repeats : int or None
        None: as every job says.
    peers : Path or None
        The peers' interpreter; None leaves them out.
    """

    folder: Path
    datasets: dict[str, str]
    seed: int
    threads: int
    calls: int | None = None
    repeats: int | None = None
    peers: Path | None = PEERS_PYTHON
    say: Callable[[str], None] = print

    # ---- processes -----------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """For every process alike."""
        kept = {name: value for name, value in os.environ.items() if name not in (*_ODD, *_THREADS)}
        return kept | dict.fromkeys(_THREADS, str(self.threads)) | {"COTERIE_CACHE": str(self.folder / "store")}

    def ask(self, python: Path | str, call: str, request: dict[str, Any] | None = None) -> Any:
        """The answer of a function of this package in a fresh process."""
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder, "result.json")
            command = [str(python), "-m", "benchmarks.worker", call, json.dumps(request or {}), str(result)]
            done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)
            if done.returncode or not result.exists():
                last = (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]
                raise WorkerError(last)
            answer = json.loads(result.read_text())
        if isinstance(answer, dict) and "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def time_command(self, command: tuple[str, ...], names: dict[str, str]) -> dict[str, Any]:
        """Seconds and peak memory of a whole process."""
        filled = [part.format(**names) for part in command]
        started = time.perf_counter()
        process = subprocess.Popen(filled, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise WorkerError(f"{' '.join(filled)} ended with status {process.returncode}")
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        facts = {"warm_up": 0.0, "peak_bytes": peak, "check": None, "quality": {}}
        return {"seconds": [elapsed], "measured": elapsed, **facts}

    # ---- jobs ----------------------------------------------------------------------------------------

    def request(self, size: str) -> dict[str, Any]:
        """What every function that works on data is told."""
        name = self.datasets[size]
        folder = self.folder / f"{name.replace(':', '-')}-seed{self.seed}"
        return {"name": name, "folder": str(folder), "seed": self.seed, "threads": self.threads}

    def prepare(self, jobs: list[Job]) -> dict[str, Any]:
        """Lay out the data that the jobs read; facts by name of the dataset."""
        facts = {}
        for name, size in {self.datasets[job.size]: job.size for job in jobs}.items():
            self.say(f"laying out {name} ...")
            facts[name] = self.ask(sys.executable, "data:prepare", self.request(size))
        for need, size in dict.fromkeys((need, job.size) for job in jobs for need in job.needs):
            self.say(f"making {need} of {self.datasets[size]} ...")
            self.ask(sys.executable, f"data:{need}", self.request(size))
        return facts

    def run(self, job: Job) -> dict[str, Any]:
        """Measure one job; its results as JSON values."""
        runs: dict[str, list[dict[str, Any]]] = {c.name: [] for c in job.contenders}
        problems: dict[str, str] = {}
        others = Others()
        repeats = self.repeats or job.repeats
        for repeat in range(repeats):
            turn = repeat % len(job.contenders)
            for contender in (*job.contenders[turn:], *job.contenders[:turn]):
                if contender.name in problems:
                    continue
                try:
                    runs[contender.name].append(self._once(job, contender))
                except WorkerError as error:
                    problems[contender.name] = str(error)
        rows = [_row(c, job, runs[c.name], problems.get(c.name)) for c in job.contenders]
        _relate(rows)
        return {
            "name": job.name,
            "title": job.title,
            "dataset": self.datasets[job.size],
            "repeats": repeats,
            "others": others.share(),
            "contenders": rows,
            "targets": [judge(target, rows) for target in job.targets] if self._usual(job) else [],
            "agreement": agreement(rows),
            "note": job.note,
        }

    def _usual(self, job: Job) -> bool:
        """Whether a job has the data that its targets were set for."""
        return self.datasets[job.size] == DATASETS[job.size]

    def _once(self, job: Job, contender: Contender) -> dict[str, Any]:
        request = self.request(job.size)
        if contender.command:
            names = {
                "python": sys.executable,
                "coterie": str(Path(sys.executable).with_name("coterie")),
                "csv": f"{request['folder']}/ratings.csv",
                "artefact": f"{request['folder']}/item-knn",
                "name": request["name"],
                "explored": f"{request['folder']}/explored",
            }
            return self.time_command(contender.command, names)
        python: Path | str = sys.executable
        if contender.is_peer:
            if self.peers is None or not self.peers.exists():
                raise WorkerError("there is no environment of the peers (make bench sets it up)")
            python = self.peers
        options = dict(contender.options)
        if self.calls and "calls" in options:
            options["calls"] = self.calls
        measured: dict[str, Any] = self.ask(python, contender.call, request | options)
        self.say(f"  {contender.name}: {statistics.median(measured['seconds']):.4g} s")
        return measured


def _row(contender: Contender, job: Job, runs: list[dict[str, Any]], problem: str | None) -> dict[str, Any]:
    """One contender's results."""
    beside = contender.beside or (job.contenders[0].name if contender.is_peer else "")
    row: dict[str, Any] = {"name": contender.name, "peer": contender.is_peer, "beside": beside, "note": contender.note}
    if problem is not None:
        return row | {"left_out": problem}
    seconds = sorted(second for run in runs for second in run["seconds"])
    return row | {
        "median": statistics.median(seconds),
        "least": seconds[0],
        "most": seconds[-1],
        "p99": seconds[min(len(seconds) - 1, int(0.99 * len(seconds)))],
        "timings": len(seconds),
        "seconds": seconds if len(seconds) <= 100 else None,
        "measured_median": statistics.median(run["measured"] for run in runs),
        "warm_up_first": runs[0]["warm_up"],
        "peak_bytes": max(run["peak_bytes"] for run in runs),
        "check": runs[0]["check"],
        "quality": {name: statistics.median(run["quality"][name] for run in runs) for name in runs[0]["quality"]},
    }


def _relate(rows: list[dict[str, Any]]) -> None:
    """Give every row that is set beside one of ours its `ratio`: how many times the seconds of that one."""
    medians = {row["name"]: row["median"] for row in rows if "median" in row}
    for row in rows:
        if row["beside"] in medians and "median" in row:
            row["ratio"] = row["median"] / medians[row["beside"]]


def judge(target: Target | Bound, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether a target was reached, and what was measured, in words; None where it could not be."""
    by_name = {row["name"]: row for row in rows}
    ours, other = by_name[target.who], by_name.get(target.than)
    answer: dict[str, Any] = {"who": target.who, "target": str(target), "reached": None, "measured": None}
    if "median" not in ours or (other is not None and "median" not in other):
        return answer
    if isinstance(target, Bound):
        value = _quality(ours, target.what) / (_quality(other, target.what) if other else 1)
        return answer | {"reached": target.holds(value), "measured": f"{value:.4g}{' x' if other else ''}"}
    seconds = ours[target.statistic]
    ratio = seconds / other[target.statistic] if other else None
    if ratio is None:
        measured = format_seconds(seconds)
    else:
        measured = f"{1 / ratio:.2f} x faster" if target.most < 1 else f"{ratio:.2f} x"
    return answer | {"reached": (ratio or seconds) <= target.most, "measured": measured}


def _quality(row: dict[str, Any], what: str) -> float:
    return float(row["peak_bytes"] / 1e9 if what == "peak GB" else row["quality"][what])


def agreement(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whether the contenders found the same as the first of them, in what both looked for."""
    checks = {row["name"]: check for row in rows if (check := row.pop("check", None))}
    found = []
    for name, check in list(checks.items())[1:]:
        first_name, first = next(iter(checks.items()))
        if shared := [what for what in check if what in first]:
            apart = max(_difference(first[what], check[what]) for what in shared)
            found.append({"who": first_name, "with": name, "apart": apart, "agrees": apart <= _TOLERANCE})
    return found


def _difference(a: Any, b: Any) -> float:
    """The largest difference between lists of numbers; infinite where shapes differ or texts are unequal."""
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return max((_difference(x, y) for x, y in zip(a, b, strict=True)), default=0.0)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b)
    return 0.0 if a == b else float("inf")
