"""Temperature and bias recover what was done to logits, and are chosen by evidence."""

import numpy as np
import pytest

from pipelines.calibration.temperature import (
    choose_temperature,
    fit_bias,
    fit_temperature,
    unscaled,
)


def _logits(n, *, classes=5, temperature=1.0, bias=None, seed=0):
    """Logits, and labels drawn from their softmax; then the logits are spoilt.

    The right calibration divides by `temperature` and adds `bias`.
    """
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 2, (n, classes))
    noise = rng.gumbel(size=(n, classes))
    labels = (true + noise).argmax(axis=1)
    bias = np.zeros(classes) if bias is None else np.array(bias)
    return temperature * (true - bias), labels


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_known_temperature_is_recovered(temperature):
    found, bias = fit_temperature(*_logits(8000, temperature=temperature))
    assert found == pytest.approx(temperature, rel=0.05)
    assert not bias.any()


def test_a_known_bias_is_recovered_with_the_temperature():
    bias = [2.0, 0.0, 0.0, -1.0, -1.0]
    found, found_bias = fit_bias(*_logits(8000, temperature=2.5, bias=bias))
    assert found == pytest.approx(2.5, rel=0.05)
    np.testing.assert_allclose(found_bias, bias, atol=0.15)
    assert found_bias.mean() == pytest.approx(0, abs=1e-12)


def test_two_examples_by_hand():
    # Half of the answers are right, so that half of the probability is right.
    logits = np.array([[3.0, 0.0], [3.0, 0.0], [0.0, 3.0], [0.0, 3.0]])
    temperature, _ = fit_temperature(logits, np.array([0, 1, 0, 1]))
    assert temperature == pytest.approx(20)  # the hottest that there is
    # Three of four are right, and each counts to 1 - 1 / (4 + 2).
    temperature, _ = fit_temperature(logits, np.array([0, 0, 1, 0]))
    doubt = 1 / 6
    wanted = 0.75 * (1 - doubt / 2) + 0.25 * doubt / 2
    assert 3 / temperature == pytest.approx(np.log(wanted / (1 - wanted)), rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_auto_takes_a_bias_only_for_shifted_classes(seed):
    shifted = _logits(600, temperature=2.0, bias=[2, 0, 0, -1, -1], seed=seed)
    assert choose_temperature(*shifted, method="auto")[0].method == "bias"
    plain = _logits(600, temperature=2.0, seed=seed)
    chosen, reason = choose_temperature(*plain, method="auto")
    assert chosen.method == "temperature"
    assert "Cross-validated log loss on 600 held-out examples" in reason
    assert set(chosen.bias) == {0.0}


def test_auto_changes_nothing_where_nothing_is_gained():
    methods = {
        choose_temperature(*_logits(300, seed=seed), method="auto")[0].method
        for seed in range(6)
    }
    assert "none" in methods
    assert "bias" not in methods


def test_a_bias_needs_examples_of_every_class():
    logits, labels = _logits(600, temperature=2.0, bias=[2, 0, 0, -1, -1])
    keep = np.sort(
        np.concatenate([np.flatnonzero(labels != 3), np.flatnonzero(labels == 3)[:9]])
    )
    for method in ("auto", "bias"):
        chosen, reason = choose_temperature(logits[keep], labels[keep], method=method)
        assert chosen.method == "temperature"
        assert (
            "needs 10 held-out examples of each class; the smallest class has 9"
            in reason
        )
        assert choose_temperature(logits, labels, method=method)[0].method == "bias"


def test_method_bias_takes_it_without_comparison():
    logits, labels = _logits(600, temperature=2.0)
    assert choose_temperature(logits, labels, method="auto")[0].method == "temperature"
    chosen, reason = choose_temperature(logits, labels, method="bias")
    assert (chosen.method, reason) == ("bias", "calibration.method is bias.")
    chosen, _ = choose_temperature(logits, labels, method="temperature")
    assert chosen.method == "temperature"


def test_confidence_is_bounded_if_all_are_right():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 100)
    logits = 2.0 * np.eye(3)[labels]
    chosen, reason = choose_temperature(logits, labels, method="auto")
    assert "Every held-out example was right." in reason
    confidence = np.exp(chosen.log_probabilities(logits)).max(axis=1)
    # A doubt of 1 / 102, of which a third lies on the right class itself.
    np.testing.assert_allclose(confidence, 1 - 2 / 3 / 102, atol=1e-5)


@pytest.mark.parametrize("method", ["auto", "temperature", "bias"])
def test_useless_data_give_temperature_one_and_reason(method):
    logits, labels = _logits(200)
    chosen, reason = choose_temperature(logits, logits.argmin(axis=1), method=method)
    assert (chosen.temperature, set(chosen.bias)) == (1.0, {0.0})
    assert reason == "No held-out example was right."
    one = np.full(200, logits.argmax(axis=1)[0])
    chosen, reason = choose_temperature(logits, one, method=method)
    assert chosen == unscaled(5)
    assert reason == "All held-out examples are of one class."


def test_huge_and_equal_logits_give_finite_numbers():
    labels = np.arange(40) % 2
    for factor in (0, 1e6, 1e-9):
        logits = factor * np.eye(2)[labels]
        chosen, _ = choose_temperature(logits, labels, method="auto")
        assert np.isfinite([chosen.temperature, *chosen.bias]).all()
        assert 0.05 <= chosen.temperature <= 20
