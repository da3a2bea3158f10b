"""Who asks next: visits, pages, checkouts to come, thieves' bursts; one open request a user.

The agenda is a matrix with one column per entry and the seven rows below. A day is planned at its
midnight; a wave takes the first entry of every user within the current span, which never crosses a
midnight nor the moment that is played to. An entry is dropped when its turn comes and it no longer
happens: a person in a bad mood stays away, a blocked thief stops, an item is sold out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.marketplace.fraudsters import AT_THE_TILL, Fraudsters
from workbench.marketplace.loyalty import Loyalty
from workbench.marketplace.luck import FIRST_BOT_SLOT, SLOTS, STEPS
from workbench.marketplace.people import CHECKOUT, DAY_US, People
from workbench.marketplace.spec import MarketplaceSpec
from workbench.marketplace.store import Store

__all__ = [
    "HONEST",
    "ITEM",
    "KIND",
    "NO_ITEM",
    "STEP",
    "TECHNIQUE",
    "TIME",
    "USER",
    "VISIT",
    "Agenda",
]

TIME, USER, VISIT, STEP, ITEM, TECHNIQUE, KIND = range(7)
HONEST = -1  # TECHNIQUE of a person's own entry; thieves have an index into TECHNIQUES
NO_ITEM = -1  # ITEM of a page
_VISITS_A_WAVE = 50_000  # at most, planned; larger worlds have shorter waves, for memory's sake


class Agenda:
    """Everything that is going to happen, as far as it is planned; times in microseconds.

    `part` is (k, n): only the users k, k + n, k + 2n, … are planned. `on_midnight` is called with
    each day's number before that day is planned.
    """

    def __init__(
        self, spec: MarketplaceSpec, people: People, store: Store, loyalty: Loyalty,
        fraudsters: Fraudsters, *, part: tuple[int, int], on_midnight: Callable[[int], None],
    ):  # fmt: skip
        self.start = round(spec.start.timestamp()) * 1_000_000
        self.end = self.start + spec.days * DAY_US
        self.now = self.start
        self._spec, self._people, self._store, self._loyalty = spec, people, store, loyalty
        self._fraudsters, self._part, self._on_midnight = fraudsters, part, on_midnight
        self._later = self._window = np.empty((7, 0), np.int64)
        self._window_end = self.start
        self._stopped: set[tuple[int, int]] = set()
        visits_a_minute = spec.users / part[1] * spec.visits_per_day / 1440
        self._span = 60_000_000 * max(
            (each for each in range(1, spec.wave_minutes + 1)
             if 1440 % each == 0 and each * visits_a_minute <= _VISITS_A_WAVE),
            default=1,
        )  # fmt: skip

    def next_wave(self, limit: int) -> np.ndarray | None:
        """At most one entry per user, shape (7, n), n > 0, by time; None at `limit`."""
        while True:
            if not self._window.shape[1]:
                self.now = self._window_end
                if self.now >= limit:
                    return None
                self._open_window(limit)
                continue
            rows = self._window
            about = rows[VISIT] * STEPS + rows[STEP]
            rows = rows[:, np.lexsort((about, rows[TIME], rows[USER]))]
            first = np.append(True, rows[USER, 1:] != rows[USER, :-1])
            self._window, rows = rows[:, ~first], rows[:, first]
            rows = rows[:, self._happens(rows)]
            if rows.shape[1]:
                return rows[:, np.lexsort((rows[USER], rows[TIME]))]

    def add(self, entries: np.ndarray) -> None:
        """Entries that a reaction led to, shape (7, n); those beyond the last day never come."""
        near = entries[TIME] < self._window_end
        self._window = np.concatenate([self._window, entries[:, near]], axis=1)
        later = entries[:, ~near & (entries[TIME] < self.end)]
        self._later = np.concatenate([self._later, later], axis=1)

    def stop(self, user: np.ndarray, visit: np.ndarray) -> None:
        """Thieves who give up the rest of their burst."""
        self._stopped.update(zip(user.tolist(), visit.tolist(), strict=True))

    def _open_window(self, limit: int) -> None:
        midnight = self.now + DAY_US - (self.now - self.start) % DAY_US
        self._window_end = min(self.now + self._span, midnight, limit)
        if (self.now - self.start) % DAY_US == 0:
            day = (self.now - self.start) // DAY_US
            self._on_midnight(day)
            self.add(self._plan(day))
        near = self._later[TIME] < self._window_end
        self._window = np.concatenate([self._window, self._later[:, near]], axis=1)
        self._later = self._later[:, ~near]

    def _plan(self, day: int) -> np.ndarray:
        visits = self._people.visits_of(self._spec, day, self._part)
        step = np.zeros_like(visits.user)
        item = np.full_like(step, NO_ITEM)
        direct = visits.kind == CHECKOUT
        catalogue = self._fraudsters.behaviour.catalogue
        item[direct] = catalogue.direct(visits.user[direct], visits.visit[direct], step[direct])
        honest = np.full_like(step, HONEST)
        people = [visits.time, visits.user, visits.visit, step, item, honest, visits.kind]
        bursts = self._fraudsters.bursts_of(day)
        checkout = np.full_like(bursts.user, CHECKOUT)
        thieves = [bursts.time, bursts.user, bursts.visit, bursts.step]
        thieves = np.stack([*thieves, bursts.item, bursts.technique, checkout])
        mine = thieves[USER] % self._part[1] == self._part[0]
        return np.concatenate([np.stack(people), thieves[:, mine]], axis=1)

    def _happens(self, rows: np.ndarray) -> np.ndarray:
        happens = np.ones(rows.shape[1], bool)
        honest = rows[TECHNIQUE] == HONEST
        person = honest & (rows[VISIT] % SLOTS < FIRST_BOT_SLOT)
        begins = np.flatnonzero(person & (rows[STEP] == 0))  # a visit, not what follows in it
        happens[begins] = self._loyalty.comes(*rows[[USER, VISIT, TIME]][:, begins])
        for thief in np.flatnonzero(~honest):
            key = int(rows[USER, thief]), int(rows[VISIT, thief])
            happens[thief] = key not in self._stopped
        empty = (rows[KIND] == CHECKOUT) & (self._store.stock[rows[ITEM]] <= 0)
        empty &= rows[TECHNIQUE] != AT_THE_TILL  # who charges at a seller's till takes nothing away
        missed = happens & empty & honest
        self._loyalty.sold_out(rows[USER, missed], rows[TIME, missed])
        return happens & ~empty
