"""Experiments that meet: may two of them run on the same users at the same time?

Two salts deal independently, so each arm of one holds the same mixture of the other, and both can
be read as if alone. One salt for two experiments deals the same users into the same arms: whatever
the one does shows up as an effect of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from workbench.policy import Holdout, Policy, Shadow, Split
from workbench.tables import one_frame

__all__ = ["Overlap", "check_salts", "overlap"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How the arms of two experiments meet in the users that both have.

    `table` has a row per pair of arms: users, and how many there would be if dealt independently.
    """

    table: pl.DataFrame
    users: int
    p_value: float
    alpha: float

    @property
    def ok(self) -> bool:
        """Whether chance explains how the arms meet."""
        return self.p_value >= self.alpha

    def __repr__(self) -> str:
        words = "independent" if self.ok else "DEPENDENT: each shows up as an effect of the other"
        if not self.users:
            return "no user is in both experiments"
        return f"{self.users:,} users are in both; p = {self.p_value:.2g}, {words}"


def overlap(first, second, *, alpha: float = 0.001) -> Overlap:
    """Are two assignments independent of each other?

    Parameters
    ----------
    first, second : tables
        Columns `user` and `variant`, one row per user, such as `exposed` makes.
    alpha : float, default 0.001
        Chance of a false alarm.

    Raises
    ------
    ValueError
        If a column is missing or null, or a user has several rows.

    Notes
    -----
    Pearson's chi-square test of the table of both variants (Pearson 1900, Philosophical Magazine
    50), without continuity correction. It sees the assignment alone: two experiments that are dealt
    independently can still change each other's effect.

    Examples
    --------
    >>> from workbench.assign import assign
    >>> users, half = list(range(2_000)), {"old": 0.5, "new": 0.5}
    >>> tables = [pl.DataFrame({"user": users, "variant": assign(users, half, salt=salt).tolist()})
    ...           for salt in ("colour", "ranking")]
    >>> overlap(*tables)
    2,000 users are in both; p = 0.087, independent
    >>> overlap(tables[0], tables[0]).ok
    False
    """
    from scipy.stats import chi2_contingency

    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha}")
    sides = []
    for name, table in (("first", first), ("second", second)):
        frame = one_frame(table, name, ["user", "variant"])
        if frame["user"].null_count() or frame["variant"].null_count():
            raise ValueError(f"{name} has rows without a user or a variant")
        if frame["user"].is_duplicated().any():
            raise ValueError(f"{name} must have one row per user, as `exposed` makes")
        sides.append(frame.select("user", pl.col("variant").cast(pl.String).alias(name)))
    met = sides[0].join(sides[1], on="user", how="inner")
    counts = met.group_by("first", "second").agg(users=pl.len())
    pairs = counts.select(pl.col("first").unique()).join(
        counts.select(pl.col("second").unique()), how="cross"
    )
    table = pairs.join(counts, on=["first", "second"], how="left").fill_null(0)
    table = table.sort("first", "second").with_columns(pl.col("users").cast(pl.Int64))
    of = pl.col("users").sum().over("first") * pl.col("users").sum().over("second")
    table = table.with_columns(expected=of / pl.col("users").sum())
    shape = table["first"].n_unique(), table["second"].n_unique()
    p_value = 1.0
    if min(shape) > 1:
        grid = table["users"].to_numpy().reshape(shape)
        p_value = float(chi2_contingency(grid, correction=False).pvalue)
    return Overlap(table, len(met), p_value, alpha)


def check_salts(policies: Mapping[str, Policy]) -> None:
    """Raise ValueError if two experiments among these policies deal by the same salt and unit.

    One split on several surfaces, with equal arms and shares, is one experiment. Shadows expose
    nobody and may deal as they like.

    >>> from workbench.policy import Rank
    >>> arms, half = {"old": Rank("score", 1), "new": Rank("price", 1)}, {"old": 0.5, "new": 0.5}
    >>> check_salts({"home": Split(arms, half, salt="spring"),
    ...              "search": Split(arms, {"old": 0.9, "new": 0.1}, salt="spring")})
    Traceback (most recent call last):
    ValueError: home and search are two experiments with the salt 'spring' on 'user': they would \
deal the same users alike; give each its own
    """
    found = [
        (place, split)
        for surface, policy in policies.items()
        for place, split in _splits(surface, policy)
    ]
    for (place, split), (other_place, other) in combinations(found, 2):
        same_salt = (split.salt, split.unit) == (other.salt, other.unit)
        if same_salt and (type(split), split.shares) != (type(other), other.shares):
            raise ValueError(
                f"{place} and {other_place} are two experiments with the salt {split.salt!r} on "
                f"{split.unit!r}: they would deal the same users alike; give each its own"
            )
        inside = other_place.startswith(f"{place}/")
        if same_salt and inside:
            raise ValueError(
                f"{other_place} splits again by the salt {split.salt!r} of {place}: all of its "
                "users would be in one arm; give each its own"
            )


def _splits(place: str, policy: Policy) -> Iterator[tuple[str, Split | Holdout]]:
    """Every split of a tree with the path to it."""
    if isinstance(policy, (Split, Holdout)):
        yield place, policy
    children = getattr(policy, "children", {})
    if isinstance(policy, Shadow):  # shadows expose nobody
        children = {"live": policy.live}
    for name, child in children.items():
        yield from _splits(f"{place}/{name}", child)
