"""The command: measure, print the tables, and keep them under bench-results/. See also: accuracy --help."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import accuracy
from benchmarks.jobs import DATASETS, QUICK_DATASETS, Job, jobs
from benchmarks.machine import BUSY, cores, load, machine
from benchmarks.report import markdown
from benchmarks.runner import PEERS_PYTHON, ROOT, Bench, WorkerError

RESULTS = ROOT / "bench-results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 1 where one of our own jobs failed or its results differ from a peer's."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["accuracy"]:
        return accuracy.main(given[1:])
    options = _parser().parse_args(given)
    chosen = [job for job in jobs() if not options.only or job.name in options.only]
    bench = Bench(
        folder=options.data_folder,
        datasets=_datasets(options),
        seed=options.seed,
        threads=options.threads,
        calls=100 if options.quick else None,
        repeats=options.repeats or (1 if options.quick else None),
        peers=None if options.no_peers else PEERS_PYTHON,
        say=_say,
    )
    if load() > BUSY:
        _say(f"note: this machine is busy (load {load()}), so the numbers will be too high and uneven")
    results = _measure(bench, chosen, given)
    text = markdown(results)
    print(text)
    _keep(results, text, options.output)
    return 1 if _failed(results) else 0


def _parser() -> argparse.ArgumentParser:
    names = [job.name for job in jobs()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, metavar="JOB", help=f"one of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="everything once and small: does it run?")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--dataset", metavar="NAME", help="measure all jobs on this dataset (default: by job)")
    parser.add_argument("--seed", type=int, default=0, help="of the generated data")
    parser.add_argument("--threads", type=int, default=cores(), help="for everyone (default: all cores)")
    parser.add_argument("--repeats", type=int, help="fresh processes a contender (default: by job)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--data-folder", type=Path, default=RESULTS / "data", help="folder of the generated data")
    return parser


def _datasets(options: argparse.Namespace) -> dict[str, str]:
    usual = QUICK_DATASETS if options.quick else DATASETS
    return dict.fromkeys(usual, options.dataset) if options.dataset else usual


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _measure(bench: Bench, chosen: list[Job], arguments: list[str]) -> dict[str, Any]:
    results: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "command": " ".join(["python -m benchmarks", *arguments]),
        "commit": _commit(),
        "machine": machine(bench.threads),
        "load": load(),
        "versions": {"coterie's environment": bench.ask(sys.executable, "machine:versions")},
    }
    if bench.peers is not None and bench.peers.exists():
        results["versions"]["peers' environment"] = bench.ask(bench.peers, "machine:versions")
    else:
        _say("the peers are left out" + ("" if bench.peers is None else f": there is no {bench.peers}; run make bench"))
    results["data"] = bench.prepare(chosen)
    results["jobs"] = []
    for job in chosen:
        _say(f"{job.name}: {job.title}")
        results["jobs"].append(bench.run(job))
    return results


def _commit() -> str:
    try:
        command = ["git", "describe", "--always", "--dirty"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _keep(results: dict[str, Any], text: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}"
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1))
    (folder / f"{name}.md").write_text(text)
    _say(f"kept as {folder / name}.md and .json")


def _failed(results: dict[str, Any]) -> bool:
    rows = [row for job in results["jobs"] for row in job["contenders"]]
    differ = any(not found["agrees"] for job in results["jobs"] for found in job["agreement"])
    return differ or any("left_out" in row and not row["peer"] for row in rows)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except WorkerError as error:
        sys.exit(f"the data could not be laid out: {error}")
