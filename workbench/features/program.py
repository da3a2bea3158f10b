"""A group's tracks and views as the arrays that the kernels run on, once column types are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from workbench.features.tracks import (
    CARRY,
    DISTINCT,
    GREATEST,
    LATEST,
    LEAST,
    LIST_OF,
    SQUARES,
    SUM,
    TILES,
    VALUE_OF,
    Group,
    Track,
)

__all__ = ["Program", "layout"]

_BITS = 62  # marks of null in one word
_CLOCKS = 3  # time, known_at, tie


@dataclass(frozen=True)
class Program:
    """What the kernels need to know of a group.

    Parameters
    ----------
    tracks : ndarray of int64, shape (tracks, 11)
        form, kind, width, step, lag, window, most, held; then, filled in for each batch, where
        its masks and its values lie, and how many words of value a row has.
    widths : ndarray of int64, shape (tracks,)
    views : ndarray of int64, shape (views, 11)
    reads : ndarray of int64, shape (leaves, 6)
    dtypes : list of polars.DataType or None
        Of the values that a leaf reads; None where it reads numbers.
    value_words : list of int
        How many words one such value has.
    """

    tracks: np.ndarray
    widths: np.ndarray
    views: np.ndarray
    reads: np.ndarray
    dtypes: list
    value_words: list[int]


def layout(group: Group, shapes: Mapping[tuple[str, str], tuple[pl.DataType, int]]) -> Program:
    """The arrays of a group; `shapes` gives type and words of each (kind, column) kept as it is."""
    tracks = np.zeros((len(group.tracks), 11), np.int64)
    for row, track in zip(tracks, group.tracks, strict=True):
        kind = group.kinds.index(track.kind)
        width = _width(track, shapes)
        row[:8] = (track.form, kind, width, track.step, track.lag, track.window, track.most,
                   track.held)  # fmt: skip
    views = np.zeros((len(group.views), 11), np.int64)
    for row, view in zip(views, group.views, strict=True):
        track = group.tracks[view.track]
        row[:] = (track.form, view.track, tracks[view.track, 2], view.window, view.step, track.lag,
                  view.gap, view.gap_track, view.most, track.held, track.held)  # fmt: skip
    reads = np.zeros((len(group.reads), 6), np.int64)
    dtypes, value_words = [], []
    for row, (number, what, column) in zip(reads, group.reads, strict=True):
        track = group.tracks[group.views[number].track]
        row[:2] = number, what
        dtype, words = None, 1
        if what in (VALUE_OF, LIST_OF):
            dtype, words = shapes.get((track.kind, column), (pl.Null, 1))
        if what == VALUE_OF:
            place = track.columns.index(column)
            before = [shapes.get((track.kind, each), (pl.Null, 1))[1] for each in track.columns]
            row[2] = _CLOCKS + mask_words(track) + sum(before[:place])
            row[3], row[4] = _CLOCKS + place // _BITS, place % _BITS
            row[5] = isinstance(dtype, pl.List)
        dtypes.append(dtype)
        value_words.append(words)
    return Program(tracks, tracks[:, 2].copy(), views, reads, dtypes, value_words)


def mask_words(track: Track) -> int:
    """Words that say which values of an entry are null."""
    return -(-len(track.columns) // _BITS) if track.form == LATEST else 0


def null_marks(valid: list[np.ndarray | None], n: int) -> list[np.ndarray]:
    """One bit for each column that is null in a row, packed into words; each shape (n,).

    >>> null_marks([None, np.array([True, False])], 2)[0].tolist()
    [0, 2]
    """
    words = [np.zeros(n, np.int64) for _ in range(-(-len(valid) // _BITS))]
    for place, mask in enumerate(valid):
        if mask is not None:
            words[place // _BITS] |= (~mask).astype(np.int64) << (place % _BITS)
    return words


def _width(track: Track, shapes) -> int:
    if track.form == TILES:
        bits = (SUM, CARRY, SQUARES, LEAST, GREATEST)
        return 2 + sum(track.held & bit > 0 for bit in bits)
    values = sum(shapes.get((track.kind, column), (pl.Null, 1))[1] for column in track.columns)
    clocks = 1 if track.form == DISTINCT and not track.held else _CLOCKS
    return clocks + mask_words(track) + values
