"""What will this customer want next?

    log ─► shelf (nightly: what sells, what sells together)
                │
    requests ─► candidates ─► examples (features, as known then) ─► fit_ranker ─► ranking: a policy
                a few hundred of millions        ▲                        │
                                          bought next ──────► marks: recall, NDCG, beside popular

Two stages: cheap sources find candidates, a model orders them. Every number about a request is
from strictly before it.
"""

from workbench.recommender.candidates import candidates
from workbench.recommender.marks import Marks, marks
from workbench.recommender.ranker import examples, fit_ranker, history, inputs, ranking
from workbench.recommender.shelf import Shelf, ShelfSpec, shelf

__all__ = [
    "Marks",
    "Shelf",
    "ShelfSpec",
    "candidates",
    "examples",
    "fit_ranker",
    "history",
    "inputs",
    "marks",
    "ranking",
    "shelf",
]
