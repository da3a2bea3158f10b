"""Fit boosted trees on a table of rows, with every parameter that matters pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from workbench.training.model import Model, matrix

__all__ = ["TrainSpec", "fit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSpec:
    """How to train. Equal specs on equal rows give the same trees, bit for bit.

    Parameters
    ----------
    objective : str, default "binary:logistic"
        Any of XGBoost's. "rank:…" groups the rows by their `request`.
    rounds, depth, learning_rate
        How many trees, how deep, and how much of each is taken.
    tree_method : {"hist", "exact"}
        "exact" tries every cut: 13 times slower here, now and then a little better.
    bins : int, default 1024
        Cuts that "hist" tries for a feature. With 256, rare large amounts share one: on the card
        transactions that cost 0.02 to 0.03 of average precision.
    row_share, column_share : float, default 1
        Share drawn for each tree, in (0, 1].
    base_score : float, default 0.5
        Where boosting starts. XGBoost 3 estimates it from the labels instead: with rare
        positives its first trees then find no gain (`min_child_weight` counts Hessians).
    """

    objective: str = "binary:logistic"
    rounds: int = 100
    depth: int = 6
    learning_rate: float = 0.1
    tree_method: str = "hist"
    bins: int = 1024
    min_child_weight: float = 1.0
    l2: float = 1.0
    row_share: float = 1.0
    column_share: float = 1.0
    base_score: float = 0.5
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        for name in ("rounds", "depth", "learning_rate", "bins"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above zero, got {getattr(self, name)}")
        for name in ("row_share", "column_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in (0, 1], got {getattr(self, name)}")

    @property
    def parameters(self) -> dict:
        """The same in XGBoost's words."""
        return {
            "objective": self.objective,
            "max_depth": self.depth,
            "eta": self.learning_rate,
            "tree_method": self.tree_method,
            "min_child_weight": self.min_child_weight,
            "lambda": self.l2,
            "subsample": self.row_share,
            "colsample_bytree": self.column_share,
            "base_score": self.base_score,
            "seed": self.seed,
            **({"max_bin": self.bins} if self.tree_method == "hist" else {}),
            **({} if self.threads is None else {"nthread": self.threads}),
        }


def fit(frame, *, features: Sequence, label: str, spec: TrainSpec | None = None) -> Model:
    """Train a model on the rows whose label is known.

    Parameters
    ----------
    frame : polars.DataFrame, pandas.DataFrame, pyarrow.Table or mapping of arrays, n rows
        One row per example. Nulls among the features stay missing; the trees learn where to
        send them.
    features : sequence
        Column names, or feature definitions (anything with a `name`; a `version` is kept).
    label : str
        Column of labels: 0 and 1 for a classifier. Rows where it is null (pending, censored) are
        left out and counted in `model.facts["unlabelled_rows"]`.
    spec : TrainSpec, optional
        How to train.

    Returns
    -------
    Model
        Its `facts` hold rows, unlabelled_rows, positive_share, label, spec, feature_versions.

    Raises
    ------
    ValueError
        If a column is missing, holds words or infinities, no row has a label, a classifier's
        labels are not 0 and 1 or all the same, or a ranker has no column `request`.

    Notes
    -----
    Sums of gradients are kept so that any number of threads gives the same trees (tested).
    Method: Chen & Guestrin (2016), "XGBoost", KDD, sections 2 and 3.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> amount = rng.lognormal(3, 1, 2_000)
    >>> table = {"amount": amount, "label": (amount > 60).astype(float)}
    >>> model = fit(table, features=["amount"], label="label", spec=TrainSpec(rounds=20))
    >>> model.score({"amount": np.array([10.0, 100.0])}).round(2).tolist()
    [0.07, 0.93]
    """
    import xgboost

    spec = spec or TrainSpec()
    names = [getattr(feature, "name", feature) for feature in features]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"features must be one or more different columns, got {names}")
    if label in names:
        raise ValueError(f"the label {label!r} is among the features")
    labels = matrix(frame, [label])[:, 0]
    known = ~np.isnan(labels)
    rows, labels = matrix(frame, names)[known], labels[known]
    _check(rows, labels, names, label, spec)
    groups = None
    if spec.objective.startswith("rank:"):
        groups = _codes(frame, "request")[known]
        order = np.argsort(groups, kind="stable")
        rows, labels, groups = rows[order], labels[order], groups[order]
    data = xgboost.DMatrix(rows, labels, qid=groups, feature_names=names)
    booster = xgboost.train(spec.parameters, data, spec.rounds)
    facts = {
        "rows": len(labels),
        "unlabelled_rows": int((~known).sum()),
        "positive_share": float((labels > 0).mean()),
        "label": label,
        "spec": asdict(spec),
        "feature_versions": {
            name: feature.version
            for name, feature in zip(names, features, strict=True)
            if hasattr(feature, "version")
        },
    }
    return Model(tuple(names), booster, facts)


def _check(rows, labels, names, label, spec) -> None:
    if not len(labels):
        raise ValueError(f"no row has a label: {label!r} is null everywhere")
    infinite = np.isinf(rows).any(axis=0)
    if infinite.any():
        raise ValueError(f"{names[int(infinite.argmax())]!r} has infinite values")
    if spec.objective.startswith("binary:"):
        values = np.unique(labels)
        if not np.isin(values, (0, 1)).all():
            raise ValueError(f"labels of a classifier are 0 and 1, {label!r} has {values[:5]}")
        if len(values) < 2:
            raise ValueError(
                f"all {len(labels)} labels are {values[0]:g}: there is nothing to tell apart"
            )


def _codes(frame, name: str) -> np.ndarray:
    """A column of any ids as numbers from 0."""
    import narwhals as nw

    table = frame if isinstance(frame, Mapping) else nw.from_native(frame, eager_only=True)
    if name not in (table if isinstance(table, Mapping) else table.columns):
        raise ValueError(f"a ranker needs the column {name!r}: which rows belong together")
    return np.unique(np.asarray(table[name]), return_inverse=True)[1]
