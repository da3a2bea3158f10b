"""Did the new arm do better, and may we believe the comparison at all?

    table ─► were users dealt as planned? ── no ──► say so, show no effect
                        │ yes
                        └► one number per user ─► difference in means, with interval

A failed sample-ratio test blocks the read-out: arms that lost users differ in more than the
treatment. Assignment itself is `workbench.assign`, splitting traffic `workbench.policy.Split`.
"""

from workbench.experiments.analyse import Analysis, Comparison, analyse
from workbench.experiments.difference import Difference, Moments, difference_in_means
from workbench.experiments.sample_ratio import SampleRatio, sample_ratio

__all__ = [
    "Analysis",
    "Comparison",
    "Difference",
    "Moments",
    "SampleRatio",
    "analyse",
    "difference_in_means",
    "sample_ratio",
]
