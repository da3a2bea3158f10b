"""What a store must remember of the past so that features can be read from it: tracks.

All features of one entity (`per`) are a *group* and share one record an entity; features of the
same events share a *track* in it:

    TILES      count sum mean share std min max    sums by tile of the step; exact: 1 us
    LATEST     latest time_since                   the youngest event, and its values
    LAST       last                                the k youngest values
    DISTINCT   distinct values                     each value at its latest event

A track without a window is one single tile. Under a lag, what is not visible yet waits in the
track. Sums are only ever added, never taken away. Changed definitions make another group.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from workbench.features.definition import Feature, digest

__all__ = ["DISTINCT", "LAST", "LATEST", "LISTS", "TILES", "Group", "Track", "View", "groups_of"]

TILES, LATEST, LAST, DISTINCT = range(4)
SUM, CARRY, SQUARES, LEAST, GREATEST = 1, 2, 4, 8, 16  # what the tiles of a track hold
COUNT_OF, SUM_OF, MEAN_OF, STD_OF, MIN_OF, MAX_OF, VALUE_OF, SINCE, NUMBER_OF, LIST_OF = range(10)
LISTS = ("last", "values")
EVER = -1
_US = timedelta(microseconds=1)
_HELD = {
    "count": (COUNT_OF, 0),
    "sum": (SUM_OF, SUM),
    "mean": (MEAN_OF, SUM),
    "share": (MEAN_OF, SUM),
    "std": (STD_OF, SUM | SQUARES),
    "min": (MIN_OF, LEAST),
    "max": (MAX_OF, GREATEST),
}


@dataclass(frozen=True)
class Track:
    """What is kept of one kind's events for some features; times in microseconds.

    Parameters
    ----------
    form : int
        TILES, LATEST, LAST or DISTINCT.
    kind : str
        Of the events.
    where : str or None
        Their condition.
    columns : tuple of str
        What is kept: at most one column, but any number for LATEST.
    step, lag : int
        Length of a tile, 1 for exact windows; how long an event waits.
    window : int
        What is older than this can go; `EVER` for nothing.
    most : int
        So many entries suffice; -1 for all.
    held : int
        For TILES, of SUM, CARRY, SQUARES, LEAST, GREATEST; for others 1 if ties are decided.
    """

    form: int
    kind: str
    where: str | None
    columns: tuple[str, ...]
    step: int
    lag: int
    window: int = 0
    most: int = 0
    held: int = 0


@dataclass(frozen=True)
class View:
    """What some features see of a track at one moment; several may share it."""

    track: int
    window: int
    step: int
    gap: int = -1  # of the session
    gap_track: int = -1
    most: int = -1


@dataclass(frozen=True)
class Group:
    """All features of one entity: their tracks, views, and for each (view, what, column).

    >>> from workbench import features
    >>> some = [features.count("click", per="user", days=d) for d in (1, 30)]
    >>> (group,) = groups_of([*some, features.latest("item", of="click", per="user")])
    >>> len(group.tracks), len(group.views)
    (2, 3)
    """

    per: tuple[str, ...]
    leaves: tuple[Feature, ...]
    tracks: tuple[Track, ...]
    views: tuple[View, ...]
    reads: tuple[tuple[int, int, str | None], ...]
    name: str = field(default="")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of events that it reads, in order."""
        return tuple(sorted({track.kind for track in self.tracks}))


def groups_of(leaves: list[Feature]) -> list[Group]:
    """One group for each `per`; the order of the leaves does not matter."""
    by_per: dict[tuple[str, ...], list[Feature]] = {}
    for leaf in dict.fromkeys(sorted(leaves, key=lambda leaf: leaf.version)):
        by_per.setdefault(leaf.per, []).append(leaf)
    return [_group(per, some) for per, some in sorted(by_per.items())]


def _group(per: tuple[str, ...], leaves: list[Feature]) -> Group:
    tracks: dict[tuple, Track] = {}
    views: dict[View, int] = {}
    reads = []
    for leaf in leaves:
        gap_track = -1
        session = leaf.session is not None and leaf.aggregate not in ("latest", "time_since")
        if session:
            gap_track = _place(tracks, _tiles(replace(leaf, aggregate="count", column=None)))
        place = _place(tracks, _track(leaf))
        window = EVER if leaf.window is None else leaf.window // _US
        if leaf.session is not None and not session:  # the youngest: its silence is all
            window = min(window, leaf.session // _US)
        view = View(
            place,
            window,
            leaf.step // _US if leaf.step else 1,
            leaf.session // _US if session else -1,
            gap_track,
            leaf.most or -1,
        )
        number = views.setdefault(view, len(views))
        what = {"latest": VALUE_OF, "time_since": SINCE, "distinct": NUMBER_OF}.get(leaf.aggregate)
        if what is None:
            what = LIST_OF if leaf.aggregate in LISTS else _HELD[leaf.aggregate][0]
        reads.append((number, what, leaf.column))
    name = digest({"per": list(per), "versions": [leaf.version for leaf in leaves]})
    return Group(per, tuple(leaves), tuple(tracks.values()), tuple(views), tuple(reads), name)


def _place(tracks: dict[tuple, Track], wanted: Track) -> int:
    """Where a track is, one that serves this one too; it keeps what either needs."""
    shared = () if wanted.form == LATEST else wanted.columns
    key = (wanted.form, wanted.kind, wanted.where, shared, wanted.step, wanted.lag)
    if wanted.form == TILES:
        key += (wanted.window == EVER,)
    there = tracks.get(key)
    if there is not None:
        wanted = replace(
            wanted,
            columns=tuple(dict.fromkeys(there.columns + wanted.columns)),
            window=_longer(there.window, wanted.window),
            most=_longer(there.most, wanted.most),
            held=there.held | wanted.held,
        )
    tracks[key] = wanted
    return [*tracks].index(key)


def _longer(first: int, second: int) -> int:
    return -1 if -1 in (first, second) else max(first, second)


def _track(leaf: Feature) -> Track:
    if leaf.aggregate in _HELD:
        return _tiles(leaf)
    lag = leaf.lag // _US
    step = leaf.step // _US if leaf.step and lag else 1
    form, most, held = {
        "latest": (LATEST, 1, 1),
        "time_since": (LATEST, 1, 1),
        "last": (LAST, leaf.most, 1),
        "values": (DISTINCT, leaf.most, 1),
        "distinct": (DISTINCT, -1, 0),
    }[leaf.aggregate]
    columns = () if leaf.column is None else (leaf.column,)
    return Track(form, leaf.of, leaf.where, columns, step, lag, _reach(leaf), most, held)


def _tiles(leaf: Feature) -> Track:
    held = _HELD[leaf.aggregate][1]
    if leaf.window is None and held & SUM:
        held |= CARRY  # a tile for ever needs the more careful sum
    columns = () if leaf.column is None else (leaf.column,)
    step = leaf.step // _US if leaf.step else 1
    lag = leaf.lag // _US
    return Track(TILES, leaf.of, leaf.where, columns, step, lag, _reach(leaf), -1, held)


def _reach(leaf: Feature) -> int:
    """How far back a window goes, with the tile that its old end may lie in."""
    if leaf.window is None:
        return EVER
    return (leaf.window + (leaf.step or timedelta(0))) // _US
