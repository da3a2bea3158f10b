"""Who asks next: planned visits, checkouts to come and thieves' bursts, one open request a user.

The agenda is a matrix with one column per entry and the seven rows below. A day is planned at its
midnight; a wave takes the first entry of every user within the current span. An entry is dropped
when its turn comes and it no longer happens: an annoyed person stays away, a blocked thief stops.
"""

from __future__ import annotations

import numpy as np

from workbench.marketplace.catalogue import Catalogue
from workbench.marketplace.fraudsters import Fraudsters
from workbench.marketplace.people import DAY_US, People
from workbench.marketplace.spec import MarketplaceSpec

__all__ = [
    "HONEST",
    "ITEM",
    "NO_PAGE",
    "ORIGIN",
    "STEP",
    "TECHNIQUE",
    "TIME",
    "USER",
    "VISIT",
    "Agenda",
]

TIME, USER, VISIT, STEP, ITEM, TECHNIQUE, ORIGIN = range(7)
HONEST = -1  # TECHNIQUE of a person's own entry; thieves have an index into TECHNIQUES
NO_PAGE = -1  # ORIGIN of a checkout that no page led to; ITEM of a page


class Agenda:
    """Everything that is going to happen, as far as it is planned; times in microseconds."""

    def __init__(
        self, spec: MarketplaceSpec, people: People, catalogue: Catalogue, fraudsters: Fraudsters
    ):
        self.start = round(spec.start.timestamp()) * 1_000_000
        self.end = self.start + spec.days * DAY_US
        self.now = self.start
        self._spec, self._people, self._catalogue = spec, people, catalogue
        self._fraudsters = fraudsters
        self._later = self._window = np.empty((7, 0), np.int64)
        self._window_end = self.start
        self._never = self.start - 10_000 * DAY_US
        self._annoyed_at = np.full(spec.users, self._never)
        self._stopped: set[tuple[int, int]] = set()

    def next_wave(self, limit: int) -> np.ndarray | None:
        """At most one entry per user, shape (7, n), n > 0, by time; None at `limit`."""
        while True:
            if not self._window.shape[1]:
                self.now = self._window_end
                if self.now >= limit:
                    return None
                self._open_window()
                continue
            rows = self._window
            rows = rows[:, np.lexsort((rows[STEP], rows[VISIT], rows[TIME], rows[USER]))]
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

    def annoy(self, user: np.ndarray, time: np.ndarray) -> None:
        """Honest users who were blocked."""
        self._annoyed_at[user] = time

    def stop(self, user: np.ndarray, visit: np.ndarray) -> None:
        """Thieves who give up the rest of their burst."""
        self._stopped.update(zip(user.tolist(), visit.tolist(), strict=True))

    def _open_window(self) -> None:
        self._window_end = self.now + self._spec.wave_minutes * 60_000_000
        if (self.now - self.start) % DAY_US == 0:
            self.add(self._plan((self.now - self.start) // DAY_US))
        near = self._later[TIME] < self._window_end
        self._window = np.concatenate([self._window, self._later[:, near]], axis=1)
        self._later = self._later[:, ~near]

    def _plan(self, day: int) -> np.ndarray:
        visits, bursts = self._people.visits_of(self._spec, day), self._fraudsters.bursts_of(day)
        step = np.zeros_like(visits.user)
        no = np.full_like(visits.user, NO_PAGE)
        item = np.where(visits.direct, self._catalogue.direct(visits.user, visits.visit, step), no)
        honest = np.stack([visits.time, visits.user, visits.visit, step, item, no, no])
        no = np.full_like(bursts.user, NO_PAGE)
        thieves = [bursts.time, bursts.user, bursts.visit, bursts.step]
        thieves += [bursts.item, bursts.technique, no]
        return np.concatenate([honest, np.stack(thieves)], axis=1)

    def _happens(self, rows: np.ndarray) -> np.ndarray:
        happens = np.ones(rows.shape[1], bool)
        own_visit = (rows[TECHNIQUE] == HONEST) & (rows[ORIGIN] == NO_PAGE)
        hurt = np.flatnonzero(own_visit & (self._annoyed_at[rows[USER]] > self._never))
        user, visit, time = rows[USER, hurt], rows[VISIT, hurt], rows[TIME, hurt]
        happens[hurt] = self._people.comes(user, visit, time, self._annoyed_at[user])
        for thief in np.flatnonzero(rows[TECHNIQUE] != HONEST):
            key = int(rows[USER, thief]), int(rows[VISIT, thief])
            happens[thief] = key not in self._stopped
        return happens
