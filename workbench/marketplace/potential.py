"""Potential outcomes: what the same people, with the same luck, do under each of several policies.

    world at its present moment ──┬── a copy, everybody under "old" ──► outcomes of every user
                                  └── a copy, everybody under "new" ──► outcomes of every user

The difference is the true effect of the change, a number without error: luck is keyed by what it is
about (`luck`), so two copies differ only where the policies decide differently and in what follows
from it. Experiments are then dealt again and again from the stored outcomes (`redeal`).

One thing a table of potential outcomes cannot hold: what people share. Stock and bestsellers are
settled every midnight from everybody's sales, so in a real split the arms meet on the same shelves,
while each potential world has everybody in one arm. An arm that sells out the shop looks better
beside the other arm than alone. With ample stock (`spec.stock_days`) only bestsellers are left, and
the gap is small; tests measure both.

What is counted, per user and day (UTC, of the moment it happened; what a page of the last day
leads to within minutes counts to that day). Visits, pages, clicks and purchases are those of the
account's owner: programs and thieves are left out.

    visits          visits that began
    pages, clicks   of home and search
    purchases       honest payments that went through; revenue: their amounts
    fraud_amount    amounts of frauds that went through, complained about or not
    chargebacks     amounts that are disputed sooner or later, however late: what fraud costs the
                    shop; the disputes of honest buyers too
    blocked_honest, blocked_frauds      payments refused
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from workbench.marketplace.redeal import dealt, moments

__all__ = ["METRICS", "Effect", "PotentialOutcomes"]

METRICS = (
    "visits", "pages", "clicks", "purchases", "revenue", "fraud_amount", "chargebacks",
    "blocked_honest", "blocked_frauds",
)  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """The true effect of one arm over another on a metric, over all users and the whole period."""

    metric: str
    arm: str
    baseline: str
    users: int
    per_user: float
    baseline_per_user: float

    @property
    def total(self) -> float:
        """Of all users together."""
        return self.per_user * self.users

    @property
    def relative(self) -> float:
        """As a share of the baseline."""
        return self.per_user / self.baseline_per_user

    def __repr__(self):
        return (
            f"{self.metric}: {self.arm} - {self.baseline} = {self.per_user:.3g} per user "
            f"({self.relative:+.2%}), {self.users:,} users"
        )


@dataclass(frozen=True)
class PotentialOutcomes:
    """Every user's outcomes in every arm: 8 bytes x metrics x users x arms, x days if kept apart.

    A *metric* below is a name of `METRICS`, or a mapping of names to weights that are summed:
    `{"revenue": 0.1, "chargebacks": -1}` is a margin of a tenth less what fraud costs. A *look* is
    how many days of the period have passed; without one, all.
    """

    users: np.ndarray  # (n,)
    first_day: int  # of the period, counted from the world's start
    values: Mapping[str, np.ndarray]  # arm -> (metrics, n, days or 1)
    by_day: bool

    @property
    def arms(self) -> list[str]:
        """Their names, in the order given."""
        return list(self.values)

    @property
    def days(self) -> int | None:
        """Days of the period that are kept apart; None if they are not."""
        return next(iter(self.values.values())).shape[2] if self.by_day else None

    def of(self, metric: str | Mapping[str, float], arm: str, look: int | None = None):
        """The metric of each user in this arm until a look, shape (n,)."""
        if arm not in self.values:
            raise ValueError(f"arm must be one of {self.arms}, got {arm!r}")
        self._check_look(look)
        weights = {metric: 1.0} if isinstance(metric, str) else metric
        strange = [name for name in weights if name not in METRICS]
        if strange:
            raise ValueError(f"metric must be of {[*METRICS]}, got {strange[0]!r}")
        rows = self.values[arm]
        return sum(
            weight * rows[METRICS.index(name), :, :look].sum(axis=1)
            for name, weight in weights.items()
        )

    def effect(
        self, metric: str | Mapping[str, float], arm: str | None = None,
        baseline: str | None = None, *, look: int | None = None,
    ) -> Effect:  # fmt: skip
        """The truth: mean over all users of `arm` (the last) less `baseline` (the first)."""
        arm, baseline = arm or self.arms[-1], baseline or self.arms[0]
        new, old = (self.of(metric, each, look) for each in (arm, baseline))
        name = metric if isinstance(metric, str) else " ".join(metric)
        return Effect(name, arm, baseline, len(new), float((new - old).mean()), float(old.mean()))

    def among(self, chosen: np.ndarray) -> PotentialOutcomes:
        """The outcomes of some users: a bool per user, or their ids."""
        chosen = np.asarray(chosen)
        rows = chosen if chosen.dtype == bool else np.isin(self.users, chosen)
        values = {arm: each[:, rows] for arm, each in self.values.items()}
        return PotentialOutcomes(self.users[rows], self.first_day, values, self.by_day)

    @property
    def table(self) -> pl.DataFrame:
        """One row per arm, user (and day, counted from the world's start), one column a metric."""
        frames = [self._frame(arm, self.users, self.values[arm]) for arm in self.arms]
        return pl.concat(frames).with_columns(pl.col("arm").cast(pl.Enum(self.arms)))

    def deal(
        self, shares: Mapping[str, float], *, salt: str, look: int | None = None
    ) -> pl.DataFrame:
        """One experiment: user, variant, and the metrics that the user shows in that arm.

        The variants are those of a `Split` with this salt. No spill-over: see the module.

        Raises
        ------
        ValueError
            If shares do not sum to 1, or an arm has no outcomes.
        """
        self._check_arms(shares)
        self._check_look(look)
        arm, names = dealt(self.users, shares, salt=salt), np.array([*shares])
        shown = np.empty((len(METRICS), len(self.users)))
        for number, name in enumerate(shares):
            mine = arm == number
            shown[:, mine] = self.values[name][:, mine, :look].sum(axis=2)
        frame = pl.DataFrame({"user": self.users, "variant": names[arm]})
        return frame.with_columns(**dict(zip(METRICS, map(pl.Series, shown), strict=True)))

    def experiments(
        self, metric: str | Mapping[str, float], *, shares: Mapping[str, float],
        count: int | range = 1_000, salt: str = "experiments", looks: Iterable[int] | None = None,
        covariate: str | np.ndarray | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """Many experiments, as sufficient statistics: users, mean, variance per experiment and arm.

        Parameters
        ----------
        count : int or range
            How many, from number 0, or which; slices put together are the whole, to the last bit.
        salt : str
            Experiment i deals as `deal(shares, salt=f"{salt}/{i}")`.
        looks : iterable of int, optional
            Days after the beginning; one row per experiment, arm and look.
        covariate : str, mapping or ndarray of shape (users,), optional
            Another metric, of the same arm and look, or a number of each user from before: adds
            `covariate_mean covariate_variance covariance`, for CUPED and ratios.

        Returns
        -------
        pl.DataFrame
            `experiment variant [look] users mean variance …`, see `redeal.moments`.
        """
        self._check_arms(shares)
        looks = None if looks is None else [*looks]
        outcomes = {arm: self._looked(metric, arm, looks, covariate) for arm in shares}
        numbers = count if isinstance(count, range) else range(count)
        frame = moments(self.users, outcomes, shares, experiments=numbers, salt=salt)
        if looks is None:
            return frame.drop("look")
        return frame.with_columns(look=pl.Series(looks, dtype=pl.Int64).gather(frame["look"]))

    def save(self, path: str | Path) -> None:
        """Write `table` as Parquet."""
        self.table.with_columns(first_day=pl.lit(self.first_day)).write_parquet(path)

    @classmethod
    def load(cls, path: str | Path) -> PotentialOutcomes:
        """What `save` wrote."""
        table = pl.read_parquet(path)
        by_day, values = "day" in table.columns, {}
        for arm in table["arm"].unique(maintain_order=True):
            rows = table.filter(pl.col("arm") == arm)
            users = rows["user"].unique(maintain_order=True).to_numpy()
            values[arm] = np.stack(
                [rows[name].to_numpy().reshape(len(users), -1) for name in METRICS]
            )
        return cls(users, int(table["first_day"][0]), values, by_day)

    def _looked(self, metric, arm, looks, covariate) -> np.ndarray:
        def each(what):
            if isinstance(what, np.ndarray):
                return np.repeat(what[:, None], len(looks or [None]), axis=1)
            return np.stack([self.of(what, arm, look) for look in looks or [None]], axis=1)

        if covariate is None:
            return each(metric)
        return np.stack([each(metric), each(covariate)], axis=2)

    def _check_look(self, look: int | None) -> None:
        if look is not None and not (self.by_day and 1 <= look <= self.days):
            kept = f"in [1, {self.days}]" if self.by_day else "left out: days were not kept"
            raise ValueError(f"look must be {kept}, got {look}")

    def _check_arms(self, shares: Mapping[str, float]) -> None:
        missing = [name for name in shares if name not in self.values]
        if missing:
            raise ValueError(f"shares must be of the arms {self.arms}, got also {missing}")

    def _frame(self, arm: str, users: np.ndarray, rows: np.ndarray) -> pl.DataFrame:
        days = rows.shape[2]
        key = {"arm": np.full(len(users) * days, arm), "user": np.repeat(users, days)}
        if self.by_day:
            key["day"] = np.tile(self.first_day + np.arange(days), len(users))
        return pl.DataFrame(key | dict(zip(METRICS, rows.reshape(len(METRICS), -1), strict=True)))
