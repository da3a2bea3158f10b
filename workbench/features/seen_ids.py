"""Which events came already: the ids of all that became known within the bound, exactly.

Whole numbers as they are, texts as 128 bits of BLAKE2b. They are stored in blocks beside the state
that they made, in the same commit; eight blocks of a size become one, so that there are few.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from workbench.features.threads import plain

__all__ = ["SeenIds", "id_words"]

_TOGETHER = 8
_COLUMNS = 3  # high, low, known_at


class SeenIds:
    """The ids of one kind that one group has taken.

    `blocks` lists what is stored: [number, rows, youngest known_at, level].
    """

    def __init__(self, prefix: bytes, blocks: list[list[int]], next_number: int):
        self.prefix, self.blocks, self.next_number = prefix, [*blocks], next_number
        self._table = _empty_table(1 << 10)
        self._count = 0

    def load(self, get_many) -> SeenIds:
        """Read what the blocks hold."""
        stored = get_many([self._key(block[0]) for block in self.blocks])
        for content in stored:
            words = np.frombuffer(content, np.int64).reshape(_COLUMNS, -1).copy()
            self.admit(*words[:2], words[2], np.ones(words.shape[1], bool), -(2**63))
        return self

    def admit(self, high, low, known, wanted, bound: int) -> np.ndarray:
        """Which rows are wanted and new, shape (n,); they are remembered, of equal ones the first.

        What was known before `bound` may be forgotten.
        """
        from workbench.features import kernels_ids as kernels

        if 2 * (self._count + len(high)) > len(self._table[0]):
            bits = int(4 * (self._count + len(high))).bit_length()
            self._table, self._count = kernels.rebuilt(*self._table, bound, 1 << bits)
        new = kernels.admit(high, low, known, wanted, *self._table)
        self._count += int(new.sum())
        return new

    def store(self, high, low, known, bound: int, transaction) -> None:
        """Add a block of new ids to what is stored, merge small blocks and drop old ones."""
        fresh = known >= bound
        if fresh.any():
            words = np.stack([high[fresh], low[fresh], known[fresh]])
            self._put(words, 0, transaction)
        for block in [block for block in self.blocks if block[2] < bound]:
            self._drop(block, transaction)
        while len({block[3] for block in self.blocks[-_TOGETHER:]}) == 1:
            tail = self.blocks[-_TOGETHER:]
            if len(tail) < _TOGETHER:
                break
            parts = transaction.get_many([self._key(block[0]) for block in tail])
            words = [np.frombuffer(part, np.int64).reshape(_COLUMNS, -1) for part in parts]
            whole = np.concatenate(words, axis=1)
            for block in tail:
                self._drop(block, transaction)
            self._put(whole[:, whole[2] >= bound], tail[0][3] + 1, transaction)

    def _put(self, words: np.ndarray, level: int, transaction) -> None:
        block = [self.next_number, words.shape[1], int(words[2].max()), level]
        self.next_number += 1
        transaction.put_many([(self._key(block[0]), words.tobytes())])
        self.blocks.append(block)

    def _drop(self, block: list[int], transaction) -> None:
        transaction.delete(self._key(block[0]))
        self.blocks.remove(block)

    def _key(self, number: int) -> bytes:
        return self.prefix + number.to_bytes(8, "big")


def id_words(events: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Ids as two words each, shapes (n,); null ones are whatever.

    >>> [word.tolist() for word in id_words(pl.Series([7, 8]))]
    [[0, 0], [7, 8]]
    """
    if events.dtype == pl.String:
        digests = b"".join(
            hashlib.blake2b(text.encode(), digest_size=16).digest()
            for text in events.fill_null("").to_list()
        )
        words = np.frombuffer(digests, np.int64).reshape(-1, 2)
        return np.ascontiguousarray(words[:, 0]), np.ascontiguousarray(words[:, 1])
    low = plain(events.cast(pl.Int64).fill_null(0), np.int64)
    return np.zeros(len(low), np.int64), low


def _empty_table(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return (*(np.zeros(size, np.int64) for _ in range(_COLUMNS)), np.zeros(size, bool))
