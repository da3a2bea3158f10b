"""What one feature sees of one entity at one moment: the events, the window, and both clocks.

`window_of` asks `features.why` and adds where the window begins and ends; `chart` draws it. Neither
keeps state, so a slider in any host can call them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from workbench import features
from workbench.features import Feature
from workbench.widgets.picture import Picture

__all__ = ["WindowView", "chart", "window_of"]

SEEN = "seen"
COLORS = {  # Okabe & Ito (2008)
    SEEN: "#0072B2",
    "not yet known": "#D55E00",
    "in the lag": "#CC79A7",
    "too old": "#999999",
    "it happens later": "#C8C8C8",
}
OTHERS = "#E69F00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class WindowView:
    """One feature of one entity at one moment.

    Attributes
    ----------
    at : datetime
    begin, end : datetime or None
        The window; `begin` is None where it goes back for ever, in a session it is the time of the
        first event that is still in it.
    value : number, text, list or None
    events : pl.DataFrame
        time, known_at, value, status: "seen", or why not.
    """

    at: datetime
    begin: datetime | None
    end: datetime
    value: Any
    events: pl.DataFrame

    @property
    def words(self) -> str:
        """How many events are seen, and how many are not for which reason."""
        counts = self.events.group_by("status").len().sort("len", descending=True)
        counts = dict(counts.iter_rows())
        seen = counts.pop(SEEN, 0)
        told = [f"{seen} seen", *(f"{number} {reason}" for reason, number in counts.items())]
        return ", ".join(told)


def window_of(row: dict, feature: Feature, log) -> WindowView:
    """The events of the row's entity as the feature sees them at the row's time.

    Parameters
    ----------
    row : dict
        `time` (with time zone) and the feature's keys.
    feature : Feature
        One aggregate; of a ratio or formula, take its leaves.
    log : EventLog or mapping of kind to table

    Raises
    ------
    ValueError
        If it is no single aggregate, or as `features.why`.

    Examples
    --------
    >>> day = lambda d: datetime(2024, 5, d, tzinfo=UTC)
    >>> paid = pl.DataFrame({"user": 1, "time": [day(1), day(2)], "known_at": [day(1), day(9)]})
    >>> recent = features.count("payment", per="user", days=7)
    >>> view = window_of({"user": 1, "time": day(3)}, recent, {"payment": paid})
    >>> view.value, view.words
    (1, '1 seen, 1 not yet known')
    """
    if not isinstance(feature, Feature):
        raise ValueError(f"{feature.name} is made of several features: take one of its leaves")
    told = features.why(row, feature, log)
    seen = told.seen.with_columns(status=pl.lit(SEEN))
    columns = ["time", "known_at", "value", "status"]
    events = pl.concat([seen.select(columns), told.unseen.rename({"reason": "status"})[columns]])
    at = told.request["time"]
    end = at - feature.lag
    begin = None if feature.window is None else end - feature.window
    if feature.step is not None:
        begin = _tile(begin, feature.step)
        end = _tile(end, feature.step) if feature.lag else end
    if feature.session is not None:
        begin = seen["time"].min() or at
    return WindowView(at, begin, end, told.value, events.sort("time"))


def chart(view: WindowView, first: datetime, last: datetime, *, unit: str = "value") -> Picture:
    """The window as a band, the moment as a rule, events as points from `time` to `known_at`.

    Parameters
    ----------
    view : WindowView
        What `window_of` returns.
    first, last : datetime
        What the axis shows.
    unit : str
        Title of the vertical axis.

    Raises
    ------
    ValueError
        If `first` is not before `last`.
    """
    import altair as alt

    if not first < last:
        raise ValueError(f"first must be before last, got {first} and {last}")
    numbers = view.events["value"].dtype.is_numeric() and view.events["value"].count()
    height = pl.col("value").cast(pl.Float64).round(2) if numbers else pl.lit(1.0)
    shown = view.events.filter(pl.col("time").is_between(first, last))
    points = shown.select(
        "status", *(_plain(name) for name in ("time", "known_at")), height=height.fill_null(0.0)
    )
    present = points["status"].unique(maintain_order=True).to_list()
    order = [each for each in [*COLORS, *present] if each in present]
    domain = list(dict.fromkeys(order))
    scale = alt.Scale(domain=domain, range=[COLORS.get(each, OTHERS) for each in domain])
    span = alt.Scale(domain=[_text(first), _text(last)], type="utc")
    x = alt.X("time:T", title=None, scale=span)
    y = alt.Y("height:Q", title=unit)
    if not numbers:
        y = alt.Y("height:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 2]))
    color = alt.Color("status:N", scale=scale, title="this event is")
    base = alt.Chart(points).encode(y=y, color=color, tooltip=["time:T", "known_at:T", "status:N"])
    late = base.transform_filter("datum.known_at > datum.time")
    waits = late.mark_rule(strokeWidth=1.5, clip=True).encode(x=x, x2="known_at:T")
    dots = base.mark_point(filled=True, size=70, opacity=0.9).encode(x=x)
    known = late.mark_tick(thickness=2, size=14, orient="vertical", clip=True)
    known = known.encode(x=alt.X("known_at:T", scale=span))
    begin = max(view.begin or first, first)
    band = pl.DataFrame({"begin": [_text(begin)], "end": [_text(min(view.end, last))]})
    shade = alt.Chart(band).mark_rect(color="#0072B2", opacity=0.12)
    shade = shade.encode(x=alt.X("begin:T", title=None, scale=span), x2="end:T")
    now = alt.Chart(pl.DataFrame({"at": [_text(view.at)]})).mark_rule(strokeWidth=2)
    layers = [shade] if begin < view.end else []
    layers += [waits, dots, known, now.encode(x=alt.X("at:T", scale=span))]
    return Picture(alt.layer(*layers).properties(width=740, height=220))


def _tile(moment: datetime, step: timedelta) -> datetime:
    return moment - (moment - _EPOCH) % step


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _plain(clock: str) -> pl.Expr:
    """Moments as text, so that a saved chart is the same every time."""
    return pl.col(clock).dt.strftime("%Y-%m-%dT%H:%M:%S+00:00")
