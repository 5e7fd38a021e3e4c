"""The table of docs/reference/problems.md says what the code does."""

import types
from pathlib import Path

import numpy as np
import pytest

from pipelines.calibration.anomalies import AnomalyCalibration
from pipelines.calibration.calibration import uncalibrated
from pipelines.calibration.intervals import Interval, NumberCalibration
from pipelines.calibration.labels import LabelCalibration
from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.formats.measures import measure_of
from pipelines.problems.registry import NAMES, make

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "problems.md"
LABELS = {
    "single_label": np.arange(3),
    "ordinal": np.arange(3),
    "multi_label": np.eye(3, dtype=np.float32),
    "regression": np.float32([[0], [1], [2]]),
    "anomaly": np.zeros(3, np.int64),
}
CALIBRATIONS = {
    "single_label": uncalibrated(3, reason=""),
    "ordinal": uncalibrated(3, reason=""),
    "multi_label": LabelCalibration((1.0,) * 3, (0.5,) * 3, 0, 0.0, None, ""),
    "regression": NumberCalibration(
        (0.0,), (1.0,), (Interval(0.9, 0.9, (1.0,)),), 0, None, ""
    ),
    "anomaly": AnomalyCalibration(np.float32([0.5, 1]), 1.0, 0.5, 0.5, ""),
}
FIELDS = {
    "`config.calibration.false_negative_rate`, `least_precision`": (
        "calibration.least_precision",
        0.9,
    ),
    "`config.finetune.number_loss`": ("finetune.number_loss", "squared"),
    "`config.calibration.widths`": ("calibration.widths", "same"),
    "`config.imbalance`": ("imbalance", "weights"),
    "`config.distribution`": ("distribution", "mirrored"),
    "`config.export.explain`, a map for": ("export.explain", True),
}


def rows() -> dict[str, dict[str, str]]:
    """The cells of the table, by part and kind."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    header, *others = [[cell.strip() for cell in row.split("|")[1:-1]] for row in lines]
    assert header[0] == "part"
    return {row[0]: dict(zip(header[1:], row[1:])) for row in others}


@pytest.fixture(params=NAMES)
def kind(request):
    name = request.param
    names = ("1", "2", "3") if name != "regression" else ("size",)
    cells = {part: row[name] for part, row in rows().items()}
    return make(name, names, LABELS[name]), CALIBRATIONS[name], cells


def is_refused(problem, path, value):
    config = RunConfig()
    part, _, field = path.rpartition(".")
    setattr(getattr(config, part) if part else config, field, value)
    try:
        problem.check_config(config)
    except ConfigError:
        return True
    return False


def test_metrics_and_refusals_are_those_of_the_table(kind):
    problem, _, cells = kind
    assert cells["compared metric"] == problem.metric
    for part, (path, value) in FIELDS.items():
        assert (cells[part] == "refused") == is_refused(problem, path, value), part
    assert (cells["`zoo tune`"] == "refused") == (not problem.trains)
    pictures = cells["worst examples on the page of the run"] == "with pictures"
    scores = cells["`logme`, `h-score`, `leep` of `zoo rank`"] == "yes"
    assert pictures == problem.trains
    assert scores == problem.reads_classes
    manifest = types.SimpleNamespace(
        problem=problem.name, calibration={"label_thresholds": ()}
    )
    try:
        measure = measure_of(manifest, np.eye(2)).metric.replace("_", " ")
    except ConfigError:
        measure = "refused"
    assert cells["`zoo export --format litert,onnx`, compared by"] == measure
    changes = cells["`zoo compare`, `zoo add-class`"] == "yes"
    assert changes == problem.classes_can_change


def test_answers_are_those_of_the_table(kind):
    problem, calibration, cells = kind
    answers = problem.graph_answers(calibration)
    assert cells["signature for `tf.train.Example`"] == f"`{answers.examples}`"
    outputs = np.zeros((2, len(problem.names) if problem.units else 1), np.float32)
    features = np.zeros((2, 4), np.float32)
    given = answers.answer(outputs, features, np.array([True, False]))
    named = cells["outputs of `serving_default`"].strip("`").split()
    assert sorted(named) == sorted(given)
    expected = problem.expected(calibration, outputs, features, 1.0)
    assert sorted(expected) == sorted([*given, "valid"])
    for name, values in given.items():
        first = np.asarray(values)[0]
        np.testing.assert_array_equal(first, expected[name].values[0], err_msg=name)
        bad = np.asarray(values)[1:].ravel().tolist()
        assert not any(bad), f"a bad example has the {name} {bad}"
