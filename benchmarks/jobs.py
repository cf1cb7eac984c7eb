"""What is measured: the jobs, who does each, and how fast Coterie is meant to be.

Read by the process that starts all others, which stays small: only the standard library here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MEASURES = ("jaccard", "cosine", "pearson", "manhattan", "euclidean", "chebyshev")
#: Of the users, how many are done where a peer would take minutes for all.
PART = 0.1
#: The datasets by the size that a job asks for.
DATASETS = {"large": "synthetic:20m", "small": "synthetic:1m"}
#: Models that serve strangers, and where they are kept; all with 64 factors.
STRANGERS = {"ItemKNN": "item-knn", "ALS": "als", "ImplicitALS": "implicit-als", "SVD": "svd"}
QUICK_DATASETS = {"large": "synthetic:1m", "small": "synthetic:1m"}


@dataclass(frozen=True)
class Contender:
    """Who does a job, and how.

    Attributes
    ----------
    name : str
    call : str
        ``module:function``, timed inside a fresh process; modules of peers begin with ``peers``.
    command : tuple of str
        Instead of `call`: a command whose whole run is timed; ``{python}``, ``{csv}`` and the like are filled in.
    options : dict
        What `call` is told besides the data.
    beside : str
        The contender of ours whose seconds it is compared with; for peers the first unless told.
    note : str
    """

    name: str
    call: str = ""
    command: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    beside: str = ""
    note: str = ""

    @property
    def is_peer(self) -> bool:
        return self.call.startswith("peers")


@dataclass(frozen=True)
class Target:
    """`who` needs at most `most` seconds, or at most `most` times what `than` needs, at a statistic."""

    who: str
    most: float
    than: str = ""
    statistic: str = "median"

    def __str__(self) -> str:
        if not self.than:
            return f"{'p99 ' if self.statistic == 'p99' else ''}at most {format_seconds(self.most)}"
        if self.most < 1:
            return f"at least {1 / self.most:g} x faster than {self.than}"
        return f"at most {self.most:g} x {self.than}"


@dataclass(frozen=True)
class Bound:
    """What else `who` must reach: a number of its quality, or ``peak GB``, as it is or as times that of `than`."""

    who: str
    what: str
    most: float | None = None
    least: float | None = None
    than: str = ""

    def holds(self, value: float) -> bool:
        """Whether a number (or ratio) is within."""
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def __str__(self) -> str:
        limits = [f"{word} {x:g}" for word, x in (("at most", self.most), ("at least", self.least)) if x is not None]
        return f"{self.what} {' and '.join(limits)}" + (f" x that of {self.than}" if self.than else "")


@dataclass(frozen=True)
class Job:
    """One row of the measurements; `repeats` fresh processes for every contender, in turns."""

    name: str
    title: str
    contenders: tuple[Contender, ...]
    targets: tuple[Target | Bound, ...] = ()
    size: str = "large"
    repeats: int = 3
    needs: tuple[str, ...] = ()
    note: str = ""


def format_seconds(value: float) -> str:
    """Seconds, or milliseconds below a tenth of one, in three digits."""
    return f"{value:.3g} s" if value >= 0.1 else f"{value * 1000:.3g} ms"


def jobs() -> tuple[Job, ...]:
    """All jobs in the order of the report."""
    from benchmarks.jobs_models import model_jobs

    first = (_csv(), _reopen(), _item_cosine(), _genome(), _user_cosine(), _pearson(), _six(), _start())
    return (*first, _explore(), _stranger(), _critique(), _artefact(), *model_jobs())


def _csv() -> Job:
    return Job(
        "csv",
        "CSV to checked Interactions",
        (
            Contender("coterie", "ours:load_csv"),
            Contender("polars, parsing alone", "peers:polars_parse"),
            Contender("polars to CSR", "peers:polars_to_csr", note="by ids as array positions; nothing checked"),
        ),
        (Target("coterie", 2.5, "polars, parsing alone"),),
        repeats=5,
    )


def _reopen() -> Job:
    return Job(
        "reopen",
        "The same CSV again, from the store",
        (
            Contender("coterie, warm process", "ours:reopen"),
            Contender(
                "coterie, fresh process",
                command=("{python}", "-c", "import coterie; coterie.load(r'{csv}')"),
                note="Python, imports and all",
            ),
        ),
        (Target("coterie, warm process", 0.05),),
        repeats=5,
        needs=("store",),
    )


def _item_cosine() -> Job:
    peers = (
        Contender("sparse_dot_topn", "peers:topn_items"),
        Contender("implicit", "peers:implicit_items"),
    )
    return Job(
        "item-cosine",
        "Item-item cosine, 50 nearest of every item",
        (Contender("coterie", "ours:item_cosine"), *peers),
        tuple(Target("coterie", 1 / 2, peer.name) for peer in peers),
    )


def _genome() -> Job:
    return Job(
        "genome-neighbors",
        "Nearest movies by the tag genome, 50 of every movie",
        (
            Contender("coterie", "ours:genome_neighbors"),
            Contender("scikit-learn", "peers_content:sklearn_genome"),
            Contender("faiss, flat", "peers_content:faiss_genome"),
        ),
        (Target("coterie", 2.0),),
        note="Dense relevances of 13,000 movies and 1,128 tags, generated; from the relevances to sorted lists, exact.",
    )


def _user_cosine() -> Job:
    part = {"part": PART}
    note = f"the first {PART:.0%} of the users against all, scaled by products"
    return Job(
        "user-cosine",
        "User-user cosine, 50 nearest of every user",
        (
            Contender("coterie", "ours:user_cosine", note="all users, exact"),
            Contender("implicit", "peers:implicit_users", options=part, note=note),
            Contender("sparse_dot_topn", "peers:topn_users", options=part, note=note),
        ),
        (Target("coterie", 1 / 4, "implicit"),),
        repeats=2,
    )


def _pearson() -> Job:
    return Job(
        "user-pearson",
        "User-user Pearson over co-rated items, 50 nearest of every user",
        (
            Contender("coterie", "ours:user_pearson", note="memory for users x 50"),
            Contender(
                "scikit-surprise", "peers:surprise_pearson", note="dense matrix, without selecting; it has one thread"
            ),
        ),
        (Target("coterie", 1 / 10, "scikit-surprise"),),
        size="small",
    )


def _six() -> Job:
    single = tuple(
        Contender(f"{name} alone", "ours:one_measure", options={"measure": name}, beside="all six") for name in MEASURES
    )
    return Job(
        "six-measures",
        "All six measures of all users in one pass, 50 nearest",
        (Contender("all six", "ours:all_measures"), *single),
        (Target("all six", 2.0, "pearson alone"),),
        size="small",
        note="Cosine and Jaccard alone take a faster road, by dot products, which the other measures cannot take.",
    )


def _start() -> Job:
    return Job(
        "start",
        "Starting",
        (
            Contender("import coterie", command=("{python}", "-c", "import coterie")),
            Contender("coterie --help", command=("{coterie}", "--help")),
            Contender("Python alone", command=("{python}", "-c", "pass")),
        ),
        (Target("import coterie", 0.3), Target("coterie --help", 0.5)),
        size="small",
        repeats=10,
        note="Whole processes, Python's own start included.",
    )


def _explore() -> Job:
    return Job(
        "explore",
        "Every picture of a dataset, on one page",
        (Contender("coterie", command=("{coterie}", "explore", "{name}", "--output", "{explored}")),),
        (Target("coterie", 15.0), Bound("coterie", "peak GB", most=4 * 1.073741824)),
        note="A whole process, from the stored ratings to the page with its pictures.",
    )


def _stranger() -> Job:
    ours, peers = [], []
    for size in (20, 100):
        options = {"size": size, "calls": 2000}
        of_size = [
            Contender(f"coterie {name}, {size} rated", "ours:stranger", options={**options, "artefact": kept})
            for name, kept in STRANGERS.items()
        ]
        for name, beside in (("CosineRecommender", "ItemKNN"), ("ALS, recalculate_user", "ImplicitALS")):
            call = "peers:implicit_stranger" if beside == "ItemKNN" else "peers_models:implicit_stranger"
            to = f"coterie {beside}, {size} rated"
            peers.append(Contender(f"implicit {name}, {size} rated", call, options=options, beside=to))
        ours += of_size
    targets = [(Target(who.name, 0.0005), Target(who.name, 0.002, statistic="p99")) for who in ours]
    return Job(
        "stranger",
        "Ten items for one stranger from a loaded model",
        (*ours, *peers),
        tuple(target for both in targets for target in both),
        repeats=1,
        needs=("artefact", "factor_models"),
        note="implicit takes and gives row numbers and arrays, Coterie ids and a table.",
    )


def _critique() -> Job:
    size = {"items": 13_176, "tags": 1_128, "calls": 1000}
    ours = tuple(
        Contender(name, "ours:critique", options={**size, "kind": kind})
        for name, kind in (
            ("ten movies, less of one tag, more of another", "recommend"),
            ("the same with constraints", "constrained"),
            ("ten tags offered", "offered"),
        )
    )
    targets = [(Target(who.name, 0.02), Target(who.name, 0.02, statistic="p99")) for who in ours]
    return Job(
        "critique",
        "Critiques: movies like one, but less of this and more of that",
        ours,
        tuple(target for both in targets for target in both),
        size="small",
        repeats=1,
        note="A genome as large as that of MovieLens 25M, of random relevances; each call starts from another movie.",
    )


def _artefact() -> Job:
    return Job(
        "artefact",
        "Loading a fitted ItemKNN with its training data, all checksums compared",
        (
            Contender("coterie, warm process", "ours:load_artefact"),
            Contender(
                "coterie, fresh process",
                command=("{python}", "-c", "import coterie; coterie.load_model(r'{artefact}')"),
                note="Python, imports and all",
            ),
        ),
        (Target("coterie, warm process", 1.0),),
        needs=("artefact",),
    )
