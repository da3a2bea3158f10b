"""The planner in JupyterLab: sliders of ipywidgets around `planner.html`."""

from __future__ import annotations

from typing import Any

from workbench.widgets.ab_panel import ADJUSTED
from workbench.widgets.planner import MOST_LOOKS, Wish, html, plan

__all__ = ["panel"]


def panel(*, mean: float, deviation: float, users_a_day: float, saved: float = 0.0) -> Any:
    """A box of sliders and the plan; every slider can be moved with the keyboard.

    Parameters
    ----------
    mean, deviation : float
        Of one user's metric, from the log.
    users_a_day : float
        New users of all, a day; a slider takes a share of them.
    saved : float
        Share of the variance that CUPED would take away.

    Returns
    -------
    ipywidgets.VBox
        Its attribute `plan` is what is shown, as numbers.
    """
    import ipywidgets as w

    wide = {"style": {"description_width": "initial"}, "layout": w.Layout(width="370px")}
    lift = w.FloatSlider(2.0, min=0.2, max=20, step=0.1, description="lift, %", **wide)
    power = w.FloatSlider(0.8, min=0.5, max=0.99, step=0.01, description="power", **wide)
    traffic = w.FloatSlider(100, min=1, max=100, step=1, description="of traffic, %", **wide)
    looks = w.IntSlider(1, 1, MOST_LOOKS, description="looks", **wide)
    cuped = w.FloatSlider(saved, min=0, max=0.95, step=0.01, description="CUPED saves", **wide)
    adjustment = w.Dropdown(options=ADJUSTED, value="fixed", description="read")
    table = w.Checkbox(False, description="show as table", indent=False)
    shown = w.HTML()
    rows = [[lift, power], [traffic, cuped], [looks, adjustment, table]]
    box = w.VBox([*(w.HBox(row) for row in rows), shown])

    def show(_change=None):
        box.plan = plan(
            Wish(
                mean=mean, deviation=deviation, lift=lift.value / 100, power=power.value,
                users_a_day=users_a_day * traffic.value / 100, saved=cuped.value,
                looks=looks.value, adjustment=adjustment.value,
            )
        )  # fmt: skip
        shown.value = html(box.plan, as_table=table.value)

    for each in (lift, power, traffic, looks, cuped, adjustment, table):
        each.observe(show, "value")
    show()
    return box
