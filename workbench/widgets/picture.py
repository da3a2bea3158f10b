"""A chart that draws without the internet: in JupyterLab, in marimo, and where nothing runs.

JupyterLab draws the Vega-Lite specification with the Vega it brings along; where nothing runs (a
notebook on a code host), the picture beside it is shown. Altair's own display needs a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair

__all__ = ["Picture"]

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

    def _repr_mimebundle_(self, **_wanted: Any) -> dict[str, Any]:
        """The specification, a picture, and words."""
        import vl_convert

        spec = self.chart.to_dict()
        svg = vl_convert.vegalite_to_svg(spec, vl_version="5.20")
        return {"text/plain": repr(self), "image/svg+xml": svg, VEGA_LITE: spec}

    def _display_(self) -> altair.TopLevelMixin:
        """What marimo shows: it draws Altair itself."""
        return self.chart

    def __repr__(self) -> str:
        rows = max((len(data) for data in self.chart.to_dict()["datasets"].values()), default=0)
        return f"<Picture: {rows:,} rows>"
