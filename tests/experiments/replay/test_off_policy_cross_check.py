"""The same numbers as Open Bandit Pipeline 0.5.5 (Saito et al. 2021, NeurIPS) on twelve decisions.

The pipeline does not install beside this package's Python, so its answers are written down here:
`InverseProbabilityWeighting`, `SelfNormalizedInverseProbabilityWeighting`, `DirectMethod`,
`DoublyRobust`, `SwitchDoublyRobust` and `DoublyRobustWithShrinkage` of `obp.ope.estimators`.
"""

import numpy as np
import polars as pl
import pytest

from workbench.experiments.replay import Limits, ReplayPlan, replay_outcomes
from workbench.experiments.replay.estimators import doubly_robust, ips, self_normalised, switch
from workbench.experiments.replay.weights import (
    clipped_weights,
    importance_weights,
    shrunk_weights,
)

LOGGER, TARGET = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
ITEM = np.array([0, 1, 2, 0, 0, 1, 2, 1, 0, 0, 2, 1])
REWARD = np.array([0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1.0])
MODEL = np.array([0.2, 0.5, 0.6])
PIPELINE = {
    "ips": 0.7666666666666666,
    "ips clipped at 1.5": 0.5166666666666667,
    "snips": 0.6571428571428574,
    "direct": 0.5300000000000001,
    "dr": 0.6633333333333333,
    "switch at 1.5": 0.6133333333333334,
    "dros at 4": 0.6120512820512821,
}


def ours():
    weights = importance_weights(LOGGER[ITEM], TARGET[ITEM])
    model = MODEL[ITEM], np.full(len(ITEM), TARGET @ MODEL)
    return {
        "ips": ips(weights, REWARD),
        "ips clipped at 1.5": ips(clipped_weights(weights, 1.5), REWARD),
        "snips": self_normalised(weights, REWARD),
        "direct": model[1],
        "dr": doubly_robust(weights, REWARD, *model),
        "switch at 1.5": switch(weights, REWARD, *model, above=1.5),
        "dros at 4": doubly_robust(shrunk_weights(weights, 4.0), REWARD, *model),
    }


@pytest.mark.parametrize("name", PIPELINE)
def test_the_estimators_agree_with_the_pipeline(name):
    assert ours()[name].mean() == pytest.approx(PIPELINE[name], abs=1e-12)


def test_so_does_the_report():
    log = pl.DataFrame(
        {
            "request": np.arange(12),
            "reward": REWARD,
            "propensity": LOGGER[ITEM],
            "target_propensity": TARGET[ITEM],
            "predicted_reward": MODEL[ITEM],
            "target_predicted_reward": np.full(12, TARGET @ MODEL),
        }
    )
    plan = ReplayPlan(limits=Limits(0, 0), clips=(2.0, 1.5))
    result = replay_outcomes(log, plan=plan)
    for name in ("ips", "snips", "direct", "dr"):
        assert result[name]["estimate"] == pytest.approx(PIPELINE[name], abs=1e-12)
    clips = {row["clip"]: row for row in result.clips.iter_rows(named=True)}
    assert clips[1.5]["switch"] == pytest.approx(PIPELINE["switch at 1.5"], abs=1e-12)
    assert clips[2.0]["dros"] == pytest.approx(PIPELINE["dros at 4"], abs=1e-12)
    assert clips[np.inf]["dros"] == pytest.approx(PIPELINE["dr"], abs=1e-12)
