"""Values that no moment explains: made of the whole table, of the label, or of nothing at all.

the whole table      one aggregate over all events of the entity, or of everybody
the label            the row's own, its mean per entity, or something that follows it
nothing              a constant, a default for what is missing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.features.composed import Definition
from workbench.features.definition import Feature, expression
from workbench.metrics import auc

__all__ = ["Default", "Made", "default_of", "follows_label", "of_label", "of_table"]


@dataclass(frozen=True, eq=False)
class Made:
    """Values, shape (n,), that a frame may hold in place of the right ones."""

    name: str
    kind: str
    values: pl.Series


def of_table(definition: Definition, asked: pl.DataFrame, tables: Mapping) -> list[Made]:
    """The aggregate over all of time: of each entity, and of everybody.

    >>> from workbench import features
    >>> paid = pl.DataFrame({"user": [1, 1, 2], "amount": [1.0, 3.0, 5.0]})
    >>> mean = features.mean("amount", of="payment", per="user")
    >>> made = of_table(mean, pl.DataFrame({"user": [2, 1]}), {"payment": paid})
    >>> [(each.name, each.values.to_list()) for each in made]
    [('over the whole table', [5.0, 2.0]), ('global: one value for everybody', [3.0, 3.0])]
    """
    made = []
    for name, alone in (("over the whole table", False), ("global: one value for everybody", True)):
        values = {
            leaf: _aggregated(leaf, asked, tables[leaf.of], alone) for leaf in definition.leaves
        }
        if values and all(each is not None for each in values.values()):
            made.append(Made(name, "future", definition.combine(values, asked)))
    return made


def of_label(definition: Definition, asked: pl.DataFrame, label: pl.Series) -> list[Made]:
    """The row's own label, and its mean over the frame's rows of the same entity.

    >>> from workbench import features
    >>> risk = features.share("label", of="payment", per="user")
    >>> asked = pl.DataFrame({"user": [1, 1, 2]})
    >>> [each.values.to_list() for each in of_label(risk, asked, pl.Series([0.0, 1.0, 1.0]))]
    [[0.0, 1.0, 1.0], [0.5, 0.5, 1.0]]
    """
    made = [Made("label-derived: the row's own label", "future", label)]
    if label.dtype.is_numeric() or label.dtype == pl.Boolean:
        for per in dict.fromkeys(leaf.per for leaf in definition.leaves):
            means = asked.select(per).with_columns(_label=label.cast(pl.Float64))
            means = means.select(pl.col("_label").mean().over(per)).to_series()
            name = f"label-derived: its mean per {' and '.join(per)}"
            made.append(Made(name, "future", means))
    return made


def follows_label(given: pl.Series, honest: pl.Series, label: pl.Series) -> bool:
    """Whether the label can be read off the values where the right ones say little about it.

    True if the values, or what was added to the right ones, put nearly all positives on one side:
    AUC at least 0.95, at least 0.1 above that of the right values, with five rows of each label.
    """
    if not (label.dtype.is_numeric() or label.dtype == pl.Boolean):
        return False
    frame = pl.DataFrame({"given": given, "honest": honest, "label": label})
    if not all(dtype.is_numeric() or dtype == pl.Boolean for dtype in frame.dtypes):
        return False
    frame = frame.cast(pl.Float64).drop_nulls()
    labels = frame["label"].to_numpy()
    if set(labels) != {0.0, 1.0} or np.bincount(labels.astype(int)).min() < 5:
        return False
    apart = lambda values: abs(auc(labels, values) - 0.5) + 0.5  # noqa: E731
    given, honest = frame["given"].to_numpy(), frame["honest"].to_numpy()
    best = max(apart(given), apart(given - honest))
    return best >= 0.95 and best >= apart(honest) + 0.1


@dataclass(frozen=True)
class Default:
    """What a frame has where a value is missing, if it is not what the definition has.

    `apply` brings any values to the frame's way, so that the rest can be compared.
    """

    name: str
    kind: str
    fill: object = None
    nulled: tuple = ()

    def apply(self, values: pl.Series) -> pl.Series:
        """The values, with nulls filled or the defaults made null."""
        if self.fill is not None:
            return values.fill_null(self.fill)
        for default in self.nulled:
            values = values.set((values == default).fill_null(False), None)
        return values


def default_of(given: pl.Series, honest: pl.Series, defaults: set) -> Default | None:
    """Return what stands for missing values in a frame, None if it is what should.

    A fill that is the mean or the median of the column itself is one over the future too.

    >>> default_of(pl.Series([1.0, -1.0, -1.0]), pl.Series([1.0, None, None]), set())
    Default(name='null given as -1', kind='other', fill=-1.0, nulled=())
    >>> default_of(pl.Series([1, None]), pl.Series([1, 0]), {0}).name
    'null in place of 0'
    """
    if isinstance(given.dtype, pl.List | pl.Array) or given.dtype == pl.Null:
        return None
    filled = given.filter(honest.is_null())
    if len(filled) and not given.null_count():
        fill = filled.mode().sort()[0]
        if (filled == fill).sum() >= 0.2 * len(filled):
            return Default(*_kind_of_fill(fill, given, honest), fill=fill)
    for default in sorted(defaults, key=str):
        if isinstance(default, str) != (honest.dtype == pl.String):
            continue
        empty = (honest == default).fill_null(False)
        there = given.filter(empty)
        if there.null_count() and not (there == default).any():
            return Default(f"null in place of {_word(default)}", "other", nulled=(default,))
    return None


def _kind_of_fill(fill, given: pl.Series, honest: pl.Series) -> tuple[str, str]:
    for others in (given.filter(honest.is_not_null()), honest.drop_nulls()):
        if not others.dtype.is_numeric() or others.n_unique() < 3:
            continue
        for word in ("mean", "median"):
            middle = getattr(others, word)()
            if abs(middle - fill) <= 1e-6 * abs(middle) and middle:
                return f"null filled with the {word} of the whole table", "future"
    return f"null given as {_word(fill)}", "other"


def _aggregated(leaf: Feature, asked: pl.DataFrame, events: pl.DataFrame, alone: bool):
    column = None if leaf.column is None else expression(leaf.column)
    match leaf.aggregate:
        case "count":
            how = pl.len().cast(pl.Int64)
        case "sum" | "mean" | "min" | "max" | "std":
            how = getattr(column.cast(pl.Float64).fill_nan(None), leaf.aggregate)()
        case "share":
            how = column.cast(pl.Float64).fill_nan(None).mean()
        case "distinct":
            how = column.drop_nulls().n_unique().cast(pl.Int64)
        case _:
            return None
    if leaf.where is not None:
        events = events.filter(expression(leaf.where))
    if alone:
        return pl.select(pl.repeat(events.select(how).item(), len(asked))).to_series()
    found = events.group_by(leaf.per).agg(_value=how)
    return asked.select(leaf.per).join(found, on=leaf.per, how="left", maintain_order="left")[
        "_value"
    ]


def _word(value) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)
