"""What fresh features are worth: a table by feature and age, over worlds."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from workbench.studies.damage_ledger import mean_interval

__all__ = ["ALL", "ROWS", "Freshness", "age"]

ALL = "all of them"
_KEYS = {"feature": pl.String, "seconds": pl.Float64, "others": pl.String, "trained": pl.String}
ROWS = {
    "world": pl.Int64, **_KEYS,
    "auc_fresh": pl.Float64, "auc_old": pl.Float64,
    "auc_low": pl.Float64, "auc_high": pl.Float64,
    "cost_fresh": pl.Float64, "cost_old": pl.Float64,
    "cost_low": pl.Float64, "cost_high": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class Freshness:
    """What came of it. The repr is the table.

    Attributes
    ----------
    rows : DataFrame
        One row per world, feature, `seconds` (how old; null: the model has not got it at all),
        `others` (fresh, or as old) and `trained` (as served, or on fresh). True AUC and cost per
        1,000 payments, with this feature fresh and with it old, and 95 % intervals of the
        difference by bootstrap over users.
    """

    rows: pl.DataFrame

    @property
    def table(self) -> pl.DataFrame:
        """feature, seconds, others, trained; auc_worth, cost_worth with ends; surely not zero.

        The feature that is worth most when it is oldest stands first, "all of them" last. With one
        world intervals are over users, with several over worlds (Student's t).
        """
        made = []
        for keys, rows in self.rows.group_by(*_KEYS, maintain_order=True):
            row, alone = dict(zip(_KEYS, keys, strict=True)), rows.row(0, named=True)
            for name, sign in (("auc", 1), ("cost", -1)):
                over = mean_interval(sign * (rows[f"{name}_fresh"] - rows[f"{name}_old"]))
                one = (alone[f"{name}_low"], alone[f"{name}_high"])
                low, high = one if rows.height == 1 else (over.low, over.high)
                row |= {f"{name}_worth": over.estimate, f"{name}_low": low, f"{name}_high": high}
            made.append(row)
        table = pl.DataFrame(made, schema=_TABLE)
        surely = (pl.col("auc_low") > 0) | (pl.col("cost_low") > 0)
        first = _SERVED & (pl.col("seconds") == pl.col("seconds").max())
        most = pl.col("auc_worth").filter(first).first().over("feature")
        by = [pl.col("feature") == ALL, -most, "feature", "others", "trained"]
        return table.with_columns(surely=surely).sort(*by, "seconds", nulls_last=True)

    def worth(
        self,
        feature: str,
        seconds: float | None,
        *,
        others: str = "fresh",
        trained: str = "as served",
    ) -> dict:
        """One row of the table; `seconds` None is the model without the feature.

        Raises ValueError if there is none.
        """
        old = pl.col("seconds").is_null() if seconds is None else pl.col("seconds") == seconds
        found = self.table.filter(old, feature=feature, others=others, trained=trained)
        if not found.height:
            raise ValueError(
                f"nothing about {feature!r} {age(seconds)} old, others {others}, trained {trained}"
            )
        return found.row(0, named=True)

    def text(self, trained: str = "as served") -> str:
        """The table as text, 90 columns: AUC that fresh values are worth, below it the money."""
        table = self.table.filter(trained=trained)
        usual = self.rows.filter(_SERVED).unique("world")
        worlds = usual.height
        lines = [
            f"{worlds} world{'s' * (worlds > 1)}, trained {trained}: all fresh, AUC "
            f"{usual['auc_fresh'].mean():.3f}, cost per 1,000 payments "
            f"{usual['cost_fresh'].mean():,.0f}"
        ]
        columns = _columns(table)
        for title, name, form in (
            ("AUC that fresh is worth, against", "auc", "+.3f"),
            ("cost saved per 1,000, against", "cost", "+,.0f"),
        ):
            lines += ["", f"{title:<34}" + "".join(f"{word:>11}" for word in columns)]
            for feature in table["feature"].unique(maintain_order=True):
                rows = table.filter(feature=feature)
                words = [_cell(rows.filter(where), name, form) for where in columns.values()]
                lines.append(f"{feature[:33]:<34}" + "".join(words))
        told = f"* surely above zero: 95 % over {'users' if worlds == 1 else 'worlds'}"
        if "only fresh" in columns:
            oldest = age(table["seconds"].max())
            told += f"; only fresh: this one alone, the others {oldest} old"
        return "\n".join([*lines, "", told])

    def __repr__(self):
        return self.text()


def age(seconds: float | None) -> str:
    """How old in words.

    >>> [age(each) for each in (60, 5_400, 86_400, None)]
    ['1 min', '1.5 h', '1 d', 'without']
    """
    if seconds is None:
        return "without"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


_SERVED = (pl.col("others") == "fresh") & (pl.col("trained") == "as served")
_TABLE = {
    **_KEYS,
    "auc_worth": pl.Float64, "auc_low": pl.Float64, "auc_high": pl.Float64,
    "cost_worth": pl.Float64, "cost_low": pl.Float64, "cost_high": pl.Float64,
}  # fmt: skip


def _columns(table: pl.DataFrame) -> dict[str, pl.Expr]:
    """Title and rows of each column of the text."""
    alone = pl.col("others") == "fresh"
    ages = table["seconds"].unique().drop_nulls().sort()
    columns = {age(each): alone & (pl.col("seconds") == each) for each in ages}
    if table["seconds"].null_count():
        columns[age(None)] = alone & pl.col("seconds").is_null()
    if (table["others"] == "old").any():
        columns["only fresh"] = ~alone
    return columns


def _cell(rows: pl.DataFrame, name: str, form: str) -> str:
    if not rows.height:
        return f"{'-':>10} "
    row = rows.row(0, named=True)
    surely = "*" if row[f"{name}_low"] > 0 else " "
    return f"{format(row[f'{name}_worth'], form):>10}" + surely
