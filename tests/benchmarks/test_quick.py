"""The measurements run on little data, print our rows, and judge fairly; how fast anything is, is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks import (
    accuracy,
    data,
    folds,
    jobs,
    machine,
    ours,
    ours_models,
    peers,
    peers_content,
    peers_models,
    quality,
    report,
    runner,
    work,
)
from benchmarks.jobs import Bound, Target
from coterie.similarity import MEASURES
from tests.models.folds import folds as published_folds

ROOT = Path(__file__).resolve().parents[2]
WORLD = "synthetic:300x200x9000"


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--dataset", WORLD, *arguments]
    folders = ["--output", str(tmp_path / "results"), "--data-folder", str(tmp_path / "data")]
    variables = os.environ | environment
    return subprocess.run([*command, *folders], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=600)


def test_quick_run_prints_and_keeps_our_rows(tmp_path: Path) -> None:
    chosen = ("csv", "reopen", "item-cosine", "genome-neighbors", "start", "explore", "artefact")
    done = run(tmp_path, "--no-peers", *(part for job in chosen for part in ("--only", job)))
    assert done.returncode == 0, done.stderr
    assert "the peers are left out" in done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    for title in (
        "CSV to checked",
        "Item-item cosine",
        "tag genome",
        "import coterie",
        "Every picture",
        "fresh process",
    ):
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
    chosen = ("csv", "item-cosine", "genome-neighbors", "user-cosine", "user-pearson")
    done = run(tmp_path, *(part for job in chosen for part in ("--only", job)), OPENBLAS_CORETYPE="Haswell")
    assert done.returncode == 0, done.stderr + done.stdout
    (kept,) = (tmp_path / "results").glob("*.json")
    found = {job["name"]: job for job in json.loads(kept.read_text())["jobs"]}
    for name, with_whom in (
        ("csv", {"polars to CSR"}),
        ("item-cosine", {"sparse_dot_topn", "implicit"}),
        ("genome-neighbors", {"scikit-learn", "faiss, flat"}),
        ("user-cosine", {"sparse_dot_topn"}),
        ("user-pearson", {"scikit-surprise"}),
    ):
        assert {each["with"] for each in found[name]["agreement"]} == with_whom
        assert all(row["ratio"] > 0 for row in found[name]["contenders"] if row["peer"])


def test_models_are_measured_with_what_they_learnt(tmp_path: Path) -> None:
    chosen = ("als", "implicit-als-64", "top-10", "ease", "svd", "bpr", "biased-mf", "svd++")
    done = run(tmp_path, "--no-peers", *(part for job in chosen for part in ("--only", job)))
    assert done.returncode == 0, done.stderr
    (kept,) = (tmp_path / "results").glob("*.json")
    found = {job["name"]: job["contenders"] for job in json.loads(kept.read_text())["jobs"]}
    assert {name: [row["name"] for row in rows if "median" in row] for name, rows in found.items()} == {
        name: [f"coterie {solver}" for solver in ("Cholesky", "CG", "iALS++")]
        if name.startswith("impl")
        else ["coterie"]
        for name in chosen
    }
    for name in ("als", "biased-mf", "svd++"):
        assert 0.7 < found[name][0]["quality"]["RMSE"] < 1.1
    for row in (*found["implicit-als-64"][:3], found["bpr"][0]):
        assert 0.1 < row["quality"]["NDCG@10"] < 1
    assert found["svd"][0]["quality"]["largest error of a singular value"] < 1e-3
    assert "RMSE 0." in done.stdout and "NDCG@10 0." in done.stdout


@pytest.mark.skipif(not runner.PEERS_PYTHON.exists(), reason="no .venv-bench; make bench sets it up")
def test_peers_learn_as_much(tmp_path: Path) -> None:
    chosen = ("als", "implicit-als-64", "top-10", "svd", "bpr", "biased-mf-small", "svd++")
    done = run(tmp_path, *(part for job in chosen for part in ("--only", job)))
    assert done.returncode == 0, done.stderr + done.stdout
    (kept,) = (tmp_path / "results").glob("*.json")
    found = {job["name"]: job for job in json.loads(kept.read_text())["jobs"]}
    rows = {name: [row for row in job["contenders"] if "left_out" not in row] for name, job in found.items()}
    for name, measure, apart in (("als", "RMSE", 0.05), ("implicit-als-64", "NDCG@10", 0.1), ("svd++", "RMSE", 0.1)):
        values = [row["quality"][measure] for row in rows[name]]
        assert max(values) < (1 + apart) * min(values), values
    assert {each["with"] for each in found["top-10"]["agreement"]} == {"implicit"}


def test_held_out_ratings_are_not_learnt_from(tmp_path: Path) -> None:
    done = run(tmp_path, "--no-peers", "--only", "als")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "data").glob("synthetic-*")
    laid_out = work.Data(folder, 0, 1)
    (train, held_out), whole = laid_out.split(), laid_out.matrix()
    assert train.nnz + len(held_out.values) == whole.nnz == 9000
    assert 800 < len(held_out.values) < 1000
    assert not np.asarray(train[held_out.users, held_out.items]).any()
    assert (np.asarray(whole[held_out.users, held_out.items]).ravel() == held_out.values).all()


def test_quality_by_hand() -> None:
    held_out = work.HeldOut(np.array([0, 0, 1]), np.array([1, 2, 0]), np.array([4.0, 2.0, 5.0], np.float32))
    assert quality.rmse(np.array([3.0, 2.0, 9.0]), held_out) == pytest.approx(np.sqrt(1 / 3))
    users, items = np.eye(2, dtype=np.float32), np.array([[9, 1], [3, 3], [1, 4], [2, 2]], np.float32)
    assert quality.products(users, items, held_out).tolist() == [3, 1, 1]
    train = sp.csr_matrix(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]], np.float32))
    # 0 has seen item 0 and gets 1, 3, 2: hits at 1 and 3; 1 has seen 1 and gets 2, 3, 0: a hit at 3
    first, second = (1 + 1 / 2) / (1 + 1 / np.log2(3)), 1 / 2
    assert quality.ndcg(users, items, train, held_out) == pytest.approx((first + second) / 2)
    # with item 0 on top for all, 1 has its hit at once
    raised = quality.ndcg(users, items, train, held_out, np.array([9.0, 0, 0, 0]))
    assert raised == pytest.approx((first + 1) / 2)


def test_a_sweep_is_what_more_sweeps_add(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(work.time, "perf_counter", lambda: clock[0])

    def fit(sweeps: int) -> str:
        clock[0] += 100 + 3 * sweeps
        return f"{sweeps} sweeps"

    done = work.in_sweeps(fit, lambda: None, lambda model, seconds: {}).act()
    assert (done.model, done.seconds) == (f"{work.SWEEPS} sweeps", 3)

    def report_each(ended: Any) -> str:
        clock[0] += 100  # set-up, which falls to the first
        for _ in range(work.SWEEPS):
            clock[0] += 3
            ended()
        return "done"

    assert work.by_callback(report_each, lambda: None, lambda model, seconds: {}).act().seconds == 3


def test_accuracy_is_measured_on_the_published_folds(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    pairs = random.choice(60 * 40, 1500, replace=False)
    lines = np.column_stack([pairs // 40 + 1, pairs % 40 + 1, random.integers(1, 6, 1500), np.full(1500, 88)])
    for edition, name, mark in (("ml-100k", "u.data", "\t"), ("ml-1m", "ratings.dat", "::")):
        (tmp_path / edition).mkdir()
        text = "\n".join(mark.join(map(str, line)) for line in lines.tolist())
        (tmp_path / edition / name).write_text(text + "\n")
    told = {"source": str(tmp_path), "folder": str(tmp_path)}
    assert folds.lay_out({**told, "edition": "ml-1m"}) == folds.lay_out({**told, "edition": "ml-100k"})
    parts = folds.folds(str(tmp_path), "ml-1m")
    for (train, held_out), (expected, asked) in zip(parts, published_folds(tmp_path), strict=True):
        made = sp.csr_matrix((train.values, (train.users, train.items)), shape=train.shape)
        assert (made != expected.to_scipy()).nnz == 0
        assert (held_out.values == asked["rating"].to_numpy()).all()
    chosen = ("--only", "bias", "--only", "als", "--no-peers", "--output", str(tmp_path / "results"))
    command = [sys.executable, "-m", "benchmarks", "accuracy", "--folder", str(tmp_path), *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (kept,) = (tmp_path / "results").glob("*.json")
    rows = json.loads(kept.read_text())["editions"]
    assert {edition: [row["model"] for row in found] for edition, found in rows.items()} == {
        "ml-100k": ["bias", "als"],
        "ml-1m": ["bias", "als"],
    }
    assert rows["ml-1m"][0]["ours"]["rmse"] == pytest.approx(rows["ml-100k"][0]["ours"]["rmse"])
    assert "| bias | 1." in done.stdout


def test_an_accuracy_is_judged_in_three_digits() -> None:
    found = {"rmse": 0.94449, "mae": 0.7479}
    assert accuracy._verdict(found, (0.944, 0.748)) == "0.944 / 0.748 reached"
    assert accuracy._verdict(found, (0.943,)) == "0.943 **missed**"
    assert accuracy._verdict({"left_out": "why"}, (0.943,)) == ""


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
    sides = ours, ours_models, peers, peers_models, peers_content
    modules: dict[str, Any] = {module.__name__.rpartition(".")[2]: module for module in sides}
    for job in jobs.jobs():
        names = [contender.name for contender in job.contenders]
        assert all(callable(getattr(data, need)) for need in job.needs)
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


def test_quality_and_memory_are_bounded_as_they_read() -> None:
    us, peer = (
        {**row(name, 1.0), "quality": {"RMSE": e}, "peak_bytes": 2e9} for name, e in (("us", 0.8), ("peer", 0.9))
    )
    better = Bound("us", "RMSE", most=1.0, than="peer")
    assert str(better) == "RMSE at most 1 x that of peer"
    assert runner.judge(better, [us, peer])["reached"] is True
    assert runner.judge(Bound("us", "RMSE", least=0.9, than="peer"), [us, peer])["reached"] is False
    assert runner.judge(better, [us, {"name": "peer", "left_out": "not installed"}])["reached"] is None
    assert runner.judge(Bound("us", "peak GB", most=2.5), [us])["reached"] is True
    assert runner.judge(Bound("us", "peak GB", most=1.9), [us])["measured"] == "2"


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
    x = sp.csr_matrix(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]], np.float32))
    products = np.asarray((x > 0).astype(int) @ (x > 0).astype(int).T.sum(axis=1)).ravel()
    assert peers._products_left(x, 1) == pytest.approx(products[1:].sum() / products[0])


def test_peers_own_rows_are_no_neighbours() -> None:
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
