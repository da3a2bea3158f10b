"""Home pages and searches: candidates go out, a slate comes back, people look, click, go to pay.

ask     one row per (request, candidate): what the shop knows of each item today
match   are these decisions about the open requests, and their slates possible?
react   impressions, clicks, moods; who comes to the checkout, who opens another page
"""

from __future__ import annotations

import numpy as np

from workbench.marketplace.agenda import HONEST, KIND, STEP, TIME, USER, VISIT
from workbench.marketplace.answers import rows_answered, write_decisions
from workbench.marketplace.behaviour import Behaviour
from workbench.marketplace.ledger import Ledger, Words
from workbench.marketplace.looking import Shown
from workbench.marketplace.loyalty import Loyalty
from workbench.marketplace.luck import FIRST_BOT_SLOT, SLOTS, TURN_STEPS, TURNS, Ids
from workbench.marketplace.people import CHECKOUT, DAY_US, HOME, PLACES, SEARCH
from workbench.marketplace.store import Store
from workbench.policy import NO_ITEM, Columns

__all__ = ["SURFACES", "Pages"]

SURFACES = {HOME: "home", SEARCH: "search", CHECKOUT: "checkout"}
_RENDER_US = 200_000  # from the request to the page
_NEXT_PAGE_US = 5_000_000  # at least, from the last click to the next page


class Pages:
    """The pages of one surface in one wave, from the question to the clicks."""

    def __init__(
        self, surface: int, behaviour: Behaviour, store: Store, loyalty: Loyalty, ids: Ids,
        ledger: Ledger, start: int,
    ):  # fmt: skip
        self._surface, self._name = surface, SURFACES[surface]
        self._behaviour, self._store, self._loyalty = behaviour, store, loyalty
        self._ids, self._ledger, self._start = ids, ledger, start

    def ask(self, entries: np.ndarray) -> Columns:
        """One row per (request, candidate); a request's rows are neighbours, items ascending."""
        behaviour, store = self._behaviour, self._store
        people, catalogue = behaviour.people, behaviour.catalogue
        time, user, visit = entries[TIME], entries[USER], entries[VISIT]
        turn = entries[STEP] // TURN_STEPS
        self._request = request = self._ids.of(user, visit, entries[STEP])
        self._session = session = self._ids.of(user, visit, 0)
        self._entries, self._turn = entries, turn
        words = {}
        if self._surface == SEARCH:
            self._wanted = behaviour.wanted(user, visit)
            query = behaviour.query(user, visit * TURNS + turn, self._wanted)
            words["query"] = Words(query, catalogue.language.queries.text)
            self._items = store.found(query, user, visit, turn)
        else:
            self._items = store.page(user, visit, turn)
        place = people.place(user, (time - self._start) // DAY_US)
        self._ledger.write(
            "request", {"surface": self._name}, event=request, time=time, request=request,
            user=user, session=session, device=people.device(user, visit),
            place=Words(place, PLACES), **words,
        )  # fmt: skip
        item, count = self._items.ravel(), self._items.shape[1]

        def each(values):
            return np.repeat(values, count)

        asked = {
            "request": each(request),
            "user": each(user),
            "session": each(session),
            "item": item,
            "time": each(time.view("datetime64[us]")),
            "price": store.price[item],
            "category": catalogue.category[item],
            "seller": catalogue.seller[item],
            "brand": catalogue.brand[item],
            "stock": np.maximum(store.stock[item], 0),
            "bestseller": store.bestseller[item],
            "sponsored": catalogue.sponsored[item],
        }
        return asked | {name: each(each_word.text) for name, each_word in words.items()}

    def match(self, decisions: Columns) -> tuple[np.ndarray, ...]:
        """Check the decisions; rows of their requests, which are shown, and as which candidate."""
        row, live = rows_answered(self._name, decisions, self._request)
        item, position = np.asarray(decisions["item"]), np.asarray(decisions["position"])
        shown = live & (item != NO_ITEM)
        return row, shown, self._candidates_shown(row[shown], item[shown], position[shown])

    def react(self, decisions: Columns, matched: tuple[np.ndarray, ...]) -> np.ndarray:
        """Write what happens on the pages; return what people do next, as agenda entries."""
        behaviour, (row, on_page, candidate) = self._behaviour, matched
        entries = self._entries
        write_decisions(self._ledger, self._name, decisions, entries[TIME, row], entries[USER, row])
        row, item = row[on_page], np.asarray(decisions["item"])[on_page].astype(np.int64)
        position = np.asarray(decisions["position"])[on_page].astype(np.int64)
        user, visit, turn = entries[USER, row], entries[VISIT, row], self._turn[row]
        grade = np.zeros(len(item), np.int64)
        if self._surface == SEARCH:
            grade = behaviour.relevance(self._wanted[row], item)
        key = behaviour.luck.key(user, visit * TURNS + turn, item)
        best = self._store.bestseller[item]
        shown = Shown(user, visit, turn, item, position, best, grade, key)
        event = self._ids.of(user, visit, turn * TURN_STEPS + candidate + 1)
        page = {"request": self._request[row], "user": user, "session": self._session[row]}
        time, surface = entries[TIME, row] + _RENDER_US, {"surface": self._name}
        self._ledger.write(
            "impression",
            surface,
            event=event,
            time=time,
            item=item,
            position=position,
            bestseller=shown.bestseller,
            **page,
        )
        yes = np.flatnonzero(behaviour.clicks(self._surface, shown))
        clicked = shown.take(yes)
        time = time[yes] + behaviour.reading_us(clicked.key)
        dwell = behaviour.dwell_seconds(clicked.key, clicked.item)
        self._ledger.write(
            "click", surface, event=event[yes], time=time, item=clicked.item,
            known_at=time + (dwell * 1e6).astype(np.int64), position=clicked.position,
            dwell_seconds=dwell, **{name: values[yes] for name, values in page.items()},
        )  # fmt: skip
        buys = behaviour.buys(clicked)
        empty = buys & (self._store.stock[clicked.item] <= 0)
        buys &= ~empty
        found = np.zeros(entries.shape[1], np.int64)
        found[row[yes]] = 1
        found[row[yes][buys]] = 2
        self._moods(row, item, found, np.unique(row[yes][empty]))
        paying = clicked.take(buys)
        checkout = time[buys] + behaviour.thinking_us(paying.key)
        step = (turn * TURN_STEPS + candidate + 1)[yes][buys]
        pays = np.stack([
            checkout, paying.user, paying.visit, step, paying.item,
            np.full_like(step, HONEST), np.full_like(step, CHECKOUT),
        ])  # fmt: skip
        last = entries[TIME] + _RENDER_US
        np.maximum.at(last, row[yes], time)
        return np.concatenate([pays, self._next_pages(found, last)], axis=1)

    def _next_pages(self, found: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Entries for those who open another page in the same visit."""
        behaviour, entries = self._behaviour, self._entries
        page = entries[VISIT] * TURNS + self._turn
        key = behaviour.luck.key(entries[USER], page)
        kind = behaviour.turns_to(self._surface, key, page, found)
        on = np.flatnonzero(kind >= 0)
        more = entries[:, on]
        more[TIME] = last[on] + _NEXT_PAGE_US + behaviour.reading_us(key[on])
        more[KIND] = kind[on]
        more[STEP] += TURN_STEPS
        return more

    def _moods(self, row, item, found, empty) -> None:
        """Tell what the pages did to moods: clicked or not, how varied, an empty shelf."""
        catalogue, entries = self._behaviour.catalogue, self._entries
        kinds = len(catalogue.centres)
        person = entries[VISIT] % SLOTS < FIRST_BOT_SLOT
        pages = np.unique(row[person[row]])
        if self._surface == HOME and len(pages):
            key = row * kinds + catalogue.category[item]
            counts = np.bincount(key, minlength=entries.shape[1] * kinds).reshape(-1, kinds)[pages]
            shares = counts / counts.sum(axis=1)[:, None]
            self._loyalty.page(
                entries[USER, pages], entries[TIME, pages], found[pages] > 0,
                counts.argmax(axis=1), (shares**2).sum(axis=1),
            )  # fmt: skip
        self._loyalty.sold_out(entries[USER, empty], entries[TIME, empty])

    def _candidates_shown(self, row, item, position) -> np.ndarray:
        """Which candidate of its request each shown item is, 0-based; checks the slates."""
        wide = self._behaviour.catalogue.price.size
        keys = (np.arange(len(self._request))[:, None] * wide + self._items).ravel()
        key = row * wide + item
        place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        strange = (keys[place] != key) | (item < 0) | (item >= wide)
        if strange.any():
            raise ValueError(
                f"{self._name}: item {item[strange][0]} is no candidate of "
                f"request {self._request[row[strange][0]]}"
            )
        if len(position) and position.min() < 1:
            raise ValueError(f"{self._name}: position 1 is the top, got {position.min()}")
        high = int(position.max()) + 1 if len(position) else 1
        for name, once in (("item", key), ("position", row * high + position)):
            ordered = np.sort(once)
            if (ordered[1:] == ordered[:-1]).any():
                raise ValueError(f"{self._name}: a live slate has the same {name} twice")
        return place - row * self._items.shape[1]
