"""Luck that belongs to people, not to the order of drawing; and ids that hide what they hold.

Every chance in the marketplace is a number in [0, 1) named by what it is about: a purpose, a user,
a visit and where needed an item. The same click has the same luck under another policy, in another
wave or on another worker: two policies meet the same people with the same luck.

A request id packs (user, day, slot of the day, step) into 53 bits and scrambles them by a bijection
keyed with the seed: no two are equal, they survive JSON and float64, the truth can read them back
without keeping a list, and nobody else can tell a thief's request by its number.

    user 24 bits | day 11 | slot 6 | step 12   ──►  xor-shift and odd multiplications mod 2**53

A visit has up to four pages; page `turn` is step `turn * 1024`, and the checkout of the candidate
in place c of that page (from 0) is step `turn * 1024 + c + 1`.

Sources: G. Steele, D. Lea, C. Flood (2014), "Fast splittable pseudorandom number generators",
OOPSLA (counter-based luck, in `workbench.assign`); G. Box, M. Muller (1958), "A note on the
generation of random normal deviates", Annals of Mathematical Statistics 29, 610-611.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.assign import fingerprint, uniform

__all__ = [
    "FIRST_BOT_SLOT",
    "FIRST_THIEF_SLOT",
    "SLOTS",
    "STEPS",
    "TURNS",
    "TURN_STEPS",
    "Ids",
    "Luck",
]

SLOTS = 64  # visits of one user on one day
FIRST_THIEF_SLOT = 32  # slots below are the person's own visits
FIRST_BOT_SLOT = 56  # from here on a program uses the account
TURNS, TURN_STEPS = 4, 1024  # pages of one visit, steps of one page
STEPS = TURNS * TURN_STEPS
_MASK = np.uint64(2**53 - 1)
_11 = np.uint64(11)
_SHIFT = np.uint64(27)  # at least half of 53, so that one xor-shift undoes itself
_ODD = 0x1B873593CC9E2D51 & (2**53 - 1) | 1
_ODD_INVERSE = pow(_ODD, -1, 2**53)


@dataclass(frozen=True)
class Luck:
    """The chances of one world.

    >>> luck = Luck(seed=0)
    >>> luck.uniform("click", [17, 18], [3, 3]).round(3).tolist()
    [0.557, 0.369]
    """

    seed: int

    def key(self, *about: np.ndarray) -> np.ndarray:
        """What ids come to, as uint64: many purposes may then be asked about the same.

        >>> luck, ids = Luck(seed=0), np.array([17, 18])
        >>> bool((luck.uniform("click", luck.key(ids)) == luck.uniform("click", ids)).all())
        True
        """
        return fingerprint(f"marketplace/{self.seed}", *about)

    def uniform(self, purpose: str, *about: np.ndarray) -> np.ndarray:
        """Numbers in [0, 1), shape of the broadcast ids they are about; or about a `key`."""
        known = len(about) == 1 and getattr(about[0], "dtype", None) == np.uint64
        key = about[0] if known else self.key(*about)
        return (fingerprint(purpose, key) >> _11) * 2.0**-53

    def normal(self, purpose: str, *about: np.ndarray) -> np.ndarray:
        """Standard normal numbers (Box & Muller 1958)."""
        key = self.key(*about) if len(about) > 1 else about[0]
        radius = np.sqrt(-2 * np.log1p(-self.uniform(purpose, key)))
        return radius * np.cos(2 * np.pi * self.uniform(purpose + "/angle", key))

    def exponential(self, purpose: str, *about: np.ndarray) -> np.ndarray:
        """Exponential numbers of mean 1."""
        return -np.log1p(-self.uniform(purpose, *about))

    def poisson(self, mean: np.ndarray, purpose: str, *about: np.ndarray, most: int) -> np.ndarray:
        """Poisson counts cut at `most`, by inversion, shape of the broadcast ids."""
        chance = self.uniform(purpose, *about)
        mean = np.broadcast_to(mean, chance.shape)
        term = np.exp(-mean)
        below, counts = term.copy(), np.zeros(chance.shape, np.int64)
        for count in range(1, most + 1):
            more = chance >= below
            if not more.any():
                break
            counts += more
            term = term * mean / count
            below += term
        return counts


@dataclass(frozen=True)
class Ids:
    """One family of 53-bit ids: a bijection of (user, visit, step), keyed by seed and purpose.

    A `visit` is `day * SLOTS + slot`.

    >>> requests = Ids(seed=0, purpose="request")
    >>> numbers = requests.of([7, 7], [130, 130], [0, 1])
    >>> [part.tolist() for part in requests.parts(numbers)]
    [[7, 7], [130, 130], [0, 1]]
    """

    seed: int
    purpose: str

    def of(self, user, visit, step) -> np.ndarray:
        """Int64 ids in [0, 2**53), shape (n,)."""
        user, visit, step = (np.atleast_1d(part).astype(np.int64) for part in (user, visit, step))
        packed = ((user << 29) | (visit << 12) | step).view(np.uint64)
        for key in self._keys:
            packed = ((packed ^ key) * np.uint64(_ODD)) & _MASK
            packed = packed ^ (packed >> _SHIFT)
        return packed.view(np.int64)

    def parts(self, ids) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """User, visit and step of each id: the inverse of `of`."""
        packed = np.atleast_1d(ids).astype(np.int64).view(np.uint64)
        for key in reversed(self._keys):
            packed = packed ^ (packed >> _SHIFT)
            packed = ((packed * np.uint64(_ODD_INVERSE)) & _MASK) ^ key
        packed = packed.view(np.int64)
        return packed >> 29, (packed >> 12) & (2**17 - 1), packed & (STEPS - 1)

    @cached_property
    def _keys(self) -> list[np.uint64]:
        rounds = uniform(f"marketplace/{self.seed}/{self.purpose}", np.arange(3))
        return [np.uint64(share * 2**53) for share in rounds]
