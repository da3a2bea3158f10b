"""A trained model: what it reads, what it was trained on, and its scores. One JSON file on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Model", "matrix"]

_NOTE = "workbench"  # the booster's attribute that holds our part of the file


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """An XGBoost booster with the names of its inputs; made by `fit` or `Model.load`.

    Parameters
    ----------
    features : tuple of str
        Columns that it reads, in order.
    booster : xgboost.Booster
        The trees.
    facts : mapping
        Where it comes from: rows, positive_share, the spec, versions of its features.
    """

    features: tuple[str, ...]
    booster: Any
    facts: Mapping[str, Any] = field(default_factory=dict)

    def score(self, columns) -> np.ndarray:
        """One number per row, shape (n,), float64: a probability for a classifier.

        `columns` is a mapping of name to array, or a Polars, pandas or Arrow table. Nulls are
        known to the trees as missing. Other columns are ignored. The model itself can be called
        too, so it serves wherever a policy wants a score.
        """
        rows = matrix(columns, self.features)
        if not len(rows):
            return np.zeros(0)
        return self.booster.inplace_predict(rows).astype(float)

    __call__ = score

    def importance(self) -> dict[str, float]:
        """Share of the total gain by feature, largest first; what is never used has 0."""
        gain = self.booster.get_score(importance_type="total_gain")
        shares = {name: gain.get(name, 0.0) for name in self.features}
        total = sum(shares.values()) or 1.0
        return {name: shares[name] / total for name in sorted(shares, key=shares.get, reverse=True)}

    def save(self, path: str | Path) -> Path:
        """Write the model as XGBoost's own JSON, our facts inside; `path` must end in .json."""
        path = Path(path)
        if path.suffix != ".json":
            raise ValueError(f"a model is saved as .json, got {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.booster.set_attr(**{_NOTE: json.dumps(dict(self.facts), sort_keys=True)})
        self.booster.save_model(path)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a model that `save` or XGBoost wrote. No code is run: it is JSON, not pickle."""
        import xgboost

        path = Path(path)
        if not path.is_file():
            raise ValueError(f"there is no model at {path}")
        try:
            booster = xgboost.Booster(model_file=path)
        except xgboost.core.XGBoostError as error:
            raise ValueError(f"{path} is not an XGBoost model") from error
        if booster.feature_names is None:
            raise ValueError(f"the model at {path} does not know the names of its inputs")
        return cls(tuple(booster.feature_names), booster, json.loads(booster.attr(_NOTE) or "{}"))

    def __repr__(self) -> str:
        known = f", trained on {self.facts['rows']:,} rows" if "rows" in self.facts else ""
        trees = self.booster.num_boosted_rounds()
        return f"<Model: {len(self.features)} features, {trees} trees{known}>"


def matrix(columns, names: Sequence[str]) -> np.ndarray:
    """The named columns as float32, shape (n, len(names)); nulls become NaN.

    >>> matrix({"a": np.array([1, 2]), "b": np.array([True, False])}, ["b", "a"]).tolist()
    [[1.0, 1.0], [0.0, 2.0]]
    """
    if not isinstance(columns, Mapping):
        columns = _arrays(columns, names)
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(f"the model reads {missing[0]!r}, which is missing: got {list(columns)}")
    rows = len(columns[names[0]])
    filled = np.empty((rows, len(names)), np.float32)
    for place, name in enumerate(names):
        values = np.asarray(columns[name])
        if values.dtype.kind not in "fiub":
            raise ValueError(f"{name!r} must hold numbers for a model, got {values.dtype}")
        filled[:, place] = values
    return filled


def _arrays(table, names: Sequence[str]) -> dict[str, np.ndarray]:
    import narwhals as nw

    frame = nw.from_native(table, eager_only=True, pass_through=True)
    if frame is table:
        raise ValueError(f"the model reads a table or a mapping of arrays, got {type(table)}")
    arrays = {}
    for name in names:
        if name not in frame.columns:
            raise ValueError(f"the model reads {name!r}, which is missing: got {frame.columns}")
        column = frame[name]
        if not (column.dtype.is_numeric() or column.dtype == nw.Boolean):
            raise ValueError(f"{name!r} must hold numbers for a model, got {column.dtype}")
        arrays[name] = column.cast(nw.Float64).to_numpy()
    return arrays
