"""Texts by the hundred thousand: columns of phrases, each looked up in a small table, put together.

    phrases(("good, nice", "bad"), row, chance)  ──►  a table and an index per text
    joined(column, column, ...)                  ──►  one text per row

No loop runs over texts. Sentences from a grammar with slots are as old as S. Klein (1965),
"Automatic paraphrasing in essay format", Mechanical Translation 8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

__all__ = ["joined", "phrases"]


def phrases(
    rows: Sequence[str], row: np.ndarray, chance: np.ndarray, pattern: str = "{}"
) -> tuple[list[str], np.ndarray]:
    """One phrase of a row for each text: a column for `joined`.

    Parameters
    ----------
    rows : sequence of str
        Each a list of phrases, parted by a comma and a space.
    row : ndarray of int, shape (n,)
    chance : ndarray of float, shape (n,)
        Luck in [0, 1); all phrases of a row are alike.
    pattern : str
        How the phrase is set, `{}` is where it goes.

    >>> joined(phrases(("good, nice", "bad"), np.array([0, 0, 1]), np.array([0.2, 0.7, 0.7])))
    array(['good', 'nice', 'bad'], dtype=object)
    """
    lists = [text.split(", ") for text in rows]
    sizes = np.array([len(words) for words in lists])
    starts = np.cumsum(sizes) - sizes
    table = [pattern.format(phrase) for words in lists for phrase in words]
    return table, starts[row] + (chance * sizes[row]).astype(np.int64)


def joined(*columns: tuple) -> np.ndarray:
    """Texts put together column by column, shape (n,), an object array of str.

    Each column is a table of phrases, the phrase of each row, and where needed whether it is said.

    >>> big, cat = (["big ", "small "], np.array([1, 0])), (["cat"], np.array([0, 0]))
    >>> joined((*big, np.array([True, False])), cat).tolist()
    ['small cat', 'cat']
    """
    parts = []
    for number, (table, index, *said) in enumerate(columns):
        if said:
            table, index = [*table, ""], np.where(said[0], index, len(table))
        series = pl.Series(f"{number}", list(table), pl.String)
        parts.append(series.gather(pl.Series(index, dtype=pl.UInt32)))
    return pl.select(pl.concat_str(parts)).to_series().to_numpy()
