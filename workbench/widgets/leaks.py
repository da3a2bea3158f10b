"""How much of each feature is from the future, and what that bought: a certificate, drawn."""

from __future__ import annotations

import polars as pl

from workbench.features.certificate import KINDS, Certificate
from workbench.widgets.picture import Picture

__all__ = ["chart", "values_by_leak"]

COLORS = {  # Okabe & Ito (2008)
    "exact": "#D0D6DB",
    "stale": "#E69F00",
    "future": "#D55E00",
    "other": "#56B4E9",
}
_MODELS = {"paper": "on paper", "served": "served as known", "honest": "trained as known"}


def values_by_leak(certificate: Certificate) -> pl.DataFrame:
    """A row per feature, kind and leak: `feature kind leak rows share`."""
    rows = []
    for each in certificate.table.iter_rows(named=True):
        mine = certificate.evidence.filter(pl.col("feature") == each["feature"])
        leaks = mine.group_by("kind", "leak").len("rows").sort("rows", "leak", descending=True)
        exact = each["rows"] - len(mine)
        for kind, leak, number in [("exact", "none", exact), *leaks.iter_rows()]:
            rows.append((each["feature"], kind, leak, number, number / each["rows"]))
    names = ["feature", "kind", "leak", "rows", "share"]
    table = pl.DataFrame(rows, schema=names, orient="row").filter(pl.col("rows") > 0)
    return table.with_columns(pl.col("share").round(4))


def chart(certificate: Certificate) -> Picture:
    """A bar per feature: exact, stale, from the future, other; beside it the AUC of the leaks.

    Parameters
    ----------
    certificate : Certificate
        Of `features.audit`. The AUC is drawn if it was asked for a label.

    Returns
    -------
    Picture
        The name of the leak is in the tooltip.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from workbench import features
    >>> days = [datetime(2024, 5, day, tzinfo=UTC) for day in (1, 2)]
    >>> paid = pl.DataFrame({"user": [1, 1], "time": days})
    >>> often = features.count("payment", per="user", name="often")
    >>> log = {"payment": paid.with_columns(known_at="time")}
    >>> chart(features.audit(paid.with_columns(often=pl.Series([0, 2])), [often], log))
    <Picture: 2 rows>
    """
    import altair as alt

    table = values_by_leak(certificate).with_columns(
        order=pl.col("kind").replace_strict({kind: place for place, kind in enumerate(KINDS)})
    )
    scale = alt.Scale(domain=list(COLORS), range=list(COLORS.values()))
    features = certificate.table["feature"].to_list()
    bars = (
        alt.Chart(table)
        .mark_bar(stroke="white")
        .encode(
            x=alt.X("share:Q", title="share of the rows", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("feature:N", sort=features, title=None),
            color=alt.Color("kind:N", scale=scale, title="as known then"),
            order=alt.Order("order:Q"),
            tooltip=["feature:N", "kind:N", "leak:N", "rows:Q", "share:Q"],
        )
        .properties(width=360, height=alt.Step(22), title=f"{certificate.rows:,} rows")
    )
    if certificate.cost is None:
        return Picture(bars)
    return Picture(alt.hconcat(bars, _models(certificate.cost)))


def _models(cost):
    import altair as alt

    rows = pl.DataFrame(
        [
            {"model": words, "auc": auc.estimate, "low": auc.low, "high": auc.high}
            for name, words in _MODELS.items()
            for auc in [getattr(cost, name)]
        ]
    ).with_columns(pl.col("auc", "low", "high").round(3))
    base = alt.Chart(rows).encode(y=alt.Y("model:N", sort=[*_MODELS.values()], title=None))
    zero = alt.Scale(zero=False)
    points = base.mark_point(filled=True, size=70, opacity=1, color="#0072B2").encode(
        x=alt.X("auc:Q", scale=zero, title="AUC on the later rows"),
        tooltip=["model:N", "auc:Q", "low:Q", "high:Q"],
    )
    ends = base.mark_rule(strokeWidth=2, color="#0072B2").encode(x="low:Q", x2="high:Q")
    return (ends + points).properties(width=220, height=alt.Step(22))
