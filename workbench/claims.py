"""What the textbook says, held against what we measured.

A notebook ends with the claims it tested; the table it prints carries the same figures for
machines, so that `workbench claims` can print the ledger of all notebooks from their saved outputs.

    last cell:  claims([Claim("A1", measured=…, …)])  ──►  saved output  ──►  workbench claims
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from textwrap import wrap

__all__ = ["CLAIMS", "MIME", "Claim", "Claims", "claims", "ledger", "read_ledger"]

MIME = "application/vnd.workbench.claims+json"
VERDICTS = ("holds", "does not", "depends")
TEXT, WORDS = 42, 14  # letters that a claim and a measured word may have

CLAIMS = {
    "D0": "the model is the smallest piece",
    "D1": "data breaks silently and nobody notices",
    "D2": "the pipeline is the most fragile part",
    "D3": "what no event records cannot be learnt",
    "L1": "combined noisy rules beat any single rule",
    "L2": "annotators voting beat one annotator",
    "L3": "correcting a pre-label is quicker",
    "L4": "active learning beats random labelling",
    "L5": "clean labels beat a better model",
    "L6": "labels are expensive",
    "F1": "two teams compute one feature differently",
    "F2": "a look into the future: good offline only",
    "F3": "online features come back in milliseconds",
    "F4": "streaming features are worth their trouble",
    "T0": "simple models train in minutes",
    "T1": "data parallelism scales about linearly",
    "T2": "model parallelism fits what one cannot",
    "T3": "pipelines idle (p-1)/(m+p-1) of the time",
    "T4": "spot machines save 60-90 %",
    "T5": "schedulers queue and preempt",
    "T6": "64 GPUs at $3 an hour are $4,608 a day",
    "X1": "any earlier model can be made again",
    "X2": "comparing runs picks the best model",
    "X3": "serving pulls its model from the registry",
    "S1": "batch is cheap and stale; real time is not",
    "S2": "under 50 ms at thousands of requests/s",
    "S3": "the hybrid beats batch and real time",
    "A1": "2 % better offline can be worse online",
    "A2": "5-10 % of traffic measures the outcome",
    "A3": "more accurate, less diverse, worse",
    "A4": "48 h of shadow, 1-2 weeks of A/B suffice",
    "H1": "a shadow shows trouble at no risk",
    "H2": "a shadow catches a constant model",
    "R1": "two stages are quick at little loss",
    "R2": "four candidate sources find more than one",
    "R3": "re-ranking rules cost little relevance",
    "R4": "10 M products in under 200 ms",
    "R5": "context and crosses help the ranker",
    "Q1": "learning to rank beats BM25",
    "Q2": "listwise beats pairwise beats pointwise",
    "Q3": "one word, another meaning for each user",
    "Q4": "session features add to offline ones",
    "Q5": "clicks and dwell stand in for ratings",
    "M1": "a shock hurts, and monitoring sees it",
    "M2": "a fraud model misses new techniques",
    "M3": "the loop closes: drift, retrain, better",
    "M4": "business metrics reveal degradation",
}


@dataclass(frozen=True)
class Claim:
    """One claim as it was measured.

    Parameters
    ----------
    id : str
        One of CLAIMS.
    measured : float or str
        The figure; a word or two where it would differ from machine to machine ("under 50 ms").
    interval : (low, high), optional
        95 % interval of the figure, in its unit.
    verdict : str
        "holds", "does not" or "depends".
    what : str
        What the figure is, its unit and the data it is from; with "depends", on what.

    Raises
    ------
    ValueError
        For an unknown id or verdict, a figure or interval that is none, "depends" without `what`.

    Examples
    --------
    >>> Claim("L1", 0.8342, (0.821, 0.8469), verdict="holds", what="accuracy, marketplace").text
    'combined noisy rules beat any single rule'
    """

    id: str
    measured: float | str
    interval: tuple[float, float] | None = None
    verdict: str = field(kw_only=True)
    what: str = field(default="", kw_only=True)

    def __post_init__(self):
        if self.id not in CLAIMS:
            raise ValueError(f"no claim is called {self.id!r}; there are {', '.join(CLAIMS)}")
        if self.verdict not in VERDICTS:
            raise ValueError(
                f"verdict of {self.id} must be one of {VERDICTS}, got {self.verdict!r}"
            )
        if self.verdict == "depends" and not self.what:
            raise ValueError(f"{self.id} depends: say on what, in what=")
        if isinstance(self.measured, str):
            if len(self.measured) > WORDS:
                raise ValueError(
                    f"measured of {self.id} has room for {WORDS} letters, the rest belongs into "
                    f"what=; got {self.measured!r}"
                )
        elif not isfinite(self.measured):
            raise ValueError(f"measured of {self.id} must be a number, got {self.measured}")
        if self.interval is not None:
            low, high = self.interval
            if not low <= high:
                raise ValueError(f"interval of {self.id} must be (low, high), got {self.interval}")

    @property
    def text(self) -> str:
        """The claim in short."""
        return CLAIMS[self.id]

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON, rounded like the table, so that both are equally steady."""
        return {
            "id": self.id,
            "claim": self.text,
            "measured": _rounded(self.measured),
            "interval": self.interval and [_rounded(end) for end in self.interval],
            "verdict": self.verdict,
            "what": self.what,
        }


@dataclass(frozen=True, repr=False)
class Claims:
    """Some measured claims; the repr is the table, at most 90 columns wide."""

    rows: tuple[Claim, ...]

    def __repr__(self) -> str:
        return table(row.as_dict() for row in self.rows)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, object]:
        """What a notebook saves: the table, and the same figures for `workbench claims`."""
        return {"text/plain": repr(self), MIME: {"claims": [row.as_dict() for row in self.rows]}}


def claims(rows: Iterable[Claim]) -> Claims:
    """Print a table of what was measured: the last cell of a notebook.

    Raises ValueError if there is no claim, or one is none.

    Examples
    --------
    >>> claims([Claim("L1", 0.8342, (0.821, 0.8469), verdict="holds", what="accuracy, cards")])
    id  claim                                           measured       95 % interval  verdict
    L1  combined noisy rules beat any single rule          0.834      [0.821, 0.847]  holds
        accuracy, cards
    """
    rows = tuple(rows)
    for row in rows:
        if not isinstance(row, Claim):
            raise ValueError(f"claims takes Claim values, got {row!r}")
    if not rows:
        raise ValueError("claims needs at least one Claim, got none")
    return Claims(rows)


def table(rows: Iterable[dict[str, object]]) -> str:
    """Rows of `Claim.as_dict` as text, at most 90 columns wide."""
    lines = [_line("id", "claim", "measured", "95 % interval", "verdict")]
    for row in rows:
        interval = (
            "-" if row["interval"] is None else "[{}, {}]".format(*map(_figure, row["interval"]))
        )
        lines.append(
            _line(row["id"], row["claim"], _figure(row["measured"]), interval, row["verdict"])
        )
        lines += wrap(row["what"], 90, initial_indent=" " * 4, subsequent_indent=" " * 4)
    return "\n".join(lines)


def read_ledger(notebooks: str | Path) -> list[dict[str, object]]:
    """Every claim in the saved outputs of `notebooks/*.ipynb`, with its notebook, in book order.

    Raises ValueError if the folder has no notebooks, or a saved claim has an id we do not know.
    """
    paths = sorted(Path(notebooks).glob("*.ipynb"))
    if not paths:
        raise ValueError(f"no notebooks in {notebooks}: give the folder that holds them")
    found = []
    for path in paths:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                for row in output.get("data", {}).get(MIME, {}).get("claims", []):
                    if row["id"] not in CLAIMS:
                        raise ValueError(f"{path.name} measures {row['id']!r}, which is no claim")
                    found.append({**row, "claim": CLAIMS[row["id"]], "notebook": path.stem})
    place = list(CLAIMS)
    return sorted(found, key=lambda row: place.index(row["id"]))


def ledger(notebooks: str | Path) -> str:
    """The claims of all notebooks as text, and which are not measured yet."""
    rows = read_ledger(notebooks)
    named = [
        {**row, "what": ": ".join(filter(None, (row["notebook"], row["what"])))} for row in rows
    ]
    measured = {row["id"] for row in rows}
    missing = [name for name in CLAIMS if name not in measured]
    lines = [table(named), "", f"{len(measured)} of {len(CLAIMS)} claims measured"]
    if missing:
        lines += wrap(f"not yet: {' '.join(missing)}", 90, subsequent_indent=" " * 9)
    return "\n".join(lines)


def _line(id: str, claim: str, measured: str, interval: str, verdict: str) -> str:
    return f"{id:<3} {claim:<{TEXT}} {measured:>{WORDS - 1}} {interval:>19}  {verdict}"


def _rounded(value: float | str) -> float | str:
    return value if isinstance(value, str) else float(f"{value:.3g}")


def _figure(value: float | str) -> str:
    """Three significant digits.

    >>> _figure(0.84), _figure(54321.0), _figure("under 50 ms")
    ('0.840', '54,300', 'under 50 ms')
    """
    if isinstance(value, str):
        return value
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:#.3g}"
