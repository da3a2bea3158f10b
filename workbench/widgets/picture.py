"""A chart that draws without the internet: in JupyterLab, in marimo, and where nothing runs.

JupyterLab draws the Vega-Lite specification with the Vega it brings along; where nothing runs (a
notebook on a code host), the picture beside it is shown. Altair's own display needs a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair

__all__ = ["Drawn", "Picture"]

VEGA_LITE = "application/vnd.vegalite.v5+json"


@dataclass(frozen=True, repr=False)
class Picture:
    """What a view returns: an Altair chart with a display of its own.

    Parameters
    ----------
    chart : altair chart
        Its data is inlined; round numbers before, so that saved outputs stay equal.

    Examples
    --------
    >>> import altair as alt, polars as pl
    >>> Picture(alt.Chart(pl.DataFrame({"x": [1, 2]})).mark_point().encode(x="x:Q"))
    <Picture: 2 rows>
    """

    chart: altair.TopLevelMixin

    def drawn(self) -> Drawn:
        """The same, as the specification that Altair has made of it."""
        return Drawn(self.chart.to_dict())

    def _repr_mimebundle_(self, **_wanted: Any) -> dict[str, Any]:
        """The specification, a picture, and words."""
        return self.drawn()._repr_mimebundle_()

    def _display_(self) -> altair.TopLevelMixin:
        """What marimo shows: it draws Altair itself."""
        return self.chart

    def __repr__(self) -> str:
        return repr(self.drawn())


@dataclass(frozen=True, repr=False)
class Drawn:
    """A chart that need not be drawn again to show less of it: for a slider that moves fast.

    Altair takes a quarter of a second to make three panels; leaving rows out of what it made takes
    a thousandth.

    Parameters
    ----------
    spec : mapping
        A Vega-Lite specification with named datasets.

    Examples
    --------
    >>> import altair as alt, polars as pl
    >>> points = alt.Chart(pl.DataFrame({"day": [1, 2, 3]})).mark_point().encode(x="day:Q")
    >>> Picture(points).drawn().until(day=2)
    <Picture: 2 rows>
    """

    spec: Mapping[str, Any]

    def until(self, **last: float) -> Drawn:
        """Without the rows in which a named column is above its last value."""

        def kept(row):
            return all(row.get(name, most) <= most for name, most in last.items())

        rows = {name: [*filter(kept, data)] for name, data in self.spec["datasets"].items()}
        return Drawn({**self.spec, "datasets": rows})

    def _repr_mimebundle_(self, **_wanted: Any) -> dict[str, Any]:
        """The specification, a picture, and words."""
        import vl_convert

        svg = vl_convert.vegalite_to_svg(self.spec, vl_version="5.20")
        return {"text/plain": repr(self), "image/svg+xml": svg, VEGA_LITE: self.spec}

    def _mime_(self) -> tuple[str, str]:
        """What marimo shows."""
        return VEGA_LITE, json.dumps(self.spec)

    def __repr__(self) -> str:
        rows = max((len(data) for data in self.spec["datasets"].values()), default=0)
        return f"<Picture: {rows:,} rows>"
