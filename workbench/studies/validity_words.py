"""The words of the validity card: which moments, in which order, and why they may differ."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MOMENTS", "NOT_COMPARED", "NOT_MODELLED", "Asked"]


class Asked(NamedTuple):
    """A moment to compare. `real` is its name on the real side, where that is another."""

    section: str
    name: str
    why: str  # what to know when the two differ
    real: str = ""


_WHOLESALE = "the real customers are shops that stock up, the simulated ones are households"
_OFTEN = (
    "people of the world come often, so that weeks of it hold a history for models to learn from: "
    "oftener than a shop's customers, rarer than a card is used"
)
_HOURS = "the real shop keeps office hours; people at home buy in the evening"
_GAUSS = "the Handbook draws hours from a bell curve round noon and its days alike"
_FRAUD = "how thieves work is a choice on both sides: the Handbook's scenarios are simulated too"

MOMENTS = (
    Asked("baskets", "lines per basket", _WHOLESALE),
    Asked("baskets", "baskets of one line, share", _WHOLESALE),
    Asked("baskets", "units per line", _WHOLESALE),
    Asked("baskets", "amount of a basket, median", "a wholesale order in pounds of 2010"),
    Asked("baskets", "amount of a basket, log-sd", _WHOLESALE),
    Asked("baskets", "amount of a line, log-sd", _WHOLESALE),
    Asked("baskets", "amount of a line, p99 / median", _WHOLESALE),
    Asked("popularity", "top 1 % of items, share of lines",
          "a Zipf head is steep; the real shop has no bestseller that stands out, all is gifts"),
    Asked("popularity", "top 10 % of items, share of lines",
          "the real curve is flat at the head and falls fast in the tail: no Zipf law"),
    Asked("popularity", "Zipf exponent of lines",
          "fitted to both, though only the simulated curve follows the law"),
    Asked("customers", "buyers who come back, share", _OFTEN),
    Asked("customers", "baskets per buyer and 30 days", _OFTEN),
    Asked("customers", "baskets per buyer, sd / mean",
          "a few real wholesalers order weekly, most customers once"),
    Asked("customers", "days between baskets, median", _OFTEN),
    Asked("customers", "top 10 % of buyers, share spent",
          "the real shop lives from few large customers"),
    Asked("customers", "new buyers per 30 days, share",
          "first seen in the second half of the span, per customer seen in the first"),
    Asked("customers", "lines without a customer, share",
          "the real ones are mostly bundles of the shop's own web orders"),
    Asked("calendar", "hours of baskets", _HOURS),
    Asked("calendar", "weekdays of baskets", "the real shop is closed on Saturdays"),
    Asked("calendar", "months of baskets", "a run of 365 days shows the world's"),
    Asked("calendar", "weekly baskets, log-sd",
          "gifts: November is the real shop's high season, and Christmas week is closed"),
    Asked("calendar", "days without baskets, share", "Saturdays, Christmas and Easter"),
    Asked("items", "item price, log-sd", "pence for a postcard, hundreds of pounds for a cabinet"),
    Asked("items", "price changes per item and 30 days",
          "real ones are read from invoices: discounts for quantity look like a new price"),
    Asked("items", "new items per 30 days, share",
          "a real item counts as new when it first sells, so slow sellers are among them"),
    Asked("items", "returned lines, share", "nobody in the world sends anything back"),
    Asked("payments", "amount of a payment, median", "neither side says in which currency"),
    Asked("payments", "amount of a payment, log-sd", "of amounts above zero"),
    Asked("payments", "amount of a payment, p99 / median",
          "the Handbook draws a card's amounts from a bell curve, which has no long tail"),
    Asked("payments", "log-amount variance between payers",
          "share of the variance that is between people: every card has its own level"),
    Asked("payments", "payments per payer and 30 days", _OFTEN),
    Asked("payments", "payments per payer, sd / mean", "how different people's activity is"),
    Asked("payments", "payers who come back, share", _OFTEN),
    Asked("payments", "days between payments, median", _OFTEN),
    Asked("payments", "top 10 % of sellers, share",
          "the Handbook's terminals are drawn near the customer, none is larger than others"),
    Asked("payments", "hours of payments", _GAUSS),
    Asked("payments", "weekdays of payments", _GAUSS),
    Asked("payments", "weekly payments, log-sd", _GAUSS),
    Asked("payments", "days without payments, share", "neither side closes"),
    Asked("fraud", "frauds, true share",
          "several times that of real cards, by choice, in both: learners need positives",
          real="payments complained of, share"),
    Asked("fraud", "payments complained of, share",
          "some victims of the world never complain; every one of the Handbook does"),
    Asked("fraud", "payers defrauded, share", _FRAUD),
    Asked("fraud", "frauds per victim", _FRAUD),
    Asked("fraud", "hours between a victim's frauds", _FRAUD),
    Asked("fraud", "of these gaps, share under a day", _FRAUD),
    Asked("fraud", "fraud / honest amount, medians", _FRAUD),
    Asked("fraud", "amount of a fraud, log-sd", _FRAUD),
    Asked("fraud", "days until a complaint, median",
          "the Handbook has no complaints: its labels are known at once, and a week is assumed"),
)  # fmt: skip

NOT_MODELLED = (
    "Returns, credit notes, corrections by hand, postage, discounts, bad debts.",
    "Wholesale: customers who buy dozens of lines and hundreds of units for shops of their own.",
    "Customers without an id; several people behind one account or one invoice.",
    "Opening hours, closing days and holidays; people in more than one time zone.",
    "Currencies, taxes, exchange rates; card limits, and refusals by the bank.",
    "Codes and texts that change for one and the same item; typing errors in prices.",
    "Thieves who learn from the rules they meet; honest people who complain all the same.",
)

NOT_COMPARED = (
    "Pages, searches, clicks, dwell, ratings, reviews and stock: neither set records them.",
    "Tastes, categories, devices and places: neither set has anything to compare with.",
)
