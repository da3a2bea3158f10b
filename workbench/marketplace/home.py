"""The home page: candidates go out, a slate comes back, people look, click and go to pay."""

from __future__ import annotations

import numpy as np

from workbench.marketplace.agenda import HONEST, TIME, USER, VISIT
from workbench.marketplace.answers import rows_answered, write_decisions
from workbench.marketplace.behaviour import Behaviour
from workbench.marketplace.ledger import Ledger
from workbench.marketplace.luck import Ids
from workbench.marketplace.people import DAY_US, PLACES
from workbench.policy import NO_ITEM, Columns

__all__ = ["Home"]

_RENDER_US = 200_000  # from the request to the page


class Home:
    """The pages of one wave, from the question to the clicks."""

    def __init__(self, behaviour: Behaviour, ids: Ids, ledger: Ledger, *, candidates: int, start):
        self._behaviour, self._ids, self._ledger = behaviour, ids, ledger
        self._count, self._start = candidates, start

    def ask(self, entries: np.ndarray) -> Columns:
        """One row per (request, candidate); a request's rows are neighbours, items ascending."""
        people, catalogue = self._behaviour.people, self._behaviour.catalogue
        time, user, visit = entries[TIME], entries[USER], entries[VISIT]
        request = self._ids.of(user, visit, 0)
        self._entries, self._request = entries, request
        self._items = catalogue.candidates(user, visit, self._count)
        place = people.place(user, (time - self._start) // DAY_US)
        self._ledger.write(
            "request", {"surface": "home"}, event=request, time=time, request=request, user=user,
            session=request, device=people.device(user, visit), place=PLACES[place],
        )  # fmt: skip
        item = self._items.ravel()

        def each(values):
            return np.repeat(values, self._count)

        return {
            "request": each(request),
            "user": each(user),
            "session": each(request),
            "item": item,
            "time": each(time.view("datetime64[us]")),
            "price": catalogue.price[item],
            "category": catalogue.category[item],
            "seller": catalogue.seller[item],
        }

    def match(self, decisions: Columns) -> tuple[np.ndarray, ...]:
        """Check the decisions; rows of their requests, which are shown, and as which candidate."""
        row, live = rows_answered("home", decisions, self._request)
        item, position = np.asarray(decisions["item"]), np.asarray(decisions["position"])
        shown = live & (item != NO_ITEM)
        return row, shown, self._candidates_shown(row[shown], item[shown], position[shown])

    def react(self, decisions: Columns, matched: tuple[np.ndarray, ...]) -> np.ndarray:
        """Write what happens on the pages; return the checkouts to come, as agenda entries."""
        behaviour, (row, shown, candidate) = self._behaviour, matched
        write_decisions(
            self._ledger, "home", decisions, self._entries[TIME, row], self._entries[USER, row]
        )
        row, item = row[shown], np.asarray(decisions["item"])[shown].astype(np.int64)
        position = np.asarray(decisions["position"])[shown].astype(np.int64)
        request, user, visit = self._request[row], *self._entries[[USER, VISIT]][:, row]
        step = candidate + 1
        event = self._ids.of(user, visit, step)
        page = {"request": request, "user": user, "session": request}
        time = self._entries[TIME, row] + _RENDER_US
        self._ledger.write(
            "impression", {"surface": "home"}, event=event, time=time, item=item,
            position=position, **page,
        )  # fmt: skip
        yes = behaviour.clicks(user, visit, item, position)
        page = {name: values[yes] for name, values in page.items()}
        user, visit, item, step = user[yes], visit[yes], item[yes], step[yes]
        time = time[yes] + behaviour.reading_us(user, visit, item)
        self._ledger.write(
            "click", {"surface": "home"}, event=event[yes], time=time, item=item,
            position=position[yes], **page,
        )  # fmt: skip
        buys = behaviour.buys(user, visit, item)
        user, visit, item, step = user[buys], visit[buys], item[buys], step[buys]
        checkout = time[buys] + behaviour.thinking_us(user, visit, item)
        honest = np.full_like(user, HONEST)
        return np.stack([checkout, user, visit, step, item, honest, page["request"][buys]])

    def _candidates_shown(self, row, item, position) -> np.ndarray:
        """Which candidate of its request each shown item is, 0-based; checks the slates."""
        wide = self._behaviour.catalogue.price.size
        keys = (np.arange(len(self._request))[:, None] * wide + self._items).ravel()
        key = row * wide + item
        place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        strange = (keys[place] != key) | (item < 0) | (item >= wide)
        if strange.any():
            raise ValueError(
                f"home: item {item[strange][0]} is no candidate of "
                f"request {self._request[row[strange][0]]}"
            )
        if len(position) and position.min() < 1:
            raise ValueError(f"home: position 1 is the top, got {position.min()}")
        high = int(position.max()) + 1 if len(position) else 1
        for name, once in (("item", key), ("position", row * high + position)):
            ordered = np.sort(once)
            if (ordered[1:] == ordered[:-1]).any():
                raise ValueError(f"home: a live slate has the same {name} twice")
        return place - row * self._count
