"""Slow twins of `coterie.kernels.corated`: each measure as its formula reads, over dense rows with NaN for unrated."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.heap import best_pairs

Array = np.ndarray[Any, np.dtype[Any]]


def lanes(x: Array, y: Array) -> list[float]:
    """The eight sums over what both rated."""
    out = [0.0] * 8
    for a, b in zip(x.astype(np.float64), y.astype(np.float64), strict=True):
        if not np.isnan(a) and not np.isnan(b):
            for lane, term in enumerate([1.0, a, b, a * a, b * b, a * b, abs(a - b)]):
                out[lane] += term
            out[7] = max(out[7], abs(a - b))
    return out


def statistics(x: Array) -> tuple[float, float, float]:
    """Length, norm and mean of a row; zeros for an empty one."""
    known = x[~np.isnan(x)].astype(np.float64)
    return (len(known), float(np.linalg.norm(known)), float(known.mean())) if len(known) else (0.0, 0.0, 0.0)


def measure(name: str, reading: str, x: Array, y: Array, spread: float) -> float:
    """A measure of two rows in a reading."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    in_x, in_y = ~np.isnan(x), ~np.isnan(y)
    both = in_x & in_y
    a, b, n = x[both], y[both], int(both.sum())
    notebook = reading == "notebook"
    if n == 0:
        return 0.0 if name in ("jaccard", "cosine", "pearson") else 1.0 if notebook else np.inf
    match name:
        case "jaccard":
            return n / int((in_x | in_y).sum())
        case "cosine":
            norms = float(np.linalg.norm(x[in_x]) * np.linalg.norm(y[in_y]))
            return float(a @ b) / norms if norms else 0.0
        case "pearson":
            a = a - (a.mean() if notebook else x[in_x].mean())
            b = b - (b.mean() if notebook else y[in_y].mean())
            squares = [float(a @ a), float(b @ b)]
            constant = [s <= 1e-12 * float(v @ v) for s, v in zip(squares, (x[both], y[both]), strict=True)]
            return 0.0 if any(constant) else float(a @ b) / float(np.sqrt(squares[0]) * np.sqrt(squares[1]))
        case "manhattan":
            return float(np.abs(a - b).sum()) / (n if notebook else 1)
        case "euclidean":
            return float(np.sqrt(((a - b) ** 2).sum())) / (n if notebook else 1)
        case _:
            return float(np.abs(a - b).max()) / (spread if notebook and spread > 0 else 1)


def shrunk(value: float, n: float, shrinkage: float, distance: bool) -> float:
    """A value trusted by the n entries that it rests on."""
    if n == 0:
        return value
    return value * (n + shrinkage) / n if distance else value * n / (n + shrinkage)


def nearest(
    values: Array, overlaps: Array, own: int, k: int, distance: bool, min_overlap: int, absolute: bool
) -> list[tuple[int, float]]:
    """(row, value) of the k nearest other rows by their values, as float32; ties by smaller row."""
    pairs = []
    for row, value in enumerate(values.astype(np.float32)):
        if row != own and overlaps[row] >= min_overlap:
            pairs.append((float(-value if distance else abs(value) if absolute else value), row))
    return [(row, float(np.float32(values[row]))) for _, row in best_pairs(pairs, k)]


def parts(name: str, reading: str, x: Array, y: Array, spread: float) -> tuple[list[float], list[list[float]]]:
    """What a measure of two rows is made of (p, q, r), and the same of each entry that both have."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    in_x, in_y = ~np.isnan(x), ~np.isnan(y)
    a, b = x[in_x & in_y], y[in_x & in_y]
    notebook, n = reading == "notebook", len(a)
    whole = np.concatenate([x[in_x], [0.0]]), np.concatenate([y[in_y], [0.0]])  # nobody's mean is over nothing
    means = [v.sum() / max(1, len(v) - 1) for v in whole]
    if notebook:
        means = [v.sum() / max(1, n) for v in (a, b)]
    one = np.ones(n)
    match name:
        case "jaccard":
            terms, q, r = one, float(in_x.sum()), float(in_y.sum())
        case "cosine":
            terms, q, r = a * b, float(np.linalg.norm(x[in_x])), float(np.linalg.norm(y[in_y]))
        case "pearson":
            a, b = a - means[0], b - means[1]
            entries = np.stack([a * b, a * a, b * b], axis=1)
            return entries.sum(axis=0).tolist(), entries.tolist()
        case "manhattan" | "euclidean":
            terms = abs(a - b) if name == "manhattan" else (a - b) ** 2
            return [float(terms.sum()), float(n) if notebook else 1.0, 1.0], [[t, 1.0, 1.0] for t in terms.tolist()]
        case _:
            terms, q, r = abs(a - b), spread if notebook and spread > 0 else 1.0, 1.0
            return [float(terms.max(initial=0.0)), q, r], [[t, q, r] for t in terms.tolist()]
    return [float(terms.sum()), q, r], [[t, q, r] for t in terms.tolist()]
