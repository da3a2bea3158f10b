"""From rows to users: one number per user and column, as the read-out needs it.

rows ── one per user? ── yes ─► stay where they are (nothing is copied or sorted)
              │ no
              └► summed per user, users of several arms taken out and counted
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from workbench.experiments.metric import Column
from workbench.tables import lazy_frame, one_frame

__all__ = ["PerUser", "per_user"]


@dataclass(frozen=True, slots=True)
class PerUser:
    """One row for each user who was in one arm.

    `frame` has `variant`, the segments and a column for each key; `crossed` counts the users who
    were in more than one arm, `faults` are checks that a lazy frame has still to pass.
    """

    frame: pl.LazyFrame
    crossed: int
    faults: dict[str, pl.Expr]


def per_user(
    table,
    columns: Sequence[Column],
    *,
    segments: Sequence[str] = (),
    one_row_per: str | None = None,
) -> PerUser:
    """One row per user from a table with one or more.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        Columns `user`, `variant`, the segments and those of `columns`. A LazyFrame, such as
        `log.scan(kind)`, stays in the lake.
    columns : sequence of Column
        What is wanted.
    segments : sequence of str
        Columns with one value per user.
    one_row_per : {None, "user"}
        "user" declares one row per user: an eager table is then checked roughly (to a tenth), a
        LazyFrame not at all. By default an eager table whose users strictly increase is known to
        have one; any other table is summed per user.

    Raises
    ------
    ValueError
        If a column is missing, null or no number, a covariate or segment differs within a user, a
        proportion is not of 0 and 1, or one row per user was declared and there are more.

    Examples
    --------
    >>> rows = pl.DataFrame({"user": [1, 1, 2], "variant": "old", "revenue": [1.0, 2.0, 5.0]})
    >>> per_user(rows, [Column("revenue")]).frame.collect()["sum|revenue"].to_list()
    [3.0, 5.0]
    """
    if one_row_per not in (None, "user"):
        raise ValueError(f'one_row_per must be "user" or None, got {one_row_per!r}')
    columns, segments = list(dict.fromkeys(columns)), list(segments)
    if {"user", "variant"} & {*segments, *(each.name for each in columns)}:
        raise ValueError(
            "metrics must be one or more different columns of numbers, and neither they nor "
            "segments may be user or variant"
        )
    names = list(dict.fromkeys(["user", "variant", *segments, *(each.name for each in columns)]))
    lazy = isinstance(table, pl.LazyFrame)
    frame = (lazy_frame if lazy else one_frame)(table, "table", names)
    schema = frame.collect_schema() if lazy else frame.schema
    _check_types(schema, columns)
    faults = _faults(columns)
    if schema["user"].is_float():
        faults["'user' is NaN in {rows}"] = pl.col("user").is_nan().sum()
    if not lazy:
        raise_faults(frame.select(**faults).row(0, named=True) if faults else {})
        faults = {}
    if one_row_per or (not lazy and _increasing(frame["user"])):
        if one_row_per:
            _check_declared(frame)
        made, crossed, left = frame.lazy().with_columns(_row(columns)), 0, faults
    else:
        made, crossed = _grouped(frame.lazy(), columns, segments, faults)
        left = {}
    return PerUser(_capped(made, columns), crossed, left)


def raise_faults(counts: dict[str, int]) -> None:
    """Raises ValueError for the first check that rows failed."""
    for rule, rows in counts.items():
        if rows:
            raise ValueError(rule.replace("{rows}", f"{rows:,} rows"))


def _check_types(schema, columns) -> None:
    for name in (each.name for each in columns):
        if not (schema[name].is_numeric() or schema[name] == pl.Boolean):
            raise ValueError(f"metric {name!r} must be numbers, got {schema[name]}")


def _faults(columns) -> dict[str, pl.Expr]:
    """What must not be: how to say it, and the count of rows."""
    names = dict.fromkeys(("user", "variant", *(each.name for each in columns)))
    late = {each.name for each in columns if each.how == "first"}
    made = {}
    for name in names:
        rule = ": 0 if nothing happened" if name not in ("user", "variant", *late) else ""
        made[f"{name!r} is null in {{rows}}{rule}"] = pl.col(name).null_count()
    for name in dict.fromkeys(each.name for each in columns if each.how == "any"):
        value = pl.col(name).cast(pl.Float64)
        rule = f"the proportion {name!r} must be of 0 and 1, but is not in {{rows}}"
        made[rule] = ((value != 0) & (value != 1)).sum()
    return made


def _increasing(user: pl.Series) -> bool:
    """Whether no user can come twice, at the price of one look at neighbours."""
    if user.null_count() or user.dtype in (pl.Boolean, pl.Categorical) or user.dtype.is_nested():
        return False
    return bool((user.slice(1) > user.slice(0, max(len(user) - 1, 0))).all())


def _check_declared(frame: pl.DataFrame | pl.LazyFrame) -> None:
    """A rough check: HyperLogLog is good to a few per cent."""
    if isinstance(frame, pl.LazyFrame):
        return
    users = frame["user"].approx_n_unique()
    if len(frame) and users < 0.9 * len(frame):
        raise ValueError(
            f'one_row_per="user" was declared, but {len(frame):,} rows have about {users:,} users'
        )


def _row(columns) -> list[pl.Expr]:
    return [pl.col(each.name).cast(pl.Float64).alias(each.key) for each in columns]


_HOW = {"sum": pl.Expr.sum, "any": pl.Expr.max}
_WHY = {
    "covariate": ": what the treatment can change is no covariate",
    "segment": ": take the value before the user was dealt",
}


def _grouped(frame: pl.LazyFrame, columns, segments, faults) -> tuple[pl.LazyFrame, int]:
    """Sums of each user; what must be one value is its least and its largest, as a number."""
    number = {each: pl.col(each.name).cast(pl.Float64) for each in columns}
    late = list(dict.fromkeys(each.name for each in columns if each.how == "first"))
    fixed = ["variant", *segments, *late]
    words, code = _coded(frame, ["variant", *segments], late)
    users = (
        frame.sort(
            "user", maintain_order=True
        )  # floats added in another order differ in the last digit
        .group_by("user", maintain_order=True)
        .agg(
            *(code[name].min().alias(f"from|{name}") for name in fixed),
            *(code[name].max().alias(f"to|{name}") for name in fixed),
            *(pl.col(name).null_count().alias(f"null|{name}") for name in segments),
            *(_HOW[each.how](number[each]).alias(each.key) for each in columns if each.how in _HOW),
            *(expression.alias(rule) for rule, expression in faults.items()),
            pl.len().alias("_rows of one user"),
        )
        .collect()
    )
    raise_faults({rule: users[rule].sum() for rule in faults})
    for name in (*segments, *late):
        changes = pl.col(f"from|{name}") != pl.col(f"to|{name}")
        if name in segments:
            nulls = pl.col(f"null|{name}")
            changes = changes.fill_null(False) | (
                (nulls > 0) & (nulls < pl.col("_rows of one user"))
            )
        changing = users.select(changes.sum()).item()
        if changing:
            what = "segment" if name in segments else "covariate"
            raise ValueError(
                f"{what} {name!r} must be one value per user, but differs within {changing:,} "
                f"users{_WHY[what]}"
            )
    single = users.filter(pl.col("from|variant") == pl.col("to|variant"))
    plain = single.select(
        "user",
        *(
            _decoded(single[f"from|{name}"], words.get(name)).alias(name)
            for name in ("variant", *segments)
        ),
        *(pl.col(f"from|{each.name}").alias(each.key) for each in columns if each.how == "first"),
        *(each.key for each in columns if each.how in _HOW),
    )
    return plain.lazy(), len(users) - len(single)


def _coded(frame: pl.LazyFrame, labels, late) -> tuple[dict[str, pl.Series], dict[str, pl.Expr]]:
    """Words as their place in the alphabet, which compare much faster; numbers as they are."""
    schema = frame.collect_schema()
    worded = [
        name
        for name in labels
        if schema[name] == pl.String or isinstance(schema[name], (pl.Categorical, pl.Enum))
    ]
    word = {name: pl.col(name).cast(pl.String) for name in worded}
    found = frame.select(
        *(word[name].unique().drop_nulls().sort().implode() for name in worded),
        *((~pl.col(name).cast(pl.Float64).is_finite()).sum().alias(f"odd|{name}") for name in late),
    ).collect()
    rule = "metric {name!r} has NaN or infinite values in {{rows}}"
    raise_faults({rule.format(name=name): found[f"odd|{name}"].item() for name in late})
    words = {name: found[name].item() for name in worded}
    code = {name: pl.col(name) for name in labels}
    code |= {name: word[name].cast(pl.Enum(words[name])).to_physical() for name in worded}
    return words, code | {name: pl.col(name).cast(pl.Float64) for name in late}


def _decoded(codes: pl.Series, words: pl.Series | None) -> pl.Series:
    return codes if words is None else words.gather(codes)


def _capped(frame: pl.LazyFrame, columns) -> pl.LazyFrame:
    """Sums beyond the quantiles of all users are set to these."""
    capped = [each for each in columns if each.cap]
    if not capped:
        return frame
    edges = frame.select(
        *(
            pl.col(each.key).quantile(edge, "linear").alias(f"{end}|{each.key}")
            for each in capped
            for end, edge in zip(("low", "high"), each.cap, strict=True)
        ),
        *(pl.col(each.key).is_finite().all().alias(f"finite|{each.key}") for each in capped),
    ).collect()
    for each in capped:
        if not edges[f"finite|{each.key}"].item():
            raise ValueError(f"metric {each.name!r} has NaN or infinite values")
    return frame.with_columns(
        pl.col(each.key).clip(edges[f"low|{each.key}"].item(), edges[f"high|{each.key}"].item())
        for each in capped
        if edges[f"low|{each.key}"].item() is not None
    )
