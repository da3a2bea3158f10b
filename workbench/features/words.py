"""The words that every aggregate understands, and the feature that they make.

There are more than five, because this is a small language and its sentences are short.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypedDict, get_type_hints

from workbench.features.definition import Feature

__all__ = ["Words", "feature_of", "spelled_out"]


class Words(TypedDict, total=False):
    """What every aggregate understands.

    Parameters
    ----------
    of : str
        Event kind, such as "payment".
    per : str or sequence of str
        Key column or columns: "user", ("user", "device").
    days, hours, minutes : float
        Length of the window; they add up. None given means ever.
    session_minutes : float
        Only the running session: back to the first silence longer than this. Its window, one day
        unless given, is the longest it can be.
    step_minutes : float
        The window's old end moves in steps this long, so that a store keeps a bounded number of
        tiles. Without it windows are exact, and a store keeps one tile an event.
    lag_days : float
        The window ends this long before the request, for labels that come late.
    where : str
        SQL condition on the events, such as "amount > 100".
    missing : number or text
        What the feature reads where it would be null.
    name : str
        Column name; a speaking one is made up when missing.
    """

    of: str
    per: str | Sequence[str]
    days: float
    hours: float
    minutes: float
    session_minutes: float
    step_minutes: float
    lag_days: float
    where: str
    missing: float | int | str
    name: str


def spelled_out(function: Callable) -> Callable:
    """Show every word in the signature, so that a notebook completes them."""
    own = [p for p in inspect.signature(function).parameters.values() if p.kind != p.VAR_KEYWORD]
    taken = {parameter.name for parameter in own}
    required = {"of", "per"}
    words = [
        inspect.Parameter(
            word,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if word in required else None,
            annotation=hint,
        )
        for word, hint in get_type_hints(Words).items()
        if word not in taken
    ]
    function.__signature__ = inspect.Signature([*own, *words], return_annotation=Feature)
    return function


def feature_of(
    aggregate: str, column: str | None, words: Words, most: int | None = None
) -> Feature:
    """The feature that a sentence means.

    >>> feature_of("count", None, {"of": "click", "per": "user", "minutes": 5}).window.seconds
    300
    """
    unknown = sorted(set(words) - set(get_type_hints(Words)))
    absent = [word for word in ("of", "per") if word not in words]
    if unknown or absent:
        raise TypeError(
            f"{aggregate} knows no word {unknown[0]!r}, only {[*get_type_hints(Words)]}"
            if unknown
            else f"{aggregate} needs the word {absent[0]}="
        )
    session = _span(words, minutes="session_minutes")
    window = _span(words, days="days", hours="hours", minutes="minutes")
    per = words["per"]
    return Feature(
        aggregate=aggregate,
        of=words["of"],
        per=(per,) if isinstance(per, str) else tuple(per),
        column=column,
        window=timedelta(days=1) if window is None and session is not None else window,
        lag=_span(words, days="lag_days") or timedelta(0),
        where=words.get("where"),
        step=_span(words, minutes="step_minutes"),
        session=session,
        most=most,
        missing=words.get("missing"),
        name=words.get("name") or "",
    )


def _span(words: Words, **units: str) -> timedelta | None:
    given: dict[str, Any] = {unit: words.get(word) for unit, word in units.items()}
    given = {unit: length for unit, length in given.items() if length is not None}
    return timedelta(**given) if given else None
