import numpy as np
import pytest

from workbench.metrics import auc, average_precision, log_loss


def test_log_loss_by_hand():
    # -ln .8, -ln .6, -ln .5: the chance given to what happened
    expected = -(np.log(0.8) + np.log(0.6) + np.log(0.5)) / 3
    assert log_loss([1, 0, 1], [0.8, 0.4, 0.5]) == pytest.approx(expected)


def test_a_coin_costs_one_bit():
    assert log_loss([0, 1], [0.5, 0.5]) == pytest.approx(np.log(2))


def test_a_certain_mistake_is_dear_but_finite():
    assert log_loss([1], [0.0]) == pytest.approx(36.04, abs=0.01)
    assert log_loss([1, 0], [1.0, 0.0]) == pytest.approx(0, abs=1e-12)


def test_auc_by_hand():
    # pairs (positive, negative): .4>.1, .4>.35, .35>.1, .35=.35 -> 3.5 of 4
    assert auc([0, 1, 0, 1], [0.1, 0.4, 0.35, 0.35]) == 3.5 / 4


def test_auc_limits():
    assert auc([0, 1], [0.1, 0.9]) == 1
    assert auc([0, 1], [0.9, 0.1]) == 0
    assert auc([0, 1, 1, 0], [0.3] * 4) == 0.5
    assert np.isnan(auc([1, 1], [0.1, 0.2]))
    assert auc([0, 1, 1], [-np.inf, 0.0, np.inf]) == 1


def test_average_precision_by_hand():
    # ranked 1 0 1: precision 1 at the first positive, 2/3 at the second
    assert average_precision([1, 0, 1], [0.9, 0.8, 0.1]) == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_limits():
    assert average_precision([0, 1], [0.1, 0.9]) == 1
    assert average_precision([0, 0, 1, 0], [0.5] * 4) == 0.25  # one step: the share of positives
    assert np.isnan(average_precision([0, 0], [0.1, 0.2]))


@pytest.mark.parametrize("metric", [auc, average_precision, log_loss], ids=lambda m: m.__name__)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_they_agree_with_scikit_learn(metric, tied, weighted):
    from sklearn import metrics

    peer = {
        auc: metrics.roc_auc_score,
        average_precision: metrics.average_precision_score,
        log_loss: metrics.log_loss,
    }[metric]
    rng = np.random.default_rng(0)
    for n in (10, 200, 2_000):
        labels = rng.random(n) < 0.3
        labels[:2] = True, False
        scores = rng.random(n)
        scores = np.round(scores, 1) if tied else scores
        weights = rng.exponential(size=n) * (rng.random(n) < 0.9) if weighted else None
        expected = peer(labels, scores, sample_weight=weights)
        assert metric(labels, scores, weights=weights) == pytest.approx(expected, rel=1e-9)


def test_weights_are_repetitions():
    labels, scores, times = np.array([0, 1, 1, 0]), np.array([0.2, 0.3, 0.3, 0.3]), [1, 2, 3, 4]
    repeated = np.repeat(labels, times), np.repeat(scores, times)
    for metric in (auc, average_precision, log_loss):
        weighted = metric(labels, scores, weights=times)
        assert weighted == pytest.approx(metric(*repeated))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "non-empty"),
        (([0, 1], [0.5]), "same shape"),
        (([0, 2], [0.1, 0.2]), "0 or 1, got 2"),
        (([0, np.nan], [0.1, 0.2]), "0 or 1, got nan"),
        (([0, 1], [0.1, np.nan]), "NaN, got 1"),
    ],
)
@pytest.mark.parametrize("metric", [auc, average_precision, log_loss], ids=lambda m: m.__name__)
def test_bad_input_is_named(metric, arguments, message):
    with pytest.raises(ValueError, match=message):
        metric(*arguments)


def test_log_loss_wants_probabilities():
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 0.5 to 1.5"):
        log_loss([0, 1], [0.5, 1.5])


def test_negative_weights_are_an_error():
    with pytest.raises(ValueError, match="weights must be >= 0"):
        auc([0, 1], [0.1, 0.2], weights=[1, -1])
