"""A recorded log, played back as a world: the same methods as the marketplace, but no truth.

    requests = world.next_requests()        {"checkout": columns}, in the order of time
    world.react({surface: policies[surface].act(rows) for surface, rows in requests.items()})
    log.append(**world.events())            what was recorded and has become known since

**It cannot answer "what if".** What is recorded comes out when it was known, whatever is decided:
history does not listen. The outcome of a decision is known only where the people of the record got
the same. Every decision is logged with `answered`: true if they did; false if they got something
else, and then it is not `live` either, so that `outcomes` calls it censored instead of taking
"nothing recorded" for "no"; null if nobody recorded what they got.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from workbench.data import public
from workbench.data.answers import decision_events, judged
from workbench.data.recorded import surfaces_of
from workbench.data.waves import in_waves, request_events
from workbench.policy import Columns, Policy

__all__ = ["Replay"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 86_400_000_000


class Replay:
    """A world made of recorded events.

    Parameters
    ----------
    events : str or mapping of kind to DataFrame
        The name of a public set, or events in the vocabulary with `time` and `known_at`. They must
        say what was asked: `payment`, `purchase`, or `request` with `decision`; see
        `workbench.data.recorded`.
    log : EventLog, optional
        Where `run` appends.
    wave_minutes : int, default 240
        A wave holds at most one request per user from within one such span; divides a day.
    candidates : callable, optional
        For visits, whose candidates nobody recorded: columns with `request user time`, one row per
        visit, to columns with `request` and `item`, one row per candidate. Without it a policy for
        `home` gets the visits and must bring items itself.

    Raises
    ------
    ValueError
        If the events do not say what was asked, or `wave_minutes` does not divide a day.

    Examples
    --------
    >>> from workbench.policy import Threshold
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> payment = pl.DataFrame({"event": [7, 8], "request": [7, 8], "time": noon, "known_at": noon,
    ...                         "user": [1, 2], "amount": [9.5, 900.0]})
    >>> world = Replay({"payment": payment})
    >>> world.run({"checkout": Threshold("amount", 500.0)})
    >>> world.coverage().rows()
    [('checkout', 2, 1)]
    """

    def __init__(
        self,
        events: str | Mapping[str, pl.DataFrame],
        log=None,
        *,
        wave_minutes: int = 240,
        candidates: Callable[[Columns], Columns] | None = None,
    ):
        if type(wave_minutes) is not int or wave_minutes < 1 or 1440 % wave_minutes:
            raise ValueError(f"wave_minutes must divide a day of 1440, got {wave_minutes}")
        self.log = log
        self.contracts = public.contracts(events) if isinstance(events, str) else ()
        events = public.events(events) if isinstance(events, str) else dict(events)
        self._surfaces = {each.name: each for each in surfaces_of(events, candidates)}
        if "request" not in events:
            events["request"] = request_events(self._surfaces.values())
        self._recorded = {
            kind: frame.sort("known_at", maintain_order=True)
            for kind, frame in events.items()
            if frame.height
        }
        self._told = dict.fromkeys(self._recorded, 0)
        known = [_us(frame["known_at"]) for frame in self._recorded.values()]
        self._start = min(int(each[0]) for each in known) // _DAY_US * _DAY_US
        self._end = (max(int(each[-1]) for each in known) // _DAY_US + 1) * _DAY_US
        self._now, self._span = self._start, wave_minutes * 60_000_000
        self._asked, self._waves = in_waves(self._surfaces, self._start, self._span)
        self._next, self._open = 0, {}
        self._decided: dict[tuple, list[Columns]] = defaultdict(list)
        self._counts, self._hits = (
            dict.fromkeys(self._surfaces, 0),
            dict.fromkeys(self._surfaces, 0),
        )

    @property
    def surfaces(self) -> list[str]:
        """Where the recorded people asked; `run` needs a policy for each."""
        return [*self._surfaces]

    @property
    def now(self) -> datetime:
        """The time up to which the record has been played, UTC."""
        return _EPOCH + self._now * _MICROSECOND

    @property
    def start(self) -> datetime:
        """The midnight before the first event, UTC."""
        return _EPOCH + self._start * _MICROSECOND

    @property
    def end(self) -> datetime:
        """The midnight after the last event became known."""
        return _EPOCH + self._end * _MICROSECOND

    def clock(self) -> datetime:
        """The same as `now`, to call: `EventLog(path, clock=world.clock)`."""
        return self.now

    def next_requests(self, until: float | datetime | None = None) -> dict[str, Columns] | None:
        """The next wave, or None when the record has been played up to `until` or its end.

        Parameters
        ----------
        until : float or datetime, optional
            Days from the first midnight, or a moment; rounded up to the end of a wave.

        Returns
        -------
        dict of surface to columns, or None
            One row per request, or per (request, candidate) where there are candidates: `request`,
            `time`, `user` if recorded, and what else was known. A surface without requests is left
            out.

        Raises
        ------
        ValueError
            If the last wave is still unanswered.
        """
        if self._open:
            raise ValueError("a wave is still open: call react(decisions) before the next one")
        limit = self._moment(until)
        limit += -(limit - self._start) % self._span
        if self._next == len(self._waves) or self._waves[self._next][0] >= limit:
            self._now = max(self._now, limit)
            return None
        self._now, rows = self._waves[self._next]
        self._next += 1
        for name, each in rows.items():
            asked = {key: values[each] for key, values in self._asked[name].items()}
            offer = self._surfaces[name].offer
            self._open[name] = asked, (asked if offer is None else offer(asked))
        return {name: offered for name, (_, offered) in self._open.items()}

    def react(self, decisions: Mapping[str, Columns]) -> None:
        """Take the decisions on the open wave: they are logged, and change nothing.

        Raises
        ------
        ValueError
            If no wave is open; if a decision is for no open request, or a request is left without
            a live one.
        """
        if not self._open:
            raise ValueError("no wave is open: call next_requests() before react(decisions)")
        if set(decisions) != set(self._open):
            raise ValueError(
                f"decisions must be for the open surfaces {[*self._open]}, got {[*decisions]}"
            )
        kept = {
            name: judged(self._surfaces[name], answers, self._open[name][0])
            for name, answers in decisions.items()
        }
        for name, columns in kept.items():
            self._decided[name, tuple(columns)].append(columns)
            live = np.asarray(decisions[name].get("live", True))
            self._counts[name] += live.sum() if live.ndim else len(columns["request"])
            if "answered" in columns:
                self._hits[name] += (columns["answered"] & live).sum()
        self._open = {}

    def events(self) -> dict[str, pl.DataFrame]:
        """What has become known before `now` since the last call: one frame per kind."""
        told = defaultdict(list)
        for (surface, _), parts in self._decided.items():
            told["decision"].append(decision_events(surface, parts))
        self._decided.clear()
        for kind, frame in self._recorded.items():
            first, self._told[kind] = self._told[kind], _known_before(frame, self._now)
            if self._told[kind] > first:
                told[kind].append(frame[first : self._told[kind]])
        return {kind: pl.concat(parts, how="diagonal") for kind, parts in sorted(told.items())}

    def coverage(self) -> pl.DataFrame:
        """How many live decisions were made on each surface, and how many the record answers.

        Columns: surface, decisions, answered (null where it is not recorded what people got).
        """
        rows = [
            (name, int(count), None if self._surfaces[name].silent else int(self._hits[name]))
            for name, count in self._counts.items()
        ]
        schema = {"surface": pl.String, "decisions": pl.Int64, "answered": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def run(
        self, policies: Mapping[str, Policy], *, until: float | datetime | None = None, log=None,
        commit_minutes: int = 1440, progress: bool = False, pipe=None,
    ) -> None:  # fmt: skip
        """Play waves with these policies, and append what becomes known to the log.

        It can be called again, with other policies, to go on from there. Without `until` it plays
        on after the last request, until the last event is known.

        Parameters
        ----------
        policies : mapping of surface to Policy
            One for each of `surfaces`.
        until : float or datetime, optional
            Days from the first midnight, or a moment; the end if not given.
        log : EventLog, optional
            By default the one given to the constructor; without any, events are thrown away. Its
            `complete_until` follows the record, and its clock too if that can be set.
        commit_minutes : int, default 1440
            One commit for so much recorded time.
        progress : bool
            Show a bar, a step per commit.
        pipe : Pipe, optional
            What the events go through on their way to the log: see `workbench.data.faults`.

        Raises
        ------
        ValueError
            If a surface has no policy, or as `react`.
        """
        missing = set(self._surfaces) - set(policies)
        if missing:
            raise ValueError(f"policies must answer every surface, missing: {sorted(missing)}")
        if commit_minutes < 1:
            raise ValueError(f"commit_minutes must be at least 1, got {commit_minutes}")
        log = self.log if log is None else log
        if log is not None:
            public.register(self.contracts, log)
        stops = range(self._now, self._moment(until), commit_minutes * 60_000_000)
        stops = [*stops[1:], self._moment(until)] if stops else []
        for stop in _bar(stops, progress):
            moment = _EPOCH + stop * _MICROSECOND
            while (requests := self.next_requests(until=moment)) is not None:
                self.react({name: policies[name].act(rows) for name, rows in requests.items()})
            events = self.events()
            if pipe is not None:
                events = pipe(events, self.now)
            if log is not None:
                if isinstance(getattr(type(log.clock), "now", None), property):
                    log.clock.now = self.now
                log.append(**events, complete_until=self.now)

    def _moment(self, until: float | datetime | None) -> int:
        """Microseconds since 1970, at most the end of the record."""
        if until is None:
            return self._end
        if isinstance(until, datetime):
            if until.utcoffset() is None:
                raise ValueError(f"until must carry a time zone, got {until!r}")
            return min((until - _EPOCH) // _MICROSECOND, self._end)
        if not until >= 0:
            raise ValueError(f"until must be days from the start, at least 0, got {until}")
        return round(min(self._start + until * _DAY_US, self._end))


def _known_before(frame: pl.DataFrame, now: int) -> int:
    return int(np.searchsorted(_us(frame["known_at"]), now, side="left"))


def _us(times: pl.Series) -> np.ndarray:
    return times.dt.timestamp("us").to_numpy()


def _bar(stops: list[int], progress: bool):
    if not progress:
        return stops
    from tqdm.auto import tqdm

    return tqdm(stops, desc="replay", unit="commit")
