"""Several labels behind the protocol."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logit

from pipelines.data.input.augment import Augmentation
from pipelines.data.input.batches import training_batches
from pipelines.data.input.imbalance import label_weights
from pipelines.data.splits import DataInfo, ImageArray, Split, Splits
from pipelines.errors import DataError
from pipelines.problems.multi_label import MultiLabel, WeightedLabels
from pipelines.training.class_weighting import Feed

UNEVEN = (np.random.default_rng(0).random((400, 3)) < [0.02, 0.3, 0.5]) * np.float32(1)
PROBLEM = MultiLabel(("cat", "dog"))


def test_labels_of_other_data_go_to_their_columns():
    aligned = PROBLEM.aligned(np.float32([[1], [0]]), ("dog",))
    assert aligned.tolist() == [[0, 1], [0, 0]]
    with pytest.raises(DataError, match=r"have the labels \['owl'\]"):
        PROBLEM.aligned(np.float32([[1]]), ("owl",))


def test_mixed_images_have_the_mixture_of_their_labels():
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    pixels[0] = 200
    split = Split("train", ImageArray(pixels), np.float32([[1, 1], [0, 1]]))
    mixing = Augmentation(flip="none", crop=1.0, colour=0.0, mixup=1.0)
    batch = next(
        iter(
            training_batches(
                split,
                input_size_px=8,
                batch_size=2,
                seed=3,
                augmentation=mixing,
                classes=2,
            )
        )
    )
    images, labels = (part.numpy() for part in batch)
    brightness = images.mean(axis=(1, 2, 3)) / 200
    np.testing.assert_allclose(labels[:, 0], brightness, atol=0.01)
    np.testing.assert_array_equal(labels[:, 1], 1)
    loss = PROBLEM.loss(soft=True)(tf.constant(labels), tf.zeros([2, 2]))
    assert float(loss) == pytest.approx(np.log(2), abs=1e-5)


def test_a_tally_reports_what_an_artifact_predicts():
    tally = PROBLEM.tally()
    probabilities = np.float32([[0.9, 0.2], [0.1, 0.4]])
    answers = {"probabilities": probabilities, "predicted": probabilities > 0.3}
    tally.add(np.float32([[1, 0], [0, 1]]), answers)
    assert tally.report("all").exact_match == 1.0


def test_smoothed_labels_move_towards_one_half():
    smoothed = np.array(PROBLEM.smoothed(tf.constant([[1.0, 0.0]]), 0.2))
    np.testing.assert_allclose(smoothed, [[0.9, 0.1]], rtol=1e-6)


def test_guessing_costs_the_same_on_every_label():
    weights = label_weights(UNEVEN)
    share = UNEVEN.mean(axis=0)
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_allclose(weights * entropy, (weights * entropy)[1], rtol=0.1)
    assert weights[0] > 3 * weights[2]


def test_labels_on_no_or_every_example_have_weights():
    assert np.isfinite(label_weights(np.float32([[0, 1], [0, 1]]))).all()


def test_shares_of_labels_are_still_the_best_answer():
    loss = WeightedLabels(label_weights(UNEVEN).tolist())
    share = UNEVEN.mean(axis=0)

    def value(logits: np.ndarray) -> float:
        outputs = np.tile(logits, (len(UNEVEN), 1)).astype(np.float32)
        return float(loss(tf.constant(UNEVEN), tf.constant(outputs)))

    best = value(logit(share))
    for label in range(3):
        for step in (-0.2, 0.2):
            moved = logit(share) + step * (np.arange(3) == label)
            assert value(moved) > best


def test_feed_weighs_labels_and_not_examples():
    parts = {
        name: Split(name, ImageArray(np.zeros((400, 2, 2, 3), np.uint8)), UNEVEN)
        for name in ("train", "validation", "test")
    }
    info = DataInfo(("a", "b", "c"), {}, "", "npz:x", (), problem="multi_label")
    feed = Feed(Splits(**parts, info=info), "weights")
    batches = tf.data.Dataset.from_tensors((tf.zeros([4, 2]), tf.constant(UNEVEN[:4])))
    assert feed.training(batches) is batches
    assert feed.validation(batches) is batches
    assert isinstance(feed.loss(), WeightedLabels)
