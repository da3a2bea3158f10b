"""Errors when rows come in clusters: views of one user, users of one shop, hours of one day.

    rows ─► residuals from their arm's mean ─► summed per cluster ─► squared and summed

What was dealt is the cluster, not the row, and rows of one cluster are alike: the error of
independent rows is too small. It also holds where a cluster has rows in both arms (days of a
switchback); where each has one row it is the usual error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.experiments.difference import check_confidence
from workbench.experiments.metric import Ratio
from workbench.tables import lazy_frame

__all__ = ["ClusterRobust", "cluster_robust"]

KINDS = ("CR0", "CR1")


@dataclass(frozen=True)
class ClusterRobust:
    """Treatment minus control of the means over rows, with an error that knows the clusters.

    `design_effect` is the variance over that of independent rows: a plan multiplies its variance
    by it. `table` has a row for each arm: `variant`, `rows`, `clusters`, `mean`, and `total`, the
    sum of the denominator (the rows, for a mean).
    """

    table: pl.DataFrame
    metric: str
    cluster: str
    difference: float
    error: float
    low: float
    high: float
    p_value: float
    clusters: int
    design_effect: float
    kind: str
    confidence: float

    def __repr__(self) -> str:
        (before, mean0), (after, mean1) = self.table.select("variant", "mean").rows()
        lines = [
            f"{self.metric}: {after} {mean1:.3g}, {before} {mean0:.3g}",
            f"difference {self.difference:+.3g} ({self.low:+.3g} to {self.high:+.3g}, "
            f"{self.confidence:.0%}), p = {self.p_value:.2g}",
            f"{self.kind} with {self.clusters:,} clusters of {self.cluster}; variance "
            f"{self.design_effect:.3g} times that of independent rows",
        ]
        if self.clusters < 40:  # Cameron & Miller 2015, section VI: "20 to 50"
            lines.append("few clusters: the true interval is wider than this")
        return "\n".join(lines)


def cluster_robust(
    table,
    metric: str | Ratio,
    *,
    cluster: str,
    control: str,
    kind: str = "CR1",
    confidence: float = 0.95,
) -> ClusterRobust:
    """The difference in means over rows, and its cluster-robust error.

    Parameters
    ----------
    table : polars, pandas or Arrow table, or polars.LazyFrame
        Rows with `variant` (two arms), the cluster and the metric's columns. A LazyFrame is summed
        per cluster in one pass.
    metric : str or Ratio
        A column, averaged over rows (not over users); or a sum over a sum.
    cluster : str
        The column that names what was dealt: "user", "shop", "day".
    control : str
        Name of the control's arm.
    kind : {"CR1", "CR0"}
        CR0 is the plain sandwich; CR1 is it times G / (G - 1) * (N - 1) / (N - 2).
    confidence : float, default 0.95
        Coverage of the interval; Student's t with G - 1 degrees of freedom.

    Returns
    -------
    ClusterRobust
        Its repr is the report.

    Raises
    ------
    ValueError
        If a column is missing, null, not finite or no numbers, there are not two arms with the
        control among them, an arm's denominator is 0, or fewer than three clusters.

    Notes
    -----
    Liang & Zeger (1986), Biometrika 73, 13-22; Cameron & Miller (2015), "A practitioner's guide to
    cluster-robust inference", Journal of Human Resources 50, equations 10 to 12. For a ratio the
    residuals are x - r y: with clusters within arms CR0 is the delta method of Deng, Knoblich & Lu
    (2018) with n for n - 1. The errors are those of least squares on the arm in statsmodels.

    Examples
    --------
    >>> rows = pl.DataFrame({"shop": [1, 1, 2, 3, 3, 4], "variant": ["old"] * 3 + ["new"] * 3})
    >>> rows = rows.with_columns(sold=pl.Series([1.0, 2.0, 3.0, 4.0, 5.0, 9.0]))
    >>> made = cluster_robust(rows, "sold", cluster="shop", control="old", kind="CR0")
    >>> round(made.difference, 4), round(made.error, 4)
    (4.0, 1.4907)
    """
    from scipy.stats import t as student

    check_confidence(confidence)
    if kind not in KINDS:
        raise ValueError(f"kind must be CR0 or CR1, got {kind!r}")
    sums = _sums(table, metric, cluster)
    names = sums["variant"].unique().sort().to_list()
    if len(names) != 2 or control not in names:
        raise ValueError(f"there must be two arms, {control!r} and another, got {names}")
    treatment = names[1 - names.index(control)]
    arms, effects, plain_variance = [], [], 0.0
    for name, sign in ((control, -1.0), (treatment, 1.0)):
        arm = sums.filter(pl.col("variant") == name)
        total = arm["y"].sum()
        if total == 0:
            raise ValueError(f"the sum of {metric.denominator!r} is 0 in {name}: no ratio")
        mean = arm["x"].sum() / total
        residual = (pl.col("x") - mean * pl.col("y")) * (sign / total)
        effects.append(arm.select("cluster", effect=residual))
        squares = (arm["xx"] - 2 * mean * arm["xy"] + mean**2 * arm["yy"]).sum()
        plain_variance += max(squares, 0.0) / total**2
        arms.append((name, arm["rows"].sum(), arm.height, mean, total))
    # a cluster in both arms: its two sums first, then the square
    effect = pl.concat(effects).group_by("cluster").agg(pl.col("effect").sum())["effect"]
    clusters, rows = len(effect), sums["rows"].sum()
    if clusters < 3:
        raise ValueError(f"{cluster} must have at least three clusters, got {clusters}")
    variance = float((effect**2).sum())
    if kind == "CR1":
        variance *= clusters / (clusters - 1) * (rows - 1) / (rows - 2)
    difference, error = arms[1][3] - arms[0][3], variance**0.5
    half = student.ppf((1 + confidence) / 2, clusters - 1) * error
    if error > 0:
        p_value = 2 * student.sf(abs(difference) / error, clusters - 1)
    else:
        p_value = 1.0 if difference == 0 else 0.0
    names = ["variant", "rows", "clusters", "mean", "total"]
    return ClusterRobust(
        pl.DataFrame(arms, schema=names, orient="row"),
        metric if isinstance(metric, str) else metric.name,
        cluster,
        difference,
        error,
        difference - half,
        difference + half,
        float(p_value),
        clusters,
        variance / plain_variance if plain_variance > 0 else float("nan"),
        kind,
        confidence,
    )


def _sums(table, metric: str | Ratio, cluster: str) -> pl.DataFrame:
    """Per arm and cluster: rows, sums and sums of squares of the metric's columns."""
    if not isinstance(metric, (str, Ratio)):
        raise ValueError(f"metric must be a column or a Ratio, got {type(metric).__name__}")
    if isinstance(metric, Ratio) and metric.covariates:
        raise ValueError("cluster_robust takes no covariates: leave them out of the Ratio")
    columns = [metric] if isinstance(metric, str) else [metric.numerator, metric.denominator]
    names = list(dict.fromkeys(["variant", cluster, *columns]))
    frame = lazy_frame(table, "table", names)
    kinds = frame.collect_schema()
    for name in columns:
        if not (kinds[name].is_numeric() or kinds[name] == pl.Boolean):
            raise ValueError(f"metric {name!r} must be numbers, got {kinds[name]}")
    x = pl.col(columns[0]).cast(pl.Float64)
    y = pl.lit(1.0) if len(columns) == 1 else pl.col(columns[1]).cast(pl.Float64)
    sums = (
        frame.select("variant", pl.col(cluster).alias("cluster"), x.alias("x"), y.alias("y"))
        .group_by("variant", "cluster")
        .agg(
            pl.len().alias("rows"),
            pl.col("x", "y").sum(),
            *((pl.col(a) * pl.col(b)).sum().alias(a + b) for a, b in ("xx", "xy", "yy")),
            nulls=pl.col("x").null_count() + pl.col("y").null_count(),
        )
        .collect()
    )
    missing = sums.select(pl.col("variant", "cluster").null_count()).row(0)
    for name, count in zip(("variant", cluster), missing, strict=True):
        if count:
            raise ValueError(f"{name!r} is null in some rows")
    if sums["nulls"].sum():
        raise ValueError(f"{columns} are null in {sums['nulls'].sum():,} rows")
    if not np.isfinite(sums.select("xx", "yy").to_numpy()).all():
        raise ValueError(f"{columns} must be finite, got NaN or infinite values")
    return sums.sort("variant", "cluster")
