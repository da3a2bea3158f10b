"""What it costs to decide: a ladder over a split over two rankings, 500 candidates a request.

128 requests are answered again and again: like one that has just been parsed they lie in the
processor's cache, and no contender keeps an answer. The peer is the same stack in
Polars: it makes the same slates with the same columns, but has no check of its input and
writes no failures down. The limit is one `argpartition` on scores that lie ready: it neither orders
the ten, nor knows who is asked, nor makes a decision of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from benchmarks.harness import Row, measure

__all__ = ["run"]

CANDIDATES, SLATE, SALT, SEED = 500, 10, "policy benchmark", 7
REQUESTS = 128


def run(quick: bool = False) -> list[Row]:
    """Microseconds a request, one at a time and 64 at a time."""
    passes = 1 if quick else 20
    return [
        measure(
            "policy",
            f"Fallback(Split(Rank)), {CANDIDATES} candidates, batch {batch}",
            ours=each(ours().act, passes * (batches := columns(REQUESTS, batch))),
            peer=each(in_polars, passes * [pl.DataFrame(one) for one in batches]),
            limit=each(top_k, passes * [one["score"].reshape(batch, -1) for one in batches]),
            peer_name="the same in Polars",
            unit="µs/request",
            count=passes * REQUESTS,
            target=f"ours <= {target}",
            repeats=3 if quick else 9,
            quick=quick,
        )
        for batch, target in ((1, 100), (64, 40))
    ]


def columns(requests: int, batch: int) -> list[dict[str, np.ndarray]]:
    """Batches of requests with 500 candidates each, as a server hands them over."""
    rng = np.random.default_rng(0)
    batches = []
    for start in range(0, requests, batch):
        n = batch * CANDIDATES
        batches.append(
            {
                "request": np.arange(start, start + batch).repeat(CANDIDATES),
                "user": rng.integers(0, 100_000, batch).repeat(CANDIDATES),
                "item": np.concatenate(
                    [rng.choice(10_000, CANDIDATES, replace=False) for _ in range(batch)]
                ),
                "score": rng.random(n),
                "popularity": rng.random(n),
            }
        )
    return batches


def ours():
    from workbench.policy import Fallback, Rank, Split

    arms = {"old": Rank("popularity", SLATE, "popular@1"), "new": Rank("score", SLATE, "model@1")}
    split = Split(arms, {"old": 0.5, "new": 0.5}, salt=SALT)
    return Fallback([split, Rank("popularity", SLATE, "popular@1")])


def in_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """The stack as one would write it in Polars: split, rank, and a second rung for who is left."""
    new = pl.col("user").hash(SEED) % 2 == 0
    first = slates(frame, pl.when(new).then("score").otherwise("popularity"), new)
    if first["request"].n_unique() == frame["request"].n_unique():
        return first
    left = frame.join(first, on="request", how="anti")
    return pl.concat([first, slates(left, pl.col("popularity"), new)])


def slates(frame: pl.DataFrame, score: pl.Expr, new: pl.Expr) -> pl.DataFrame:
    best = (
        frame.lazy()
        .select("request", "item", score=score, new=new)
        .filter(pl.col("score").is_finite())
        .sort("request", "score", "item", descending=[False, True, False])
        .group_by("request", maintain_order=True)
        .head(SLATE)
    )
    return best.select(
        "request",
        policy=pl.when("new").then(pl.lit("model@1")).otherwise(pl.lit("popular@1")),
        position=pl.int_range(1, pl.len() + 1).over("request"),
        action=pl.lit("show"),
        item="item",
        score="score",
        propensity=pl.lit(1.0),
        variant=pl.when("new").then(pl.lit("new")).otherwise(pl.lit("old")),
        variant_share=pl.lit(0.5),
        live=pl.lit(True),
    ).collect()


def top_k(scores: np.ndarray) -> np.ndarray:
    """The least that can be done: which ten of 500, in no order."""
    return np.argpartition(scores, CANDIDATES - SLATE, axis=1)[:, -SLATE:]


def each(answer: Callable, batches: list) -> Callable[[], None]:
    """Answer all batches, one after the other."""

    def all_batches():
        for batch in batches:
            answer(batch)

    return all_batches
