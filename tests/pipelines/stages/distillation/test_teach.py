"""A teacher is asked once for each example, and only on the data that it knows."""

import dataclasses

import numpy as np
import pytest

import zoo
from pipelines.config import from_fields
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError, DataError
from pipelines.problems.registry import make, problem_of
from pipelines.stages.distillation.finished import finished_teacher
from pipelines.stages.distillation.teach import require_teacher, teach
from tests.pipelines.conftest import TINY_DATA


@pytest.fixture(scope="module")
def known():
    return load(DatasetRef.parse(TINY_DATA))


@pytest.fixture(scope="module")
def small():
    return zoo.build("tiny_image", weights=None, input_size_px=16)


@pytest.fixture
def config(finished_run):
    return from_fields({"data": TINY_DATA, "distil": {"teacher": str(finished_run)}})


def test_lessons_are_labels_and_soft_answers(known, config, finished_run):
    taught = teach(finished_teacher(finished_run), known, config)
    train, lessons = taught.splits.train, taught.splits.train.lessons
    assert train.labels is known.train.labels
    np.testing.assert_array_equal(lessons.rows[:, :10].argmax(axis=1), train.labels)
    soft = lessons.rows[:, 10:]
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-5)
    right = (soft.argmax(axis=1) == train.labels).mean()
    assert taught.record.training_accuracy == pytest.approx(right)
    # A temperature above 1 takes confidence away.
    assert soft.max(axis=1).mean() < taught.record.mean_confidence
    assert taught.splits.validation is known.validation
    some = train.take([2, 1])
    np.testing.assert_array_equal(some.learned, lessons.rows[[2, 1]])


def test_teacher_of_these_data_is_taken(known, config, small):
    teacher = require_teacher(config, known, problem_of(known), small)
    assert teacher.backbone == "tiny_image"


def test_student_as_large_as_the_teacher_is_refused(known, config):
    same = zoo.build("tiny_image", weights=None)
    with pytest.raises(ConfigError, match="would be no smaller"):
        require_teacher(config, known, problem_of(known), same)


@pytest.mark.parametrize("kind", ["multi_label", "regression", "ordinal", "anomaly"])
def test_problems_without_classes_are_refused(known, config, small, kind):
    labels = np.eye(10, dtype=np.float32)[known.train.labels]
    if kind in ("ordinal", "anomaly"):
        labels = known.train.labels
    problem = make(kind, known.info.class_names, labels)
    with pytest.raises(ConfigError, match="exclude each other"):
        require_teacher(config, known, problem, small)


def test_data_with_other_splits_are_refused(config, small):
    other = load(DatasetRef.parse(f"{TINY_DATA}&test=0.3"))
    with pytest.raises(DataError, match="may have learned examples"):
        require_teacher(config, other, problem_of(other), small)


def test_other_data_are_refused(known, config, small):
    info = dataclasses.replace(known.info, fingerprint="another")
    other = dataclasses.replace(known, info=info)
    with pytest.raises(DataError, match="may have learned examples"):
        require_teacher(config, other, problem_of(other), small)
