"""The loss of a student against its formula, and the accuracy of labels."""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from pipelines.training.distillation import DistillationLoss, label_accuracy

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]], np.float32)
LABELS = np.eye(3, dtype=np.float32)[[0, 1]]
TEACHER = np.array([[3.0, 0.0, 1.0], [0.0, 2.0, 1.0]])


@pytest.fixture
def rows():
    """Labels, and a teacher at temperature 2."""
    return np.concatenate([LABELS, softmax(TEACHER / 2, axis=1)], axis=1)


def test_loss_is_the_one_of_the_paper(rows):
    loss = DistillationLoss(2.0, 0.75, 3)(rows.astype(np.float32), LOGITS)
    of_label = -log_softmax(LOGITS, axis=1)[[0, 1], [0, 1]]
    taught = softmax(TEACHER / 2, axis=1)
    apart = np.log(taught) - log_softmax(LOGITS / 2, axis=1)
    expected = 0.25 * of_label + 0.75 * 4 * (taught * apart).sum(axis=1)
    assert float(loss) == pytest.approx(expected.mean(), rel=1e-5)


def test_loss_of_an_equal_network_is_zero(rows):
    loss = DistillationLoss(2.0, 1.0, 3)
    same = TEACHER.astype(np.float32)
    assert float(loss(rows.astype(np.float32), same)) == pytest.approx(0, abs=1e-6)


def test_rows_of_labels_give_cross_entropy():
    loss = DistillationLoss(2.0, 0.75, 3)(LABELS, LOGITS)
    plain = keras.losses.CategoricalCrossentropy(from_logits=True)
    assert float(loss) == pytest.approx(float(plain(LABELS, LOGITS)), rel=1e-5)


def test_row_without_a_label_counts_by_the_teacher(rows):
    rows[:, :3] = 0
    loss = DistillationLoss(2.0, 0.0, 3)(rows.astype(np.float32), LOGITS)
    assert float(loss) == 0


def test_accuracy_is_of_labels_in_both_forms(rows):
    for form in (rows, LABELS):
        metric = label_accuracy("accuracy", 3)
        metric.update_state(form.astype(np.float32), LOGITS)
        assert (metric.name, float(metric.result())) == ("accuracy", 0.5)


def test_accuracy_without_labels_is_of_the_teacher(rows):
    rows[:, :3] = 0
    metric = label_accuracy("accuracy", 3)
    metric.update_state(rows.astype(np.float32), LOGITS)
    assert float(metric.result()) == 0.5


def test_config_makes_the_same_loss():
    loss = DistillationLoss(2.0, 0.75, 3)
    assert DistillationLoss(**loss.get_config()).get_config() == loss.get_config()
