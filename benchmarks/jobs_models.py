"""The jobs about models: how long a sweep takes, and how good the model is after as many sweeps as the peer's."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import Bound, Contender, Job, Target

#: Explicit ALS: λ for every rating of the row, in all contenders; biases.
_RATINGS = {"n_factors": 64, "regularization": 0.05}
#: Implicit ALS by number of factors: confidence 1 + α for whatever is rated, the same λ for all contenders.
#: With 128 factors, NDCG@10 after six sweeps is .24 at λ = 30 and .38 at 100.
_CHOICES = {64: {"regularization": 30.0, "alpha": 1.0}, 128: {"regularization": 100.0, "alpha": 1.0}}
_SOLVERS = {"Cholesky": "cholesky", "CG": "cg", "iALS++": "ials++"}
#: Gradient descent: the same λ in the same update.
_DESCENT = {"n_factors": 64, "regularization": 0.05}
#: Items of the published EASE on MovieLens 20M.
_EASE_ITEMS = 20_108


def model_jobs() -> tuple[Job, ...]:
    """In the order of the report."""
    return (
        _als(),
        _implicit_als(64),
        _implicit_als(128),
        _top(10),
        _top(100),
        _evaluation(),
        _ease(),
        _svd(),
        _bpr(),
        _biased_mf(),
        _biased_mf_small(),
        _svdpp(),
    )


def _ours(name: str, model: str, sweeps: str, parameters: dict[str, Any], implicit: bool = False) -> Contender:
    options = {"model": model, "sweeps": sweeps, "parameters": parameters, "implicit": implicit}
    return Contender(name, "ours_models:train", options=options)


def _als() -> Job:
    return Job(
        "als",
        "Explicit ALS with biases, 64 factors, a sweep",
        (
            _ours("coterie", "als", "n_iterations", {**_RATINGS, "init_scale": 0.001}),
            Contender("cmfrec CG", "peers_models:cmfrec_als", options={**_RATINGS, "use_cg": True}),
            Contender("cmfrec Cholesky", "peers_models:cmfrec_als", options={**_RATINGS, "use_cg": False}),
        ),
        (
            Target("coterie", 1 / 1.8, "cmfrec CG"),
            Target("coterie", 1 / 10, "cmfrec Cholesky"),
            Bound("coterie", "RMSE", most=1.0, than="cmfrec CG"),
            Bound("coterie", "RMSE", most=1.0, than="cmfrec Cholesky"),
        ),
        repeats=2,
    )


def _implicit_als(n_factors: int) -> Job:
    block, choices = n_factors // 2, _CHOICES[n_factors]
    ours, irspack = [], []
    for name, solver in _SOLVERS.items():
        parameters = {**choices, "n_factors": n_factors, "solver": solver, "loss": "original"}
        parameters |= {"regularization_exponent": 0.0, "cg_steps": 3, "block_size": block, "init_scale": 0.001}
        ours.append(_ours(f"coterie {name}", "implicit-als", "n_iterations", parameters, implicit=True))
        options = {**choices, "n_factors": n_factors, "solver": solver.replace("++", "pp"), "block_size": block}
        irspack.append(Contender(f"irspack {name}", "peers_models:irspack_als", options=options, beside=ours[-1].name))
    implicit = [
        Contender(
            f"implicit {name}",
            "peers_models:implicit_als",
            options={**choices, "n_factors": n_factors, "use_cg": name == "CG"},
            beside=f"coterie {name}",
        )
        for name in ("Cholesky", "CG")
    ]
    return Job(
        f"implicit-als-{n_factors}",
        f"Implicit ALS, {n_factors} factors, a sweep",
        (*ours, *irspack, *implicit),
        (
            *(Target(f"coterie {name}", 1 / 1.3, f"irspack {name}") for name in _SOLVERS),
            Target("coterie CG", 1 / 2, "implicit CG"),
            Target("coterie Cholesky", 1 / 6, "implicit Cholesky"),
            *(Bound(peer.beside, "NDCG@10", least=0.99, than=peer.name) for peer in (*irspack, *implicit)),
        ),
        repeats=2,
        note=f"CG takes 3 steps a row, iALS++ blocks of {block} factors, in all contenders.",
    )


def _top(k: int) -> Job:
    options = {"k": k}
    return Job(
        f"top-{k}",
        f"The {k} best items of all users, without what they rated, 64 factors",
        (
            Contender("coterie", "ours_models:top", options=options, note="ids in a table"),
            Contender("implicit", "peers_models:implicit_top", options=options, note="row numbers in arrays"),
            Contender(
                "faiss flat", "peers_models:faiss_top", options=options, note="does not leave out what they rated"
            ),
        ),
        (*((Target("coterie", 1 / 3, "implicit"),) if k == 10 else ()), Target("coterie", 1.0, "faiss flat")),
        needs=("factor_models",),
    )


def _evaluation() -> Job:
    product = "NumPy, the matrix product alone"
    return Job(
        "evaluate",
        "Lists and metrics of all users, 64 factors, exact over all items",
        (
            Contender("coterie", "ours_models:evaluate", note="ndcg, recall, precision, map and coverage at 10"),
            Contender("coterie, k = 100", "ours_models:evaluate", options={"k": 100}, note="the same at 100"),
            Contender("coterie, with AUC", "ours_models:evaluate", options={"auc": True}, note="also all pairs"),
            Contender(product, "peers_models:products_alone", note="float32, in blocks, thrown away"),
        ),
        (Target("coterie", 2.0, product),),
        needs=("factor_models",),
    )


def _ease() -> Job:
    options = {"items": _EASE_ITEMS}
    return Job(
        "ease",
        f"EASE of the {_EASE_ITEMS:,} most rated items",
        (
            Contender("coterie", "ours_models:ease", options=options, note="Gram matrix, inverse, weights"),
            Contender("LAPACK, float32", "peers_models:lapack_inverse", options=options, note="the inverse alone"),
        ),
        (Target("coterie", 1.4, "LAPACK, float32"), Bound("coterie", "peak GB", most=2.5)),
        repeats=2,
    )


def _svd() -> Job:
    return Job(
        "svd",
        "Singular value decomposition of the ratings, 64 factors",
        (
            Contender("coterie", "ours_models:svd"),
            Contender("scipy svds", "peers_models:scipy_svds"),
            Contender("scikit-learn randomized_svd", "peers_models:sklearn_svd"),
        ),
        (
            Target("coterie", 1 / 2.5, "scipy svds"),
            Bound("coterie", "largest error of a singular value", most=1e-3),
        ),
        repeats=2,
        needs=("singular_values",),
    )


def _bpr() -> Job:
    parameters = {"n_factors": 64, "learning_rate": 0.05, "regularization": 0.01}
    return Job(
        "bpr",
        "BPR, 64 factors, an epoch",
        (
            _ours("coterie", "bpr", "n_epochs", parameters, implicit=True),
            Contender("implicit", "peers_models:implicit_bpr", options=parameters, note="its threads race"),
        ),
        (Target("coterie", 1.0, "implicit"), Bound("coterie", "NDCG@10", least=1.0, than="implicit")),
        repeats=2,
        note="As many pairs are drawn in an epoch as there are choices.",
    )


def _biased_mf() -> Job:
    return Job(
        "biased-mf",
        "Matrix factorisation with biases by gradient descent, 64 factors, an epoch",
        (
            _ours("coterie", "biased-mf", "n_epochs", {**_DESCENT, "learning_rate": 0.02}),
            Contender(
                "cornac",
                "peers_models:cornac_mf",
                options={**_DESCENT, "learning_rate": 0.01},
                note="its threads race",
            ),
        ),
        (Target("coterie", 1.0, "cornac"), Bound("coterie", "RMSE", most=1.0, than="cornac")),
        repeats=2,
        note="Coterie's learning rate falls to 0 over the epochs; the peer's is 0.01 throughout.",
    )


def _biased_mf_small() -> Job:
    options = {**_DESCENT, "learning_rate": 0.01, "algorithm": "SVD"}
    return Job(
        "biased-mf-small",
        "The same on a million ratings",
        (
            _ours("coterie", "biased-mf", "n_epochs", {**_DESCENT, "learning_rate": 0.02}),
            Contender("scikit-surprise SVD", "peers_models:surprise", options=options, note="it has one thread"),
        ),
        (Bound("coterie", "RMSE", most=1.0, than="scikit-surprise SVD"),),
        size="small",
        repeats=2,
    )


def _svdpp() -> Job:
    options = {**_DESCENT, "learning_rate": 0.01, "algorithm": "SVDpp"}
    return Job(
        "svd++",
        "SVD++, 64 factors, an epoch",
        (
            _ours("coterie", "svd++", "n_epochs", {**_DESCENT, "learning_rate": 0.015}),
            Contender("scikit-surprise SVDpp", "peers_models:surprise", options=options, note="it has one thread"),
        ),
        (
            Target("coterie", 1 / 10, "scikit-surprise SVDpp"),
            Bound("coterie", "RMSE", most=1.0, than="scikit-surprise SVDpp"),
        ),
        size="small",
        repeats=1,
    )
