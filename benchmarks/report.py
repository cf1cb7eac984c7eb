"""Results as Markdown that can be pasted into docs/benchmarks.md."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import format_seconds
from benchmarks.machine import BUSY, DISTURBED


def markdown(results: dict[str, Any]) -> str:
    """Machine, versions, one table of all jobs, the targets, and what else a reader must know."""
    parts = [_head(results), _table(results["jobs"]), _targets(results["jobs"]), _notes(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(results: dict[str, Any]) -> str:
    machine, data = results["machine"], results["data"]
    shapes = "; ".join(
        f"`{name}` ({d['users']:,} users x {d['items']:,} items, {d['ratings']:,} ratings, seed {d['seed']}, "
        f"CSV {d['csv_bytes'] / 1e6:,.0f} MB)"
        for name, d in data.items()
    )
    lines = [
        f"Measured {results['date']} with `{results['command']}` (commit {results['commit']}).",
        "",
        f"- machine: {machine['processor']}, {machine['cores']} cores, {machine['simd']}, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}",
        f"- threads: {machine['threads']} for everyone; load when it began {results['load']}"
        + (" (**a busy machine: too high and uneven**)" if results["load"] > BUSY else ""),
        f"- data: {shapes}",
    ]
    for who, facts in results["versions"].items():
        packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
        lines.append(f"- {who}: {packages}; BLAS {facts['blas']}")
    return "\n".join(lines)


def _table(jobs: list[dict[str, Any]]) -> str:
    lines = [
        "| job | who | median | range (timings) | x ours | peak memory | quality |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for job in jobs:
        for number, row in enumerate(job["contenders"]):
            title = f"**{job['title']}** (`{job['name']}`, {job['dataset']})" if number == 0 else ""
            lines.append(f"| {title} | {row['name']} | {_numbers(row)} |")
    return "\n".join(lines)


def _numbers(row: dict[str, Any]) -> str:
    if "median" not in row:
        return "left out | | | | "
    low, high = format_seconds(row["least"]), format_seconds(row["most"])
    spread = f"{low} to {high}" if row["timings"] < 100 else f"p99 {format_seconds(row['p99'])}, most {high}"
    ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
    memory = f"{row['peak_bytes'] / 1e6:,.0f} MB"
    quality = ", ".join(f"{name} {value:.4g}" for name, value in row["quality"].items())
    return f"{format_seconds(row['median'])} | {spread} ({row['timings']}) | {ratio} | {memory} | {quality}"


def _targets(jobs: list[dict[str, Any]]) -> str:
    if not any(job["targets"] for job in jobs):
        return "The aims are for the usual data, not for these, so they are not judged."
    lines = ["| job | aim | measured | |", "|---|---|--:|---|"]
    for job in jobs:
        for target in job["targets"]:
            lines.append(f"| `{job['name']}` | {target['who']}: {target['target']} | {_measured(target)} |")
    return "\n".join(lines)


def _measured(target: dict[str, Any]) -> str:
    if target["reached"] is None:
        return "- | not measured"
    return f"{target['measured']} | {'reached' if target['reached'] else '**missed**'}"


def _notes(results: dict[str, Any]) -> str:
    lines = []
    for job in results["jobs"]:
        if (job["others"] or 0) > DISTURBED:
            lines.append(f"`{job['name']}`: **disturbed**, others took {job['others']:.0%} of the processors' time.")
        if job["note"]:
            lines.append(f"`{job['name']}`: {job['note']}")
        for row in job["contenders"]:
            if row["note"]:
                lines.append(f"`{job['name']}`, {row['name']}: {row['note']}.")
            if "left_out" in row:
                lines.append(f"`{job['name']}`, {row['name']} is left out: {row['left_out']}.")
        for found in job["agreement"]:
            if found["agrees"]:
                how = f"to {found['apart']:.0e}" if found["apart"] else "exactly"
                lines.append(f"`{job['name']}`: {found['who']} and {found['with']} agree {how}.")
            else:
                lines.append(f"`{job['name']}`: **{found['with']} found something else than {found['who']}**.")
    return "\n".join(f"- {line}" for line in lines)
