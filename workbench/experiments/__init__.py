"""Did the new arm do better, and may we believe the comparison at all?

    log ─► exposed: one row per user ─► dealt as planned? ── no ──► say so, show no effect
                                             │ yes
                                             ├► analyse: means, shares, ratios; CUPED; segments
                                             ├► looks: the same over time, safe to look at
                                             ├► sample_size, duration_days: before it begins
                                             └► decide: a ramp from 1 to 100 %, with guardrails

    log with a shadow ─► pairs ─► disagreement over the noise floor; oddities
    log with propensities ─► replay_outcomes: what would the other policy have earned?

A failed sample-ratio test blocks the read-out: arms that lost users differ in more than the
treatment. Assignment itself is `workbench.assign`, splitting traffic `workbench.policy.Split`.
"""

from workbench.experiments.analyse import Analysis, Comparison, analyse, compare_moments
from workbench.experiments.bayes import Posterior, posterior_of_means, posterior_of_proportions
from workbench.experiments.boundaries import confidence_sequence, group_sequential, msprt
from workbench.experiments.cells import Cells, cells, rows_of
from workbench.experiments.cluster_robust import ClusterRobust, cluster_robust
from workbench.experiments.crossing import crossing_probability, inflation_factor
from workbench.experiments.degenerate import Oddities, oddities
from workbench.experiments.difference import Difference, Moments, difference_in_means
from workbench.experiments.disagreement import Disagreement, disagreement
from workbench.experiments.duration import Duration, duration_days
from workbench.experiments.exposures import Exposed, exposed
from workbench.experiments.guardrail import Guardrail
from workbench.experiments.looks import Looks, looks
from workbench.experiments.metric import Mean, Proportion, Ratio
from workbench.experiments.non_inferiority import NonInferiority, non_inferiority
from workbench.experiments.novelty import Novelty, novelty
from workbench.experiments.overlap import Overlap, check_salts, overlap
from workbench.experiments.pairs import pairs
from workbench.experiments.planning import (
    Design,
    minimum_detectable_effect,
    power,
    sample_size,
)
from workbench.experiments.ramp import Decision, Evidence, Ramp, decide, evidence_of
from workbench.experiments.ramp_analysis import RampAnalysis, analyse_ramp
from workbench.experiments.ramp_book import RampBook
from workbench.experiments.replay import (
    Limits,
    Replayed,
    ReplayPlan,
    cross_fitted,
    mean_reward,
    propensity_check,
    replay_outcomes,
    slate_chances,
    value_bounds,
)
from workbench.experiments.running import running_moments
from workbench.experiments.sample_ratio import SampleRatio, sample_ratio
from workbench.experiments.score_shift import calibration, score_shift
from workbench.experiments.shadow import Shadowing, shadow
from workbench.experiments.simulated_power import Simulation, power_by_simulation
from workbench.experiments.slices import slices, who_was_right
from workbench.experiments.triggered import Triggered, triggered
from workbench.experiments.validity import Validity, validity

__all__ = [
    "Analysis",
    "Cells",
    "ClusterRobust",
    "Comparison",
    "Decision",
    "Design",
    "Difference",
    "Disagreement",
    "Duration",
    "Evidence",
    "Exposed",
    "Guardrail",
    "Limits",
    "Looks",
    "Mean",
    "Moments",
    "NonInferiority",
    "Novelty",
    "Oddities",
    "Overlap",
    "Posterior",
    "Proportion",
    "Ramp",
    "RampAnalysis",
    "RampBook",
    "Ratio",
    "ReplayPlan",
    "Replayed",
    "SampleRatio",
    "Shadowing",
    "Simulation",
    "Triggered",
    "Validity",
    "analyse",
    "analyse_ramp",
    "calibration",
    "cells",
    "check_salts",
    "cluster_robust",
    "compare_moments",
    "confidence_sequence",
    "cross_fitted",
    "crossing_probability",
    "decide",
    "difference_in_means",
    "disagreement",
    "duration_days",
    "evidence_of",
    "exposed",
    "group_sequential",
    "inflation_factor",
    "looks",
    "mean_reward",
    "minimum_detectable_effect",
    "msprt",
    "non_inferiority",
    "novelty",
    "oddities",
    "overlap",
    "pairs",
    "posterior_of_means",
    "posterior_of_proportions",
    "power",
    "power_by_simulation",
    "propensity_check",
    "replay_outcomes",
    "rows_of",
    "running_moments",
    "sample_ratio",
    "sample_size",
    "score_shift",
    "shadow",
    "slate_chances",
    "slices",
    "triggered",
    "validity",
    "value_bounds",
    "who_was_right",
]
