import dataclasses

import numpy as np

from pipelines.classes.refit import refit


def test_refit_counts_classes_alike_if_balanced(kept):
    labels = kept.train.labels.copy()
    labels[0] = 1
    uneven = dataclasses.replace(
        kept, train=dataclasses.replace(kept.train, labels=labels)
    )
    plain = refit(uneven, balanced=False, seed=0)
    balanced = refit(uneven, balanced=True, seed=0)
    assert np.array_equal(plain.kernel, balanced.kernel)
    shares = np.bincount(labels) / len(labels)
    assert np.allclose(plain.bias - balanced.bias, np.log(shares), atol=1e-6)


def test_refit_has_a_column_for_each_class(kept):
    assert refit(kept, balanced=False, seed=0).kernel.shape == (6, 3)


def test_refit_counts_examples_by_their_weights(kept):
    train = kept.train
    weights = np.ones(len(train.labels), np.float32)
    same = dataclasses.replace(kept, train=dataclasses.replace(train, weights=weights))
    plain, weighted = (refit(k, balanced=False, seed=0) for k in (kept, same))
    np.testing.assert_allclose(weighted.kernel, plain.kernel, atol=1e-5)
    weights[0] = 9
    other = refit(same, balanced=False, seed=0)
    assert np.abs(other.kernel - plain.kernel).max() > 1e-3
