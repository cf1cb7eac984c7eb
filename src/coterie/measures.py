"""What the six measures of likeness are: names, formulas, direction, advice. `similarity` computes them.

Nothing here needs a compiled kernel, so that a model that serves from what it has learnt loads without one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from coterie.errors import ParameterError
from coterie.kernels import codes as c

Array = np.ndarray[Any, np.dtype[Any]]
Reading = Literal["table", "notebook"]


@dataclass(frozen=True)
class Measure:
    """A measure of likeness: what it is called, how it reads, and when to use it.

    Attributes
    ----------
    name, alias : str
    formula, notebook_formula : str
        In the two readings, over the co-rated set C.
    larger_is_closer : bool
        True for a similarity, False for a distance.
    suits : tuple of str
        The kinds of data that the guideline recommends it for: "unary", "binary", "ratings".
    guideline : str
        The same in a sentence.
    codes : dict of reading to int
        The kernel's number for each reading.
    """

    name: str
    alias: str
    formula: str
    notebook_formula: str
    larger_is_closer: bool
    suits: tuple[str, ...]
    guideline: str
    codes: dict[str, int] = field(repr=False)

    def code(self, reading: Reading) -> int:
        """The kernel's number of this measure in a reading."""
        if reading not in self.codes:
            raise ParameterError(f"reading must be 'table' or 'notebook', not {reading!r}")
        return self.codes[reading]

    def nothing_shared(self, reading: Reading) -> float:
        """The value for two profiles that share nothing."""
        if self.larger_is_closer:
            return 0.0
        return float("inf") if reading == "table" else 1.0

    def weights(self, values: Array) -> Array:
        """Values as weights, larger for closer: a similarity as it is, a distance d as 1 / (1 + d)."""
        return values if self.larger_is_closer else 1.0 / (1.0 + values)


def _measures() -> dict[str, Measure]:
    jaccard, cosine = "|I_a ∩ I_b| / |I_a ∪ I_b|", "Σ_C a·b / (‖a‖ ‖b‖)"
    correlation = "Σ_C (a-ā)(b-b̄) / √(Σ_C (a-ā)² · Σ_C (b-b̄)²)"

    def both(table: int, notebook: int) -> dict[str, int]:
        return {"table": table, "notebook": notebook}

    listed = [
        Measure(
            "jaccard", "jaccard", jaccard, jaccard, True, ("unary", "binary"),
            "for unary and binary data: how much of what either touched did both touch; blind to the ratings",
            both(c.JACCARD, c.JACCARD),
        ),
        Measure(
            "cosine", "cosine", cosine, cosine, True, ("ratings",),
            "for ratings: unrated counts as 0, so it rewards both overlap and agreement",
            both(c.COSINE, c.COSINE),
        ),
        Measure(
            "pearson", "pearson", correlation + ", ā, b̄ over all ratings", correlation + ", ā, b̄ over C",
            True, ("ratings",),
            "for ratings: compares ups and downs about each one's own mean, so harsh and mild raters can agree",
            both(c.PEARSON, c.PEARSON_CORATED),
        ),
        Measure(
            "manhattan", "l1", "Σ_C |a - b|", "Σ_C |a - b| / |C|", False, (),
            "a sum of disagreements: it grows with |C|, so compare averages (the notebook reading)",
            both(c.MANHATTAN, c.MANHATTAN_MEAN),
        ),
        Measure(
            "euclidean", "l2", "√(Σ_C (a - b)²)", "√(Σ_C (a - b)²) / |C|", False, (),
            "like Manhattan, but large disagreements weigh more",
            both(c.EUCLIDEAN, c.EUCLIDEAN_MEAN),
        ),
        Measure(
            "chebyshev", "chebyshev", "max_C |a - b|", "max_C |a - b| / (r_max - r_min)", False, (),
            "the worst single disagreement; one odd rating decides it",
            both(c.CHEBYSHEV, c.CHEBYSHEV_SCALED),
        ),
    ]  # fmt: skip
    return {m.name: m for m in listed}


#: The six measures by name, in the order of the module.
MEASURES: dict[str, Measure] = _measures()


def measure(name: str | Measure) -> Measure:
    """The measure of a name or alias; an unknown one is an error that lists the six."""
    if isinstance(name, Measure):
        return name
    found = MEASURES.get(name) or next((m for m in MEASURES.values() if m.alias == name), None)
    if found is None:
        raise ParameterError(f"unknown measure {name!r}; there are {', '.join(MEASURES)}, and l1, l2 for two of them")
    return found
