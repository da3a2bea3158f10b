"""A policy that others watch: they see the same requests, and nobody acts on what they say.

    requests ──► live ─────────────────────────► answers, as if there were no shadows
       └─ copies ──► shadow ──► checked ──► live = False ──► behind them, or to `later`

The live policy answers first, from the requests themselves. A shadow gets copies of the columns it
asks for, of its own and read-only, so whatever it does to them the live policy, the world and the
other shadows have theirs. What it says is checked before it stands beside live decisions: an
answer that the log would refuse, or that would change the type of a live column, is a failure.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from workbench.assign import uniform
from workbench.policy.columns import Columns, concatenate
from workbench.policy.decisions import DECISION_COLUMNS
from workbench.policy.groups import Requests
from workbench.policy.later import Later
from workbench.policy.protocol import Policy

__all__ = ["Shadow"]

_LOG = logging.getLogger(__name__)
_KINDS = {"position": "iu", "action": "U", "policy": "U", "variant": "U"} | dict.fromkeys(
    ("score", "propensity", "variant_share"), "fiu"
)


@dataclass(frozen=True)
class Shadow:
    """Answer with `live`; let the shadows answer too, with `live` False in their decisions.

    A shadow that raises or answers nonsense leaves the live answer as it is: the failure is logged,
    and counted in `failures` by shadow and kind of error. Live and shadow policies need different
    names, because (request, policy, position) is the key of a decision.

    Parameters
    ----------
    live : Policy
    shadows : mapping of name to Policy
    sample : float, default 1
        Share of requests that the shadows see, chosen by a hash of request and `salt`.
    salt : str
    later : Later, optional
        The shadows answer in the background and their decisions go to its sink: their time is not
        the caller's. Without it they answer at once, one after the other, and always the same.

    Notes
    -----
    A shadow runs in the same process: it is held off the requests and the decisions, not off the
    machine. It reads stores through what it was built with, so build it with what can only read.

    Examples
    --------
    >>> from workbench.policy import Threshold
    >>> both = Shadow(Threshold("score", 0.5, "xgb@3"), {"next": Threshold("score", 0.4, "xgb@4")})
    >>> answers = both.act({"request": np.array([7]), "score": np.array([0.45])})
    >>> [answers[name].tolist() for name in ("policy", "action", "live")]
    [['xgb@3', 'xgb@4'], ['approve', 'block'], [True, False]]
    """

    live: Policy
    shadows: Mapping[str, Policy]
    sample: float = 1.0
    salt: str = "shadow"
    later: Later | None = field(default=None, repr=False, compare=False)
    failures: Counter = field(default_factory=Counter, init=False, repr=False, compare=False)

    def __post_init__(self):
        if not 0 <= self.sample <= 1:
            raise ValueError(f"sample must be in [0, 1], got {self.sample}")
        names = [_names(self.live), *map(_names, self.shadows.values())]
        shared = {
            name for i, one in enumerate(names) for other in names[:i] for name in one & other
        }
        if shared:
            raise ValueError(f"live and shadow policies need different names, got {shared} twice")

    @property
    def children(self) -> dict[str, Policy]:
        """The live policy and the shadows by name."""
        return {"live": self.live, **{f"shadow {name}": p for name, p in self.shadows.items()}}

    def act(self, requests: Columns) -> dict[str, np.ndarray]:
        """The live decisions, then those of each shadow."""
        requests = Requests.of(requests)
        live = self.live.act(requests)
        if not self.shadows:
            return dict(live)
        seen = self._sampled(requests)
        if self.later is not None:
            try:
                self._leave(seen, live)
            except Exception as error:  # a column that nobody but a shadow looks at
                self._failed("all", error)
            return dict(live)
        parts, taken = [live], set(_signatures(live["policy"])[0].tolist())
        for name, child in self.shadows.items():
            answers = self._answer(name, child, _Copies(seen), live, taken)
            if answers is not None:
                parts.append(answers)
                taken |= set(_signatures(answers["policy"])[0].tolist())
        return concatenate(parts)

    def propensity(self, requests: Columns, decisions: Columns) -> np.ndarray:
        """That of the live policy: the shadows decide nothing."""
        return self.live.propensity(requests, decisions)

    def _leave(self, seen: Requests, live: Columns) -> None:
        """Give the shadows' work to `later`, with requests as they are at this moment."""
        like = {name: np.asarray(values)[:0] for name, values in live.items()}
        taken = frozenset(_signatures(live["policy"])[0].tolist())
        now = {name: _own(seen[name]) for name in seen}
        for name, child in self.shadows.items():

            def work(name=name, child=child):
                answers = self._answer(name, child, _Copies(now), like, taken)
                return None if answers is None else (answers, now)

            self.later.put(work)

    def _answer(self, name, child, seen, live, taken) -> dict[str, np.ndarray] | None:
        """A shadow's decisions as they may stand beside the live ones; None if it failed."""
        try:
            answers = _checked(child.act(Requests.of(seen)), np.unique(seen.ids), live, taken)
        except (Exception, SystemExit) as error:  # whatever it does, the live answer stands
            self._failed(name, error)
            return None
        return answers

    def _failed(self, name: str, error: BaseException) -> None:
        self.failures[name, type(error).__name__] += 1
        _LOG.warning("shadow %s raised %r", name, error, exc_info=error)

    def _sampled(self, requests: Requests) -> Requests:
        if self.sample == 1:
            return requests
        groups = requests.groups
        chosen = uniform(self.salt, groups.ids) < self.sample
        return (
            requests if chosen.all() else Requests(requests, np.flatnonzero(groups.spread(chosen)))
        )


class _Copies(Mapping):
    """Requests whose columns are copied, for one reader, when it first asks for them."""

    def __init__(self, requests: Columns):
        self._requests, self._copied = requests, {}
        self.ids = _own(requests["request"])

    def __getitem__(self, name):
        if name not in self._copied:
            self._copied[name] = _own(self._requests[name])
        return self._copied[name]

    def __contains__(self, name):
        return name in self._requests

    def __iter__(self):
        return iter(self._requests)

    def __len__(self):
        return len(self._requests)


def _own(values) -> np.ndarray:
    """A copy that shares nothing and refuses to be written to."""
    values = np.asarray(values)
    copied = copy.deepcopy(values) if values.dtype.kind == "O" else values.copy()
    copied.flags.writeable = False
    return copied


def _checked(answers, asked: np.ndarray, live: Columns, taken) -> dict[str, np.ndarray]:
    """The decision columns, `live` False; ValueError for what must not stand with live ones."""
    missing = [name for name in DECISION_COLUMNS if name not in answers]
    if missing:
        raise ValueError(f"decisions have no column {missing[0]!r}")
    kept = {name: np.array(answers[name]) for name in DECISION_COLUMNS}
    n = kept["request"].shape[:1]
    for name, values in kept.items():
        if values.shape != n:
            raise ValueError(f"{name} has shape {values.shape}, request {n}")
        if name != "live":
            kept[name] = _alike(name, values, np.asarray(live[name]))
    for name, kinds in _KINDS.items():
        if kept[name].dtype.kind not in kinds:
            raise ValueError(f"{name} must not be {kept[name].dtype}")
    kept["live"] = np.zeros(n, bool)
    if not np.isin(kept["request"], asked).all():
        raise ValueError("a decision is for a request that it was not asked")
    for name in ("propensity", "variant_share"):
        if ((kept[name] < 0) | (kept[name] > 1)).any():
            raise ValueError(f"{name} must be in [0, 1]")
    if (kept["position"] < 1).any():
        raise ValueError("position must be at least 1")
    names, signed = _signatures(kept["policy"])
    if taken & set(names.tolist()):
        raise ValueError(f"{sorted(taken & set(names.tolist()))} is the name of another policy")
    order = np.lexsort((kept["position"], signed, kept["request"]))
    same = np.ones(max(len(order) - 1, 0), bool)
    for values in (kept["request"], signed, kept["position"]):
        same &= values[order][1:] == values[order][:-1]
    if same.any():
        raise ValueError("several decisions for one request, policy and position")
    return kept


def _signatures(policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The names that sign decisions, and the number of the name in each row."""
    if len(policy) and (policy == policy[0]).all():  # comparing words is quicker than sorting them
        return policy[:1], np.zeros(len(policy), np.int64)
    return np.unique(policy, return_inverse=True)


def _alike(name: str, values: np.ndarray, live: np.ndarray) -> np.ndarray:
    """The values in the live column's type, so that joining them changes no live value."""
    if values.dtype.kind == live.dtype.kind == "U" or not len(values):
        return values.astype(live.dtype) if not len(values) else values
    if not np.can_cast(values.dtype, live.dtype, "same_kind") or live.dtype.kind == "U":
        raise ValueError(f"{name} is {values.dtype}, in the live decisions {live.dtype}")
    return values.astype(live.dtype)


def _names(policy: Policy) -> set[str]:
    """Names of the policies in this tree that sign decisions."""
    children = getattr(policy, "children", {})
    own = {policy.name} if hasattr(policy, "name") and not children else set()
    return own.union(*map(_names, children.values()))
