"""A simulated marketplace: what would have been right, had we known everything?

People with tastes, items with prices, thieves with other people's cards. The shop sees requests and
events; `world.truth` knows the rest, so every estimate can be marked against the right answer.

    spec          the dials                      shocks       what changes suddenly
    people        tastes, money, homes, visits   loyalty      moods: who comes back, who leaves
    catalogue     items, prices, launches        language     words, titles, queries, reviews
    behaviour     clicking, buying, searching    looking      how far down people read
    techniques    how thieves work, and when     fraudsters   bursts, second tries, complaints
    victims       whom and what they pick        fraud_truth  the answers about frauds
    store         stock, bestsellers, shelves    opinions     ratings, and advertisements in them
    pages         home pages and searches        checkout     payments
    agenda        who asks next                  world        waves, reactions, the run
    parts         one world on many workers      truth        the only door to the answers
    luck          chance keyed by what it is about; ids that hide what they hold
"""

from workbench.marketplace.shocks import Shock
from workbench.marketplace.spec import MarketplaceSpec
from workbench.marketplace.techniques import TechniqueRun
from workbench.marketplace.truth import Truth
from workbench.marketplace.world import Marketplace

__all__ = ["Marketplace", "MarketplaceSpec", "Shock", "TechniqueRun", "Truth"]
