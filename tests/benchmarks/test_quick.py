"""The measurements run on little data, print our rows, and judge fairly; how fast anything is, is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import jobs, machine, ours, peers, report, runner, work
from benchmarks.jobs import Target
from coterie.similarity import MEASURES

ROOT = Path(__file__).resolve().parents[2]
WORLD = "synthetic:300x200x9000"


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--dataset", WORLD, *arguments]
    folders = ["--output", str(tmp_path / "results"), "--data-folder", str(tmp_path / "data")]
    variables = os.environ | environment
    return subprocess.run([*command, *folders], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300)


def test_quick_run_prints_and_keeps_our_rows(tmp_path: Path) -> None:
    chosen = ("csv", "reopen", "item-cosine", "start", "artefact")
    done = run(tmp_path, "--no-peers", *(part for job in chosen for part in ("--only", job)))
    assert done.returncode == 0, done.stderr
    assert "the peers are left out" in done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    for title in ("CSV to checked Interactions", "Item-item cosine", "import coterie", "fresh process"):
        assert any(title in line and (" s |" in line or " ms |" in line) for line in table), title
    assert "`csv`, polars to CSR is left out: " in done.stdout
    (kept,) = (tmp_path / "results").glob("*.json")
    results = json.loads(kept.read_text())
    assert kept.with_suffix(".md").read_text() in done.stdout
    assert [job["name"] for job in results["jobs"]] == list(chosen)
    assert results["data"][WORLD]["ratings"] == 9000
    assert results["machine"]["threads"] >= 1
    first = results["jobs"][0]["contenders"][0]
    assert first["median"] > 0 and first["peak_bytes"] > 10e6


@pytest.mark.skipif(not runner.PEERS_PYTHON.exists(), reason="no .venv-bench; make bench sets it up")
def test_peers_find_the_same(tmp_path: Path) -> None:
    chosen = ("csv", "item-cosine", "user-cosine", "user-pearson")
    done = run(tmp_path, *(part for job in chosen for part in ("--only", job)), OPENBLAS_CORETYPE="Haswell")
    assert done.returncode == 0, done.stderr + done.stdout
    (kept,) = (tmp_path / "results").glob("*.json")
    found = {job["name"]: job for job in json.loads(kept.read_text())["jobs"]}
    for name, with_whom in (
        ("csv", {"polars to CSR"}),
        ("item-cosine", {"sparse_dot_topn", "implicit"}),
        ("user-cosine", {"sparse_dot_topn"}),
        ("user-pearson", {"scikit-surprise"}),
    ):
        assert {each["with"] for each in found[name]["agreement"]} == with_whom
        assert all(row["ratio"] > 0 for row in found[name]["contenders"] if row["peer"])


def test_nothing_holds_blas_back_and_threads_are_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    environment = runner.Bench(tmp_path, jobs.DATASETS, seed=0, threads=2).environment
    assert "OPENBLAS_CORETYPE" not in environment
    assert {name: environment[name] for name in ("COTERIE_THREADS", "POLARS_MAX_THREADS", "OMP_NUM_THREADS")} == {
        "COTERIE_THREADS": "2",
        "POLARS_MAX_THREADS": "2",
        "OMP_NUM_THREADS": "2",
    }


def test_every_contender_exists_and_every_target_names_some() -> None:
    modules: dict[str, Any] = {"ours": ours, "peers": peers}
    for job in jobs.jobs():
        names = [contender.name for contender in job.contenders]
        assert len(names) == len(set(names))
        assert {t.who for t in job.targets} | {t.than for t in job.targets if t.than} <= set(names)
        assert {c.beside for c in job.contenders if c.beside} <= set(names)
        for contender in job.contenders:
            module, _, function = contender.call.partition(":")
            assert contender.command or callable(getattr(modules[module], function))
    assert tuple(MEASURES) == jobs.MEASURES


def row(name: str, median: float, p99: float = 0.0) -> dict[str, Any]:
    return {"name": name, "median": median, "p99": p99}


def test_targets_are_judged_as_they_read() -> None:
    rows = [row("us", 2.0, 9.0), row("peer", 5.0), {"name": "gone", "left_out": "not installed"}]
    faster = Target("us", 1 / 2, "peer")
    assert str(faster) == "at least 2 x faster than peer"
    assert runner.judge(faster, rows)["reached"] is True
    assert runner.judge(Target("us", 1 / 3, "peer"), rows)["reached"] is False
    assert runner.judge(Target("us", 2.0), rows)["reached"] is True
    assert runner.judge(Target("us", 5.0, statistic="p99"), rows)["reached"] is False
    assert runner.judge(Target("us", 0.5, "gone"), rows)["reached"] is None


@pytest.mark.parametrize(
    ("other", "agrees"),
    [([[1.0, 0.5]], True), ([[1.0, 0.50001]], True), ([[1.0, 0.6]], False), ([[1.0]], False), ([], False)],
)
def test_other_results_are_noticed(other: list[list[float]], agrees: bool) -> None:
    rows = [{"name": "us", "check": {"cosine": [[1.0, 0.5]]}}, {"name": "peer", "check": {"cosine": other}}]
    (found,) = runner.agreement(rows)
    assert found["agrees"] is agrees
    assert "check" not in rows[0]


def test_a_part_is_scaled_by_its_products() -> None:
    import numpy as np
    import scipy.sparse as sp

    x = sp.csr_matrix(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]], np.float32))
    products = np.asarray((x > 0).astype(int) @ (x > 0).astype(int).T.sum(axis=1)).ravel()
    assert peers._products_left(x, 1) == pytest.approx(products[1:].sum() / products[0])


def test_peers_own_rows_are_no_neighbours() -> None:
    import numpy as np
    import scipy.sparse as sp

    similar = sp.csr_matrix(np.array([[1.0, 0.2, 0.7], [0.2, 1.0, 0.0], [0.7, 0.0, 1.0]]))
    lists = work.check_sparse_lists(similar, np.array([0, 1]))["cosine"]
    assert [line[:3] for line in lists] == [[0.7, 0.2, 0.0], [0.2, 0.0, 0.0]]


def test_seconds_read_well() -> None:
    assert [jobs.format_seconds(s) for s in (12.345, 0.25, 0.0123, 0.000045)] == [
        "12.3 s",
        "0.25 s",
        "12.3 ms",
        "0.045 ms",
    ]
    assert "left out" in report._numbers({"name": "gone", "left_out": "why"})


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux tells what others take")
def test_own_work_is_not_taken_for_others() -> None:
    others = machine.Others()
    code = "import time\nwhile time.process_time() < 1: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.read()  # until it has ended; only once it is waited for is it ours
        running = others._others()
        worker.wait()
        ended = others._others()
    assert running is not None and ended is not None
    assert 0.7 < running - ended < 1.5
    assert 0 <= (others.share() or 0) <= 1
