"""One linear head answers as the average of several does."""

import numpy as np

from pipelines.probing.probe import Probe, Standardization
from pipelines.stages.folds.average import averaged

RNG = np.random.default_rng(0)


def _standardization():
    mean = RNG.normal(5, 2, 7).astype(np.float32)
    return Standardization(mean, RNG.uniform(0.1, 3, 7).astype(np.float32))


def _logits(head, x):
    return head.standardization([x]) @ head.kernel + head.bias


def test_averaged_logits_are_the_average_of_logits():
    heads = [
        Probe(
            _standardization(),
            RNG.normal(size=(7, 3)).astype(np.float32),
            RNG.normal(size=3).astype(np.float32),
        )
        for _ in range(5)
    ]
    x = RNG.normal(5, 2, (40, 7)).astype(np.float32)
    expected = np.mean([_logits(head, x) for head in heads], axis=0)
    together = averaged(heads, _standardization())
    assert together.kernel.dtype == together.bias.dtype == np.float32
    np.testing.assert_allclose(_logits(together, x), expected, atol=2e-4)
    assert np.abs(_logits(heads[0], x) - expected).max() > 0.1
