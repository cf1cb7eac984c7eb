"""``python -m benchmarks accuracy``: every rating model on MovieLens 100K and 1M in five folds, beside scikit-surprise.

Folds are made as those of the published tables: lines in file order, shuffled by ``numpy.random.RandomState(0)``, five
consecutive parts; predictions are cut to the scale; means over the folds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.folds import FILES, FOLDS
from benchmarks.jobs import DATASETS, format_seconds
from benchmarks.machine import BUSY, cores, load, machine
from benchmarks.runner import PEERS_PYTHON, ROOT, Bench, WorkerError
from coterie.evaluation.reproduce import surprise

#: What is not a model's usual setting.
SETTINGS: dict[str, dict[str, Any]] = {**surprise.SETTINGS, "item-knn": surprise.SETTINGS["user-knn"]}
#: scikit-surprise's name of the same model.
PEERS = {
    "bias": "BaselineOnly",
    "slope-one": "SlopeOne",
    "user-knn": "KNNBaseline",
    "co-clustering": "CoClustering",
    "nmf": "NMF",
    "biased-mf": "SVD",
    "svd++": "SVDpp",
}
#: RMSE and MAE to reach: published ones, and for Bayesian models what the literature has since found.
AIMS: dict[str, dict[str, tuple[float, ...]]] = {
    "ml-100k": {**surprise.PUBLISHED["ml-100k"], "bayesian-mf": (0.895,), "bayesian-svd++": (0.882,)},
    "ml-1m": {**surprise.PUBLISHED["ml-1m"], "bayesian-mf": (0.838,), "bayesian-svd++": (0.832,)},
}


def main(arguments: Sequence[str]) -> int:
    """Run; 1 where one of our own models failed."""
    names = rating_models()
    options = _parser(names).parse_args(arguments)
    chosen = [name for name in names if not options.only or name in options.only]
    results: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "command": " ".join(["python -m benchmarks accuracy", *arguments]),
        "machine": machine(options.threads),
        "load": load(),
        "folds": options.folds,
        "editions": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), DATASETS, seed=0, threads=options.threads, say=_say)
        for edition in options.edition or FILES:
            request = {"folder": folder, "edition": edition, "folds": options.folds}
            found = bench.ask(sys.executable, "folds:lay_out", {**request, "source": str(options.folder)})
            if "missing" in found:
                _say(f"{edition} is left out: {found['missing']}")
                continue
            results["editions"][edition] = [measure(bench, request, name, options.peers) for name in chosen]
    text = markdown(results)
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    kept = options.output / f"accuracy-{time.strftime('%Y%m%d-%H%M%S')}"
    kept.with_suffix(".json").write_text(json.dumps(results, indent=1))
    kept.with_suffix(".md").write_text(text)
    rows = [row for rows in results["editions"].values() for row in rows]
    return 1 if not rows or any("left_out" in row["ours"] for row in rows) else 0


def rating_models() -> list[str]:
    """The registered models that predict ratings."""
    from coterie.models.registry import MODELS, model_class

    return [name for name in MODELS if model_class(name).predicts_ratings]


def _parser(names: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks accuracy", description=__doc__)
    usual = os.environ.get("COTERIE_SHARED_DATA") or ROOT.parent / "shared" / "data"
    parser.add_argument("--folder", type=Path, default=usual, help="has ml-100k/u.data, ml-1m/ratings.dat")
    parser.add_argument("--edition", action="append", choices=FILES, help="default: both")
    parser.add_argument("--only", action="append", choices=names, metavar="MODEL", help=f"one of {', '.join(names)}")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="ours alone")
    parser.add_argument("--folds", type=int, choices=range(1, FOLDS + 1), default=FOLDS, help="only the first so many")
    parser.add_argument("--threads", type=int, default=cores(), help="for everyone (default: all cores)")
    parser.add_argument("--output", type=Path, default=ROOT / "bench-results", help="folder of the results")
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measure(bench: Bench, request: dict[str, Any], name: str, peers: bool) -> dict[str, Any]:
    """A model's and its peer's errors and times on one edition."""
    row: dict[str, Any] = {"model": name, "settings": SETTINGS.get(name, {}), "peer": PEERS.get(name)}
    told = {**request, "model": name, "parameters": row["settings"]}
    row["ours"] = _ask(bench, sys.executable, "ours_models:accuracy", told)
    if peers and name in PEERS:
        told = {**request, "algorithm": PEERS[name]}
        row["theirs"] = _ask(bench, bench.peers or PEERS_PYTHON, "peers_accuracy:accuracy", told)
    return row


def _ask(bench: Bench, python: Path | str, call: str, request: dict[str, Any]) -> dict[str, Any]:
    who = f"{request['edition']}, {request.get('algorithm') or request['model']}"
    if not Path(python).exists():
        return {"left_out": "there is no environment of the peers (make bench sets it up)"}
    try:
        found: dict[str, Any] = bench.ask(python, call, request)
    except WorkerError as error:
        bench.say(f"  {who}: {error}")
        return {"left_out": str(error)}
    bench.say(f"  {who}: RMSE {found['rmse']:.4f}, {found['fit'] + found['predict']:.3g} s a fold")
    return found


def markdown(results: dict[str, Any]) -> str:
    """One table an edition, and what is not as usual."""
    facts = results["machine"]
    busy = " (**a busy machine: times too high and uneven**)" if results["load"] > BUSY else ""
    parts = [
        f"Measured {results['date']} with `{results['command']}` on {facts['processor']}, {facts['threads']} threads "
        f"(scikit-surprise has one), load when it began {results['load']}{busy}; means over {results['folds']} of "
        f"{FOLDS} folds, seconds a fold."
    ]
    for edition, rows in results["editions"].items():
        head = (
            f"| {edition} | RMSE | MAE | aim | fit | predict | scikit-surprise | RMSE | MAE | fit | predict | x ours |"
        )
        aims = AIMS[edition] if results["folds"] == FOLDS else {}
        lines = [_line(row, aims.get(row["model"], ())) for row in rows]
        parts.append("\n".join([head, "|---|--:|--:|---|--:|--:|---|--:|--:|--:|--:|--:|", *lines]))
    return "\n\n".join(parts) + "\n\n" + "\n".join(_notes(results)) + "\n"


def _line(row: dict[str, Any], aims: tuple[float, ...]) -> str:
    ours, theirs = row["ours"], row.get("theirs", {})
    cells = [row["model"], *_errors(ours), _verdict(ours, aims), *_times(ours)]
    cells += [row["peer"] or "", *_errors(theirs), *_times(theirs), _ratio(ours, theirs)]
    return f"| {' | '.join(cells)} |"


def _errors(found: dict[str, Any]) -> list[str]:
    return [f"{found[what]:.4f}" if what in found else "" for what in ("rmse", "mae")]


def _times(found: dict[str, Any]) -> list[str]:
    return [format_seconds(found[what]) if what in found else "" for what in ("fit", "predict")]


def _ratio(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """How many times our seconds the peer takes, to fit and predict."""
    if "fit" not in ours or "fit" not in theirs:
        return ""
    return f"{(theirs['fit'] + theirs['predict']) / (ours['fit'] + ours['predict']):.1f}"


def _verdict(found: dict[str, Any], aims: tuple[float, ...]) -> str:
    """Aims have three digits, and so have the errors that are compared with them."""
    if not aims or "rmse" not in found:
        return ""
    reached = all(round(found[what], 3) <= aim for what, aim in zip(("rmse", "mae"), aims, strict=False))
    return f"{' / '.join(f'{aim:.3f}' for aim in aims)} {'reached' if reached else '**missed**'}"


def _notes(results: dict[str, Any]) -> list[str]:
    lines = []
    for edition, rows in results["editions"].items():
        for row in rows:
            for side in ("ours", "theirs"):
                if problem := row.get(side, {}).get("left_out"):
                    lines.append(
                        f"- {edition}, {row['model'] if side == 'ours' else row['peer']} is left out: {problem}."
                    )
    models = {row["model"]: row["settings"] for rows in results["editions"].values() for row in rows}
    for name, settings in models.items():
        if settings:
            lines.append(f"- {name}: {', '.join(f'{key}={value}' for key, value in settings.items())}.")
    return lines
