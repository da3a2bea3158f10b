"""Real data sets, fetched once, checked, and renamed into the vocabulary.

    public source ──► data/public/<set>/ ──► table(name)     as published
    or local mirror        checked      └──► events(name)    payment, click, … with two clocks

A set comes from its public source the first time (`workbench.data.sources` has addresses and
checksums), or from a folder that `WORKBENCH_PUBLIC_DATA` names. What it does not say and the
vocabulary needs is assumed, and `describe(name)` says so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from workbench.contracts import Contract
from workbench.data import cards, online_retail, open_bandit
from workbench.data.download import fetch
from workbench.data.sources import SOURCES

__all__ = ["Description", "append", "contracts", "describe", "events", "names", "register", "table"]

_SETS = {"online-retail": online_retail, "cards": cards, "open-bandit": open_bandit}


@dataclass(frozen=True)
class Description:
    """What a set is and what was assumed about it. The repr is the page."""

    name: str
    title: str
    licence: str
    homepage: str
    rows: Mapping[str, int]  # by kind, as `events` gives them
    assumptions: tuple[str, ...]

    def __repr__(self):
        rows = ", ".join(f"{count:,} {kind}" for kind, count in self.rows.items())
        head = [f"{self.name}: {self.title}", rows, f"licence: {self.licence}"]
        lines = [textwrap.fill(words, 88, subsequent_indent="    ") for words in head]
        lines += [f"source: {self.homepage}", "assumed:"]
        lines += [
            textwrap.fill(words, 88, initial_indent="  - ", subsequent_indent="    ")
            for words in self.assumptions
        ]
        return "\n".join(lines)


def names() -> list[str]:
    """The sets there are.

    >>> names()
    ['cards', 'online-retail', 'open-bandit']
    """
    return sorted(_SETS)


def describe(name: str) -> Description:
    """Licence, source, events of each kind, and what was assumed. Fetches nothing.

    >>> describe("cards").rows["payment"]
    872795
    """
    source, module = SOURCES[_known(name)], _SETS[name]
    return Description(
        name, source.title, source.licence, source.homepage, module.KINDS, module.ASSUMPTIONS
    )


def table(name: str) -> pl.DataFrame:
    """The set as published: its own columns, names and rows.

    Raises
    ------
    ValueError
        If there is no set of that name, or a file is not the one that was published.
    OSError
        If the set must be fetched and cannot be.
    """
    return _SETS[name].table(_folder(name))


def events(name: str, *, label_delay_days: float | None = None) -> dict[str, pl.DataFrame]:
    """The set as events: one frame a kind, in the vocabulary, with `time` and `known_at`.

    Parameters
    ----------
    name : str
        One of `names()`.
    label_delay_days : float, optional
        For cards: how long after a fraudulent payment its chargeback arrives; 7 by default.

    Returns
    -------
    dict of kind to DataFrame
        Sorted by row as published. A log takes them after `log.register` of `contracts(name)`;
        `append(name, log)` does both.

    Raises
    ------
    ValueError
        As `table`; or a label delay that is negative, or for a set that has no late labels.
    OSError
        As `table`.
    """
    _known(name)
    if label_delay_days is None:
        return _SETS[name].events(_folder(name))
    if name != "cards":
        raise ValueError(f"label_delay_days is for cards only: {name} has no labels that come late")
    return cards.events(_folder(name), label_delay_days=label_delay_days)


def contracts(name: str) -> tuple[Contract, ...]:
    """The contracts of the kinds that are the set's own, for `log.register`.

    >>> [contract.kind for contract in contracts("online-retail")]
    ['refund', 'adjustment']
    """
    return _SETS[_known(name)].CONTRACTS


def append(name: str, log, *, label_delay_days: float | None = None):
    """Append all events of a set to a log, in one commit; what `log.append` returns.

    The log's own clock must be past the set's last event. Appending again changes nothing.
    """
    register(contracts(name), log)
    return log.append(**events(name, label_delay_days=label_delay_days))


def register(own: Iterable[Contract], log) -> None:
    """Register those contracts that the log does not have yet."""
    for contract in own:
        try:
            log.contract(contract.kind)
        except ValueError:  # no such kind yet
            log.register(contract)


def _folder(name: str) -> Path:
    return fetch(SOURCES[_known(name)], make=getattr(_SETS[name], "make", None))


def _known(name: str) -> str:
    if name not in _SETS:
        raise ValueError(f"there is no public set {name!r}; there are {', '.join(names())}")
    return name
