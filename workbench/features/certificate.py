"""What the audit of a training frame found, as something to print, to keep and to ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.features.leak_cost import LeakCost
from workbench.metrics.interval import share_interval

__all__ = ["KINDS", "Certificate", "table_of"]

KINDS = ("exact", "stale", "future", "other")
_WIDTH = 90


@dataclass(frozen=True, repr=False)
class Certificate:
    """The audit of one frame; made by `audit`. Its repr is the certificate.

    Parameters
    ----------
    rows : int
        Rows of the frame.
    table : pl.DataFrame
        A row per feature: `feature version rows compared`, for each of exact, stale, future and
        other the share with its 95 % Wilson interval, and `verdict`.
    leaks : mapping of column to mapping of leak to rows
        What explains the values that differ, most rows first.
    evidence : pl.DataFrame
        A row per value that differs: `row`, keys, `time`, `feature given as_known kind leak`.
    confirmed, asked : int
        Values computed again one by one with `why`, and how many of them agreed.
    cost : LeakCost or None
        The AUC that the leaks bought, if a label was given.
    """

    rows: int
    table: pl.DataFrame
    leaks: Mapping[str, Mapping[str, int]]
    evidence: pl.DataFrame
    confirmed: int
    asked: int
    cost: LeakCost | None = None

    @property
    def clean(self) -> bool:
        """Whether no value is from the future."""
        return not (self.table["future"] > 0).any()

    def of(self, feature: str) -> pl.DataFrame:
        """The values of one column that differ.

        Raises ValueError if no such column was audited.
        """
        if feature not in self.leaks:
            raise ValueError(f"no feature {feature!r} was audited, only {[*self.leaks]}")
        return self.evidence.filter(pl.col("feature") == feature)

    def __repr__(self) -> str:
        n = len(self.table)
        words = "no value is from the future" if self.clean else "VALUES FROM THE FUTURE"
        lines = [f"{self.rows:,} rows, {n} feature{'' if n == 1 else 's'}: {words}"]
        wide = min(max(map(len, self.table["feature"]), default=7), 28)
        lines.append(
            f"{'':{wide}}  {'exact [95 % interval]':^23}  {'future':>6} {'stale':>6} {'other':>6}"
        )
        for row in self.table.iter_rows(named=True):
            shown = (
                row["feature"] if len(row["feature"]) <= wide else row["feature"][: wide - 1] + "…"
            )
            exact = f"{_percent(row['exact'])} [{_percent(row['exact_low'])}, "
            exact += f"{_percent(row['exact_high'])}]"
            rest = " ".join(f"{_percent(row[kind]):>6}" for kind in ("future", "stale", "other"))
            lines.append(f"{shown:{wide}}  {exact:>23}  {rest}")
            if row["exact"] < 1:
                lines += [f"  {text}"[:_WIDTH] for text in row["verdict"].split("; ")]
        if self.cost is not None:
            lines += repr(self.cost).splitlines()
        lines.append(f"computed again by brute force: {self.confirmed} of {self.asked} agree")
        return "\n".join(lines)


def table_of(columns: Mapping, versions: Mapping[str, str], compared: Mapping) -> pl.DataFrame:
    """The table of a certificate, from the kind and leak of each value."""
    made = []
    for name, found in columns.items():
        n = len(found.kind)
        row = {"feature": name, "version": versions[name], "rows": n, "compared": compared[name]}
        for kind in KINDS:
            hits = int((found.kind == kind).sum())
            share = share_interval(hits, n)
            row |= {kind: share.estimate, f"{kind}_low": share.low, f"{kind}_high": share.high}
        made.append(row | {"verdict": _verdict(found)})
    return pl.DataFrame(made)


def leaks_of(found) -> dict[str, int]:
    """Rows per name of a leak, most first."""
    return dict(Counter(found.name[found.kind != "exact"].tolist()).most_common())


def _verdict(found) -> str:
    differing = int((found.kind != "exact").sum())
    if not differing:
        return "no leak found"
    shares = []
    for name, rows in leaks_of(found).items():
        fit = found.fits.get(name, 1.0)
        often = f" (in {_percent(fit)} of the rows it changes)" if fit < 0.9 else ""
        shares.append(f"{_percent(rows / differing)} of what differs: {name}{often}")
    if not np.isin(found.kind, ["future"]).any():
        shares.append("no leak found")
    return "; ".join(shares)


def _percent(share: float) -> str:
    """
    A share in at most six characters; only all is 100 %, only none is 0.

    >>> [_percent(share) for share in (1.0, 0.99999, 0.123, 0.00004, 0.0)]
    ['100 %', '99.9 %', '12.3 %', '<0.1 %', '0']
    """
    if share in (0, 1):
        return "100 %" if share else "0"
    if share < 0.001:
        return "<0.1 %"
    return f"{min(share, 0.999):.1%}".replace("%", " %")
