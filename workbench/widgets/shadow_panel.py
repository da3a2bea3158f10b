"""The shadow explorer in JupyterLab and in marimo: one widget over `explore` and `shadow_chart`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.widgets import shadow_chart
from workbench.widgets.shadow_controls import NONE, choice_of, controls_of, cutoff_steps
from workbench.widgets.shadow_explorer import View, explore
from workbench.widgets.shadow_ground import Ground, ground_of

__all__ = ["ShadowExplorer", "panel"]


def panel(
    table: Any,
    *,
    cutoff: float | Mapping[str, float] | None = None,
    positive: str = "block",
    by: str | Sequence[str] = (),
) -> ShadowExplorer:
    """Controls and the view; every control can be moved with the keyboard.

    Parameters
    ----------
    table, cutoff, positive, by
        As in `shadow_ground.ground_of`: pairs of `experiments.pairs`, or one's own table.

    Returns
    -------
    ShadowExplorer
        Its attribute `view` is what is shown, as numbers.
    """
    return ShadowExplorer(ground_of(table, cutoff=cutoff, positive=positive, by=by))


class ShadowExplorer(anywidget.AnyWidget):
    """A bag of traits: `values` of the controls come in, one `answer` goes out.

    The answer holds the values as they were put right, the controls and the HTML: a page that got
    them one by one would show the new next to the old.
    """

    values = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    _esm = Path(__file__).with_suffix(".js")

    def __init__(self, ground: Ground):
        super().__init__()
        self.ground, self._steps = ground, cutoff_steps(ground)
        logged = next(number for number, (at, _) in enumerate(self._steps) if at is None)
        self._before = {
            "by": NONE, "value": NONE, "outcomes": NONE, "cutoff": logged, "color": "rows",
            "scale": "score", "bins": "20", "cell": NONE, "table": False,
        }  # fmt: skip
        self.view: View | None = None
        self.values = self._before

    @property
    def html(self) -> str:
        """What is shown below the controls."""
        return self.answer["html"]

    @traitlets.observe("values")
    def _asked(self, _change):
        if self.view is not None and self.values == self._before:
            return  # only what was put right below
        values, choice = choice_of(self.ground, self.values, self._before, self._steps)
        self.view = explore(self.ground, choice)
        self._before = values
        drawn = shadow_chart.html(self.view, color=values["color"], as_table=values["table"])
        self.answer = {
            "number": self.answer.get("number", 0) + 1,
            "values": values,
            "controls": controls_of(self.ground, values, self._steps),
            "html": drawn,
        }
        self.values = values
