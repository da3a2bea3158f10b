"""A shop day by day, with something broken in it: which checks ring, what models do, what it costs.

`chart` draws a `workbench.studies.broken_days.BrokenDays`; `numbers` and `words` say the same of
one day, in three figures and in sentences. `View` is what a link holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from workbench.data.checks import CHECKS
from workbench.data.fault import LEVELS
from workbench.studies.broken_days import CHOICES, BrokenDays
from workbench.widgets.picture import Picture

__all__ = ["NOTICE", "View", "chart", "model_of", "numbers", "went_on", "words"]

# Okabe & Ito (2008), colours that the colour-blind tell apart; each with a sign of its own, too
RINGS = {"quiet": "#E8EEF2", "rings anyway": "#999999", "warning": "#E69F00", "error": "#D55E00"}
SIGNS = {"quiet": "", "rings anyway": "~", "warning": "?", "error": "!"}
LINES = {"as it is": "#0072B2", "without the fault": "#777777"}
LOST, SAVED = "#D55E00", "#009E73"
STEP = 24  # pixels a day
LEAST_DOLLARS = 500.0  # of the axis, so that cents do not look like a loss

NOTICE = """
- **Loud is not dear.** A doubled amount rings and costs little. Complaints about the wrong payments
  (large) ring nowhere and cost thousands: each of them looks like a complaint.
- **Small and silent may be harmless.** A tenth of the clicks is gone, no check rings on that day,
  and the page is as good as before: what is lost at random is lost for all items alike.
- **A check that compares with the past gets used to it.** The doubled amount rings when it begins;
  days later it is what is usual. Even a field that is gone falls silent after two weeks.
- **Labels come late, and so does the bill.** Lose chargebacks (large), and nothing happens until
  the model learns from them.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What one looks at: a day of a shop, and what has been broken in it since when.

    >>> View(day=31).broken("renamed field", "large").address()["since"]
    '31'
    """

    day: int = 30
    seed: int = 7
    fault: str | None = None
    level: str = "large"
    since: int | None = None

    @classmethod
    def read(cls, address: Mapping[str, str], days: range) -> tuple[View, str]:
        """The view that an address asks for, and what is wrong with the address ("" if nothing).

        What cannot be is left out, as if the address had not said it.

        >>> View.read({"day": "99"}, range(28, 49))[1]
        'day must be one of 28 to 48, got 99'
        """
        view, wrong = cls(), []
        for name, allowed in (("day", days), ("seed", range(1_000)), ("since", days)):
            said = address.get(name)
            if said is None:
                continue
            if said.isdecimal() and int(said) in allowed:
                view = replace(view, **{name: int(said)})
            else:
                wrong.append(f"{name} must be one of {allowed[0]} to {allowed[-1]}, got {said}")
        for name, allowed in (("fault", CHOICES), ("level", LEVELS)):
            said = address.get(name)
            if said in allowed:
                view = replace(view, **{name: said})
            elif said is not None:
                wrong.append(f"{name} must be one of {', '.join(allowed)}, got {said}")
        if view.fault is None or view.since is None:
            view = view.reset()
        return view, "; ".join(wrong)

    def address(self) -> dict[str, str | None]:
        """What a link must say to show this view again; None for what it must not say."""
        names = (
            ("day", "seed") if self.fault is None else ("day", "seed", "fault", "level", "since")
        )
        every = ("day", "seed", "fault", "level", "since")
        return {name: str(getattr(self, name)) if name in names else None for name in every}

    def on(self, day: int, seed: int) -> View:
        """The same on another day, or in another shop."""
        return replace(self, day=day, seed=seed)

    def broken(self, fault: str, level: str) -> View:
        """The same day, on which this breaks."""
        return replace(self, fault=fault, level=level, since=self.day)

    def reset(self) -> View:
        """The same day, with nothing broken."""
        return replace(self, fault=None, since=None, level=View().level)


def model_of(run: BrokenDays) -> str:
    """The model that reads what is broken: "clicks" or "fraud"."""
    return "clicks" if run.fault is not None and run.fault.kind == "click" else "fraud"


def numbers(run: BrokenDays, today: int) -> dict[str, tuple[str, str]]:
    """The three counters of a day: label -> what it shows, and a line below it."""
    rings, first = run.new_alarms(today)["check"].n_unique(), run.first_alarm(today)
    rang = "nothing has rung since it broke" if first is None else f"first rang on day {first}"
    if run.fault is None or today < run.since:
        rang = "nothing is broken"
    task = model_of(run)
    mark = run.marks.filter(pl.col("day") == today, pl.col("task") == task)
    auc, clean = mark["auc"].item(), mark["auc_clean"].item()
    return {
        "money lost": (dollars(run.lost(today)), "against the same days without the fault"),
        "checks that ring today": (str(rings), rang),
        f"{task} model, true AUC today": (f"{auc:.3f}", f"{clean:.3f} without the fault"),
    }


def went_on(busy: pl.DataFrame, today: int) -> str:
    """What went on in the shop on a day, in Markdown.

    >>> went_on(pl.DataFrame({"day": 30, "people": 9, "home": 7, "search": 4, "clicks": 3,
    ...                       "checkouts": 5, "frauds": 1}), 30)
    '**Day 30:** 9 people, 7 home pages, 4 searches, 3 clicks, 5 checkouts, 1 of them by thieves'
    """
    day = busy.row(by_predicate=pl.col("day") == today, named=True)
    return (
        f"**Day {today}:** {day['people']} people, {day['home']} home pages, {day['search']} "
        f"searches, {day['clicks']} clicks, {day['checkouts']} checkouts, {day['frauds']} of them "
        "by thieves"
    )


def words(run: BrokenDays, today: int) -> str:
    """What there is to see on a day, in Markdown: what broke, and the evidence of each alarm."""
    if run.fault is None:
        return "Nothing is broken. Choose a day, **guess**, and press one of the buttons."
    broken = run.fault
    where = broken.kind if broken.column is None else f"{broken.kind}.{broken.column}"
    said = [
        f"**Broken on day {run.since}:** {broken.name} ({broken.level}), {where}: {broken.summary}."
    ]
    if today < run.since:
        return said[0] + " That is still to come."
    rings = run.new_alarms(today)
    said += [
        f"- **{row['check']}** ({row['severity']}, {row['kind']}): {row['evidence']}"
        for row in rings.iter_rows(named=True)
    ]
    if rings.is_empty():
        first = run.first_alarm(today)
        silent = (
            "No check has rung so far" if first is None else f"It rang on day {first}, not today"
        )
        said.append(f"- {silent}. By today it has cost {dollars(run.lost(today))}.")
    return "\n".join(said)


def chart(run: BrokenDays) -> Picture:
    """Three panels over the same days: checks that ring, AUC by the truth, money lost.

    `chart(run).drawn().until(day=today)` shows nothing of what is to come, on the same axes. Grey
    cells ring without the fault, too: false alarms. The dashed line is where it breaks.
    """
    import altair as alt

    def day(title=None):
        axis = alt.Axis(labelAngle=0, labels=bool(title), ticks=bool(title), title=title)
        return alt.X("day:O", scale=alt.Scale(domain=run.days), axis=axis)

    def panel(title, height, *layers):
        if run.since is not None:
            there = alt.Chart(pl.DataFrame({"since": [run.since]}))
            rule = there.mark_rule(strokeDash=[4, 3], xOffset=-STEP / 2)
            layers += (rule.encode(x=alt.X("since:O", scale=alt.Scale(domain=run.days))),)
        width = STEP * len(run.days)
        return alt.layer(*layers).properties(title=title, width=width, height=height)

    names, scale = [*CHECKS, "door"], alt.Scale(domain=[*RINGS], range=[*RINGS.values()])
    cells = alt.Chart(_cells(run)).encode(
        x=day(),
        y=alt.Y("check:N", sort=names, title=None),
        tooltip=["day:O", "check:N", "ring:N", "evidence:N"],
    )
    squares = cells.mark_rect(stroke="white").encode(
        color=alt.Color("ring:N", scale=scale, title="check")
    )
    signs = cells.mark_text(fontWeight="bold", color="white").encode(text="sign:N")
    checks = panel("Which checks ring? (dashed: it breaks)", 15 * len(names), squares, signs)

    task, legend = model_of(run), alt.Legend(symbolType="stroke")
    marks = run.marks.filter(pl.col("task") == task)
    named = zip(LINES, ("auc", "auc_clean"), strict=True)
    marks = pl.concat(
        [marks.select("day", auc=pl.col(auc).round(4), line=pl.lit(name)) for name, auc in named]
    )
    color = alt.Scale(domain=[*LINES], range=[*LINES.values()])
    dash = alt.Scale(domain=[*LINES], range=[[1, 0], [4, 3]])
    low = alt.Scale(domain=[int(marks["auc"].min() * 10) / 10, 1.0])
    line = alt.Chart(marks).mark_line(point=True, clip=True)
    line = line.encode(
        x=day(),
        y=alt.Y("auc:Q", title="true AUC", scale=low),
        color=alt.Color("line:N", scale=color, title="model", legend=legend),
        strokeDash=alt.StrokeDash("line:N", scale=dash, title="model", legend=legend),
        tooltip=["day:O", "line:N", "auc:Q"],
    )
    model = panel(f"How good is the {task} model?", 110, line)

    gap = (pl.col("cost") - pl.col("cost_clean")).sum()
    money = run.marks.group_by("day").agg(gap.alias("lost")).sort("day")
    money = money.with_columns(pl.col("lost").cum_sum().round(2))
    span = [min(money["lost"].min(), 0.0), max(money["lost"].max(), LEAST_DOLLARS)]
    bars = alt.Chart(money).mark_bar()
    bars = bars.encode(
        x=day("day"),
        y=alt.Y("lost:Q", title="$ lost so far", scale=alt.Scale(domain=span, nice=True)),
        color=alt.condition("datum.lost > 0", alt.value(LOST), alt.value(SAVED)),
        tooltip=["day:O", "lost:Q"],
    )
    panels = alt.vconcat(checks, model, panel("What has it cost?", 110, bars), spacing=8)
    panels = panels.resolve_scale(color="independent", strokeDash="independent")
    return Picture(panels.configure_axis(grid=False).configure_title(anchor="start"))


def dollars(amount: float) -> str:
    """Whole dollars, the sign in front.

    >>> dollars(-1234.5), dollars(0.2)
    ('−$1,234', '$0')
    """
    rounded = round(amount)
    return f"{'−' if rounded < 0 else ''}${abs(rounded):,}"


def _cells(run: BrokenDays) -> pl.DataFrame:
    """One row per check and day: its worst alarm, and how it is drawn."""
    ring = pl.when("new").then("severity").otherwise(pl.lit("rings anyway"))
    told = pl.format("{}: {}", "kind", "evidence")
    rang = run.alarms.select("day", "check", ring=ring, evidence=told)
    days = pl.DataFrame({"day": run.days}, {"day": pl.Int64})
    quiet = days.join(pl.DataFrame({"check": [*CHECKS, "door"]}), how="cross")
    quiet = quiet.with_columns(ring=pl.lit("quiet"), evidence=pl.lit(""))
    order = {name: number for number, name in enumerate(RINGS)}
    cells = pl.concat([rang, quiet]).sort(
        pl.col("ring").replace_strict(order), descending=True, maintain_order=True
    )
    cells = cells.unique(["day", "check"], keep="first", maintain_order=True)
    return cells.with_columns(sign=pl.col("ring").replace_strict(SIGNS))
