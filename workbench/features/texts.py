"""Texts as numbers: each different text of a store has a code, given in order of appearance.

Records hold codes; the texts lie beside them, in the same commit. Codes are never given twice.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

__all__ = ["TextCodes", "Texts"]

_LONGEST = 400  # bytes of a key
_REMEMBERED = 1_000_000


class TextCodes:
    """The writer's half: from texts to codes, within a transaction."""

    def __init__(self, count: int):
        self.count = count
        self._codes: dict[str, int] = {}

    def codes(self, column: pl.Series, transaction) -> np.ndarray:
        """A code for each text, shape (n,); 0 where it is null."""
        different = column.drop_nulls().unique(maintain_order=True).to_list()
        unknown = [text for text in different if text not in self._codes]
        if unknown:
            if len(self._codes) > _REMEMBERED:
                self._codes.clear()
                unknown = different
            self._learn(unknown, transaction)
        if column.null_count():
            return np.array([0 if t is None else self._codes[t] for t in column], np.int64)
        return np.array([self._codes[text] for text in column.to_list()], np.int64)

    def _learn(self, texts: list[str], transaction) -> None:
        stored = transaction.get_many([_key(text) for text in texts])
        pairs = []
        for text, code in zip(texts, stored, strict=True):
            if code is None:
                code = self.count.to_bytes(8, "big")
                pairs += [(_key(text), code), (b"w" + code, text.encode())]
                self.count += 1
            self._codes[text] = int.from_bytes(code, "big")
        transaction.put_many(pairs)


class Texts:
    """The reader's half: from codes to texts, remembered."""

    def __init__(self, read):
        self._read = read
        self._texts: dict[int, str | None] = {-1: None}

    def of(self, code: int) -> str | None:
        """One text; None for -1."""
        if code not in self._texts:
            self._fetch([code])
        return self._texts[code]

    def column(self, codes: np.ndarray) -> pl.Series:
        """Many texts, shape (n,); null for -1."""
        codes = codes.tolist()
        missing = {code for code in codes if code not in self._texts}
        if missing:
            self._fetch(sorted(missing))
        return pl.Series([self._texts[code] for code in codes], dtype=pl.String)

    def _fetch(self, codes: list[int]) -> None:
        if len(self._texts) > _REMEMBERED:
            self._texts = {-1: None}
        found = self._read([b"w" + code.to_bytes(8, "big") for code in codes])
        for code, content in zip(codes, found, strict=True):
            self._texts[code] = content.decode()


def _key(text: str) -> bytes:
    content = text.encode()
    if len(content) > _LONGEST:
        content = b"\xff" + hashlib.blake2b(content).digest()
    return b"c" + content
