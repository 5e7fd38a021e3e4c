"""Two probes compared on the same examples left out of both."""

import numpy as np
import pytest

from pipelines.planning.evidence import ProbeScore
from pipelines.probing.depths import paired_comparison, unpaired
from pipelines.probing.probe import score

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 90)
CLEAR = (np.eye(3)[LABELS] + 0.1 * RANDOM.normal(size=(90, 3))).astype(np.float32)
NOISE = RANDOM.normal(size=(90, 3)).astype(np.float32)
FEATURES = {("clear", 1): CLEAR, ("noise", 1): NOISE}


def _score(name: str) -> ProbeScore:
    return score([FEATURES[name, 1]], LABELS, groups=None, reads=(name,), grid=1)


def test_paired_gain_is_difference_of_accuracies():
    compare = paired_comparison(FEATURES, LABELS, None, np.arange(90))
    noise, clear = _score("noise"), _score("clear")
    gain = compare(noise, clear)
    assert gain.gain == pytest.approx(clear.accuracy - noise.accuracy)
    assert gain.is_clear
    back = compare(clear, noise)
    assert (back.gain, back.is_clear) == (-gain.gain, False)
    assert compare(clear, clear).gain == 0.0


def test_rows_and_groups_of_all_are_taken():
    some = np.flatnonzero(LABELS != 1)
    groups = np.arange(90) // 2
    compare = paired_comparison(FEATURES, LABELS, groups, some)
    gain = compare(_score("noise"), _score("clear"))
    assert gain.gain > 0.2
    assert gain.standard_error < 0.2


def test_unpaired_error_is_that_of_both():
    noise, clear = _score("noise"), _score("clear")
    gain = unpaired(noise, clear)
    assert gain.gain == pytest.approx(clear.accuracy - noise.accuracy)
    assert gain.standard_error == pytest.approx(
        np.hypot(noise.standard_error, clear.standard_error)
    )
    assert unpaired(clear, clear).standard_error == 0.0


def test_rows_that_do_not_count_change_no_gain():
    weights = np.where(np.arange(90) % 3, 1.0, 0.0)
    rows = np.flatnonzero(weights)
    changed = np.where(weights > 0, LABELS, 0)
    pair = _score("noise"), _score("clear")
    gain, expected = (
        paired_comparison(FEATURES, labels, None, some, own)(*pair)
        for labels, some, own in (
            (changed, np.arange(90), weights),
            (LABELS, rows, None),
        )
    )
    assert gain.gain == pytest.approx(expected.gain)
    assert gain.standard_error == pytest.approx(expected.standard_error)
