"""A shop day by day, with something broken in it: which checks ring, what models do, what it costs.

`chart` draws `workbench.studies.broken_days.BrokenDays` until today and nothing of what is to come;
`numbers` and `words` say the same in three figures and in sentences. `View` is what a link holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from workbench.data.checks import CHECKS
from workbench.data.fault import LEVELS
from workbench.studies.broken_days import CHOICES, BrokenDays
from workbench.widgets.picture import Picture

__all__ = ["View", "chart", "model_of", "numbers", "words"]

# Okabe & Ito (2008), colours that the colour-blind tell apart; each with a sign of its own, too
RINGS = {"quiet": "#E8EEF2", "rings anyway": "#999999", "warning": "#E69F00", "error": "#D55E00"}
SIGNS = {"quiet": "", "rings anyway": "~", "warning": "?", "error": "!"}
LINES = {"as it is": "#0072B2", "without the fault": "#777777"}
STEP = 27  # pixels a day


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What one looks at: a day of a shop, and what has been broken in it since when.

    >>> View(day=31).broken("renamed field", "large").address()["since"]
    '31'
    """

    day: int = 30
    seed: int = 7
    fault: str | None = None
    level: str = "medium"
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

    def address(self) -> dict[str, str]:
        """What a link must say to show this view again."""
        said = {"day": str(self.day), "seed": str(self.seed)}
        if self.fault is not None:
            said |= {"fault": self.fault, "level": self.level, "since": str(self.since)}
        return said

    def broken(self, fault: str, level: str) -> View:
        """The same day, on which this breaks."""
        return replace(self, fault=fault, level=level, since=self.day)

    def reset(self) -> View:
        """The same day, with nothing broken."""
        return replace(self, fault=None, since=None, level="medium")


def model_of(run: BrokenDays) -> str:
    """The model that reads what is broken: "clicks" or "fraud"."""
    return "clicks" if run.fault is not None and run.fault.kind == "click" else "fraud"


def numbers(run: BrokenDays, today: int) -> dict[str, tuple[str, str]]:
    """The three counters of a day: label -> what it shows, and a line below it."""
    rings = run.new_alarms(today)
    errors, first = (rings["severity"] == "error").sum(), run.first_alarm(today)
    lost = run.lost(today)
    mark = run.marks.filter(pl.col("day") == today, pl.col("task") == model_of(run))
    auc, clean = mark["auc"].item(), mark["auc_clean"].item()
    rang = "nothing has rung yet" if first is None else f"first rang on day {first}"
    if run.fault is None or today < run.since:
        rang = "nothing is broken"
    return {
        "money lost": (dollars(lost), "against the same days without the fault"),
        "checks that ring today": (f"{rings['check'].n_unique()}", f"{errors} errors; {rang}"),
        f"{model_of(run)} model, true AUC today": (f"{auc:.3f}", f"{clean:.3f} without the fault"),
    }


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


def chart(run: BrokenDays, today: int) -> Picture:
    """Three panels over the same days: checks that ring, AUC by the truth, money lost.

    Days after `today` stay empty. Grey cells ring without the fault, too: false alarms.

    Parameters
    ----------
    run : BrokenDays
    today : int
        One of `run.days`.

    Raises
    ------
    ValueError
        If today is no day of the run.
    """
    import altair as alt

    if today not in run.days:
        raise ValueError(
            f"today must be one of the days {run.days[0]} to {run.days[-1]}, got {today}"
        )
    width = STEP * len(run.days)

    def days(title=None, labels=True):
        axis = alt.Axis(labelAngle=0, labels=labels, ticks=labels, title=title)
        return alt.X("day:O", scale=alt.Scale(domain=run.days), axis=axis)

    cells = _cells(run, today)
    names = [*CHECKS, "door"]
    base = alt.Chart(cells).encode(
        x=days(labels=False),
        y=alt.Y("check:N", sort=names, title=None),
        tooltip=["day:O", "check:N", "ring:N", "evidence:N"],
    )
    colour = alt.Scale(domain=[*RINGS], range=[*RINGS.values()])
    squares = base.mark_rect(stroke="white").encode(
        color=alt.Color("ring:N", scale=colour, title="check")
    )
    signs = base.mark_text(fontWeight="bold", color="white").encode(text="sign:N")
    above = alt.layer(squares, signs, *_start(alt, run, days(labels=False), "broken"))
    above = above.properties(width=width, height=15 * len(names), title="Which checks ring?")

    marks, task = run.marks.filter(pl.col("day") <= today), model_of(run)
    mine = marks.filter(pl.col("task") == task)
    named = {"as it is": "auc", "without the fault": "auc_clean"}
    lines = pl.concat(
        [mine.select("day", auc=pl.col(column).round(4), line=pl.lit(name))
         for name, column in named.items()]
    )  # fmt: skip
    least = run.marks.filter(pl.col("task") == task).select(
        pl.min_horizontal("auc", "auc_clean").min()
    )
    low = max(int(least.item() * 10) / 10, 0.0)
    paint = alt.Scale(domain=[*LINES], range=[*LINES.values()])
    middle = (
        alt.Chart(lines)
        .mark_line(point=True, clip=True)
        .encode(
            x=days(labels=False),
            y=alt.Y("auc:Q", title="true AUC", scale=alt.Scale(domain=[low, 1.0])),
            color=alt.Color("line:N", scale=paint, title="model"),
            strokeDash=alt.StrokeDash(
                "line:N", scale=alt.Scale(domain=[*LINES], range=[[1, 0], [4, 3]]), title="model"
            ),
            tooltip=["day:O", "line:N", "auc:Q"],
        )
    )
    middle = alt.layer(middle, *_start(alt, run, days(labels=False)))
    middle = middle.properties(width=width, height=110, title=f"How good is the {task} model?")

    gap = (pl.col("cost") - pl.col("cost_clean")).sum()
    money = marks.group_by("day").agg(gap).sort("day")
    money = money.select("day", lost=pl.col("cost").cum_sum().round(2))
    below = alt.Chart(money).mark_bar().encode(
        x=days("day"),
        y=alt.Y("lost:Q", title="$ lost so far", scale=alt.Scale(domain=_money_range(money))),
        color=alt.condition("datum.lost > 0", alt.value("#D55E00"), alt.value("#009E73")),
        tooltip=["day:O", "lost:Q"],
    )  # fmt: skip
    below = alt.layer(below, *_start(alt, run, days("day")))
    below = below.properties(width=width, height=110, title="What has it cost?")
    panels = alt.vconcat(above, middle, below, spacing=8)
    panels = panels.resolve_scale(color="independent", strokeDash="independent")
    return Picture(panels.configure_axis(grid=False).configure_title(anchor="start"))


def dollars(amount: float) -> str:
    """Whole dollars, the sign in front.

    >>> dollars(-1234.5), dollars(0.2)
    ('−$1,234', '$0')
    """
    rounded = round(amount)
    return f"{'−' if rounded < 0 else ''}${abs(rounded):,}"


def _money_range(money: pl.DataFrame) -> list[float]:
    """So that cents do not fill the panel: at least $500 up."""
    return [min(money["lost"].min() * 1.1, 0.0), max(money["lost"].max() * 1.1, 500.0)]


def _cells(run: BrokenDays, today: int) -> pl.DataFrame:
    """One row per check and day until today: its worst alarm, and how it is drawn."""
    ring = pl.when("new").then("severity").otherwise(pl.lit("rings anyway"))
    rang = run.alarms.filter(pl.col("day") <= today)
    told = pl.format("{}: {}", "kind", "evidence")
    rang = rang.select("day", "check", ring=ring, evidence=told)
    days = pl.DataFrame({"day": [day for day in run.days if day <= today]}, {"day": pl.Int64})
    quiet = days.join(pl.DataFrame({"check": [*CHECKS, "door"]}), how="cross")
    quiet = quiet.with_columns(ring=pl.lit("quiet"), evidence=pl.lit(""))
    order = {name: number for number, name in enumerate(RINGS)}
    cells = pl.concat([rang, quiet]).sort(
        pl.col("ring").replace_strict(order), descending=True, maintain_order=True
    )
    cells = cells.unique(["day", "check"], keep="first", maintain_order=True)
    return cells.with_columns(sign=pl.col("ring").replace_strict(SIGNS))


def _start(alt, run: BrokenDays, x, label: str = "") -> list:
    """A rule on the left of the day on which it breaks."""
    if run.since is None:
        return []
    there = alt.Chart(pl.DataFrame({"day": [run.since], "label": [label]}))
    rule = there.mark_rule(strokeDash=[4, 3], xOffset=-STEP / 2).encode(x=x)
    text = there.mark_text(align="right", xOffset=-STEP / 2 - 4, baseline="top", y=2)
    return [rule, text.encode(x=x, text="label:N")] if label else [rule]
