"""A healthy export passes the comparison, and one with a fault does not."""

import pytest
import tensorflow as tf

from benchmarks.planted_faults import ALL, FAULTS, answers, compare, margin, subject_of
from benchmarks.small_models import CLASS_NAMES, Recipe, small_model
from pipelines.data.images.decode import decode_and_resize
from pipelines.serving.parity import DifferentError

SIZE = 32
HEALTHY = {
    "all blocks trained": Recipe("tiny_image", size_px=SIZE, trains="full"),
    "statistics of the data": Recipe(
        "tiny_image", size_px=SIZE, reads_all=True, grid=2, reestimated=True
    ),
    "a short scratch run": Recipe("tiny_image", size_px=SIZE, trains="scratch"),
    "16 bits": Recipe("tiny_image", size_px=SIZE, precision="mixed_bfloat16"),
    "texts": Recipe("tiny_text", reads_all=True),
    "series": Recipe("tiny_series", trains="full"),
}


def _subject(recipe, scratch):
    small = small_model(recipe)
    return subject_of(
        small.model, small.calibration, small.examples, CLASS_NAMES, scratch
    )


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    recipe = Recipe("tiny_image", size_px=SIZE, trains="full", reads_all=True)
    return _subject(recipe, tmp_path_factory.mktemp("probes"))


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_export_is_within_third_of_its_bound(name, tmp_path):
    found = _subject(HEALTHY[name], tmp_path)
    assert margin(found, answers(found, signatures=ALL)) < 1 / 3


def test_many_faults_are_planted():
    assert len(FAULTS) >= 15


@pytest.mark.parametrize("name", FAULTS)
def test_an_export_with_a_fault_is_refused(subject, name):
    found = FAULTS[name](subject)
    assert margin(subject, found) > 3
    with pytest.raises(DifferentError, match="differs from the trained model"):
        compare(subject, found)


def test_faults_leave_the_model_as_it_was(subject):
    assert compare(subject, answers(subject))["outputs_compared"] == 7


def test_every_made_up_image_can_be_read(subject):
    """What is refused by reading would prove nothing of what it is there for."""
    raw = subject.asked.inputs["serving_default/31/image_bytes"]
    assert subject.asked.probes == 14
    names = subject.asked.yardstick.examples["serving_default"]
    assert len(names) == len(raw) == 1 + 16 + 14
    for name, encoded in list(zip(names, raw))[1:]:
        assert decode_and_resize(tf.constant(encoded), SIZE).shape[-1] == 3, name
    wanted = subject.asked.expected["serving_default/31/valid"].values
    assert wanted.tolist() == [False] + [True] * 30
