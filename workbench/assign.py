"""Fixed random numbers: the same unit and salt give the same number on every machine, for ever.

A generator deals numbers in the order of the questions, so a shuffled table or another batch size
changes every answer. Here the number is a function of *what it is about*: a salt that names the
purpose, and the ids. Nothing is stored and no order matters.

    ("home page test", user 17) ──► 64-bit hash ──► number in [0, 1) ──► arm

Published values, which never change. Integers of any width count by value, text by its UTF-8
bytes:

    ======  ==================  =====================
    salt    ids                 uniform
    ======  ==================  =====================
    ""      0                   0.28856539582605223
    ""      1                   0.13551123212496208
    "a"     1                   0.9764835171635416
    "a"     -1                  0.46778209750217536
    "a"     2**63 - 1           0.7654612466882214
    "a"     "1"                 0.5328905058901504
    "a"     ""                  0.46497972075741956
    "a"     "Zürich"            0.9557779927425865
    "a"     1, 2                0.1826693119738534
    "a"     2, 1                0.7593060066233571
    "a"     1, "x"              0.3703302531781626
    ======  ==================  =====================

And of arms: `assign(unit, shares, salt=…)`, where A is {"old": 0.5, "new": 0.5}, B is
{"old": 0.9, "new": 0.1}, C is {"old": 0.99, "new": 0.01}, D is {"a": 0.2, "b": 0.3, "c": 0.5}:

    ==================  ============  =====  =====  =====  =====
    salt                unit          A      B      C      D
    ==================  ============  =====  =====  =====  =====
    "home page test"    0             old    old    old    b
    "home page test"    1             new    old    old    c
    "home page test"    6             new    new    old    c
    "home page test"    62            new    new    new    c
    "home page test"    -1            old    old    old    a
    "home page test"    2**63 - 1     new    new    new    b
    "home page test"    "1"           new    old    old    a
    "home page test"    "Zürich"      new    new    old    b
    ""                  1             old    old    old    c
    "ramp"              "bob"         new    new    new    c
    ==================  ============  =====  =====  =====  =====
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["assign", "check_shares", "fingerprint", "uniform"]


_GOLDEN, _FIRST, _SECOND = np.array(  # of SplitMix64
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64
)
_WORDS = (np.dtype(np.int64), np.dtype(np.uint64))
_11, _27, _30, _31 = np.array([11, 27, 30, 31], np.uint64)


def uniform(salt: str, *columns: ArrayLike) -> np.ndarray:
    """A number in [0, 1) for each row, uniform over rows and fixed for ever.

    Parameters
    ----------
    salt : str
        What the number is for. Another salt gives numbers that have nothing to do with these.
    *columns : array-like, shape (n,)
        One or more columns of ids: integers, text or bytes. They broadcast against each other,
        so `(n, 1)` requests with `(n, m)` items give `(n, m)`. A single id counts as one row.

    Returns
    -------
    ndarray of float64, shape (n,)
        A multiple of 2**-53, so every value is exact.

    Raises
    ------
    ValueError
        If there is no column, or an id is missing, a float, a boolean or wider than 64 bits.

    Notes
    -----
    The salt and every text are hashed by BLAKE2b to 8 bytes; each id is mixed into the state by the
    finaliser of SplitMix64 [1]_, a bijection, so two integer ids never share a hash under one salt.
    The top 53 bits are kept, without modulo. It is no secret: use a keyed hash against attackers.

    References
    ----------
    .. [1] G. Steele, D. Lea, C. Flood (2014), "Fast splittable pseudorandom number generators",
       OOPSLA, figure 16.

    Examples
    --------
    >>> uniform("home page test", [17, 18, 17]).round(3)
    array([0.894, 0.788, 0.894])
    """
    return (fingerprint(salt, *columns) >> _11) * 2.0**-53


def fingerprint(salt: str, *columns: ArrayLike) -> np.ndarray:
    """The 64 bits behind `uniform`, as uint64: an id made of ids.

    >>> fingerprint("decision", [7, 8], 1).tolist()
    [639110174581224028, 6226905896471965782]
    """
    if not columns:
        raise ValueError("at least one column of ids must follow the salt, got none")
    state = np.array([_digest_of_salt(salt)], np.uint64)
    for column in columns:
        state = _mix(state ^ _words(column))
    return state


def assign(units: ArrayLike, shares: Mapping[str, float], *, salt: str) -> np.ndarray:
    """Give each unit one arm, always the same one.

    The arms race: an arm's time is exponential with its share as the rate, so each wins with a
    probability of exactly its share. The order in which `shares` names the arms does not matter.
    When shares change, units move only into arms that grew in proportion: a ramp from 1 % to 10 %
    keeps the first 1 % where they are, with any number of arms.

    Parameters
    ----------
    units : array-like, shape (n,)
        Ids of what is split: users mostly. Equal ids get equal arms.
    shares : mapping of arm name to share
        Shares in [0, 1] that sum to 1.
    salt : str
        Name of the experiment. A new salt deals the units anew.

    Returns
    -------
    ndarray of str, shape (n,)

    Raises
    ------
    ValueError
        If a share is outside [0, 1] or they do not sum to 1, or an id is not one (see `uniform`).

    Notes
    -----
    Weighted rendezvous hashing [1]_. The bits are exact; the logarithm may differ in its last bit
    between machines, which could move one unit in 10**15.

    References
    ----------
    .. [1] D. Thaler, C. Ravishankar (1998), "Using name-based mappings to increase hit rates",
       IEEE/ACM Transactions on Networking 6, 1-14.

    Examples
    --------
    >>> assign([1, 2, 3, 4, 5], {"old": 0.5, "new": 0.5}, salt="home page test").tolist()
    ['new', 'new', 'old', 'old', 'old']
    """
    names, words, rates = _arms(tuple(shares.items()))
    state = fingerprint(salt, np.atleast_1d(units))
    bits = _mix(state[:, None] ^ words) >> _11  # those of uniform(salt, units[:, None], names)
    times = np.log1p(bits * -(2.0**-53)) * rates
    return names[times.argmin(axis=1)]


def check_shares(shares: Mapping[str, float]) -> None:
    """Raise ValueError unless the shares are in [0, 1] and sum to 1.

    >>> check_shares({"old": 0.9, "new": 0.2})
    Traceback (most recent call last):
    ValueError: shares must be in [0, 1] and sum to 1, got {'old': 0.9, 'new': 0.2}
    """
    values = list(shares.values())
    if not all(0 <= share <= 1 for share in values) or abs(sum(values) - 1) > 1e-9:
        raise ValueError(f"shares must be in [0, 1] and sum to 1, got {dict(shares)}")


@lru_cache(maxsize=256)
def _arms(shares: tuple[tuple[str, float], ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names of the arms that have a share, their hashes, and -1/share."""
    check_shares(dict(shares))
    names = [name for name, share in shares if share > 0]
    rates = [-1 / share for _, share in shares if share > 0]
    return np.array(names), _words(names), np.array(rates)


def _mix(words: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64, in place on a fresh array of uint64."""
    words += _GOLDEN
    words ^= words >> _30
    words *= _FIRST
    words ^= words >> _27
    words *= _SECOND
    words ^= words >> _31
    return words


def _words(column: ArrayLike) -> np.ndarray:
    """One 64-bit word per id: an integer's value, a text's BLAKE2b."""
    if type(column) is np.ndarray and column.dtype in _WORDS and column.ndim:
        return column.view(np.uint64)
    ids = np.atleast_1d(column)
    if ids.dtype.kind in "iu":
        wide = np.int64 if ids.dtype.kind == "i" else np.uint64
        return ids.astype(wide, copy=False).view(np.uint64)
    if ids.dtype.kind not in "USTO":
        raise ValueError(f"ids must be integers or text, got {ids.dtype} ({_first(ids)})")
    values = ids.ravel().tolist()
    if ids.dtype.kind == "O" and set(map(type, values)) != {str}:
        words = [_word(value) for value in values]
    else:  # each distinct text is hashed once: ids repeat within a batch
        known = {value: _digest(value) for value in set(values)}
        words = [known[value] for value in values]
    return np.array(words, np.uint64).reshape(ids.shape)


def _word(value) -> int:
    if isinstance(value, (str, bytes)):
        return _digest(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        if not -(2**63) <= value < 2**64:
            raise ValueError(f"integer ids must fit into 64 bits, got {value}")
        return int(value) % 2**64
    raise ValueError(f"ids must be integers or text, none missing, got {value!r}")


def _digest(text: str | bytes) -> int:
    content = text if isinstance(text, bytes) else text.encode()
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


_digest_of_salt = lru_cache(maxsize=1024)(_digest)  # the same few, again and again


def _first(ids: np.ndarray) -> str:
    return f"the first is {ids.flat[0]!r}" if ids.size else "empty"
