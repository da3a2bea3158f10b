"""The A/B explorer in JupyterLab: controls of ipywidgets around `ab_chart.html`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.widgets import ab_chart
from workbench.widgets.ab_days import ALL, Days
from workbench.widgets.ab_explorer import explore

__all__ = ["panel"]

ADJUSTED = {
    "valid at every look": "always_valid",
    "group sequential": "group_sequential",
    "read once, at the end": "fixed",
}


def panel(days: Days, *, planned_users: int, true_lifts: Sequence[float] | None = None) -> Any:
    """A box of controls and the view; every control can be moved with the keyboard.

    Parameters
    ----------
    days : Days
        From `ab_days.days_of`.
    planned_users : int
        Of the control and one arm, in the end.
    true_lifts : sequence of float, optional
        True lift at the end of each day, of an experiment with one metric and two arms.

    Returns
    -------
    ipywidgets.VBox
        Its attribute `view` is what is shown, as numbers.
    """
    import ipywidgets as w

    if true_lifts is not None and (len(days.metrics), len(days.expected)) != (1, 2):
        given = f"{[*days.metrics]} and {[*days.expected]}"
        raise ValueError(f"true_lifts are of one metric and two arms, got {given}")
    wide = {"style": {"description_width": "initial"}, "layout": w.Layout(width="370px")}
    arms = [*days.expected][1:]
    segments = [each for each in days.segments if each != ALL]
    today = w.IntSlider(days.days, 1, days.days, description="today is day", **wide)
    looks = w.IntSlider(days.days, 1, days.days, description="looks until today", **wide)
    metric = w.Dropdown(options=days.metrics, description="metric")
    arm = w.Dropdown(options=arms, description="arm")
    segment = w.Dropdown(options=[ALL, *segments], value=[*segments, ALL][0], description="by")
    adjustment = w.Dropdown(options=ADJUSTED, description="verdict", value="always_valid")
    cuped = w.Checkbox(False, description="CUPED (uses what was known before)", indent=False)
    table = w.Checkbox(False, description="show as tables", indent=False)
    shown = w.HTML()
    box = w.VBox(
        [
            w.HBox([today, looks]),
            w.HBox([metric, arm, segment]),
            w.HBox([adjustment, cuped, table]),
            shown,
        ]
    )

    def show(_change=None):
        looks.max = today.value
        cuped.disabled = not days.covariates.get(metric.value)
        box.view = explore(
            days, metric.value, arm.value, planned_users=planned_users, today=today.value,
            looks=min(looks.value, today.value), adjustment=adjustment.value,
            cuped=cuped.value and not cuped.disabled, segment=segment.value, true_lifts=true_lifts,
        )  # fmt: skip
        shown.value = ab_chart.html(box.view, as_table=table.value)

    for each in (today, looks, metric, arm, segment, adjustment, cuped, table):
        each.observe(show, "value")
    show()
    return box
