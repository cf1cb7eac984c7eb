"""The peers' side of the jobs about models, each called in the way its documentation recommends; runs in
``.venv-bench``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.quality import ndcg, products, rmse
from benchmarks.work import (
    SWEEPS,
    WARM_CALLS,
    Array,
    Data,
    HeldOut,
    Quality,
    Work,
    by_callback,
    check_scores,
    checked_rows,
    few_rows,
    in_sweeps,
    value_errors,
)

# ---- ratings ---------------------------------------------------------------------------------------------


def cmfrec_als(request: dict[str, Any]) -> Work:
    """cmfrec's model of ratings with biases, λ scaled by counts as ours."""
    from cmfrec import CMF

    data = Data.of(request)
    train, held_out = data.split()

    def fit(sweeps: int, x: sp.csr_matrix = train) -> Any:
        return CMF(
            k=request["n_factors"],
            lambda_=request["regularization"],
            scale_lam=True,
            use_cg=request["use_cg"],
            finalize_chol=False,
            niter=sweeps,
            nthreads=data.threads,
            use_float=True,
            precompute_for_predictions=False,
            verbose=False,
            random_state=data.seed,
        ).fit(sp.coo_matrix(x))

    def quality(model: Any, seconds: float) -> Quality:
        biases = model.user_bias_[held_out.users] + model.item_bias_[held_out.items]
        return {"RMSE": rmse(products(model.A_, model.B_, held_out) + biases + model.glob_mean_, held_out)} | _speed(
            train, seconds
        )

    return in_sweeps(fit, lambda: fit(1, _few(train)), quality)


def cornac_mf(request: dict[str, Any]) -> Work:
    """cornac's MF on all threads, which race; told no seed, or it would take one thread."""
    from cornac.data import Dataset
    from cornac.models import MF

    data = Data.of(request)
    train, held_out = data.split()

    def dataset(x: sp.csr_matrix) -> Any:
        users = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
        numbers = [{number: number for number in range(n)} for n in x.shape]
        return Dataset(*x.shape, *numbers, (users, x.indices.astype(np.int64), x.data), seed=data.seed)

    every, few = dataset(train), dataset(_few(train))

    def fit(epochs: int, x: Any = every) -> Any:
        made = MF(
            k=request["n_factors"],
            max_iter=epochs,
            learning_rate=request["learning_rate"],
            lambda_reg=request["regularization"],
            num_threads=data.threads,
        )
        return made.fit(x)

    def quality(model: Any, seconds: float) -> Quality:
        predicted = products(model.u_factors, model.i_factors, held_out) + model.global_mean
        predicted += model.u_biases[held_out.users] + model.i_biases[held_out.items]
        return {"RMSE": rmse(predicted, held_out)} | _speed(train, seconds)

    return in_sweeps(fit, lambda: fit(1, few), quality)


def surprise(request: dict[str, Any]) -> Work:
    """scikit-surprise's SVD or SVDpp, on its one thread."""
    import surprise as library

    data = Data.of(request)
    train, held_out = data.split()
    every, few = surprise_trainset(train), surprise_trainset(_few(train))

    def fit(epochs: int, x: Any = every) -> Any:
        made = getattr(library, request["algorithm"])
        return made(
            n_factors=request["n_factors"],
            n_epochs=epochs,
            lr_all=request["learning_rate"],
            reg_all=request["regularization"],
            random_state=data.seed,
        ).fit(x)

    def quality(model: Any, seconds: float) -> Quality:
        users = model.pu
        if request["algorithm"] == "SVDpp":
            chosen = sp.csr_matrix((np.ones(train.nnz), train.indices, train.indptr), train.shape)
            users = users + (chosen @ model.yj) / np.sqrt(np.maximum(np.diff(train.indptr), 1))[:, None]
        predicted = products(users, model.qi, held_out) + model.trainset.global_mean
        predicted += model.bu[held_out.users] + model.bi[held_out.items]
        return {"RMSE": rmse(predicted, held_out)} | _speed(train, seconds)

    return in_sweeps(fit, lambda: fit(1, few), quality)


def surprise_trainset(x: sp.csr_matrix) -> Any:
    """Its own container, without the way through a file; rows and columns keep their numbers."""
    from surprise import Trainset

    lists = []
    for matrix in (x, x.tocsc()):
        cuts, pairs = matrix.indptr, list(zip(matrix.indices.tolist(), matrix.data.tolist(), strict=True))
        lists.append({n: pairs[cuts[n] : cuts[n + 1]] for n in range(len(cuts) - 1)})
    numbers = [{number: number for number in range(n)} for n in x.shape]
    return Trainset(*lists, *x.shape, x.nnz, (0.5, 5.0), *numbers)


# ---- choices ---------------------------------------------------------------------------------------------


def irspack_als(request: dict[str, Any]) -> Work:
    """irspack's trainer of the original loss, whose weights of choices are 1 + α as ours."""
    from irspack.recommenders.ials import IALSTrainer, str_to_loss_type, str_to_solver_type

    data = Data.of(request)
    train, held_out = data.split()

    def fit(ended: Callable[[], None], x: sp.csr_matrix = train) -> Any:
        model = IALSTrainer(
            _chosen(x, request["alpha"]),
            n_components=request["n_factors"],
            alpha0=1.0,
            reg=request["regularization"],
            nu=0.0,
            init_std=0.1,
            solver_type=str_to_solver_type(request["solver"]),
            max_cg_steps=3,
            ialspp_subspace_dimension=request.get("block_size", 64),
            loss_type=str_to_loss_type("ORIGINAL"),
            random_seed=data.seed,
            n_threads=data.threads,
            prediction_time_max_cg_steps=5,
            prediction_time_ialspp_iteration=1,
        )
        for _ in range(SWEEPS):
            model.run_epoch()
            ended()
        return model.core_trainer

    return by_callback(
        fit, lambda: fit(_nothing, _few(train)), lambda m, s: _ranked(m.user, m.item, train, held_out, s)
    )


def implicit_als(request: dict[str, Any]) -> Work:
    """implicit's ALS; BLAS has one thread while it fits, as its own warning asks."""
    from implicit.als import AlternatingLeastSquares

    data = Data.of(request)
    train, held_out = data.split()

    def fit(ended: Callable[[], None], x: sp.csr_matrix = train) -> Any:
        with _one_blas_thread():
            model = AlternatingLeastSquares(
                factors=request["n_factors"],
                regularization=request["regularization"],
                use_cg=request["use_cg"],
                iterations=SWEEPS,
                num_threads=data.threads,
                random_state=data.seed,
            )
            confidences = _chosen(x, 1 + request["alpha"])
            model.fit(confidences, show_progress=False, callback=lambda *_: ended())
        return model

    return by_callback(
        fit,
        lambda: fit(_nothing, _few(train)),
        lambda m, s: _ranked(m.user_factors, m.item_factors, train, held_out, s),
    )


def implicit_bpr(request: dict[str, Any]) -> Work:
    """implicit's BPR, whose threads race; its own learning rate and regularization; biases are among the factors."""
    from implicit.bpr import BayesianPersonalizedRanking

    data = Data.of(request)
    train, held_out = data.split()

    def fit(epochs: int, x: sp.csr_matrix = train) -> Any:
        model = BayesianPersonalizedRanking(
            factors=request["n_factors"],
            learning_rate=request["learning_rate"],
            regularization=request["regularization"],
            iterations=epochs,
            num_threads=data.threads,
            random_state=data.seed,
        )
        model.fit(_chosen(x, 1.0), show_progress=False)
        return model

    return in_sweeps(
        fit,
        lambda: fit(1, _few(train)),
        lambda m, s: _ranked(m.user_factors, m.item_factors, train, held_out, s),
    )


def _ranked(users: Array, items: Array, train: sp.csr_matrix, held_out: HeldOut, seconds: float) -> Quality:
    return {"NDCG@10": ndcg(users, items, train, held_out)} | _speed(train, seconds)


def _chosen(x: sp.csr_matrix, weight: float) -> sp.csr_matrix:
    """Everything rated as a choice of this weight."""
    return sp.csr_matrix((np.full(x.nnz, weight, np.float32), x.indices, x.indptr), shape=x.shape)


def _few(x: sp.csr_matrix) -> sp.csr_matrix:
    return x[: few_rows(x.shape[0])]


def _speed(train: sp.csr_matrix, seconds: float) -> Quality:
    return {"M ratings/s": train.nnz / seconds / 1e6}


def _one_blas_thread() -> AbstractContextManager[Any]:
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1, "blas")
    return limits


def _nothing() -> None:
    """Hears that a sweep of a warm-up has ended."""


# ---- lists -----------------------------------------------------------------------------------------------


def implicit_top(request: dict[str, Any]) -> Work:
    """implicit's `recommend` for all users by our factors, without what they rated."""
    data = Data.of(request)
    x, model = data.matrix(), _implicit_of_ours(data)
    users = np.arange(x.shape[0])
    few = users[: few_rows(len(users))]

    def check(found: tuple[Array, Array]) -> Any:
        scores = found[1][checked_rows(len(users))]
        return check_scores(np.where(scores > -1e30, scores, 0))  # lists that are too short it fills up with these

    return Work(
        act=lambda: model.recommend(users, x, N=request["k"]),
        warm_up=lambda: model.recommend(few, x[few], N=request["k"]),
        check=check,
    )


def faiss_top(request: dict[str, Any]) -> Work:
    """faiss's exact search by inner product, with what they rated."""
    import faiss

    data = Data.of(request)
    users, items = (np.load(data.folder / f"{side}-factors.npy") for side in ("user", "item"))
    faiss.omp_set_num_threads(data.threads)

    def act() -> Any:
        index = faiss.IndexFlatIP(items.shape[1])
        index.add(items)
        return index.search(users, request["k"])

    def warm_up() -> Any:
        index = faiss.IndexFlatIP(items.shape[1])
        index.add(items)
        return index.search(users[: few_rows(len(users))], request["k"])

    return Work(act=act, warm_up=warm_up)


def implicit_stranger(request: dict[str, Any]) -> Work:
    """The ten best items for a stranger by implicit's ALS with our factors: fold-in and list."""
    data = Data.of(request)
    model, calls, n_items = _implicit_of_ours(data), request["calls"], data.facts["items"]
    profiles = data.profiles(request["size"])
    waiting = iter([next(profiles).astype(np.int32) for _ in range(WARM_CALLS + calls)])

    def act() -> Any:
        columns = next(waiting)
        indptr = np.array([0, len(columns)], np.int32)
        row = sp.csr_matrix((np.full(len(columns), 2.0, np.float32), columns, indptr), shape=(1, n_items))
        return model.recommend(0, row, N=10, recalculate_user=True)

    return Work(act=act, warm_up=lambda: [act() for _ in range(WARM_CALLS)], times=calls)


def _implicit_of_ours(data: Data) -> Any:
    """implicit's model with our factors; BLAS has one thread, as its own warning asks."""
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, "blas")
    model = AlternatingLeastSquares(factors=64, num_threads=data.threads)
    model.user_factors = np.load(data.folder / "user-factors.npy")
    model.item_factors = np.load(data.folder / "item-factors.npy")
    return model


# ---- matrices --------------------------------------------------------------------------------------------


def products_alone(request: dict[str, Any]) -> Work:
    """What any exact evaluation of factors has to multiply: all users by all items, 1,024 users at a time."""
    data = Data.of(request)
    users, items = (np.load(data.folder / f"{side}-factors.npy") for side in ("user", "item"))
    scores = np.empty((1024, len(items)), np.float32)

    def multiply(users: Array) -> None:
        for start in range(0, len(users), len(scores)):
            block = users[start : start + len(scores)]
            np.matmul(block, items.T, out=scores[: len(block)])

    return Work(act=lambda: multiply(users), warm_up=lambda: multiply(users[: few_rows(len(users))]))


def lapack_inverse(request: dict[str, Any]) -> Work:
    """The inverse alone, of any matrix of as many rows as there are items: LAPACK does the same steps for all."""
    from scipy.linalg.lapack import spotrf, spotri

    def definite(n: int) -> Array:
        matrix = np.full((n, n), 0.5, np.float32, order="F")
        matrix[np.diag_indices(n)] = n
        return matrix

    def invert(matrix: Array) -> None:
        """In place."""
        factor, failed = spotrf(matrix, lower=1, clean=0, overwrite_a=1)
        if failed:
            raise ArithmeticError("not positive definite")
        spotri(factor, lower=1, overwrite_c=1)

    matrix = definite(min(request["items"], Data.of(request).facts["items"]))
    return Work(act=lambda: invert(matrix), warm_up=lambda: invert(definite(500)))


def scipy_svds(request: dict[str, Any]) -> Work:
    """SciPy's, by ARPACK, in the precision of the data."""
    from scipy.sparse.linalg import svds

    def find(x: sp.csr_matrix) -> Array:
        _, values, _ = svds(x, k=64, rng=0)
        return np.sort(values)[::-1]

    return _singular(request, find)


def sklearn_svd(request: dict[str, Any]) -> Work:
    """scikit-learn's randomised one, with its usual settings."""
    from sklearn.utils.extmath import randomized_svd

    def find(x: sp.csr_matrix) -> Array:
        _, values, _ = randomized_svd(x, 64, random_state=0)
        return np.asarray(values)

    return _singular(request, find)


def _singular(request: dict[str, Any], find: Callable[[sp.csr_matrix], Array]) -> Work:
    data = Data.of(request)
    x = data.matrix()
    return Work(act=lambda: find(x), warm_up=lambda: find(_few(x)), quality=lambda values: value_errors(data, values))
