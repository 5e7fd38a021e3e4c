"""The order of training is a good permutation, and the seed and the epoch give it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.input.order import WorkerShard, shuffled_epochs


def orders(count: int, *, seed: int, epochs: int, first_epoch: int = 0) -> np.ndarray:
    """The indices in their order, `[epochs, count]`."""
    stream = shuffled_epochs(
        count,
        lambda samples: samples.batch(count),
        seed=seed,
        first_epoch=first_epoch,
    )
    return np.stack([order.index.numpy() for order in stream.take(epochs)])


@pytest.mark.parametrize("count", [1, 2, 3, 17, 300])
def test_every_epoch_is_a_permutation(count: int) -> None:
    found = orders(count, seed=5, epochs=6)
    assert (np.sort(found, axis=1) == np.arange(count)).all()
    distinct = len({tuple(order) for order in found})
    assert distinct == 6 if count >= 17 else distinct >= 1


def test_epoch_does_not_depend_on_the_start() -> None:
    whole = orders(100, seed=5, epochs=5)
    assert (orders(100, seed=5, epochs=3, first_epoch=2) == whole[2:]).all()
    assert (orders(100, seed=6, epochs=5) != whole).any(axis=1).all()


@pytest.mark.parametrize("count", [300, 500, 1000])
def test_class_order_is_mixed_as_by_numpy(count: int) -> None:
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


def balanced(labels: np.ndarray, *, epochs: int, seed: int = 0) -> np.ndarray:
    stream = shuffled_epochs(
        len(labels),
        lambda samples: samples.batch(len(labels)),
        seed=seed,
        balance=labels,
    )
    return np.stack([order.index.numpy() for order in stream.take(epochs)])


LABELS = np.repeat([0, 1, 2], [50, 8, 2])


def test_balanced_epochs_draw_every_class_as_often() -> None:
    found = balanced(LABELS, epochs=4)
    assert found.shape == (4, 60)
    for order in found:
        assert np.bincount(LABELS[order]).tolist() == [20, 20, 20]
        # Examples of a class take turns; an epoch can end and begin within one.
        for label in range(3):
            times = np.bincount(order, minlength=60)[label == LABELS]
            assert times.max() - times.min() <= 2
    # The large class takes turns: 80 samples in 4 epochs hold all of its 50 examples.
    assert set(np.flatnonzero(LABELS == 0)) <= set(found.ravel())


def test_balanced_epochs_depend_on_seed_and_epoch() -> None:
    whole = balanced(LABELS, epochs=3)
    assert (balanced(LABELS, epochs=3) == whole).all()
    assert (balanced(LABELS, epochs=3, seed=1) != whole).any(axis=1).all()
    assert len({tuple(order) for order in whole}) == 3
    resumed = shuffled_epochs(
        60, lambda samples: samples.batch(60), seed=0, first_epoch=2, balance=LABELS
    )
    assert (next(iter(resumed)).index.numpy() == whole[2]).all()


def test_samples_of_an_example_differ_in_repeat() -> None:
    stream = shuffled_epochs(
        60, lambda samples: samples.batch(60), seed=0, balance=LABELS
    )
    for epoch, sample in enumerate(stream.take(3)):
        pairs = set(zip(sample.index.numpy(), sample.repeat.numpy()))
        assert len(pairs) == 60
        assert (sample.epoch.numpy() == epoch).all()


@pytest.mark.parametrize("balance", [None, LABELS])
@pytest.mark.parametrize("share", [None, WorkerShard(1, 2, 16)])
def test_samples_at_once_are_the_same(balance, share) -> None:
    def drawn(prepare, **how):
        stream = shuffled_epochs(
            60, prepare, seed=3, first_example=16, balance=balance, share=share, **how
        )
        return list(stream.take(9).as_numpy_iterator())

    one_by_one = drawn(lambda samples: samples.batch(8))
    for one, other in zip(one_by_one, drawn(lambda samples: samples, at_once=8)):
        for expected, found in zip(one, other):
            assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("sizes", [(1, 1), (5, 2), (7, 3, 1)])
def test_classes_of_any_size_can_be_balanced(sizes: tuple[int, ...]) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    for order in balanced(labels, epochs=3):
        counts = np.bincount(labels[order], minlength=len(sizes))
        assert counts.max() - counts.min() <= 1


def test_worker_shards_make_the_batch():
    def taken(share: WorkerShard | None, rows: int) -> np.ndarray:
        stream = shuffled_epochs(
            13, lambda samples: samples.batch(rows), seed=3, share=share
        )
        return [batch.index.numpy() for batch in stream.take(5)]

    whole = taken(None, 6)
    shares = [WorkerShard(index, 2, 6) for index in (0, 1)]
    parts = [taken(share, 3) for share in shares]
    real = [share.are_real(tf.constant(2, tf.int64), examples=13) for share in shares]
    assert [one.numpy().tolist() for one in real] == [[1, 0, 0], [0, 0, 0]]
    for step, batch in enumerate(whole):
        joined = np.concatenate([part[step] for part in parts])
        assert len(joined) == 6
        assert joined[: len(batch)].tolist() == batch.tolist()
        assert set(joined[len(batch) :]) <= {batch[-1]}
    assert [len(batch) for batch in whole] == [6, 6, 1, 6, 6]
