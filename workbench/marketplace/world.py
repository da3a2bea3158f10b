"""The marketplace: people ask, a policy decides, the world reacts, and events come out when due.

    requests = world.next_requests()        {"home": columns, "search": …, "checkout": …}
    world.react({surface: policies[surface].act(rows) for surface, rows in requests.items()})
    log.append(**world.events())            what has become known since

A *wave* holds the next request of every user who has one within the current `wave_minutes`, so a
user never has two open and sees the outcome of the first before asking again. One span of time
takes several waves: pages, then the checkouts they led to, then what followed from those.

    home, search   a page ─► slate ─► impressions ─► clicks ─► another page, a checkout
    checkout       approve ─► payment, purchase (─► rating in days, chargeback weeks later)
                   block   ─► nothing: whether it was fraud is never known (censored); an honest
                              person comes back less often for a while

Everything is keyed by what it is about (`luck`), nothing by the order of drawing: the same policy
gives the same events in other waves and on other workers, and two policies meet the same people
with the same luck. What people share (stock, bestsellers) is settled at midnight, see `store`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from workbench.marketplace.agenda import KIND, Agenda
from workbench.marketplace.behaviour import behaviour_of
from workbench.marketplace.catalogue import catalogue_of
from workbench.marketplace.checkout import Checkout
from workbench.marketplace.fraudsters import Fraudsters
from workbench.marketplace.ledger import Ledger, Words
from workbench.marketplace.loyalty import Loyalty
from workbench.marketplace.luck import SLOTS, Ids, Luck
from workbench.marketplace.opinions import Opinions
from workbench.marketplace.pages import SURFACES, Pages
from workbench.marketplace.people import DAY_US, HOME, PLACES, SEARCH, people_of
from workbench.marketplace.spec import SEGMENTS, MarketplaceSpec
from workbench.marketplace.store import Store
from workbench.marketplace.telling import tell, with_bar
from workbench.marketplace.truth import Truth
from workbench.policy import Columns, Policy

__all__ = ["Marketplace"]

Frames = dict[str, pl.DataFrame]
Pipe = Callable[[Frames, datetime], Frames]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Marketplace:
    """A shop whose truth is known; the module's first lines say how to drive it.

    Parameters
    ----------
    spec : MarketplaceSpec
        Two equal specs are the same world.
    log : EventLog, optional
        Where `run` appends.
    part : (int, int), default (0, 1)
        (k, n): play only the users k, k + n, k + 2n, …; see `parts`.

    Attributes
    ----------
    truth : Truth
        The only door to what nobody in the shop can know.

    Examples
    --------
    >>> world = Marketplace(MarketplaceSpec(users=1_000, days=2))
    >>> requests = world.next_requests()
    >>> {surface: len(set(rows["request"].tolist())) for surface, rows in requests.items()}
    {'home': 160, 'search': 64, 'checkout': 131}
    """

    def __init__(
        self, spec: MarketplaceSpec | None = None, log=None, *, part: tuple[int, int] = (0, 1)
    ):
        self.spec, self.log, self._part = spec or MarketplaceSpec(), log, part
        spec, luck, ids = self.spec, Luck(self.spec.seed), Ids(self.spec.seed, "request")
        self.people = people_of(spec, luck)
        self.catalogue = catalogue_of(spec, luck, self.people.shocks)
        self.behaviour = behaviour_of(spec, self.people, self.catalogue)
        fraudsters, self._ledger = Fraudsters(spec, self.behaviour), Ledger()
        self.store = Store(spec, self.catalogue, fraudsters.honest_per_day)
        self.loyalty = Loyalty(luck, spec.users)
        self.opinions = Opinions(self.behaviour, self._ledger, rating_share=spec.rating_share)
        self.truth = Truth(self, fraudsters)
        self._agenda = Agenda(
            spec, self.people, self.store, self.loyalty, fraudsters,
            part=part, on_midnight=self._midnight,
        )  # fmt: skip
        shared = self.store, self.loyalty
        written = ids, self._ledger, self._agenda.start
        self._surfaces = {
            SURFACES[kind]: Pages(kind, self.behaviour, *shared, *written)
            for kind in (HOME, SEARCH)
        }
        self._surfaces["checkout"] = Checkout(fraudsters, *shared, self.opinions, *written)
        self._open: dict[str, Columns] = {}
        self._write_profiles()

    def __repr__(self):
        spec, day = self.spec, (self._agenda.now - self._agenda.start) / DAY_US
        of_many = f", part {self._part[0]} of {self._part[1]}" if self._part[1] > 1 else ""
        return (
            f"Marketplace at day {day:.3g} of {spec.days}: {spec.users:,} users, "
            f"{spec.items:,} items, seed {spec.seed}{of_many}"
        )

    @property
    def now(self) -> datetime:
        """The time up to which the world has been played, UTC."""
        return _EPOCH + self._agenda.now * _MICROSECOND

    def clock(self) -> datetime:
        """The same as `now`, to call: `EventLog(path, clock=world.clock)`."""
        return self.now

    def next_requests(self, until: float | datetime | None = None) -> dict[str, Columns] | None:
        """The next wave, or None when the world has reached `until` or its last day.

        Parameters
        ----------
        until : float or datetime, optional
            Days from the start, or a moment.

        Returns
        -------
        dict of surface to columns, or None
            `home` and `search` have one row per (request, candidate): request user session item
            time price category seller brand stock bestseller sponsored, and in a search query.
            `checkout` has one row per request: request user session item time price category
            seller brand amount device place. A surface without requests is left out.

        Raises
        ------
        ValueError
            If the last wave is still unanswered.

        Notes
        -----
        Within one user, waves follow time exactly; between users only to within `wave_minutes`. A
        policy that keeps its own memory across users may see that far ahead.
        """
        if self._open:
            raise ValueError("a wave is still open: call react(decisions) before the next one")
        rows = self._agenda.next_wave(self._moment(until))
        if rows is None:
            return None
        entries = {name: rows[:, rows[KIND] == kind] for kind, name in SURFACES.items()}
        self._open = {
            name: self._surfaces[name].ask(each) for name, each in entries.items() if each.size
        }
        return dict(self._open)

    def react(self, decisions: dict[str, Columns]) -> None:
        """Let the people of the open wave act on the decisions.

        Only rows with `live` reach them (all rows if there is no such column); every row is logged.

        Raises
        ------
        ValueError
            If no wave is open; if a decision is for no open request, or a request is left without
            a live one; if a slate shows what was no candidate, or a thing or place twice; if a
            checkout is answered by anything but one approve or block.
        """
        if not self._open:
            raise ValueError("no wave is open: call next_requests() before react(decisions)")
        if set(decisions) != set(self._open):
            raise ValueError(
                f"decisions must be for the open surfaces {[*self._open]}, got {[*decisions]}"
            )
        matched = {name: self._surfaces[name].match(rows) for name, rows in decisions.items()}
        if "checkout" in decisions:
            self._surfaces["checkout"].react(
                decisions["checkout"], matched["checkout"], self._agenda
            )
        for name in ("home", "search"):
            if name in decisions:
                self._agenda.add(self._surfaces[name].react(decisions[name], matched[name]))
        self._open = {}

    def events(self) -> dict[str, pl.DataFrame]:
        """What has become known before `now` since the last call: one frame per kind, by time."""
        events = self._ledger.due(self._agenda.now)
        if "rating" in events:
            events["rating"] = self.opinions.written(events["rating"])
        if "listing" in events:
            texts = self.catalogue.texts(events["listing"]["item"].to_numpy())
            events["listing"] = events["listing"].with_columns(
                pl.Series(name, text.tolist(), pl.String) for name, text in texts.items()
            )
        return events

    def run(
        self, policies: dict[str, Policy], *, until: float | datetime | None = None, log=None,
        commit_minutes: int = 1440, pipe: Pipe | None = None, progress: bool = False,
    ) -> None:  # fmt: skip
        """Play waves with these policies, and append what becomes known to the log.

        It can be called again, with other policies, to go on from there.

        Parameters
        ----------
        policies : dict of surface to Policy
            One for `home`, one for `search` and one for `checkout`.
        until : float or datetime, optional
            Days from the start, or a moment; the end of the last day if not given.
        log : EventLog, optional
            By default the one given to the constructor; without any, events are thrown away. Its
            `complete_until` follows the world, and its clock too if that can be set.
        commit_minutes : int, default 1440
            One commit for so much simulated time.
        pipe : callable, optional
            What the events go through on their way to the log, `pipe(events, now) -> events`: a
            broken one loses, doubles or changes some (`workbench.data.faults`).
        progress : bool
            Show a bar, a step per commit.

        Raises
        ------
        ValueError
            If a surface has no policy, or as `react`.
        """
        log = self.log if log is None else log
        for stop in with_bar(self._stops(until, commit_minutes), progress):
            self.play(policies, until=stop)
            events = self.events()
            tell(log, events if pipe is None else pipe(events, self.now), self.now)

    def play(self, policies: dict[str, Policy], *, until: float | datetime | None = None) -> None:
        """Play waves with these policies and tell nobody; `events` has what has become known.

        Raises
        ------
        ValueError
            If a surface has no policy, or as `react`.
        """
        missing = set(self._surfaces) - set(policies)
        if missing:
            raise ValueError(f"policies must answer every surface, missing: {sorted(missing)}")
        while (requests := self.next_requests(until=until)) is not None:
            self.react({name: policies[name].act(rows) for name, rows in requests.items()})

    def _stops(self, until, commit_minutes: int) -> list[datetime]:
        if commit_minutes < 1:
            raise ValueError(f"commit_minutes must be at least 1, got {commit_minutes}")
        now, limit, step = self._agenda.now, self._moment(until), commit_minutes * 60_000_000
        stops = [*range(now - (now - self._agenda.start) % step + step, limit, step), limit]
        return [_EPOCH + stop * _MICROSECOND for stop in stops if stop > now]

    def _moment(self, until: float | datetime | None) -> int:
        """Microseconds since 1970, at most the end of the world."""
        start, end = self._agenda.start, self._agenda.end
        if until is None:
            return end
        if isinstance(until, datetime):
            if until.utcoffset() is None:
                raise ValueError(f"until must carry a time zone, got {until!r}")
            return min((until - _EPOCH) // _MICROSECOND, end)
        if not until >= 0:
            raise ValueError(f"until must be days from the start, at least 0, got {until}")
        return round(min(start + until * DAY_US, end))

    def _midnight(self, day: int) -> None:
        """Settle what all people share, and write what the shop then lists otherwise."""
        changed = self.store.open_day(day)
        if day == 0:
            changed = np.flatnonzero(self.catalogue.launch_day == 0)
        midnight = self._agenda.start + day * DAY_US
        users = np.arange(self._part[0], self.spec.users, self._part[1])
        self.opinions.settle()
        self.opinions.of_spammers(users, day, midnight)
        if self._part[0] == 0:
            self._ledger.write(
                "listing", event=changed + day * self.spec.items, item=changed,
                time=np.full_like(changed, midnight), seller=self.catalogue.seller[changed],
                category=self.catalogue.category[changed], amount=self.store.price[changed],
                stock=np.maximum(self.store.stock[changed], 0),
                sponsored=self.catalogue.sponsored[changed],
            )  # fmt: skip

    def _write_profiles(self) -> None:
        """What the shop knows of its people: their addresses, from the day they first come."""
        users = np.arange(self._part[0], self.spec.users, self._part[1])
        first = self.people.first_day[users]
        self._ledger.write(
            "profile", event=users, time=self._agenda.start + first * DAY_US, user=users,
            place=Words(self.people.home[users], PLACES),
            segment=Words(self.people.segment[users], np.array(SEGMENTS)),
            device=self.people.main_device(users, first * SLOTS),
        )  # fmt: skip
