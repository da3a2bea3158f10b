"""The checkout: an approved payment goes through, and a fraud comes back weeks later; a blocked
one has no outcome at all.
"""

from __future__ import annotations

import numpy as np

from workbench.marketplace.agenda import (
    HONEST,
    ITEM,
    STEP,
    TECHNIQUE,
    TIME,
    USER,
    VISIT,
    Agenda,
)
from workbench.marketplace.answers import rows_answered, write_decisions
from workbench.marketplace.fraudsters import AT_THE_TILL, ATTEMPT, Fraudsters
from workbench.marketplace.ledger import Ledger, Words
from workbench.marketplace.loyalty import Loyalty
from workbench.marketplace.luck import TURN_STEPS, Ids
from workbench.marketplace.opinions import Opinions
from workbench.marketplace.people import DAY_US, PLACES
from workbench.marketplace.store import Store
from workbench.policy import Columns

__all__ = ["Checkout"]

_PAY_US = 1_000_000  # from the request to the payment


class Checkout:
    """The checkouts of one wave, from the question to the payments."""

    def __init__(
        self, fraudsters: Fraudsters, store: Store, loyalty: Loyalty, opinions: Opinions, ids: Ids,
        ledger: Ledger, start: int,
    ):  # fmt: skip
        self._fraudsters, self._store, self._loyalty = fraudsters, store, loyalty
        self._ids, self._ledger, self._start = ids, ledger, start
        self._opinions = opinions

    def ask(self, entries: np.ndarray) -> Columns:
        """One row per request."""
        catalogue, store = self._fraudsters.behaviour.catalogue, self._store
        time, user, visit, item = entries[TIME], entries[USER], entries[VISIT], entries[ITEM]
        request = self._ids.of(user, visit, entries[STEP])
        device, place, amount = self._marks(entries)
        led = (entries[TECHNIQUE] == HONEST) & (entries[STEP] > 0)  # a page led here
        session = np.where(led, self._ids.of(user, visit, 0), request)
        page = self._ids.of(user, visit, entries[STEP] // TURN_STEPS * TURN_STEPS)
        self._entries, self._page = entries, np.where(led, page, request)
        self._place = Words(place, PLACES)
        self._payment = {
            "request": request,
            "user": user,
            "item": item,
            "seller": catalogue.seller[item],
            "session": session,
            "device": device,
            "amount": amount,
        }
        self._ledger.write(
            "request", {"surface": "checkout"}, event=request, time=time, place=self._place,
            **self._payment,
        )  # fmt: skip
        return {
            **self._payment,
            "place": self._place.text,
            "time": time.view("datetime64[us]"),
            "price": store.price[item],
            "category": catalogue.category[item],
            "brand": catalogue.brand[item],
        }

    def match(self, decisions: Columns) -> tuple[np.ndarray, np.ndarray]:
        """Check the decisions; the row of each one's request, and which requests are approved."""
        request = self._payment["request"]
        row, live = rows_answered("checkout", decisions, request)
        action = np.asarray(decisions["action"])[live]
        strange = (action != "approve") & (action != "block")
        if strange.any():
            raise ValueError(f"checkout: action must be approve or block, got {action[strange][0]}")
        if len(action) > len(request):
            raise ValueError("checkout: a request has more than one live decision")
        approved = np.zeros(len(request), bool)
        approved[row[live]] = action == "approve"
        return row, approved

    def react(
        self, decisions: Columns, matched: tuple[np.ndarray, np.ndarray], agenda: Agenda
    ) -> None:
        """Write the payments and complaints to come; tell the agenda who was blocked."""
        row, approved = matched
        write_decisions(
            self._ledger, "checkout", decisions, self._entries[TIME, row], self._entries[USER, row]
        )
        fraud = self._entries[TECHNIQUE] != HONEST
        self._pay(approved)
        self._complain(approved)
        self._experience(self._entries[:, approved & ~fraud])
        time, user = self._entries[[TIME, USER]]
        wronged = ~approved & ~fraud
        self._loyalty.blocked(user[wronged], time[wronged])
        self._adapt(self._entries[:, ~approved & fraud], agenda)

    def _marks(self, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Device, place and amount of each checkout, honest or not."""
        behaviour = self._fraudsters.behaviour
        people = behaviour.people
        time, user, visit, step, item, technique, _ = entries
        log_price = np.log(self._store.price[item])
        device = people.device(user, visit)
        place = people.place(user, (time - self._start) // DAY_US)
        log_amount = log_price + behaviour.log_basket(user, visit, item)
        theirs = np.flatnonzero(technique != HONEST)
        if theirs.size:
            who = user[theirs], visit[theirs], step[theirs]
            device[theirs] = self._fraudsters.device(*who)
            place[theirs] = self._fraudsters.place(*who[:2])
            log_amount[theirs] = self._fraudsters.log_amount(*who, log_price[theirs])
        return device, place, np.maximum(np.round(np.exp(log_amount), 2), 0.01)

    def _pay(self, approved: np.ndarray) -> None:
        paid = {name: values[approved] for name, values in self._payment.items()}
        time = self._entries[TIME, approved] + _PAY_US
        taken = self._entries[TECHNIQUE, approved] != AT_THE_TILL
        self._store.sell(paid["item"][taken])
        self._ledger.write(
            "payment", event=paid["request"], time=time, place=self._place[approved], **paid
        )
        page = self._page[approved]  # the one that led here, so that a slate can be marked
        self._ledger.write(
            "purchase", event=paid["request"], time=time, **{**paid, "request": page}
        )

    def _experience(self, entries: np.ndarray) -> None:
        """What honest buyers got for their money: moods, and for some of them a rating."""
        quality = self._fraudsters.behaviour.catalogue.quality[entries[ITEM]]
        self._loyalty.bought(entries[USER], entries[TIME], quality)
        self._opinions.of_buyers(entries[[USER, VISIT, STEP, ITEM, TIME]])

    def _adapt(self, blocked: np.ndarray, agenda: Agenda) -> None:
        """Blocked thieves give up, go on, or try the same purchase again, smaller."""
        who = blocked[[USER, VISIT, STEP]]
        gone = self._fraudsters.gives_up(*who)
        agenda.stop(*who[:2, gone])
        again = ~gone & self._fraudsters.tries_again(*who)
        tries, who = blocked[:, again], who[:, again]
        tries[TIME] += self._fraudsters.retry_us(*who)
        tries[STEP] += ATTEMPT
        agenda.add(tries)

    def _complain(self, approved: np.ndarray) -> None:
        """A complaint is about the moment of the payment, and known when it arrives."""
        who = self._entries[[USER, VISIT, STEP]][:, approved]
        complains = self._fraudsters.complains(*who)
        told = np.flatnonzero(approved)[complains]
        columns = {name: self._payment[name][told] for name in ("request", "user", "item")}
        time = self._entries[TIME, told] + _PAY_US
        self._ledger.write(
            "chargeback", event=columns["request"], time=time,
            known_at=time + self._fraudsters.delay_us(*who[:, complains]),
            seller=self._payment["seller"][told], amount=self._payment["amount"][told], **columns,
        )  # fmt: skip
