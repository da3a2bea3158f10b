"""A simulated marketplace: what would have been right, had we known everything?

People with tastes, items with prices, thieves with other people's cards. The shop sees requests and
events; `world.truth` knows the rest, so every estimate can be marked against the right answer.

    spec          the dials                      people       tastes, money, homes, arrivals
    catalogue     items and candidates           behaviour    looking, clicking, buying
    techniques    how thieves work, and when     fraudsters   bursts, second tries, complaints
    victims       whom and what they pick        shocks       what changes suddenly
    home checkout the two surfaces               agenda       who asks next
    world         waves, reactions, the run      truth        the only door to the answers
    fraud_truth   the answers about frauds
    potential     everybody under each policy     copies       how they are played and counted
    redeal        a thousand experiments from two worlds
    luck          chance keyed by what it is about; ids that hide what they hold
"""

from workbench.marketplace.spec import MarketplaceSpec
from workbench.marketplace.techniques import TechniqueRun
from workbench.marketplace.truth import Truth
from workbench.marketplace.world import Marketplace

__all__ = ["Marketplace", "MarketplaceSpec", "TechniqueRun", "Truth"]
