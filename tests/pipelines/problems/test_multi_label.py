"""Several labels behind the protocol."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.input.augment import Augmentation
from pipelines.data.input.batches import training_batches
from pipelines.data.splits import ImageArray, Split
from pipelines.errors import DataError
from pipelines.problems.multi_label import MultiLabel

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
