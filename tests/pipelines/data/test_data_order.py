"""The order of training is a good permutation, and the seed and the epoch give it."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.data.order import shuffled_epochs


def orders(count: int, *, seed: int, epochs: int, first_epoch: int = 0) -> np.ndarray:
    """The indices in their order, `[epochs, count]`."""
    stream = shuffled_epochs(
        count,
        lambda indices: indices.batch(count),
        seed=seed,
        first_epoch=first_epoch,
    )
    return np.stack([order.numpy() for order in stream.take(epochs)])


@pytest.mark.parametrize("count", [1, 2, 3, 17, 300])
def test_every_epoch_is_a_permutation(count: int) -> None:
    found = orders(count, seed=5, epochs=6)
    assert (np.sort(found, axis=1) == np.arange(count)).all()
    distinct = len({tuple(order) for order in found})
    assert distinct == 6 if count >= 17 else distinct >= 1


def test_an_epoch_does_not_depend_on_where_the_run_began() -> None:
    whole = orders(100, seed=5, epochs=5)
    assert (orders(100, seed=5, epochs=3, first_epoch=2) == whole[2:]).all()
    assert (orders(100, seed=6, epochs=5) != whole).any(axis=1).all()


@pytest.mark.parametrize("count", [300, 500, 1000])
def test_examples_in_class_order_are_mixed_as_well_as_by_numpy(count: int) -> None:
    rng = np.random.default_rng(0)
    perfect = np.stack([rng.permutation(count) for _ in range(40)])
    # One pass of index_shuffle is 1.2 to 1.35 times as uneven.
    assert unevenness(orders(count, seed=0, epochs=40)) < 1.1 * unevenness(perfect)


def unevenness(found: np.ndarray) -> float:
    """The mean chi-square of ten classes in batches of 32."""
    count = found.shape[1]
    classes = found * 10 // count
    deviations = [
        ((np.bincount(order[start : start + 32], minlength=10) - 3.2) ** 2 / 3.2).sum()
        for order in classes
        for start in range(0, count - 31, 32)
    ]
    return float(np.mean(deviations))
