"""Did the new arm do better, and may we believe the comparison at all?

    log ─► exposed: one row per user ─► dealt as planned? ── no ──► say so, show no effect
                                             │ yes
                                             └► means, shares, ratios; CUPED; segments ─► intervals

A failed sample-ratio test blocks the read-out: arms that lost users differ in more than the
treatment. Assignment itself is `workbench.assign`, splitting traffic `workbench.policy.Split`.
"""

from workbench.experiments.analyse import Analysis, Comparison, analyse, compare_moments
from workbench.experiments.difference import Difference, Moments, difference_in_means
from workbench.experiments.exposures import Exposed, exposed
from workbench.experiments.metric import Mean, Proportion, Ratio
from workbench.experiments.sample_ratio import SampleRatio, sample_ratio

__all__ = [
    "Analysis",
    "Comparison",
    "Difference",
    "Exposed",
    "Mean",
    "Moments",
    "Proportion",
    "Ratio",
    "SampleRatio",
    "analyse",
    "compare_moments",
    "difference_in_means",
    "exposed",
    "sample_ratio",
]
